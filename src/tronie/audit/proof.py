"""What an audit finds again of labels that were planted wrong in the very data: its proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.audit.label_quality import Quality, Signals, confusions, mistaken_labels, planted_labels
from tronie.metrics.scores import Floats


@dataclass(frozen=True)
class Proof:
    """Recovery of planted labels.

    ``kind`` "even" or "confused"; ``planted`` rows; ``found`` share of them that were called wrong (recall at the
    verdict); ``precision`` share of planted ones among what was called wrong, ``precision_90`` the same where 90 % are
    found, ``average`` precision over all ranks; ``share`` the estimated share of wrong labels, and ``expected`` what it
    should have been: the planted ones and the data's own. Labels that were wrong already count against precision, so
    that it is a lower bound. Where nothing was trained again (``replayed``), only ``found`` is known; the rest is NaN.
    """

    kind: str
    planted: int
    found: float
    precision: float
    precision_90: float
    average: float
    share: float
    expected: float


def plant(signals: Signals, kind: str, rate: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Labels ``(n,)`` of which each was replaced with probability ``rate``, and which were.

    "even": by any other class; "confused": as the data's own labels are estimated to be mistaken. ``rate`` lies in
    [0, 1].
    """
    rng, classes = np.random.default_rng((seed, 1, kind == "confused")), signals.looks.shape[2]
    table = np.ones((classes, classes))
    if kind == "confused":
        table = confusions(mistaken_labels(signals.agreement.mean, signals.label), signals.label)
    wrong = planted_labels(signals.label, table, rng)
    flipped = rng.random(len(wrong)) < rate
    return np.where(flipped, wrong, signals.label).astype(np.int64), flipped


def recovered(kind: str, quality: Quality, flipped: NDArray[np.bool_], own: float, cut: float) -> Proof:
    """How well an audit of planted labels found them, NaN where nothing was planted.

    ``flipped`` ``(n,)`` says which were planted; ``own`` is the estimated share of labels that were wrong before, and
    ``cut`` the probability from which a label is called wrong.
    """
    called, rate = quality.wrong >= cut, float(flipped.mean())
    nan = float("nan")
    if not flipped.any():
        return Proof(kind, 0, nan, nan, nan, nan, quality.share, own)
    return Proof(
        kind,
        int(flipped.sum()),
        float(called[flipped].mean()),
        float(flipped[called].mean()) if called.any() else nan,
        precision_at(quality.score, flipped, 0.9),
        average_precision(quality.score, flipped),
        quality.share,
        rate + (1 - rate) * own,
    )


def replayed(quality: Quality, cut: float) -> tuple[Proof, ...]:
    """Proof without a second training: planted labels on the same predictions, which have not seen them.

    One Proof for even and one for confused labels; ``cut`` is the probability from which a label is called wrong.
    """
    bar = quality.score[quality.wrong >= cut].min() if (quality.wrong >= cut).any() else np.inf
    nan = float("nan")
    return tuple(
        Proof(kind, len(score), float((score >= bar).mean()), nan, nan, nan, nan, nan)
        for kind, score in zip(("even", "confused"), quality.planted, strict=True)
    )


def precision_at(score: Floats, wrong: NDArray[np.bool_], recall: float) -> float:
    """Share of ``wrong`` rows among the highest scores, down to where the share ``recall`` of them is found.

    ``score`` and ``wrong`` are ``(n,)``. NaN if no row is wrong.
    """
    hits = np.cumsum(wrong[np.argsort(-score, kind="stable")])
    if not len(hits) or not hits[-1]:
        return float("nan")
    last = int(np.searchsorted(hits, np.ceil(recall * hits[-1] - 1e-9)))
    return float(hits[last] / (last + 1))


def average_precision(score: Floats, wrong: NDArray[np.bool_]) -> float:
    """Mean over the ``wrong`` rows ``(n,)`` of the precision at their rank by ``score`` ``(n,)``, highest first.

    Ties are taken in the order given. NaN if no row is wrong.
    """
    hit = wrong[np.argsort(-score, kind="stable")]
    if not hit.any():
        return float("nan")
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())
