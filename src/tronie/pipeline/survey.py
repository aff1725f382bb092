"""What has to be known of a whole film before its first picture is drawn: the sizes of its pictures, and its cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.faces.cut import USUAL, change, is_cut, learn, thumbnail
from tronie.output.canvas import Size
from tronie.video.reader import VideoReader, slot

_ALIKE = 0.5
"""Correlation of two pictures' thumbnails from which on they may show the same place: a flash is no cut."""


@dataclass(frozen=True)
class Survey:
    """``sizes``: ``(time, size)`` of the first picture of every stretch of one size. ``cuts``: when new shots begin.

    ``blind``: the numbers of those shots, counted from 0, of which no picture was looked at.
    """

    sizes: tuple[tuple[float, Size], ...]
    cuts: tuple[float, ...]
    blind: frozenset[int]


def survey(
    path: Path, track: int | None, fps: float | None, heard: Callable[[float], None], stop: Callable[[], bool]
) -> Survey:
    """Go through the film at ``path``; ``heard`` gets the seconds reached, ``stop`` ends it. Raises SourceError.

    A cut is said only where the pictures before and after it have little in common, as what is blurred ends there.
    ``fps`` is how many frames a second were looked at (None: every one).
    """
    sizes: list[tuple[float, Size]] = []
    cuts: list[float] = []
    looked: set[int] = set()
    first, place = 0.0, -1
    before: NDArray[np.uint8] | None = None
    usual = USUAL
    with VideoReader(path, track=track) as reader:
        for frame in reader:
            if stop():
                break
            size = frame.image.shape[:2]
            if not sizes or sizes[-1][1] != size:
                sizes.append((frame.time, (size[0], size[1])))
            now = thumbnail(frame.image)
            if before is not None:
                amount = change(before, now)
                if is_cut(amount, usual) and _likeness(before, now) < _ALIKE:
                    cuts.append(frame.time)
                usual = learn(amount, usual)
            first = frame.time if before is None else first
            before = now
            if (here := slot(frame.time - first, fps)) > place or fps is None:
                looked.add(len(cuts))
                place = here
            heard(frame.time + frame.duration)
    return Survey(tuple(sizes), tuple(cuts), frozenset(range(len(cuts) + 1)) - looked)


def _likeness(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The correlation of two pictures, -1 to 1; 0 where one of them is all of one grey."""
    one, other = a - a.mean(), b - b.mean()
    power = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / power if power else 0.0
