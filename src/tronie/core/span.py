"""A stretch of time with a label on somebody's tier: what a human coder writes down."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """``label`` from ``start`` to ``end`` seconds of film, on the tier (person) ``tier``.

    ``source`` is the film as the coder's file names it, "" where it does not.
    """

    tier: str
    start: float
    end: float
    label: str
    source: str = field(default="", compare=False)
