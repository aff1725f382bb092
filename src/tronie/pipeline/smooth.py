"""From looks to answers, per track: average the evidence, then find the label path. Nothing is invented.

The average, which is what tables print, is a convex combination of what the model said nearby, so no probability
leaves the range of its neighbours; valence and arousal are averaged with the same weights. The path is a penalised
maximum-a-posteriori search (:mod:`tronie.pipeline.path`) over the labels and "uncertain"; it runs with a fixed lag, so
latency and memory stay bounded on a film of any length. It weighs the looks themselves, not their average: a short
clear expression then stands out against a long faint one (on talking faces a quarter of the changes, at equal sight of
clear expressions of 0.4 s). In films, labels whose shape a talking mouth takes on have to lead a little
(``settings.speech``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.labels import LabelSet, canonical
from tronie.pipeline.looks import Look, Settled
from tronie.pipeline.path import Before, best_path
from tronie.pipeline.settings import Settings

Array = NDArray[np.float64]
_FLOOR = 0.01  # least probability the path believes in: one frame's blunder must not veto a label
_MOMENT = 1e-3  # seconds that a look without duration (a photo) speaks for
_UNUSABLE = 1e-6  # weight of an unusable look: it counts only where there is nothing else
_SPOKEN = ("surprise",)  # labels whose shape a talking mouth takes on


def spoken(labels: LabelSet) -> tuple[int, ...]:
    """Which of ``labels`` a talking mouth imitates: an open mouth is speech's own shape."""
    return tuple(i for i, name in enumerate(labels.names) if canonical(name) in _SPOKEN)


def speaking_time(duration: Array, most: float) -> Array:
    """Seconds each look speaks for: its duration, but neither nothing nor more than ``most``."""
    return np.clip(duration, _MOMENT, most)


def average(time: Array, seconds: Array, quality: Array, usable: NDArray[np.bool_], raw: Array, half: float) -> Array:
    """Quality-weighted kernel average over true times.

    ``raw`` is ``(rows, labels)``, or any other numbers of the rows; the others are as in :func:`weights`. Returns the
    averages ``(rows, labels)``.
    """
    smoothed: Array = weights(time, seconds, quality, usable, half) @ raw
    return smoothed


def weights(time: Array, seconds: Array, quality: Array, usable: NDArray[np.bool_], half: float) -> Array:
    """What each row (second axis) counts in each row's average (first axis), ``(rows, rows)``; rows sum to one.

    ``time``, ``seconds``, ``quality``, ``usable`` are (rows,), ``half`` is the half width in seconds of a triangular
    kernel centred on each row.
    """
    kernel = np.maximum(1 - np.abs(time[:, None] - time[None, :]) / half, 0.0) * seconds
    weight: Array = kernel * np.where(usable, np.maximum(quality, _MOMENT), _UNUSABLE)
    weight /= weight.sum(1, keepdims=True)
    return weight


def affect_of(looks: Sequence[Look]) -> Array | None:
    """Valence and arousal ``(rows, 2)`` of looks of one model, None where it does not say them."""
    each = [look.affect for look in looks if look.affect is not None]
    return np.stack(each) if each else None


def path_scores(
    raw: Array, usable: NDArray[np.bool_], seconds: Array, settings: Settings, guarded: Sequence[int] = ()
) -> Array:
    """What each row adds to a path for each label and, last, for "uncertain": ``(rows, labels + 1)``, in nats.

    Per look, a label earns the logarithm of its probability, "uncertain" that of the least probability that carries a
    label (``settings.certain``). In an unusable row every label earns that of half as much: nothing speaks for any.
    The labels ``guarded`` (by position) earn ``settings.speech`` less.
    """
    believed = np.where(usable[:, None], raw, settings.certain / 2)
    uncertain = np.full((len(raw), 1), settings.certain)
    logs: Array = np.log(np.maximum(np.hstack([believed, uncertain]), _FLOOR))
    logs[:, list(guarded)] -= settings.speech
    return logs * (seconds * settings.rate)[:, None]


def runs(looks: Sequence[Look], gap: float) -> list[tuple[int, int]]:
    """Stretches ``(first, behind last)`` of looks without a gap longer than ``gap`` seconds between them."""
    cuts = [i for i in range(1, len(looks)) if looks[i].time - looks[i - 1].end > gap + 1e-9]
    return list(zip([0, *cuts], [*cuts, len(looks)], strict=True)) if looks else []


