"""From rows to batches. Faces lie in one memory-mapped array; every draw is seeded by (seed, epoch, row, view).

A photo is a clip of one frame; clips of pixels, tracked points or cached features are cut by the same views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tronie.clips.sampling import jittered, uniform, window
from tronie.clips.views import Kind, View, resize
from tronie.core.errors import SettingError
from tronie.data.augmentation import Augment, augment, augment_clip, augment_points


@dataclass(frozen=True, eq=False)
class Rows:
    """Training or test rows that are ready to be cut.

    ``faces``: photos ``(n, cuts, s, s, 3)`` uint8, each in one or more cuts (as published; aligned again by the serving
    aligner, last); or the frames of n clips one after another, of one ``kind``: pixels ``(total, s, s, 3)`` uint8,
    points ``(total, P, 2)`` or features ``(total, D)``. ``starts`` ``(n + 1,)`` says where each clip begins; None for
    photos. ``index`` ``(m,)``: which of the n are these rows. ``target`` ``(m, classes)`` probabilities; ``weight``
    ``(m,)``; ``share`` in (0, 1]: how much of this source one epoch draws. ``mirror`` ``(P,)``: which point each
    becomes in the mirror image; None where points have none. ``shown`` ``(total,)``: which frame is shown at each
    place, where clips were made hard on purpose; None: each its own. ``affect`` ``(m, 2)``: valence and arousal, NaN
    where not annotated; None for none. A row with these and no label has an all-zero target.
    """

    faces: NDArray[Any]
    index: NDArray[np.int64]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    share: float = 1.0
    starts: NDArray[np.int64] | None = None
    kind: Kind = "pixels"
    mirror: NDArray[np.int64] | None = None
    shown: NDArray[np.int64] | None = None
    affect: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def frames(self, place: NDArray[np.int64]) -> NDArray[Any]:
        """What is shown at places ``(k,)`` of all clips' frames, ``(k, …)``."""
        found: NDArray[Any] = self.faces[place if self.shown is None else self.shown[place]]
        return found


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


def cut(rows: Rows, row: int, view: View, how: Augment, seed: tuple[int, ...]) -> NDArray[Any]:
    """One row's clip of ``view.frames`` frames T: pixels ``(T, s, s, 3)``, points ``(T, P, 2)``, features ``(T, D)``.

    A photo is shown T times, varied if the view says so, else its last cut (the serving aligner's). Raises SettingError
    where the rows are not of the view's kind.
    """
    if rows.kind != view.kind:
        raise SettingError(
            f"This method looks at {view.kind}, and the data holds {rows.kind}: choose data of that "
            "kind, or another method."
        )
    if rows.starts is not None:
        return _clip(rows, rows.starts[rows.index[row] :][:2], view, how, seed)
    cuts = rows.faces[rows.index[row]]
    if view.augment:
        rng = np.random.default_rng(seed)
        face = augment(cuts[rng.integers(len(cuts))], view.size, rng, how)
    else:
        face = resize(cuts[-1], view.size)
    return np.broadcast_to(face, (view.frames, *face.shape))


def _clip(rows: Rows, span: NDArray[np.int64], view: View, how: Augment, seed: tuple[int, ...]) -> NDArray[Any]:
    """The frames of one clip that the view shows; ``jitter`` varies time, and so does ``augment`` if ``how`` does."""
    first, n = int(span[0]), int(span[1] - span[0])
    rng = np.random.default_rng(seed)
    if view.augment and (rows.kind == "points" or how.stretch < 1):
        skipped, n = window(n, how.window if rows.kind == "points" else how.stretch, rng)
        first += skipped
    place = jittered(n, view.frames, rng) if view.jitter else uniform(n, view.frames)
    if rows.kind != "pixels":
        found = rows.frames(first + place).astype(np.float32)
        return augment_points(found, rng, how, rows.mirror) if view.augment and rows.kind == "points" else found
    shown, again = np.unique(place, return_inverse=True)
    frames = rows.frames(first + shown)
    if view.augment:
        return augment_clip(frames, view.size, rng, how)[again]
    return np.stack([resize(frame, view.size) for frame in frames])[again]


