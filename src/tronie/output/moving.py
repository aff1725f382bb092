"""Where everybody is at any moment of a film, from the rows of a timeline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.core.people import Names, person
from tronie.core.segment import JOIN_GAP, tracks
from tronie.core.timeline import Timeline
from tronie.output.overlay import Box, Mark

HOLD = 0.75
"""Seconds for which a face stays hidden before it was first found, after it was last found and in gaps between; more
where a film was looked at more seldom. A whole frame is searched every half second, so a face may be there that long
before it is found."""
_TOUCH = 2e-6  # times in a table are rounded to microseconds


@dataclass(frozen=True, eq=False)
class _Path:
    person: str
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    box: NDArray[np.float64]  # (rows, 4)
    rows: NDArray[np.int64]
    hold: float  # seconds


class Moving:
    """The faces of one film by time. Between two rows of a track (a film looked at less often) its box moves evenly.

    ``cuts`` are the seconds at which a new shot begins.
    """

    def __init__(self, timeline: Timeline, *, names: Names | None = None, cuts: Sequence[float] = ()) -> None:
        self._timeline = timeline
        self._cuts = np.array([-math.inf, *cuts, math.inf])
        self._near: dict[int, list[_Path]] = {}  # second of film -> paths that matter then
        for source, track, rows in tracks(timeline):
            box = np.stack([timeline[name][rows] for name in ("x", "y", "width", "height")], 1)
            hold = max(HOLD, 1.5 * float(timeline["duration"][rows].max()))
            path = _Path(person(names, source, track), timeline["time"][rows], timeline.end[rows], box, rows, hold)
            for second in range(math.floor(path.start[0] - hold), math.floor(path.end[-1] + hold) + 1):
                self._near.setdefault(second, []).append(path)

    def at(self, time: float) -> list[Mark]:
        """What to draw at ``time`` seconds: the faces whose row covers it (a photo's row covers its own time)."""
        found = []
        for path in self._paths(time):
            i = int(np.searchsorted(path.start, time + _TOUCH, "right")) - 1
            if i < 0 or (time > path.end[i] - _TOUCH and time > path.start[i] + _TOUCH):
                continue
            row = int(path.rows[i])
            found.append(
                Mark(
                    _between(path, i, time),
                    path.person,
                    str(self._timeline["label"][row]),
                    float(self._timeline["confidence"][row]),
                    bool(self._timeline["usable"][row]),
                )
            )
        return found

    def hidden(self, time: float) -> list[Box]:
        """What to blur at ``time`` seconds: every place where a face of a track is or, within HOLD, was or will be.

        In the same shot, that is: what was at that place before a cut is not there after it, nor the other way round.
        """
        found = []
        shot = self.shot(time)
        begins, ends = self._cuts[shot] - _TOUCH, self._cuts[shot + 1] - _TOUCH
        for path in self._paths(time):
            after = int(np.searchsorted(path.start, time - _TOUCH, "left"))
            before = int(np.searchsorted(path.start, time + _TOUCH, "right")) - 1
            near = [
                i
                for i in {before, after}
                if 0 <= i < len(path.rows)
                and path.start[i] - path.hold <= time <= path.end[i] + path.hold
                and begins <= path.start[i] < ends
            ]
            if near:
                found.append(_around(path.box[near]))
        return found

    def shot(self, time: float) -> int:
        """The number of the shot at ``time`` seconds, counted from 0."""
        return int(np.searchsorted(self._cuts, time + _TOUCH, "right")) - 1

    def _paths(self, time: float) -> Iterable[_Path]:
        return self._near.get(math.floor(time), ())


def _between(path: _Path, i: int, time: float) -> Box:
    box = path.box[i]
    if i + 1 < len(path.rows) and path.start[i + 1] - path.end[i] <= JOIN_GAP and time > path.start[i] + _TOUCH:
        share = (time - path.start[i]) / (path.start[i + 1] - path.start[i])
        box = box + share * (path.box[i + 1] - box)
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _around(boxes: NDArray[np.float64]) -> Box:
    """The smallest box that holds all of them."""
    low, high = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])
