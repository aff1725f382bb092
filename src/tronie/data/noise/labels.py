"""Plant wrong labels on arrays. Rows without a label (-1) stay without one.

Every kind draws uniform numbers from ``numpy.random.default_rng(seed)`` in row order, so the same labels, seed and rate
give the same noise on any machine. NumPy does not promise that stream for all its versions to come: publish the saved
file (:mod:`tronie.data.noise.files`), which needs no promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet, canonical
from tronie.core.manifest import Integers, Manifest

PAIRS = (("fear", "surprise"), ("disgust", "anger"), ("sadness", "neutral"))
"""Expressions that people and models take for one another."""


@dataclass(frozen=True, eq=False)
class Corruption:
    """Labels after planting.

    ``before`` and ``after`` ``(n,)`` are label indices, -1 none. ``rate`` is what was asked for, NaN where the kind
    has none (annotators' votes, a file from elsewhere); :attr:`realised` is what came out.
    """

    before: Integers
    after: Integers
    labels: LabelSet
    kind: str
    seed: int | None = None
    rate: float = float("nan")
    flipped: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        if self.before.shape != self.after.shape or self.before.ndim != 1:
            raise SettingError(f"Labels before {self.before.shape} and after {self.after.shape} must be equal rows.")
        object.__setattr__(self, "flipped", self.before != self.after)

    @property
    def realised(self) -> float:
        """Share of the labelled rows that were flipped."""
        labelled = int(np.sum(self.before >= 0))
        return float(np.sum(self.flipped) / labelled) if labelled else 0.0


def symmetric(label: ArrayLike, labels: LabelSet, rate: float, seed: int) -> Corruption:
    """Each row, on its own, is flipped with probability ``rate`` to one of the other classes, all equally likely.

    The noise of SCN's and EAC's public files: the number of flips is binomial, not exactly ``rate * n``.
    """
    _check_rate(rate)
    before, rng = _integers(label, labels), np.random.default_rng(seed)
    flip = (rng.random(len(before)) < rate) & (before >= 0)
    step = 1 + (rng.random(len(before)) * (len(labels) - 1)).astype(np.int64)  # how far round the circle of classes
    after = np.where(flip, (before + step) % len(labels), before)
    return Corruption(before, after, labels, "symmetric", seed, rate)


def pair(label: ArrayLike, labels: LabelSet, rate: float, seed: int) -> Corruption:
    """Each row of a class in :data:`PAIRS` is flipped with probability ``rate`` to its partner, both ways.

    Other classes (happiness, contempt) are untouched, so the share over all rows is lower: on RAF-DB's training part
    61 % of rows can flip, and rate 0.2 gives about 0.12 (see ``realised``). Pairs are found by name; one whose
    partner the vocabulary lacks is untouched. Raises SettingError if no pair is there.
    """
    _check_rate(rate)
    before, rng = _integers(label, labels), np.random.default_rng(seed)
    partner = partners(labels)
    flip = (rng.random(len(before)) < rate) & (before >= 0)
    return Corruption(before, np.where(flip, partner[before], before), labels, "pair", seed, rate)


def partners(labels: LabelSet) -> Integers:
    """Index of each label's partner, its own where it has none. Raises SettingError if no pair is there."""
    names = [canonical(name) for name in labels.names]
    partner = np.arange(len(labels))
    for one, other in PAIRS:
        if one in names and other in names:
            a, b = names.index(one), names.index(other)
            partner[[a, b]] = b, a
    if (partner == np.arange(len(labels))).all():
        raise SettingError(
            f"Pair noise needs two labels of a pair ({', '.join('–'.join(p) for p in PAIRS)}); there "
            f"are {', '.join(labels.names)}."
        )
    return partner


def confusion(label: ArrayLike, labels: LabelSet, matrix: ArrayLike, seed: int) -> Corruption:
    """Draw each new label from row ``before`` of a ``(C, C)`` matrix of probabilities, such as a model's confusions.

    ``rate`` of the result is the share of flips that the matrix leads one to expect. Raises SettingError for a matrix
    whose rows are not probabilities.
    """
    shares = np.asarray(matrix, np.float64)
    wanted = (len(labels), len(labels))
    if shares.shape != wanted or not (shares >= 0).all() or not np.allclose(shares.sum(1), 1, atol=1e-6):
        raise SettingError(f"The confusion matrix must be {wanted} with rows that sum to 1; it is {shares.shape}.")
    before, rng = _integers(label, labels), np.random.default_rng(seed)
    drawn = _draw(shares[before], rng)
    known = before[before >= 0]
    rate = float(np.mean(1 - shares[known, known])) if len(known) else 0.0
    return Corruption(before, np.where(before >= 0, drawn, before), labels, "confusion", seed, rate)


def votes(label: ArrayLike, labels: LabelSet, counts: ArrayLike, seed: int) -> Corruption:
    """Give each row the label of one annotator drawn from its ``(n, C)`` votes; rows without votes keep theirs.

    Noise as people make it: it falls on the faces they disagree on. Raises SettingError for votes of another shape.
    """
    before, rng = _integers(label, labels), np.random.default_rng(seed)
    cast = np.nan_to_num(np.asarray(counts, np.float64))
    if cast.shape != (len(before), len(labels)) or (cast < 0).any():
        raise SettingError(f"Votes must be {(len(before), len(labels))} numbers >= 0; they are {cast.shape}.")
    total = cast.sum(1, keepdims=True)
    drawn = _draw(np.where(total > 0, cast / np.where(total > 0, total, 1), 1 / len(labels)), rng)
    return Corruption(before, np.where((total[:, 0] > 0) & (before >= 0), drawn, before), labels, "votes", seed)


KINDS = ("symmetric", "pair", "confusion", "votes")


def plant(
    manifest: Manifest, kind: str, *, seed: int, rate: float = 0.0, matrix: ArrayLike | None = None
) -> Corruption:
    """Plant noise of a kind on a manifest's training rows: rows of ``valid`` and ``test`` keep their labels.

    Raises SettingError for an unknown kind or what it lacks.
    """
    rows = np.isin(manifest.split, ("train", ""))
    label, labels = np.where(rows, manifest.label, -1), manifest.labels
    makers: dict[str, Callable[[], Corruption]] = {
        "symmetric": lambda: symmetric(label, labels, rate, seed),
        "pair": lambda: pair(label, labels, rate, seed),
        "confusion": lambda: confusion(label, labels, _given(matrix, "confusion noise needs 'matrix'"), seed),
        "votes": lambda: votes(label, labels, _given(manifest.votes, "the data set has no votes"), seed),
    }
    if kind not in makers:
        raise SettingError(f"Unknown noise '{kind}'; known are {', '.join(KINDS)}.")
    made = makers[kind]()
    return Corruption(manifest.label, np.where(rows, made.after, manifest.label), labels, kind, made.seed, made.rate)


def _given(value: Any, lack: str) -> Any:
    if value is None:
        raise SettingError(f"This noise cannot be planted: {lack}.")
    return value


def _check_rate(rate: float) -> None:
    if not 0 <= rate <= 1:
        raise SettingError(f"The noise rate is {rate}; it must lie between 0 and 1 (0.2 is 20 %).")


def _integers(label: ArrayLike, labels: LabelSet) -> Integers:
    values = np.asarray(label, np.int64)
    if values.ndim != 1 or (values < -1).any() or (values >= len(labels)).any():
        raise SettingError(f"Labels must be one row of numbers from -1 to {len(labels) - 1}.")
    return values


def _draw(shares: NDArray[np.float64], rng: np.random.Generator) -> Integers:
    """One column per row with the row's probabilities; a column of share 0 is never drawn."""
    edges = shares.cumsum(1)
    edges /= edges[:, -1:]
    column: Integers = np.sum(rng.random((len(shares), 1)) >= edges, axis=1).astype(np.int64)
    return column
