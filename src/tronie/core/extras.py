"""A missing optional package, told as the extra that brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tronie.core.errors import MissingExtraError
from tronie.core.registry import EXTRAS


@contextmanager
def needing(feature: str) -> Iterator[None]:
    """Around late imports: raises MissingExtraError, about ``feature``, where an extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise MissingExtraError(feature, extra) from error
