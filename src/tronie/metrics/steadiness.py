"""How steady answers are: what share of them stays when what was shown changes in a way that should not matter.

A face (photo) or a moment of a face (film) of the original is looked for in the variation by place and time, and its
label must be the same; "uncertain" counts as a label like any other, so a face that becomes unsure is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.object_]

_HAIR = 1e-5  # seconds: times are kept to 1e-6, and two ways of counting them may differ in the last digit


@dataclass(frozen=True, eq=False)
class Sights:
    """Faces seen: ``start`` and ``end`` (n,) in seconds, ``box`` (n, 4) x, y, width, height, ``label`` (n,) of text.

    Sights of one frame share their ``start``. A sight holds from its start up to, not including, its end.
    """

    start: Floats
    end: Floats
    box: Floats
    label: Labels

    def __len__(self) -> int:
        return len(self.start)

    @property
    def seconds(self) -> Floats:
        """How long each sight lasts, (n,)."""
        return self.end - self.start


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each pair of boxes ``(n, 4)`` and ``(m, 4)``: ``(n, m)`` in [0, 1]."""
    a, b = first[:, None], second[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    common = np.maximum(high - low, 0).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common
    return np.asarray(common / np.maximum(union, 1e-9), np.float64)


def pair(overlap: Floats, least: float) -> Ints:
    """For each row of ``overlap`` (n, m) the column paired with it, or -1; the best pairs first, each used once."""
    left, partner = overlap.copy(), np.full(len(overlap), -1, np.int64)
    while left.size and (best := int(left.argmax())) >= 0 and left.flat[best] >= max(least, 1e-12):
        i, j = divmod(best, left.shape[1])
        partner[i] = j
        left[i], left[:, j] = -1.0, -1.0
    return partner


def partners(before: Sights, after: Sights, least: float = 0.3) -> Ints:
    """For each sight of ``before`` the place ``(n,)`` in ``after`` of the same face at the same time, or -1.

    That is a sight which holds at the moment the first one begins and whose box overlaps by at least ``least`` (IoU);
    within a frame each sight is paired once.
    """
    found = np.full(len(before), -1, np.int64)
    starts = np.unique(after.start)
    for start in np.unique(before.start):
        at = int(np.searchsorted(starts, start + _HAIR, "right")) - 1
        if at < 0:
            continue
        ours = np.flatnonzero(before.start == start)
        theirs = np.flatnonzero((after.start == starts[at]) & (after.end > start + _HAIR))
        chosen = pair(overlaps(before.box[ours], after.box[theirs]), least)
        found[ours[chosen >= 0]] = theirs[chosen[chosen >= 0]]
    return found


@dataclass(frozen=True)
class Steadiness:
    """Sums over sights of the original, in seconds (films) or faces (photos).

    ``all``: everything; ``same``: with an equal label in the variation; ``sure`` and ``sure_same``: the part of both
    where the original had a label and was not uncertain; ``lost``: no such face in the variation; ``extra``: of the
    variation's faces, those that the original lacks.
    """

    all: float = 0.0
    same: float = 0.0
    sure: float = 0.0
    sure_same: float = 0.0
    lost: float = 0.0
    extra: float = 0.0

    @property
    def held(self) -> float:
        """Share that kept its label, 0..1; NaN where there was nothing."""
        return self.same / self.all if self.all else float("nan")

    @property
    def sure_held(self) -> float:
        """The same of what was not uncertain."""
        return self.sure_same / self.sure if self.sure else float("nan")


def steadiness(before: Sights, after: Sights, partner: Ints, unsure: str) -> Steadiness:
    """Count what kept its label, given :func:`partners` of ``before`` in ``after``; ``unsure`` is no sure label."""
    weight, met = before.seconds, partner >= 0
    same = met.copy()
    same[met] = before.label[met] == after.label[partner[met]]
    sure = np.asarray(before.label != unsure, bool)
    # A face met need not be met by every frame of a faster variation: extra is what meets nobody the other way round.
    strangers = partners(after, before) < 0
    return Steadiness(
        float(weight.sum()),
        float(weight[same].sum()),
        float(weight[sure].sum()),
        float(weight[sure & same].sum()),
        float(weight[~met].sum()),
        float(after.seconds[strangers].sum()),
    )


def together(parts: Iterable[Steadiness]) -> Steadiness:
    """The sums of several."""
    rows = np.array([[p.all, p.same, p.sure, p.sure_same, p.lost, p.extra] for p in parts], np.float64).reshape(-1, 6)
    return Steadiness(*rows.sum(0).tolist())


@dataclass(frozen=True)
class Change:
    """A stretch in which one face has another label in the variation; ``after`` is "" where the face was not found.

    ``rows`` are its sights, by position in the original.
    """

    start: float
    end: float
    before: str
    after: str
    rows: Ints


def changes(before: Sights, after: Sights, partner: Ints, who: Ints) -> list[Change]:
    """The stretches of each face (``who``: a number per sight) that lost their label, the longest first."""
    then = np.array([after.label[j] if j >= 0 else "" for j in partner], object)
    found: list[Change] = []
    for number in np.unique(who):
        rows = np.flatnonzero(who == number)
        rows = rows[np.argsort(before.start[rows], kind="stable")]
        cuts = np.flatnonzero((before.label[rows][1:] != before.label[rows][:-1]) | (then[rows][1:] != then[rows][:-1]))
        for part in np.split(rows, cuts + 1):
            if before.label[part[0]] != then[part[0]]:
                ends = float(before.start[part[0]]), float(before.end[part[-1]])
                found.append(Change(*ends, str(before.label[part[0]]), str(then[part[0]]), part))
    return sorted(found, key=lambda c: (c.start - c.end, c.start))
