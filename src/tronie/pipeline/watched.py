"""What was looked at, faces or not, and what could not be."""

from __future__ import annotations

from typing import Any

from tronie.core.timeline import Looked


class Watched:
    """Counts frames and keeps the stretches without a face. Its memory grows with the stretches only."""

    def __init__(self) -> None:
        self._frames = 0
        self._span: list[float] = []  # start and end of what was looked at
        self._empty: list[list[float]] = []
        self._unseen: list[list[float]] = []  # what lies between a frame's end and the next frame

    def note(self, time: float, duration: float, faces: int) -> None:
        """Note one frame: its time and duration in seconds and how many faces were found in it."""
        end = time + duration
        if self._span and time - self._span[1] > 1e-6:
            self._unseen.append([self._span[1], time])
        self._span = [self._span[0] if self._span else time, end]
        self._frames += 1
        if faces:
            return
        if self._empty and time - self._empty[-1][1] < 1e-6:
            self._empty[-1][1] = end
        else:
            self._empty.append([time, end])

    def looked(self, source: str, kind: str) -> Looked:
        """The account so far; seconds rounded to microseconds like a timeline's columns."""
        start, end = (round(value, 6) for value in self._span or (0.0, 0.0))
        empty, unseen = (tuple((round(a, 6), round(b, 6)) for a, b in part) for part in (self._empty, self._unseen))
        return Looked(source, kind, self._frames, start, end, empty, unseen)

    def state(self) -> dict[str, Any]:
        """Plain values from which :meth:`restore` goes on exactly."""
        return {
            "frames": self._frames,
            "span": list(self._span),
            "empty": [list(one) for one in self._empty],
            "unseen": [list(one) for one in self._unseen],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self._frames, self._span = state["frames"], list(state["span"])
        self._empty, self._unseen = ([list(one) for one in state[name]] for name in ("empty", "unseen"))
