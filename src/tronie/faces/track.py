"""Follow faces: give each person one number through a film, until the camera cuts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face, Frame
from tronie.faces.assign import assign
from tronie.faces.cut import USUAL, change, is_cut, learn, thumbnail

MISSED = 2
"""Frames without a face before which its track does not end: one blunder of the detector is no leaving."""


@dataclass(frozen=True)
class TrackSettings:
    """Times in seconds, distances in face sizes.

    ``memory``: for how long a face may be out of sight and keep its number. Time in which nobody looked does not end a
    track: a film of one picture in five seconds shows the same people, and the two pictures around a hole do. So two
    frames without the face, too, must have been looked at. ``reach``: how far it may lie from where it was expected,
    at once; ``drift``: by how much that grows for each second out of sight, up to ``most``.
    ``smoothing``: over how much time its motion is averaged; ``coast``: after how much time it has died away.
    """

    memory: float = 1.0
    reach: float = 0.6
    drift: float = 1.0
    most: float = 1.2
    smoothing: float = 0.15
    coast: float = 1.0


@dataclass
class _Track:
    number: int
    x: float
    y: float
    size: float
    seen: float
    speed_x: float = 0.0
    speed_y: float = 0.0
    missed: int = 0  # frames looked at since it was seen


class Tracker:
    """Numbers faces so that one person keeps one number; numbers count from 0 and are never used again.

    A face is expected where its last motion would carry it, and faces found are paired with the expected ones so that
    the sum of distances and changes of size is least. What fits none gets a new number; a camera cut makes all new.
    """

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self._tracks: list[_Track] = []
        self._next = 0
        self._thumbnail: NDArray[np.uint8] | None = None
        self._usual = USUAL
        self._last: tuple[Frame, NDArray[np.uint8], float] | None = None  # what `_seen` found in the frame it last saw

    def cuts(self, frame: Frame) -> bool:
        """Whether the camera cuts between the frame of the last :meth:`update` and this one. Changes nothing."""
        return self._thumbnail is not None and is_cut(self._seen(frame)[1], self._usual)

    def update(self, frame: Frame, faces: list[Face]) -> list[Face]:
        """The ``faces`` of one frame, in their order, with ``track`` set. Frames come with rising times.

        The numbers do not depend on the order of ``faces``.
        """
        self._look(frame)
        memory = self.settings.memory
        self._tracks = [t for t in self._tracks if t.missed < MISSED or frame.time - t.seen <= memory]
        order = sorted(range(len(faces)), key=lambda k: (faces[k].box, faces[k].score))
        found = [faces[k] for k in order]
        pairs = {column: row for row, column in assign(self._costs(frame.time, found), self.settings.most)}
        for track in self._tracks:
            track.missed += 1
        numbers = [0] * len(faces)
        for column, face in enumerate(found):
            if column in pairs:
                track = self._tracks[pairs[column]]
                self._move(track, face, frame.time)
            else:
                track = _Track(self._next, *_middle(face), math.sqrt(face.box[2] * face.box[3]), frame.time)
                self._tracks.append(track)
                self._next += 1
            numbers[order[column]] = track.number
        return [replace(face, track=number) for face, number in zip(faces, numbers, strict=True)]

    def _look(self, frame: Frame) -> None:
        """Forget everybody if the camera cuts, and remember this picture."""
        now, amount = self._seen(frame)
        if self._thumbnail is not None:
            if is_cut(amount, self._usual):
                self._tracks = []
            self._usual = learn(amount, self._usual)
        self._thumbnail, self._last = now, None

    def _seen(self, frame: Frame) -> tuple[NDArray[np.uint8], float]:
        """The thumbnail of ``frame`` and its change from the last one; asked twice a frame, looked at once."""
        if self._last is None or self._last[0] is not frame:
            now = thumbnail(frame.image)
            self._last = frame, now, 0.0 if self._thumbnail is None else change(self._thumbnail, now)
        return self._last[1], self._last[2]

    def _costs(self, time: float, found: list[Face]) -> NDArray[np.float64]:
        """Cost of each pair of track and face ``(n, m)``: distance in sizes, and change of size as a logarithm."""
        s = self.settings
        cost = np.full((len(self._tracks), len(found)), np.inf)
        for i, track in enumerate(self._tracks):
            gap = time - track.seen
            # Motion goes on, but dies away: people stop, and a speed measured on a few frames is a rough one.
            onward = s.coast * (1 - math.exp(-gap / s.coast))
            x, y = track.x + onward * track.speed_x, track.y + onward * track.speed_y
            reach = min(s.reach + s.drift * gap, s.most)
            for j, face in enumerate(found):
                size = math.sqrt(face.box[2] * face.box[3])
                fx, fy = _middle(face)
                away = math.hypot(fx - x, fy - y) / math.sqrt(size * track.size)
                price = away + abs(math.log(size / track.size))
                if price < reach:
                    cost[i, j] = price
        return cost

    def _move(self, track: _Track, face: Face, time: float) -> None:
        """Take a face into its track: where it is now, and how fast it got there."""
        x, y = _middle(face)
        gap = time - track.seen
        if gap > 0:
            share = gap / (gap + self.settings.smoothing)
            track.speed_x += share * ((x - track.x) / gap - track.speed_x)
            track.speed_y += share * ((y - track.y) / gap - track.speed_y)
        track.x, track.y, track.seen, track.missed = x, y, time, 0
        track.size = math.sqrt(face.box[2] * face.box[3])

    def state(self) -> dict[str, Any]:
        """Everything the tracker knows, as JSON-able values."""
        tracks = [[t.number, t.x, t.y, t.size, t.seen, t.speed_x, t.speed_y, t.missed] for t in self._tracks]
        seen = None if self._thumbnail is None else self._thumbnail.tolist()
        return {"next": self._next, "tracks": tracks, "thumbnail": seen, "usual": self._usual}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on exactly as the tracker whose :meth:`state` this is, with the same settings."""
        self._next = state["next"]
        self._tracks = [_Track(*values) for values in state["tracks"]]
        self._thumbnail = None if state["thumbnail"] is None else np.array(state["thumbnail"], np.uint8)
        self._last = None
        self._usual = state["usual"]


def _middle(face: Face) -> tuple[float, float]:
    x, y, width, height = face.box
    return x + width / 2, y + height / 2
