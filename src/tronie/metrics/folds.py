"""Cut rows into folds: seeded, stratified by label, groups (twins, people) kept together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_folds(
    labels: NDArray[np.integer], groups: NDArray[np.integer], folds: int = 5, seed: int = 0
) -> NDArray[np.int64]:
    """Fold number ``0..folds-1`` per row ``(n,)``, from labels and groups ``(n,)``.

    Groups are dealt in random order, the large ones first, each to the fold that then holds the fewest rows of the
    group's labels; so every fold has every label's share to within about one group.
    """
    kinds, label = np.unique(labels, return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), len(kinds)), np.int64)
    np.add.at(counts, (group, label), 1)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-counts[shuffled].sum(1), kind="stable")]
    held = np.zeros((folds, len(kinds)), np.int64)
    home = np.empty(len(names), np.int64)
    for g in order:
        load = (held * (counts[g] > 0)).sum(1)
        home[g] = np.lexsort((held.sum(1), load))[0]
        held[home[g]] += counts[g]
    return home[group]


def joined_groups(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.int64]:
    """Group number per row such that rows which either grouping keeps together are together, transitively.

    All are ``(n,)``; numbers are the row numbers of first members.
    """
    group = np.arange(len(first))
    while True:
        before = group
        for _, names in (np.unique(kind, return_inverse=True) for kind in (first, second)):
            least = np.full(len(group), len(group))
            np.minimum.at(least, names, group)
            group = least[names]
        if np.array_equal(group, before):
            return group
