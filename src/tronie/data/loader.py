"""From rows to batches. Faces lie in one memory-mapped array; every draw is seeded by (seed, epoch, row, view)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tronie.clips.views import View, resize
from tronie.core.errors import SettingError
from tronie.core.face import Pixels
from tronie.data.augment import Augment, augment


@dataclass(frozen=True, eq=False)
class Rows:
    """Training or test rows that are ready to be cut.

    ``faces`` ``(n, cuts, s, s, 3)`` uint8: each face in one or more cuts (as published; aligned again by the serving
    aligner, last). ``index`` ``(m,)``: which of them are these rows. ``target`` ``(m, classes)`` probabilities;
    ``weight`` ``(m,)``; ``share`` in (0, 1]: how much of this source one epoch draws.
    """

    faces: NDArray[np.uint8]
    index: NDArray[np.int64]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.index)


def epoch_order(sources: Sequence[Rows], seed: int, epoch: int) -> NDArray[np.int64]:
    """Positions ``(m, 2)`` (source, row) of one epoch, shuffled; each source gives its share, drawn afresh."""
    rng = np.random.default_rng((seed, epoch))
    picked = []
    for number, rows in enumerate(sources):
        count = round(rows.share * len(rows))
        chosen = rng.permutation(len(rows))[:count]
        picked.append(np.stack([np.full(count, number), chosen], 1))
    together = np.concatenate(picked)
    return together[rng.permutation(len(together))]


def cut(rows: Rows, row: int, view: View, how: Augment, seed: tuple[int, ...]) -> Pixels:
    """One clip frame of one row: varied if the view says so, else its last cut (the serving aligner's)."""
    cuts = rows.faces[rows.index[row]]
    if not view.augment:
        return resize(cuts[-1], view.size)
    rng = np.random.default_rng(seed)
    return augment(cuts[rng.integers(len(cuts))], view.size, rng, how)


@dataclass(frozen=True, eq=False)
class Cut:
    """A batch as arrays: one clip tensor per view, targets, weights, and (source, row) of each row."""

    clips: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor
    where: NDArray[np.int64]


def batch_starts(rows: int, size: int, varied: bool) -> range:
    """Where the batches of an epoch of ``rows`` begin; see :func:`batches`."""
    whole, rest = divmod(rows, size)
    keep = rest > 0 and (not varied or rest >= size // 2 or whole == 0)
    return range(0, (whole + keep) * size, size)


def batches(sources: Sequence[Rows], order: NDArray[np.int64], views: Sequence[View], size: int, *,
            how: Augment, seed: int, epoch: int, team: tuple[int, int] = (0, 1)) -> Iterator[Cut]:  # fmt: skip
    """Batches of ``size`` rows in ``order``.

    When pixels are varied, a last batch under half the size is dropped (its few rows would sway norms and steps),
    unless it is the only one. ``team`` is (rank, processes): each process gets every so-manieth row of every batch.
    """
    rank, processes = team
    for start in batch_starts(len(order), size, any(v.augment for v in views)):
        part = order[start : start + size][rank::processes]
        yield Cut(
            tuple(clips(sources, part, views, how, seed, epoch)),
            torch.from_numpy(np.stack([sources[s].target[r] for s, r in part])),
            torch.from_numpy(np.array([sources[s].weight[r] for s, r in part], np.float32)),
            part,
        )


def clips(sources: Sequence[Rows], part: NDArray[np.int64], views: Sequence[View], how: Augment, seed: int,
          epoch: int) -> list[Tensor]:  # fmt: skip
    """One tensor ``(b, 1, 3, size, size)`` uint8 per view; a ``mirror`` view is the view before it, mirrored."""
    made: list[Tensor] = []
    for number, view in enumerate(views):
        if view.mirror:
            if not made:
                raise SettingError("The first view cannot be a mirror image: put the view it mirrors before it.")
            made.append(made[-1].flip(-1))
            continue
        faces = [cut(sources[s], r, view, how, (seed, epoch, int(s), int(r), number)) for s, r in part]
        made.append(torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)[:, None])
    return made
