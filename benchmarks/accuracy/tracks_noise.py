"""Tracks with planted wrong labels and planted hard clips, and looks at them: shared by two benchmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tracks import Ints, Tracks, roles

from tronie.data.noise.clips import hard
from tronie.data.noise.labels import plant
from tronie.methods.method import Method
from tronie.metrics.agreement import Settings
from tronie.train.loop import Look, answer

HARD = 0.2  # share of expressive clips that are made hard
KEEP = 0.25  # share of their frames that stay
RULE = Settings(tau=0.6, gap=0.2)
"""Chosen by precision and recall on the looks of one plain run: seed 0, 30 % symmetric noise."""

Marks = NDArray[np.bool_]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Corrupted:
    """Clips to learn from. ``label`` ``(n,)`` as given, ``wrong`` and ``hard`` ``(n,)`` what was planted."""

    tracks: Tracks
    label: Ints
    wrong: Marks
    hard: Marks


def corrupted(tracks: Tracks, seed: int, noise: str) -> Corrupted:
    """``noise`` "symmetric:0.3" or "pair:0.2" on the labels to learn from; a fifth of the expressive clips made hard.

    Hard clips keep a quarter of their frames, in a neutral clip of the same actor. What ``seed`` reports on is
    untouched.
    """
    kind, _, rate = noise.partition(":")
    planted = plant(tracks.manifest, kind, rate=float(rate), seed=seed)
    neutral = tracks.manifest.label == tracks.manifest.labels.names.index("neutral")
    plan = hard(tracks.length(), neutral, HARD, seed, keep=KEEP, subject=tracks.manifest.subject)
    learnt = np.isin(np.arange(len(plan.hard)), roles(tracks, seed)[0])
    points = tracks.points[plan.among(learnt).places(tracks.starts)]
    return Corrupted(replace(tracks, points=points), planted.after, planted.flipped, plan.hard)


def looked(method: Method, made: Tracks, index: Ints, number: int, seed: int) -> Probabilities:
    """Probabilities ``(number, m, classes)`` of random looks at the clips ``index``, by final weights."""
    rows = made.rows(index, made.manifest.label)
    return np.stack([softmax(answer(method, rows, look=Look(k, seed, 9999)).logits) for k in range(number)])


def softmax(logits: NDArray[np.float32]) -> Probabilities:
    """Over the last axis, in double precision."""
    z = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return np.asarray(np.exp(z) / np.exp(z).sum(-1, keepdims=True))


def auroc(value: NDArray[np.floating], positive: Marks) -> float:
    """Probability that a positive row has a larger value than a negative one, ties count half; NaN if one lacks."""
    if positive.all() or not positive.any():
        return float("nan")
    ordered = np.sort(value)
    rank = (np.searchsorted(ordered, value, "left") + np.searchsorted(ordered, value, "right")) / 2
    count = int(positive.sum())
    return float((rank[positive].sum() - count * count / 2) / (count * (len(value) - count)))