class Smoother:
    """Looks go in as they come, answers come out once nothing later can change them. One film or stream each.

    ``guarded`` are the labels, by position, that must lead by ``settings.speech``: see :func:`spoken`. Photos
    have none.
    """

    def __init__(self, settings: Settings, guarded: Sequence[int] = ()) -> None:
        self._settings, self._guarded = settings, tuple(guarded)
        self._tracks: dict[int, _Track] = {}

    def add(self, looks: Iterable[Look]) -> None:
        """Take looks, in order of time."""
        for look in looks:
            self._tracks.setdefault(look.track, _Track()).looks.append(look)

    def settle(self, clock: float) -> list[Settled]:
        """Answers to looks older than ``clock`` minus the lag, in order of frame and track.

        ``clock`` is a time up to which every look has been added; infinity settles all.
        """
        done: list[Settled] = []
        for track in self._tracks.values():
            done += track.settle(clock - self._settings.lag, self._settings, self._guarded)
        self._tracks = {
            number: track for number, track in self._tracks.items() if not track.over(clock, self._settings.gap)
        }
        return sorted(done, key=lambda one: (one.look.frame, one.look.track))

    def state(self) -> dict[str, Any]:
        """Plain values from which :meth:`restore` goes on exactly."""
        return {"tracks": [[number, track.state()] for number, track in self._tracks.items()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self._tracks = {number: _Track.restored(track) for number, track in state["tracks"]}


class _Track:
    """Looks of one track: settled ones that the kernel still reaches, then pending ones."""

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self.settled = 0  # how many of the looks are settled
        self.before: Before | None = None  # the segment that the last settled look belongs to

    def settle(self, until: float, settings: Settings, guarded: Sequence[int]) -> list[Settled]:
        count = sum(look.time < until for look in self.looks[self.settled :])
        done: list[Settled] = []
        for first, behind in runs(self.looks, settings.gap) if count else []:
            if behind <= self.settled or len(done) == count:
                continue
            fresh = first >= self.settled  # a run that begins with pending looks continues no segment
            answers, self.before = _answers(
                self.looks[first:behind],
                max(self.settled - first, 0),
                count - len(done),
                None if fresh else self.before,
                settings,
                guarded,
            )
            done += answers
        self._forget(count, settings.kernel)
        return done

    def _forget(self, count: int, reach: float) -> None:
        self.settled += count
        if self.settled:
            edge = self.looks[self.settled - 1].time - reach
            old = next(i for i, look in enumerate(self.looks) if look.time >= edge)
            self.looks, self.settled = self.looks[old:], self.settled - old

    def over(self, clock: float, gap: float) -> bool:
        """Whether nothing of this track can matter any more."""
        return self.settled == len(self.looks) and clock - self.looks[-1].end > gap + 1e-9

    def state(self) -> dict[str, Any]:
        looks = [look.state() for look in self.looks]
        return {"looks": looks, "settled": self.settled, "before": None if self.before is None else list(self.before)}

    @staticmethod
    def restored(state: dict[str, Any]) -> _Track:
        track = _Track()
        track.looks = [Look.restored(look) for look in state["looks"]]
        track.settled = state["settled"]
        track.before = None if state["before"] is None else Before(*state["before"])
        return track


def _answers(
    looks: Sequence[Look], known: int, count: int, before: Before | None, settings: Settings, guarded: Sequence[int]
) -> tuple[list[Settled], Before]:
    """Settle up to ``count`` looks of one run behind its first ``known``; and the segment the last one belongs to."""
    time, ends = np.array([look.time for look in looks]), np.array([look.end for look in looks])
    seconds = speaking_time(ends - time, settings.look)
    usable, raw = np.array([look.usable for look in looks]), np.stack([look.probabilities for look in looks])
    quality = np.array([look.quality for look in looks])
    weight = weights(time, seconds, quality, usable, settings.kernel)
    smoothed, said = (weight @ raw)[known:], affect_of(looks)
    scores = path_scores(raw, usable, seconds, settings, guarded)[known:]
    uncertain = raw.shape[1]
    if before is None and 0 < ends[-1] - time[0] < settings.least:
        path = np.full(len(looks), uncertain)  # seen for too short a time to say anything
    else:
        path = best_path(
            scores, time[known:], ends[known:], switch=settings.switch, least=settings.least, before=before
        )
    pending = looks[known:]
    affect = [None] * len(pending) if said is None else (weight @ said)[known:]
    done = [
        Settled(look, p, -1 if state == uncertain else int(state), a)
        for look, p, state, a in zip(pending[:count], smoothed, path, affect, strict=False)
    ]
    last = len(done) - 1
    begin = last
    while begin > 0 and path[begin - 1] == path[last]:
        begin -= 1
    goes_on = begin == 0 and before is not None and before.state == path[last]
    since = before.since if goes_on and before is not None else pending[begin].time
    return done, Before(int(path[last]), float(since), float(pending[last].end))
