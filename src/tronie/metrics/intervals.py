"""Bootstrap intervals: rows are drawn again, and everything is computed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.int64]], float]
"""Row positions → a score of those rows."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % (or other) percentile interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap(
    statistic: Statistic,
    rows: int,
    *,
    groups: NDArray[np.integer] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    centred: bool = False,
) -> Interval:
    """Percentile interval of ``statistic``, a function of row positions.

    ``groups`` ``(rows,)``: draw whole groups (people, clips, twins) instead of rows. For a paired difference let the
    statistic compute both methods' scores on the same positions and subtract. ``centred`` takes out the bias that
    drawing with replacement itself adds to a statistic such as a squared gap: replicates are shifted to the estimate.
    """
    draw = _drawer(rows, groups)
    rng = np.random.default_rng(seed)
    values = np.array([statistic(draw(rng)) for _ in range(draws)])
    estimate = statistic(np.arange(rows))
    if np.isnan(values).all():
        return Interval(estimate, float("nan"), float("nan"))
    if centred:
        values += estimate - np.nanmean(values)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))


def _drawer(rows: int, groups: NDArray[np.integer] | None) -> Callable[[np.random.Generator], NDArray[np.int64]]:
    """A function that draws row positions with replacement, group by group."""
    if groups is None:
        return lambda rng: rng.integers(0, rows, rows)
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    if (size == 1).all():
        return lambda rng: rng.integers(0, rows, rows)
    member = np.argsort(group, kind="stable")
    start = np.cumsum(size) - size

    def draw(rng: np.random.Generator) -> NDArray[np.int64]:
        chosen = rng.integers(0, len(size), len(size))
        ends = np.cumsum(size[chosen])
        within = np.arange(ends[-1]) - np.repeat(ends - size[chosen], size[chosen])
        return np.asarray(member[np.repeat(start[chosen], size[chosen]) + within], np.int64)

    return draw


def wilson(share: float, rows: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share of ``rows`` independent rows: sound where all or none of a few are right."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * ((share * (1 - share) + z * z / (4 * rows)) / rows) ** 0.5 / (1 + z * z / rows)
    return Interval(share, max(middle - half, 0.0), min(middle + half, 1.0))


def paired(
    first: Sequence[Statistic],
    second: Sequence[Statistic],
    rows: int,
    *,
    groups: NDArray[np.integer] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean over the runs of ``second`` minus mean over those of ``first``, each a statistic of the same row positions.

    Every draw takes rows (or groups) with replacement, the same for all, and runs of each side with replacement: so
    the interval speaks of other faces *and* other seeds. With one run a side it speaks of other faces only.
    """
    draw = _drawer(rows, groups)
    rng = np.random.default_rng(seed)

    def difference(at: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
        used = {(side, i): (first, second)[side][i](at) for side, runs in enumerate((a, b)) for i in set(runs.tolist())}
        return float(np.mean([used[1, i] for i in b.tolist()]) - np.mean([used[0, i] for i in a.tolist()]))

    sizes = len(first), len(second)
    values = [difference(draw(rng), *(rng.integers(0, n, n) for n in sizes)) for _ in range(draws)]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(difference(np.arange(rows), *(np.arange(n) for n in sizes)), float(low), float(high))
