"""An answer at once: what can be said of a face from the past alone, for streams that will not wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.core.labels import UNCERTAIN, LabelSet
from tronie.pipeline.looks import Look
from tronie.pipeline.settings import Settings
from tronie.pipeline.smooth import affect_of, path_scores, speaking_time, spoken, weights


@dataclass(frozen=True)
class Reading:
    """One face of the frame just pushed, answered from what was seen so far.

    ``box`` is x, y, width, height in pixels; ``probabilities`` (by label), ``confidence``, ``detection`` and
    ``quality`` lie in 0..1; ``label`` may be "uncertain". The timeline's own row is made later, when what follows is
    known too, and may differ. ``valence`` and ``arousal`` lie in -1..1, None where the model does not say them.
    """

    time: float
    track: int
    box: tuple[float, float, float, float]
    detection: float
    quality: float
    usable: bool
    probabilities: dict[str, float]
    label: str
    confidence: float
    valence: float | None = None
    arousal: float | None = None


class Live:
    """The forward half of the smoother: a one-sided kernel and the best path's running value, per track."""

    def __init__(self, labels: LabelSet, settings: Settings) -> None:
        self._labels, self._settings = labels, settings
        self._tracks: dict[int, tuple[list[Look], NDArray[np.float64]]] = {}

    def answer(self, looks: Sequence[Look], time: float) -> list[Reading]:
        """Readings of the looks of one frame at ``time`` seconds, in their order."""
        self._tracks = {
            number: kept for number, kept in self._tracks.items() if time - kept[0][-1].time <= self._settings.gap
        }
        return [self._read(look) for look in looks]

    def _read(self, look: Look) -> Reading:
        past, value = self._tracks.get(look.track, ([], np.zeros(len(self._labels) + 1)))
        since = look.time - past[-1].time if past else 0.0
        past = [one for one in past if look.time - one.time < self._settings.kernel] + [look]
        time = np.array([one.time for one in past])
        # The time a look speaks for is not known yet: let it be what passed since the one before.
        seconds = speaking_time(np.diff(time, prepend=time[0] - since), self._settings.look)
        usable, raw = np.array([one.usable for one in past]), np.stack([one.probabilities for one in past])
        quality = np.array([one.quality for one in past])
        weight, said = weights(time, seconds, quality, usable, self._settings.kernel), affect_of(past)
        score = path_scores(raw[-1:], usable[-1:], seconds[-1:], self._settings, spoken(self._labels))[0]
        value = np.maximum(value, value.max() - self._settings.switch) + score
        self._tracks[look.track] = (past, value - value.max())
        names = [*self._labels.names, UNCERTAIN]
        label = names[int(value.argmax())]
        odds = {name: float(p) for name, p in zip(self._labels.names, (weight @ raw)[-1], strict=True)}
        valence, arousal = (None, None) if said is None else (weight @ said)[-1].tolist()
        return Reading(
            look.time,
            look.track,
            look.box,
            look.detection,
            look.quality,
            look.usable,
            odds,
            label,
            odds.get(label, max(odds.values())),
            valence,
            arousal,
        )
