"""Scores of predictions against labels. WAR is plain accuracy, UAR the mean of the per-class recalls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Probabilities = NDArray[np.floating]


def confusion(truth: Ints, answer: Ints, classes: int) -> NDArray[np.int64]:
    """Counts ``(classes, classes)``: rows are the truth, columns the answer."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, answer), 1)
    return table


def recalls(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall per class from a confusion table; NaN for a class that does not occur."""
    count = table.sum(1)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, np.diag(table) / np.where(count > 0, count, 1), np.nan)


def accuracy(table: NDArray[np.int64]) -> float:
    """WAR: share of all rows answered rightly. NaN for an empty table."""
    return float(np.trace(table) / table.sum()) if table.sum() else float("nan")


def mean_recall(table: NDArray[np.int64]) -> float:
    """UAR: mean of the recalls of the classes that occur."""
    values = recalls(table)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def macro_f1(table: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur in the truth."""
    hit, truth, answered = np.diag(table), table.sum(1), table.sum(0)
    f1 = 2 * hit / np.maximum(truth + answered, 1)
    return float(f1[truth > 0].mean()) if (truth > 0).any() else float("nan")


def negative_log_likelihood(probability: Probabilities, truth: Ints) -> float:
    """Mean ``-log p(truth)`` in nats; probabilities are floored at 1e-12."""
    picked = probability[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def risk_coverage(confidence: Probabilities, right: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage in (0, 1] and error rate among the rows kept, when the surest are kept first."""
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, len(order) + 1)
    return kept / len(order), np.cumsum(~right[order]) / kept


def coverage_at(confidence: Probabilities, right: NDArray[np.bool_], least_accuracy: float) -> float:
    """Largest share of rows that can be kept, surest first, with at least this accuracy; 0 if none."""
    coverage, risk = risk_coverage(confidence, right)
    fits = np.flatnonzero(risk <= 1 - least_accuracy)
    return float(coverage[fits[-1]]) if len(fits) else 0.0
