"""A person's own neutral: what is said of a face, measured against what is said of the same person at rest.

Some faces look sad or stern to a model when they are neutral. With ``x`` the logarithms of a model's probabilities,
their mean over the labels taken out, and ``e`` what the model says of neutral faces on average over people
(:class:`tronie.models.info.NeutralFit`), a look of a person is moved by

    x' = x - own * W / (W + calm) * (r - e),    r = sum(w x) / W,    W = sum(w),    w = seconds * p(neutral)

and the answer is ``softmax(x')``. ``r`` is the person at rest: the mean of their usable looks, each weighed by how
neutral the model finds it. ``W`` is the film, in seconds, that speaks for it, so nobody is moved before there is
evidence, and somebody who is never seen at rest only slowly; without that, a film of nothing but smiles turns neutral.

A person is a track, so a cut begins anew. The sums run: a look is measured against what came up to it. That gives a
stream the answers of its film, needs a few numbers a track, reads nothing twice, and is no worse than the whole film's
sums (benchmarks/accuracy/person.md). The stage stands between reading and smoothing, because the label path weighs the
looks themselves; a finished table holds only averages. The neutral face that KE2NT imagines is no such reference: its
losses only ask that it differs from the face and from the texts, and talking faces measured against its mean are read
no better than by one answer for all (benchmarks/accuracy/person_imagined.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.faces.track import MISSED, TrackSettings
from tronie.metrics.calibration import softmax
from tronie.models.info import NeutralFit
from tronie.pipeline.looks import Look
from tronie.pipeline.settings import Settings

Array = NDArray[np.float64]
_FLOOR = 1e-4  # least probability that counts: below it a model's logarithms are noise


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> LabelSet: ...


def centred(p: Array) -> Array:
    """Logarithms of probabilities ``(n, labels)``, each row's mean taken out; in nats."""
    logs = np.log(np.maximum(p, _FLOOR))
    return np.asarray(logs - logs.mean(1, keepdims=True))


def at_rest(p: Array, seconds: Array, neutral: int) -> tuple[Array, float]:
    """Evidence of one person's rest: ``(sum(w x) (labels,), W)`` over looks ``p`` ``(n, labels)`` of ``seconds`` (n,).

    ``neutral`` is the position of that label. Sums of two parts of a film are those of both.
    """
    weight = seconds * p[:, neutral]
    return weight @ centred(p), float(weight.sum())


def measured(p: Array, rest: Array, evidence: float, expected: Array, own: float, calm: float) -> Array:
    """Looks ``p`` ``(n, labels)`` against one person's rest, as :func:`at_rest` sums it, and ``expected`` (labels,)."""
    moved: Array = softmax(centred(p) - own / (evidence + calm) * (rest - evidence * expected))
    return moved


class Persons:
    """Measures looks against each track's own rest, as it is known when the look is taken. One film or stream each.

    With ``settings.baseline`` "model" looks stay as they are. Raises SettingError for a model that has no label
    neutral or whose answers to neutral faces are not known.
    """

    def __init__(self, model: _Named, settings: Settings) -> None:
        self._settings, self._on = settings, settings.baseline == "person"
        self._tracks: dict[int, tuple[float, Array, float, int]] = {}  # last seen, sums, in which moment
        self._time, self._moment = -math.inf, 0  # of the last look, and how many different times there were
        if self._on:
            self._neutral, self._expected = expected_of(model)

    def measure(self, looks: Iterable[Look]) -> list[Look]:
        """The looks, which come in order of time, with their probabilities moved."""
        return [self._measure(look) for look in looks] if self._on else list(looks)

    def _measure(self, look: Look) -> Look:
        p = look.probabilities[None]
        before, rest, evidence, _ = self._tracks.get(look.track, (look.time, np.zeros(p.shape[1]), 0.0, 0))
        # A stream does not know yet how long a look lasts: it speaks for the time since the one before.
        seconds = min(look.time - before, self._settings.look) if look.usable else 0.0
        more, weight = at_rest(p, np.array([seconds]), self._neutral)
        rest, evidence = rest + more, evidence + weight
        if look.time > self._time:
            self._time, self._moment = look.time, self._moment + 1
        if look.track not in self._tracks:
            self._forget(look.time)
        self._tracks[look.track] = look.time, rest, evidence, self._moment
        p = measured(p, rest, evidence, self._expected, self._settings.own, self._settings.calm)
        return replace(look, probabilities=p[0])

    def _forget(self, time: float) -> None:
        """Drop the tracks that the tracker has ended, so that memory grows with the faces in sight only."""
        memory = TrackSettings().memory
        self._tracks = {
            number: kept
            for number, kept in self._tracks.items()
            if time - kept[0] <= memory or self._moment - kept[3] <= MISSED
        }

    def state(self) -> dict[str, Any]:
        """Plain values from which :meth:`restore` goes on exactly."""
        tracks = [[number, seen, rest.tolist(), w, at] for number, (seen, rest, w, at) in self._tracks.items()]
        return {"tracks": tracks, "moment": self._moment, "time": self._time if self._moment else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self._tracks = {
            number: (seen, np.array(rest, np.float64), w, at) for number, seen, rest, w, at in state["tracks"]
        }
        self._moment, self._time = state["moment"], -math.inf if state["time"] is None else state["time"]


def expected_of(model: _Named) -> tuple[int, Array]:
    """Position of the label neutral, and what the model says of neutral faces ``(labels,)``. Raises SettingError."""
    fit: NeutralFit | None = getattr(model, "neutral", None)
    if model.labels.neutral is None or fit is None:
        raise SettingError(
            f"Model '{model.name}' does not say how it reads neutral faces on average, which a person's "
            "own neutral is compared with: leave out baseline 'person', or fit it with "
            "benchmarks/accuracy/person.py --write."
        )
    return model.labels.neutral, np.array([fit.expected[name] for name in model.labels.names])
