"""Bootstrap intervals: rows are drawn again, and everything is computed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % (or other) percentile interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], rows: int, *, groups: NDArray[np.integer] | None = None,
              draws: int = 1000, level: float = 0.95, seed: int = 0) -> Interval:  # fmt: skip
    """Percentile interval of ``statistic``, a function of row positions.

    ``groups`` ``(rows,)``: draw whole groups (people, clips) instead of rows. For a paired difference let the
    statistic compute both methods' scores on the same positions and subtract.
    """
    rng = np.random.default_rng(seed)
    if groups is None:
        values = [statistic(rng.integers(0, rows, rows)) for _ in range(draws)]
    else:
        names = np.unique(groups)
        members = [np.flatnonzero(groups == g) for g in names]
        values = [
            statistic(np.concatenate([members[g] for g in rng.integers(0, len(names), len(names))]))
            for _ in range(draws)
        ]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(statistic(np.arange(rows)), float(low), float(high))
