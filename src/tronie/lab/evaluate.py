"""Judge answers against labels: every score with its interval, the number of faces, and the hash of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.measure import calibration, scores
from tronie.measure.intervals import Interval, bootstrap


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on one set of rows.

    ``rows`` is the number of faces scored, ``hash`` names them. ``scores`` maps a name to its estimate with a 95 %
    bootstrap interval over rows: ``war`` accuracy, ``uar`` mean recall, ``macro_f1``, ``nll`` (nats),
    ``calibration_error`` (debiased), ``coverage_95`` (share of rows kept at 95 % accuracy). ``recall`` is per class;
    ``confusion`` has the truth in its rows; ``reliability`` rows are (confidence, share right, faces).
    """

    rows: int
    hash: str
    labels: tuple[str, ...]
    scores: dict[str, Interval]
    recall: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[tuple[float, ...], ...]


def evaluate(probability: NDArray[np.floating], truth: NDArray[np.integer], labels: tuple[str, ...], hash_: str,
             *, groups: NDArray[np.integer] | None = None, draws: int = 1000, seed: int = 0) -> Evaluation:  # fmt: skip
    """Scores of probabilities ``(n, classes)`` against labels ``(n,)``; ``groups`` are drawn whole by the bootstrap."""
    answer = probability.argmax(1)
    sure, right = probability.max(1), answer == truth
    n = len(labels)

    def by_table(score: Callable[[NDArray[np.int64]], float]) -> Callable[[NDArray[np.int64]], float]:
        return lambda rows: score(scores.confusion(truth[rows], answer[rows], n))

    measures: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "war": by_table(scores.accuracy),
        "uar": by_table(scores.mean_recall),
        "macro_f1": by_table(scores.macro_f1),
        "nll": lambda rows: scores.negative_log_likelihood(probability[rows], truth[rows]),
        "calibration_error": lambda rows: calibration.calibration_error(sure[rows], right[rows]),
        "coverage_95": lambda rows: scores.coverage_at(sure[rows], right[rows], 0.95),
    }
    table = scores.confusion(truth, answer, n)
    recall = scores.recalls(table)
    return Evaluation(
        len(truth),
        hash_,
        labels,
        {name: bootstrap(m, len(truth), groups=groups, draws=draws, seed=seed) for name, m in measures.items()},
        {name: float(r) for name, r in zip(labels, recall, strict=True)},
        tuple(tuple(int(v) for v in row) for row in table),
        tuple(tuple(float(v) for v in row) for row in calibration.reliability(sure, right)),
    )
