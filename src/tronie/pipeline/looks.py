"""What one look at one face gave, before and after smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
Affect = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Look:
    """One face in one frame as the model read it.

    ``time`` and ``duration`` are seconds, ``box`` is x, y, width, height in pixels, ``detection`` and ``quality`` lie
    in 0..1, ``usable`` says whether it counts as evidence, ``probabilities`` is ``(labels,)`` and sums to one.

    A video model first sees a frame, ``feature`` ``(d,)`` float16 (``probabilities`` are then empty), and reads it in
    the clips that cover it; ``says`` ``(labels,)`` is how many of these say each label. Both are None for a model of
    single faces. ``affect`` ``(2,)`` is valence and arousal, None for a model that does not say them.
    """

    frame: int
    time: float
    duration: float
    track: int
    box: tuple[float, float, float, float]
    detection: float
    quality: float
    usable: bool
    probabilities: Probabilities
    feature: NDArray[np.float16] | None = None
    says: NDArray[np.int64] | None = None
    affect: Affect | None = None

    @property
    def end(self) -> float:
        """Seconds at which the frame ends."""
        return self.time + self.duration

    def state(self) -> list[Any]:
        """Plain values, exactly but for the feature; see :meth:`restored`."""
        says, affect = (None if one is None else one.tolist() for one in (self.says, self.affect))
        return [
            self.frame,
            self.time,
            self.duration,
            self.track,
            list(self.box),
            self.detection,
            self.quality,
            self.usable,
            self.probabilities.tolist(),
            says,
            affect,
        ]

    @staticmethod
    def restored(state: list[Any]) -> Look:
        """The look that ``state`` was taken of."""
        frame, time, duration, track, (x, y, w, h), detection, quality, usable, probabilities, says, affect = state
        return Look(
            frame,
            time,
            duration,
            track,
            (x, y, w, h),
            detection,
            quality,
            usable,
            np.array(probabilities, np.float64),
            says=None if says is None else np.array(says, np.int64),
            affect=None if affect is None else np.array(affect, np.float64),
        )


@dataclass(frozen=True, eq=False)
class Settled:
    """A look with its final answer. ``label`` is an index into the labels, or -1 for "uncertain".

    ``affect`` ``(2,)`` is valence and arousal, averaged as the probabilities are; None where the look has none.
    """

    look: Look
    probabilities: Probabilities
    label: int
    affect: Affect | None = None

    @property
    def confidence(self) -> float:
        """The smoothed probability of the label; for "uncertain" the highest of all, which was not enough."""
        return float(self.probabilities[self.label] if self.label >= 0 else self.probabilities.max())

    @property
    def agreement(self) -> float:
        """Share of the clips over this look that say the label, NaN where there are none.

        For "uncertain" the share that say the label with the highest smoothed probability.
        """
        if self.look.says is None:
            return float("nan")
        label = self.label if self.label >= 0 else int(self.probabilities.argmax())
        return float(self.look.says[label] / self.look.says.sum())
