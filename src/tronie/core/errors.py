"""One hierarchy of errors. Each carries one sentence a person can act on, and an exit code.

The sentence says what is wrong, where, and what to do. The command line prints it without a traceback;
services may catch :class:`TronieError`, or the one kind they can handle.
"""

from __future__ import annotations

from typing import ClassVar

from tronie.core.words import printable, shortened

LONGEST = 5000
"""Letters of a sentence; a path alone may have 4096."""


class TronieError(Exception):
    """Anything a user can cause or mend. ``exit_code`` is what the command line returns.

    The sentence often names a file or repeats a label of others, so it is brought to one line that a terminal does not
    obey (:mod:`tronie.core.words`).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, sentence: str = "") -> None:
        super().__init__(shortened(printable(sentence), LONGEST))


class SettingError(TronieError):
    """An option, recipe key or name that does not exist or has an impossible value."""

    exit_code = 2


class SourceError(TronieError):
    """A picture, film, folder or data set that cannot be read."""

    exit_code = 3


class ModelError(TronieError):
    """A model folder that is missing, damaged or does not fit what is asked of it."""

    exit_code = 4


class OutputError(TronieError):
    """A result that cannot be written where it was asked for."""

    exit_code = 5


def installed_by(extra: str) -> str:
    """The line that installs an extra, as the documentation writes it."""
    return f'pip install "tronie[{extra}]"'


class MissingExtraError(TronieError):
    """A feature whose optional dependency is not installed."""

    exit_code = 6

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}': {installed_by(extra)}")
        self._given = feature, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """An error of a worker process reaches the one that waits for it."""
        return type(self), self._given
