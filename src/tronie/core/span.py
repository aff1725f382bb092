"""A stretch of time with a label on somebody's tier: what a human coder writes down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """``label`` from ``start`` to ``end`` seconds of film, on the tier (person) ``tier``."""

    tier: str
    start: float
    end: float
    label: str
