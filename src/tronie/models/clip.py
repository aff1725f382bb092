"""The second graph of a video model: it reads a stretch of frames, each of which was encoded once, in several looks.

A look is a random clip of the stretch: one frame from each of T equal parts of its time. What K looks say is averaged
and calibrated; how many of them say the same is the agreement that RDFER ("Robust Dynamic Facial Expression
Recognition", IEEE T-BIOM 2025, arXiv 2502.16129) tells hard stretches by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.clips.sampling import Times, timed
from tronie.metrics.calibration import softmax
from tronie.models.session import Session

_BATCH = 32
# What a model folder from others may ask for: each look costs a run of the graph, each hop a window.
_MOST_LOOKS, _SHORTEST_HOP, _LONGEST_WINDOW = 256, 0.01, 600.0

Features = NDArray[np.floating]
"""One row of numbers per frame, ``(n, width)``; float16, as the frames were when the model learnt."""

LARGEST = float(np.finfo(np.float16).max)
"""Bound of a feature's numbers."""


@dataclass(frozen=True)
class ClipInfo:
    """How a video model reads time, as ``model.json`` says it.

    ``graph`` takes ``clips`` ``(n, frames, width)`` float32 and answers ``logits`` ``(n, classes)``, and if it looks
    closely at parts of a clip, ``where`` ``(n, keys·each)``: positions in 0..frames-1, key after key; if it says
    valence and arousal, ``affect`` ``(n, 2)``. ``encoder`` names the image model whose features it learnt from, by name
    and hash. A film is read in windows of ``window`` seconds that begin every ``hop`` seconds, each in ``looks`` looks
    of ``frames`` frames.
    """

    graph: str
    graph_sha256: str
    frames: int
    width: int
    each: int = 0
    looks: int = 8
    window: float = 2.0
    hop: float = 0.5
    encoder: str = ""

    def __post_init__(self) -> None:
        if min(self.frames, self.width, self.looks) < 1 or self.each < 0 or self.looks > _MOST_LOOKS:
            raise ValueError(f"a video model needs frames and width of 1 or more, and 1 to {_MOST_LOOKS} looks")
        if not (self.hop >= _SHORTEST_HOP and self.window <= _LONGEST_WINDOW):
            raise ValueError(
                f"windows must begin {_SHORTEST_HOP:g} s apart or more and last {_LONGEST_WINDOW:g} s or less"
            )
        if not 0 < self.hop <= self.window / 2:
            raise ValueError("windows must begin at least twice in the time that one lasts: 0 < hop <= window / 2")


@dataclass(frozen=True, eq=False)
class Heard:
    """What K looks at one stretch said.

    ``probability`` ``(labels,)`` is calibrated; ``says`` ``(K,)`` is the label of each look. ``time`` ``(K, frames)``:
    seconds of the frames looked at; ``where`` ``(K, keys·each)``: seconds at which each looked closely, or None.
    ``affect`` ``(2,)``: valence and arousal, the mean over the looks, or None.
    """

    probability: NDArray[np.float64]
    says: NDArray[np.int64]
    time: Times
    where: Times | None = None
    affect: NDArray[np.float64] | None = None


def bounded(affect: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Valence and arousal ``(n, 2)`` of a graph, brought to [-1, 1]; NaN and None stay."""
    return None if affect is None else affect.clip(-1, 1)


class ClipReader:
    """Reads stretches of frames. Safe to share between threads. ``outputs`` are those of its graph, with shapes."""

    def __init__(self, info: ClipInfo, session: Session, temperature: float) -> None:
        self.info, self._session, self._temperature = info, session, temperature
        self.outputs = session.outputs

    def answer(self, clips: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The graph's outputs for clips ``(n, frames, width)`` float32: ``logits``, perhaps ``where``, ``affect``."""
        return self._session.run(clips=clips)

    def read(self, features: Features, time: Times, end: float, place: int = 0) -> Heard:
        """A stretch of frames ``(n, width)`` that come at ``time`` ``(n,)`` and last until ``end``, seconds.

        ``place`` numbers the stretch: the looks at equal places are equal, whatever else is read.
        """
        seeds = [np.random.default_rng((place % 2**32, k)) for k in range(self.info.looks)]
        chosen = np.stack([timed(time, end, self.info.frames, rng) for rng in seeds])
        found = self.answer(features[chosen].astype(np.float32))
        where = None
        if "where" in found:
            order = np.arange(self.info.frames)
            where = np.stack([np.interp(w, order, time[c]) for w, c in zip(found["where"], chosen, strict=True)])
        return Heard(
            self._calibrated(mean_logits(found["logits"])),
            found["logits"].argmax(1),
            time[chosen],
            where,
            _mean(found),
        )

    def read_once(
        self, features: Features, time: Times, end: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """One evenly spaced look at such a stretch, cheap, for live use: ``probability`` and ``affect`` as in Heard."""
        chosen = timed(time, end, self.info.frames)
        found = self.answer(features[chosen][None].astype(np.float32))
        return self._calibrated(found["logits"][0]), _mean(found)

    def still(self, features: Features) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Logits ``(n, labels)``, and affect ``(n, 2)`` if it has any, of frames ``(n, width)`` that stand still."""
        clips = np.repeat(features[:, None].astype(np.float32), self.info.frames, 1)
        # No frame at all is asked as one, so that the number of labels is known.
        asked = clips if len(clips) else np.zeros((1, *clips.shape[1:]), np.float32)
        parts = [self.answer(asked[i : i + _BATCH]) for i in range(0, len(asked), _BATCH)]
        logits = np.concatenate([part["logits"] for part in parts])[: len(clips)]
        if "affect" not in parts[0]:
            return logits, None
        return logits, bounded(np.concatenate([part["affect"] for part in parts])[: len(clips)])

    def _calibrated(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(softmax(logits[None] / self._temperature)[0])


def _mean(found: dict[str, NDArray[np.float32]]) -> NDArray[np.float64] | None:
    """Valence and arousal ``(2,)``: the mean over what the looks say."""
    affect = bounded(found.get("affect"))
    return None if affect is None else affect.astype(np.float64).mean(0)


def mean_logits(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms ``(labels,)`` of the mean probabilities of looks ``(K, labels)``: the logits of them together."""
    return np.asarray(np.log(np.maximum(softmax(logits).mean(0), 1e-12)))
