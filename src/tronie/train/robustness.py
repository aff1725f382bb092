"""How accuracy falls as faces get harder to read. Works without PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.clips.corruptions import CORRUPTIONS, corrupted
from tronie.metrics import scores
from tronie.metrics.intervals import Interval, bootstrap

Predict = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
Faces = Callable[[int, int], NDArray[np.uint8]]
"""Rows ``start`` to ``stop`` as ``(n, s, s, 3)`` uint8 faces."""
_BLOCK = 256


@dataclass(frozen=True)
class Hardship:
    """Scores at one level of one corruption, with 95 % bootstrap intervals over rows: accuracy and mean recall."""

    corruption: str
    level: float
    unit: str
    war: Interval
    uar: Interval


def robustness(
    predict: Predict,
    faces: Faces,
    truth: NDArray[np.integer],
    classes: int,
    *,
    groups: NDArray[np.integer] | None = None,
    draws: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> list[Hardship]:
    """Accuracy and mean recall at every level of every corruption, on the same rows.

    ``truth`` ``(n,)`` are indices below ``classes``; ``predict`` gives ``(m, classes)``. ``progress`` hears
    (levels done, levels).
    """
    steps = [(name, level) for name, kind in CORRUPTIONS.items() for level in kind.levels]
    found = []
    for done, (name, level) in enumerate(steps, 1):
        parts = []
        for start in range(0, len(truth), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(truth)))
            parts.append(predict(corrupted(faces(rows[0], rows[-1] + 1), name, level, rows)).argmax(1))
        answer = np.concatenate(parts)

        def score(measure: Callable[[NDArray[np.int64]], float], answer: NDArray[np.int64] = answer) -> Interval:
            return bootstrap(
                lambda i: measure(scores.confusion(truth[i], answer[i], classes)),
                len(truth),
                groups=groups,
                draws=draws,
            )

        found.append(Hardship(name, level, CORRUPTIONS[name].unit, score(scores.accuracy), score(scores.mean_recall)))
        if progress:
            progress(done, len(steps))
    return found
