"""Is a confidence of 0.8 right 8 times in 10? Fit it, and say how far off it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tronie.metrics.scores import Floats, Ints, Probabilities, negative_log_likelihood

_EDGE = 1e-4  # confidences nearer to 0 and 1 than this have no room for a logit worth fitting to


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Row-wise softmax of ``(n, classes)`` in double precision."""
    z = np.asarray(logits, np.float64)
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def fit_temperature(logits: NDArray[np.floating], truth: Ints) -> float:
    """The temperature in [0.05, 20] that minimises the negative log-likelihood of ``softmax(logits / t)``.

    ``logits`` are ``(n, classes)``, ``truth`` ``(n,)``. Golden-section search over log t; the objective is convex in
    1/t (Guo et al., ICML 2017).
    """

    def cost(log_t: float) -> float:
        return negative_log_likelihood(softmax(logits / np.exp(log_t)), truth)

    low, high, ratio = np.log(0.05), np.log(20.0), (np.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    fa, fb = cost(a), cost(b)
    while high - low > 1e-5:
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - ratio * (high - low)
            fa = cost(a)
        else:
            low, a, fa = a, b, fb
            b = low + ratio * (high - low)
            fb = cost(b)
    return float(np.exp((low + high) / 2))


def cross_fitted(logits: NDArray[np.floating], truth: Ints, parts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Probabilities ``(n, classes)`` whose temperature was fitted without the row's part ``(n,)`` (fold, person)."""
    answer = np.empty(np.shape(logits), np.float64)
    for part in np.unique(parts):
        inside = parts == part
        answer[inside] = softmax(logits[inside] / fit_temperature(logits[~inside], truth[~inside]))
    return answer


def logit(confidence: Probabilities) -> Floats:
    """``log(p / (1 - p))`` of any shape, with ``p`` kept 1e-4 away from 0 and 1."""
    p = np.clip(np.asarray(confidence, np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(np.log(p / (1 - p)))


class Platt(NamedTuple):
    """Numbers that turn a confidence into the probability of being right; ``offsets`` (labels,), one per label."""

    a: float
    b: float
    offsets: Floats

    def __call__(self, confidence: Probabilities, label: Ints) -> Floats:
        """``sigmoid(a * logit(confidence) + b + offsets[label])`` of every answer."""
        return np.asarray(1 / (1 + np.exp(-(self.a * logit(confidence) + self.b + self.offsets[label]))))


def fit_platt(
    confidence: Probabilities, right: NDArray[np.bool_], label: Ints, labels: int, *, ridge: float = 1.0
) -> Platt:
    """The :class:`Platt` with the least cross-entropy to whether the answers ``label`` (n,) were right.

    A label's offset is drawn towards 0 by ``ridge / 2 * offset**2``, so a label that is rarely given is treated like
    the others; infinite ``ridge`` is Platt's two numbers. ``a`` is at least 0: a higher confidence never means less.
    Targets are drawn towards 1/2 by one answer on each side, so that a few answers that are all right do not give
    certainty (Platt 1999; Lin, Lin & Weng, "A note on Platt's probabilistic outputs", Machine Learning 2007).
    Raises ValueError without answers of both kinds.
    """
    hits, misses = int(right.sum()), int((~right).sum())
    if not hits or not misses:
        raise ValueError("Answers that are all right or all wrong say nothing about confidence.")
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    own = np.eye(labels)[label] if np.isfinite(ridge) else np.zeros((len(right), 0))
    x = np.hstack([logit(confidence)[:, None], np.ones((len(right), 1)), own])
    penalty = np.r_[0.0, 0.0, np.full(own.shape[1], ridge)]
    theta = logistic(x, target, penalty)
    if theta[0] < 0:
        theta = np.r_[0.0, logistic(x[:, 1:], target, penalty[1:])]
    return Platt(float(theta[0]), float(theta[1]), theta[2:] if own.shape[1] else np.zeros(labels))


def logistic(x: Floats, target: Floats, penalty: Floats, start: Floats | None = None) -> Floats:
    """Weights of a logistic regression of ``target`` in [0, 1] on ``x`` ``(n, d)``, by Newton's method with halving.

    ``penalty`` ``(d,)`` adds ``penalty * weights**2 / 2`` to the summed cross-entropy; ``start``: search from there.
    """

    def cost(theta: Floats) -> float:
        z = x @ theta
        return float((np.logaddexp(0, z) - target * z).sum() + (penalty * theta**2).sum() / 2)

    theta = np.zeros(x.shape[1]) if start is None else start.copy()
    for _ in range(100):
        p = 1 / (1 + np.exp(-(x @ theta)))
        gradient = x.T @ (p - target) + penalty * theta
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + np.diag(penalty + 1e-9), gradient)
        size = 1.0
        while cost(theta - size * step) > cost(theta) and size > 1e-9:
            size /= 2
        theta = theta - size * step
        if np.abs(gradient).max() < 1e-9 * len(x):
            break
    return np.asarray(theta)


def cross_fitted_platt(
    confidence: Probabilities,
    right: NDArray[np.bool_],
    label: Ints,
    labels: int,
    groups: NDArray[np.integer],
    *,
    ridge: float = 1.0,
) -> Floats:
    """:class:`Platt` of every answer ``(n,)``, fitted without the answer's own group ``(n,)`` (person).

    Arguments and errors are those of :func:`fit_platt`.
    """
    answer = np.empty(len(right), np.float64)
    for group in np.unique(groups):
        own = groups == group
        fit = fit_platt(confidence[~own], right[~own], label[~own], labels, ridge=ridge)
        answer[own] = fit(confidence[own], label[own])
    return answer


def reliability(confidence: Probabilities, right: NDArray[np.bool_], bins: int = 15) -> NDArray[np.float64]:
    """Equal-count bins ``(bins, 3)``: mean confidence, share right, rows. For the plot and the error below."""
    order = np.argsort(confidence, kind="stable")
    rows = [(confidence[i].mean(), right[i].mean(), len(i)) for i in np.array_split(order, min(bins, len(order)))]
    return np.array(rows, np.float64).reshape(-1, 3)


def squared_gap(confidence: Probabilities, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Mean squared gap between confidence and share right over equal-count bins, debiased: may be below 0.

    Both are ``(n,)``. The plain estimate is positive even for a perfect model; each bin's squared gap is corrected by
    its own sampling variance (Kumar et al., NeurIPS 2019, eq. 5).
    """
    table = reliability(confidence, right, bins)
    gap2 = (table[:, 0] - table[:, 1]) ** 2 - table[:, 1] * (1 - table[:, 1]) / np.maximum(table[:, 2] - 1, 1)
    return float((table[:, 2] * gap2).sum() / table[:, 2].sum())


def calibration_error(confidence: Probabilities, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Debiased root-mean-square calibration error over equal-count bins, in [0, 1].

    Both are ``(n,)``. 0 where :func:`squared_gap` is below 0.
    """
    return float(np.sqrt(max(squared_gap(confidence, right, bins), 0.0)))
