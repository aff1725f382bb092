"""Pair rows with columns at the least total cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.float64], alone: float) -> list[tuple[int, int]]:
    """Pairs ``(row, column)``, each used at most once, that make the total cost least.

    ``cost`` is ``(n, m)``, infinite where a pair cannot be; each row left alone costs ``alone``. Optimal, unlike the
    greedy choice, which takes the nearest pair first and so swaps people side by side when the camera moves by half
    their distance. Pairs without a rival are taken at once; the rest goes through the Hungarian method (Kuhn 1955;
    shortest augmenting paths after Jonker and Volgenant 1987), cubic in the number of faces that compete.
    """
    allowed = cost < alone
    lone = allowed & (allowed.sum(1) == 1)[:, None] & (allowed.sum(0) == 1)[None]
    pairs = [(int(i), int(j)) for i, j in np.argwhere(lone)]
    rows = np.flatnonzero(allowed.any(1) & ~lone.any(1))
    columns = np.flatnonzero(allowed.any(0) & ~lone.any(0))
    if len(rows):
        rivals = np.where(allowed, cost, np.inf)[np.ix_(rows, columns)]
        by_itself = np.where(np.eye(len(rows), dtype=bool), alone, np.inf)
        chosen = _hungarian(np.hstack([rivals, by_itself]))
        pairs += [(int(rows[i]), int(columns[j])) for i, j in enumerate(chosen) if j < len(columns)]
    return sorted(pairs)


def _hungarian(cost: NDArray[np.float64]) -> list[int]:
    """The column of each row of ``(n, m)``, n <= m; infinite costs are never taken while a finite choice exists."""
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for start in range(rows):
        # Grow a tree of cheapest alternating paths from the new row until it meets a free column.
        reached = np.full(columns, np.inf)
        before = np.full(columns, -1)
        done = np.zeros(columns, bool)
        row, column, spent = start, -1, 0.0
        while True:
            through = spent + cost[row] - row_price[row] - column_price
            better = ~done & (through < reached)
            reached[better], before[better] = through[better], column
            column = int(np.where(done, np.inf, reached).argmin())
            spent = float(reached[column])
            done[column] = True
            if owner[column] < 0:
                break
            row = int(owner[column])
        tree = np.flatnonzero(done & (owner >= 0))
        row_price[owner[tree]] += spent - reached[tree]
        row_price[start] += spent
        column_price[done] -= spent - reached[done]
        while column >= 0:  # turn the path over
            earlier = int(before[column])
            owner[column] = owner[earlier] if earlier >= 0 else start
            column = earlier
    taken = np.full(rows, -1)
    taken[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return [int(j) for j in taken]
