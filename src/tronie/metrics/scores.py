"""Scores of predictions against labels. WAR is plain accuracy, UAR the mean of the per-class recalls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Probabilities = NDArray[np.floating]
Floats = NDArray[np.float64]

_SMALL = 1e-12  # spread below which values count as constant


def confusion(truth: Ints, answer: Ints, classes: int) -> NDArray[np.int64]:
    """Counts ``(classes, classes)`` of labels ``(n,)`` below ``classes``: rows are the truth, columns the answer."""
    return np.bincount(truth * classes + answer, minlength=classes * classes).reshape(classes, classes)


def recalls(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall per class ``(classes,)`` from a :func:`confusion` table; NaN for a class that does not occur."""
    count = table.sum(1)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, np.diag(table) / np.where(count > 0, count, 1), np.nan)


def accuracy(table: NDArray[np.int64]) -> float:
    """WAR: share of all rows of a :func:`confusion` table answered rightly, in [0, 1]. NaN for an empty one."""
    return float(np.trace(table) / table.sum()) if table.sum() else float("nan")


def mean_recall(table: NDArray[np.int64]) -> float:
    """UAR: mean of the recalls, in [0, 1], of the classes that occur in a :func:`confusion` table."""
    values = recalls(table)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def precisions(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Precision per class ``(classes,)`` of a :func:`confusion` table; NaN for a class that was never answered."""
    return recalls(table.T)


def f1_scores(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 per class ``(classes,)``: ``2 hits / (truths + answers)``; NaN for a class neither shown nor answered."""
    both = table.sum(1) + table.sum(0)
    return np.where(both > 0, 2 * np.diag(table) / np.maximum(both, 1), np.nan)


def macro_f1(table: NDArray[np.int64]) -> float:
    """Mean F1, in [0, 1], over the classes that occur in the truth of a :func:`confusion` table."""
    shown = table.sum(1) > 0
    return float(f1_scores(table)[shown].mean()) if shown.any() else float("nan")


def negative_log_likelihood(probability: Probabilities, truth: Ints) -> float:
    """Mean ``-log p(truth)`` in nats; probabilities are floored at 1e-12."""
    picked = probability[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def kl_divergence(probability: Probabilities, votes: Probabilities) -> float:
    """Mean over rows of ``KL(votes || probability)`` in nats; both ``(n, classes)`` with rows that sum to 1."""
    ratio = np.log(np.maximum(votes, 1e-12)) - np.log(np.maximum(probability, 1e-12))
    return float((votes * ratio).sum(1).mean())


def vote_correlation(probability: Probabilities, votes: Probabilities) -> float:
    """Mean over classes of Pearson's correlation, over rows, of probability and share of votes.

    Both are ``(n, classes)``. Classes where either is constant are left out; NaN where all are.
    """
    p, v = probability - probability.mean(0), votes - votes.mean(0)
    spread = np.sqrt((p**2).sum(0) * (v**2).sum(0))
    varies = spread > 1e-12
    return float(((p * v).sum(0)[varies] / spread[varies]).mean()) if varies.any() else float("nan")


def risk_coverage(confidence: Probabilities, right: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Coverage in (0, 1] and error rate among the rows kept, both ``(n,)``, when the surest are kept first."""
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, len(order) + 1)
    return kept / len(order), np.cumsum(~right[order]) / kept


def coverage_at(confidence: Probabilities, right: NDArray[np.bool_], least_accuracy: float) -> float:
    """Largest share of ``(n,)`` rows that can be kept, surest first, with at least this accuracy; 0 if none."""
    coverage, risk = risk_coverage(confidence, right)
    fits = np.flatnonzero(risk <= 1 - least_accuracy)
    return float(coverage[fits[-1]]) if len(fits) else 0.0


def concordance(answer: Probabilities, truth: Probabilities) -> float:
    """Lin's concordance correlation (Biometrics 1989) of two columns ``(n,)``, in [-1, 1].

    ``2 cov / (var + var + (mean - mean)²)``, moments over n: Pearson's correlation times how near scale and mean are.
    NaN where both are constant and equal, and for no row.
    """
    if not len(truth):
        return float("nan")
    a, t = answer - answer.mean(), truth - truth.mean()
    spread = (a * a).mean() + (t * t).mean() + (answer.mean() - truth.mean()) ** 2
    return float(2 * (a * t).mean() / spread) if spread > _SMALL else float("nan")


def pearson(answer: Probabilities, truth: Probabilities) -> float:
    """Pearson's correlation of two columns ``(n,)``, in [-1, 1]; NaN where one is constant or there is no row."""
    if not len(truth):
        return float("nan")
    a, t = answer - answer.mean(), truth - truth.mean()
    spread = float((a * a).sum() * (t * t).sum()) ** 0.5
    return float((a * t).sum() / spread) if spread > _SMALL else float("nan")


def root_mean_square(answer: Probabilities, truth: Probabilities) -> float:
    """Root of the mean squared difference of two columns ``(n,)``; NaN for no row."""
    return float(((answer - truth) ** 2).mean() ** 0.5) if len(truth) else float("nan")
