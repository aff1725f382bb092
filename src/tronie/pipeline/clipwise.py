"""Looks of a video model to answers: windows of film, each read in several random clips of it.

The windows lie on a grid of film time: window i is ``[i·hop, i·hop + window)`` seconds. Of one track, a run (looks
without a gap longer than ``settings.gap``) is read in every window whose middle lies in it, and as one window where it
is no longer than one. A window is read in K looks, drawn by its number, so the same film gives the same clips whatever
came before. A row's probabilities, and its valence and arousal if the model says them, are the mean over the windows
that cover it; its agreement is the share of all their looks that say its final label. Looks at faces too poor to count
are passed over where a window has others.

Frames were encoded once; only features wait here, for at most a window and a grid cell of each track. A row is ready
when all windows over it are read: at most ``window`` seconds later, or ``gap`` seconds after the face is gone.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.models.clip import ClipInfo, ClipReader, Heard
from tronie.pipeline.looks import Look
from tronie.pipeline.reading import Model, clip_reader
from tronie.pipeline.settings import Settings

_EDGE = 1e-6  # seconds (of the hop: its part) by which a time may miss a line of the grid and still lies on it


@dataclass(frozen=True, eq=False)
class Window:
    """A window that was read: whose, which, from when to when in seconds, and what its looks said."""

    track: int
    number: int
    start: float
    end: float
    heard: Heard


Hear = Callable[[Window], None]


def covering(time: float, info: ClipInfo) -> range:
    """Numbers of the windows of the grid that hold a time in seconds; there are at least two."""
    first = math.floor((time - info.window) / info.hop + _EDGE) + 1
    return range(first, math.floor(time / info.hop + _EDGE) + 1)


def read_window(reader: ClipReader, looks: Sequence[Look], end: float, number: int) -> Heard:
    """Looks of one track, in order of time, read as one window that lasts until ``end`` seconds."""
    chosen = [look for look in looks if look.usable] or looks
    features = np.stack([look.feature for look in chosen if look.feature is not None])
    return reader.read(features, np.array([look.time for look in chosen]), end, number)


class Clips:
    """Turns a video model's looks into answers; a model of single faces has answered, so its looks go through.

    One film or stream each. ``hear`` is told of every window. ``on``: whether the model is a video model.
    """

    def __init__(self, model: Model, settings: Settings, hear: Hear | None = None) -> None:
        self._reader, self._gap, self._hear = clip_reader(model), settings.gap, hear
        self._labels = len(model.labels)
        self._runs: list[_Run] = []
        self.on = self._reader is not None

    def take(self, looks: Iterable[Look], clock: float) -> tuple[list[Look], float]:
        """Take looks, in order of time; ``clock`` is a time up to which every look has been taken.

        Returns looks whose clips are all read, in order of time, and a time up to which every look has been returned.
        """
        if self._reader is None:
            return list(looks), clock
        for look in looks:
            self._add(look)
        for run in self._runs:
            self._read(self._reader, run, clock)
        clock = min([clock, *(run.ready(self._reader.info) for run in self._runs)])
        ready = [look for run in self._runs for look in run.release(clock)]
        self._runs = [run for run in self._runs if run.waiting or not run.closed]
        return sorted(ready, key=lambda look: (look.frame, look.track)), clock

    def _add(self, look: Look) -> None:
        last = next((run for run in reversed(self._runs) if run.track == look.track and not run.closed), None)
        if last is not None and look.time - last.end <= self._gap + 1e-9:
            last.add(look, self._labels)
            return
        if last is not None:
            last.closing = True
        self._runs.append(_Run(look.track, look.time))
        self._runs[-1].add(look, self._labels)

    def _read(self, reader: ClipReader, run: _Run, clock: float) -> None:
        """Read all windows of a run that nothing can change any more."""
        info = reader.info
        over = run.closing or clock - run.end > self._gap + _EDGE
        if run.end - run.start > info.window + _EDGE:
            first = math.ceil((run.start - info.window / 2) / info.hop - _EDGE)
            number = first if run.following is None else run.following
            while number * info.hop + info.window / 2 <= run.end + _EDGE:
                end = number * info.hop + info.window
                if end > clock and not over:
                    break
                inside = [one for one in run.waiting if number in covering(one.look.time, info)]
                self._window(reader, run, inside, end, number)
                number += 1
            run.following = number
        elif over and not run.closed:
            number = covering(run.start, info)[-1]
            self._window(reader, run, run.waiting, run.end, number)
        run.closed = over

    def _window(self, reader: ClipReader, run: _Run, inside: Sequence[_Waiting], end: float, number: int) -> None:
        if not inside:  # at few frames a second
            return
        looks = [one.look for one in inside]
        end = min(end, max(looks[-1].end, looks[-1].time + _EDGE))
        heard = read_window(reader, looks, end, number)
        says = np.bincount(heard.says, minlength=self._labels)
        for one in inside:
            one.total, one.windows, one.says = one.total + heard.probability, one.windows + 1, one.says + says
            if heard.affect is not None:
                one.affect = heard.affect if one.affect is None else one.affect + heard.affect
        if self._hear is not None:
            self._hear(Window(run.track, number, looks[0].time, end, heard))

    def state(self) -> list[Any]:
        """Plain values from which :meth:`restore` goes on exactly."""
        return [run.state() for run in self._runs]

    def restore(self, state: list[Any]) -> None:
        """Take up what :meth:`state` gave."""
        self._runs = [_Run.restored(run) for run in state]


@dataclass(eq=False)
class _Waiting:
    """A look, the sum of what ``windows`` windows over it said, and how many of their looks said each label.

    ``affect`` ``(2,)`` is the sum of the windows' valence and arousal, None where they say none.
    """

    look: Look
    total: NDArray[np.float64]
    windows: int
    says: NDArray[np.int64]
    affect: NDArray[np.float64] | None = None


class _Run:
    """Looks of one track without a gap, of which the newest still wait for windows."""

    def __init__(self, track: int, start: float) -> None:
        self.track, self.start, self.end = track, start, start
        self.following: int | None = None  # the window to be read next, once it is longer than one
        self.closing = self.closed = False  # whether nothing will follow; and all windows are read
        self.waiting: list[_Waiting] = []

    def add(self, look: Look, labels: int) -> None:
        self.end = look.end
        self.waiting.append(_Waiting(look, np.zeros(labels), 0, np.zeros(labels, np.int64)))

    def ready(self, info: ClipInfo) -> float:
        """Up to when, in seconds, the looks have all their windows."""
        if self.closed:
            return math.inf
        for one in self.waiting:
            if self.following is None or covering(one.look.time, info)[-1] >= self.following:
                return one.look.time
        return math.inf

    def release(self, until: float) -> list[Look]:
        """The looks before a time, answered; they are kept no longer."""
        count = sum(one.look.time < until for one in self.waiting)
        done, self.waiting = self.waiting[:count], self.waiting[count:]
        return [
            replace(
                one.look,
                probabilities=one.total / one.total.sum(),
                feature=None,
                says=one.says,
                affect=None if one.affect is None else one.affect / one.windows,
            )
            for one in done
        ]

    def state(self) -> list[Any]:
        waiting = [
            [
                one.look.state(),
                _text(one.look.feature),
                one.total.tolist(),
                one.windows,
                one.says.tolist(),
                None if one.affect is None else one.affect.tolist(),
            ]
            for one in self.waiting
        ]
        return [self.track, self.start, self.end, self.following, self.closing, self.closed, waiting]

    @staticmethod
    def restored(state: list[Any]) -> _Run:
        track, start, end, following, closing, closed, waiting = state
        run = _Run(track, start)
        run.end, run.following, run.closing, run.closed = end, following, closing, closed
        for look, feature, total, windows, says, affect in waiting:
            seen = replace(Look.restored(look), feature=np.frombuffer(base64.b64decode(feature), np.float16))
            run.waiting.append(
                _Waiting(
                    seen,
                    np.array(total, np.float64),
                    windows,
                    np.array(says, np.int64),
                    None if affect is None else np.array(affect, np.float64),
                )
            )
        return run


def _text(feature: NDArray[np.float16] | None) -> str:
    return "" if feature is None else base64.b64encode(feature.tobytes()).decode()


class Trailing:
    """What a video model says at once: of the last window of each track, in one evenly spaced look. One stream each."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self._reader, self._gap = clip_reader(model), settings.gap
        self._tracks: dict[int, list[Look]] = {}

    def read(self, looks: list[Look], time: float) -> list[Look]:
        """The looks of one frame at ``time`` seconds, answered from what came up to it."""
        if self._reader is None:
            return looks
        kept = {number: past for number, past in self._tracks.items() if time - past[-1].time <= self._gap}
        self._tracks = kept
        return [self._answered(self._reader, look) for look in looks]

    def _answered(self, reader: ClipReader, look: Look) -> Look:
        past = [one for one in self._tracks.get(look.track, []) if look.time - one.time < reader.info.window] + [look]
        self._tracks[look.track] = past
        seen = [one for one in past if one.usable] or past
        features, time = np.stack([one.feature for one in seen if one.feature is not None]), [one.time for one in seen]
        step = (time[-1] - time[0]) / max(len(time) - 1, 1) or _EDGE
        probability, affect = reader.read_once(features, np.array(time), time[-1] + step)
        return replace(look, probabilities=probability, affect=affect)