@dataclass(frozen=True, eq=False)
class Cut:
    """A batch as arrays: one clip tensor per view, targets, weights, and (source, row) of each row.

    ``affect`` ``(b, 2)``: valence and arousal, NaN where not annotated; None where no source has any.
    """

    clips: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor
    where: NDArray[np.int64]
    affect: Tensor | None = None


def batch_starts(rows: int, size: int, varied: bool) -> range:
    """Where the batches of an epoch of ``rows`` begin; see :func:`batches`."""
    whole, rest = divmod(rows, size)
    keep = rest > 0 and (not varied or rest >= size // 2 or whole == 0)
    return range(0, (whole + keep) * size, size)


def batches(
    sources: Sequence[Rows],
    order: NDArray[np.int64],
    views: Sequence[View],
    size: int,
    *,
    how: Augment,
    seed: int,
    epoch: int,
    team: tuple[int, int] = (0, 1),
    draw: int | None = None,
) -> Iterator[Cut]:
    """Batches of ``size`` rows in ``order``.

    When views are varied, a last batch under half the size is dropped (its few rows would sway norms and steps),
    unless it is the only one. ``team`` is (rank, processes): each process gets every so-manieth row of every batch.
    ``draw`` numbers one of several random looks at the rows, which no training batch repeats; nothing is dropped then.
    """
    rank, processes = team
    for start in batch_starts(len(order), size, draw is None and any(v.varied for v in views)):
        part = order[start : start + size][rank::processes]
        yield Cut(
            tuple(clips(sources, part, views, how, seed, epoch, draw)),
            torch.from_numpy(np.stack([sources[s].target[r] for s, r in part])),
            torch.from_numpy(np.array([sources[s].weight[r] for s, r in part], np.float32)),
            part,
            _affect(sources, part),
        )


def _affect(sources: Sequence[Rows], part: NDArray[np.int64]) -> Tensor | None:
    """Valence and arousal of rows ``(b, 2)`` (source, row)."""
    if all(rows.affect is None for rows in sources):
        return None
    unknown = np.full(2, np.nan, np.float32)
    rated = (sources[s].affect for s, _ in part)
    return torch.from_numpy(np.stack([unknown if a is None else a[r] for a, (_, r) in zip(rated, part, strict=True)]))


def clips(
    sources: Sequence[Rows],
    part: NDArray[np.int64],
    views: Sequence[View],
    how: Augment,
    seed: int,
    epoch: int,
    draw: int | None = None,
) -> list[Tensor]:
    """One tensor per view: pixels ``(b, T, 3, size, size)`` uint8, points ``(b, T, P, 2)``, features ``(b, T, D)``.

    A ``mirror`` view is the view before it, mirrored. Raises SettingError where that cannot be.
    """
    made: list[Tensor] = []
    look = () if draw is None else (draw,)
    for number, view in enumerate(views):
        if view.mirror:
            if not made:
                raise SettingError("The first view cannot be a mirror image: put the view it mirrors before it.")
            made.append(_mirrored(made[-1], view, sources[0].mirror))
            continue
        found = [cut(sources[s], r, view, how, (seed, epoch, int(s), int(r), number, *look)) for s, r in part]
        clip = torch.from_numpy(np.stack(found))
        made.append(clip.permute(0, 1, 4, 2, 3) if view.kind == "pixels" else clip)
    return made


def _mirrored(clip: Tensor, view: View, mirror: NDArray[np.int64] | None) -> Tensor:
    if view.kind == "pixels":
        return clip.flip(-1)
    if view.kind == "features" or mirror is None:
        raise SettingError(f"The method wants the mirror image of {view.kind}, and this data has none.")
    return clip[:, :, torch.from_numpy(mirror)] * torch.tensor([-1.0, 1.0])
