"""Risk and coverage: how well agreement of looks, or a softmax, tells right answers from wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.metrics.agreement import Agreement, agreement

Probabilities = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENCES: dict[str, Callable[[Probabilities, Agreement], Probabilities] | None] = {
    "softmax of one look at all frames, its own answers": None,
    "the same softmax": lambda one, looks: one[np.arange(len(one)), looks.mean.argmax(1)],
    "agreement: share of looks": lambda one, looks: looks.majority,
    "agreement: Jensen–Shannon": lambda one, looks: looks.jsd,
    "mean softmax of the looks": lambda one, looks: looks.mean.max(1),
    "share of looks, then mean softmax": lambda one, looks: looks.majority + looks.mean.max(1) / (2 * looks.looks),
}
"""By name how sure an answer is, from ``one`` ``(n, codes)`` and the looks; all but the first judge the looks' mean."""


@dataclass(frozen=True, eq=False)
class Kept:
    """How sure ``(n,)`` each answer is, and whether it is right ``(n,)``."""

    confidence: Probabilities
    right: NDArray[np.bool_]


def kept(one: Probabilities, looks: Probabilities, truth: Ints, name: str) -> Kept:
    """Answers and their confidence by one of :data:`CONFIDENCES`; ``looks`` ``(K, n, codes)``."""
    how, seen = CONFIDENCES[name], agreement(looks)
    if how is None:
        return Kept(one.max(1), one.argmax(1) == truth)
    return Kept(how(one, seen), seen.mean.argmax(1) == truth)


def risk(confidence: Probabilities, right: NDArray[np.bool_]) -> Probabilities:
    """Expected error rate ``(n,)`` of the k surest rows, k = 1..n, where equally sure rows come in random order.

    Agreement of eight looks knows eight values: without this the order of the file would decide.
    """
    _, level, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    share = np.bincount(level, ~right) / size
    return np.asarray(np.cumsum(np.repeat(share, size)) / np.arange(1, len(right) + 1))


def aurc(confidence: Probabilities, right: NDArray[np.bool_]) -> float:
    """Area under the risk-coverage curve: the mean of :func:`risk`, in [0, 1]; less is better."""
    return float(risk(confidence, right).mean())


def accuracy_at(confidence: Probabilities, right: NDArray[np.bool_], coverage: float) -> float:
    """Accuracy of the surest share ``coverage`` of the rows."""
    return 1 - float(risk(confidence, right)[max(round(coverage * len(right)), 1) - 1])
