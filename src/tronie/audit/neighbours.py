"""What the nearest rows are labelled: a second opinion that no classifier was trained for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tronie.metrics.scores import Floats, Ints


def neighbour_shares(
    x: NDArray[np.floating], label: Ints, classes: int, groups: Ints, *, k: int = 20, block: int = 1024
) -> Floats:
    """Share ``(n, C)`` of each label among a row's ``k`` nearest rows by cosine, weighted by ``exp(10 * cosine)``.

    ``x`` ``(n, d)``. Rows of one of ``groups`` (twins, one person, a fold) are no neighbours of each other, so that
    what belongs together cannot vote for itself; rows of label -1 do not vote. Rows sum to 1, or to 0 where nobody may
    vote. Works through ``block`` rows at a time.
    """
    z = np.asarray(x, np.float32)
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    voters = np.flatnonzero(label >= 0)
    shares = np.zeros((len(z), classes))
    count = min(k, len(voters))
    if not count:
        return shares
    for begin in range(0, len(z), block):
        near = z[begin : begin + block] @ z[voters].T
        near[groups[begin : begin + block, None] == groups[voters]] = -np.inf
        found = np.argpartition(-near, count - 1, axis=1)[:, :count]
        weight = np.exp(10 * np.take_along_axis(near, found, 1).astype(np.float64))  # exp(-inf) is no vote
        said = label[voters][found]
        for c in range(classes):
            shares[begin : begin + block, c] = (weight * (said == c)).sum(1)
    total = shares.sum(1, keepdims=True)
    return np.asarray(shares / np.where(total > 0, total, 1))
