"""Predictions of rows by probes that have not seen them, and again without the labels that proved doubtful."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tronie.core.errors import SettingError
from tronie.measure.label_quality import Signals, assess, firmness
from tronie.measure.neighbours import neighbour_shares
from tronie.measure.probe import Matrix, Probe, fit_probe
from tronie.measure.scores import Floats, Ints

RIDGE = 0.004
"""Ridge of the probes for large data, and where the search for one begins for small data."""
SMALL = 5000
"""Rows below which a ridge is sought; above, the search costs more than it gains."""
_LEARN = 20000  # looks that a probe learns from, if that leaves two of each row
_ENOUGH = 400  # rows on which ridges are compared
_SEARCH = 30  # steps of the probes that are compared
_KNOWN = 8  # rows of a person from which what is common to them is worth taking away


@dataclass(frozen=True, eq=False)
class Looked:
    """``looks`` ``(V, n, C)`` and label shares of ``neighbours`` ``(n, C)`` out of sample.

    ``first`` ``(V, n, C)``: the looks of the first round.
    """

    looks: Floats
    first: Floats
    neighbours: Floats


def cross_fitted(x: Matrix, label: Ints, classes: int, parts: Ints, *, weight: Floats | None = None,
                 ridge: float = RIDGE, starts: list[Probe] | None = None) -> tuple[Floats, list[Probe]]:  # fmt: skip
    """Probabilities ``(V, n, C)`` of views ``x`` ``(V, n, d)``, each row's by a probe of the other ``parts``.

    ``weight`` ``(n,)`` >= 0 counts rows less; ``starts`` are the probes of an earlier call. Also gives the probes, one
    a part in rising order. Rows of label -1 are looked at, and no probe learns from them.
    """
    looks, probes = np.empty((*x.shape[:2], classes)), []
    for number, part in enumerate(np.unique(parts)):
        inside = parts == part
        probe = fit_probe(x[: learnt(x), ~inside], label[~inside], classes, ridge=ridge,
                          weight=None if weight is None else weight[~inside],
                          start=starts[number] if starts else None)  # fmt: skip
        looks[:, inside] = probe(x[:, inside])
        probes.append(probe)
    return looks, probes


def learnt(x: Matrix) -> int:
    """How many of the views ``x`` ``(V, n, d)`` a probe learns from, two at least if there are; all are looked at."""
    return min(max(_LEARN // max(int(x.shape[1]), 1), 2), len(x))


def centred(x: Matrix, people: Ints) -> Matrix:
    """Views ``(V, n, d)`` without what is common to all rows of a person: mostly who it is, and how the camera stood.

    ``people`` ``(n,)`` number the persons. Rows of persons with few rows are left as they are, about the mean of all;
    values are scaled so that their mean square stays. Labels have no part in it.
    """
    names, person, count = np.unique(people, return_inverse=True, return_counts=True)
    mean = np.stack([x[: learnt(x), person == k].mean((0, 1)) for k in range(len(names))])
    mean[count < _KNOWN] = x[: learnt(x)].mean((0, 1))
    moved = x - mean[person]
    return np.asarray(moved * np.sqrt((x**2).mean() / max(float((moved**2).mean()), 1e-12)), np.float32)


def best_ridge(x: Matrix, label: Ints, classes: int, parts: Ints) -> tuple[float, float]:
    """The ridge, up to a factor of two, under which probes of the other ``parts`` give labels the least loss, and that.

    The given labels are the judge, wrong ones included: they punish a probe that has learnt others by heart. Where a
    few parts hold enough rows, these are judged.
    """
    names, counts = np.unique(parts, return_counts=True)
    judged = names[: int(np.searchsorted(counts.cumsum(), _ENOUGH)) + 1].tolist()
    at = np.isin(parts, judged)
    probes: dict[int, Probe] = {}

    def loss(ridge: float) -> float:
        looks = np.empty((*x.shape[:2], classes))
        for part in judged:
            inside = parts == part
            probes[part] = fit_probe(x[: learnt(x), ~inside], label[~inside], classes, ridge=ridge, steps=_SEARCH,
                                     start=probes.get(part))  # fmt: skip
            looks[:, inside] = probes[part](x[:, inside])
        return label_loss(looks[:, at], label[at])

    best, least = RIDGE, loss(RIDGE)
    for factor in (2.0, 0.5):
        while 1e-4 < best * factor < 10 and (trial := loss(best * factor)) < least:
            best, least = best * factor, trial
        if best != RIDGE:
            break
    return best, least


def label_loss(looks: Floats, label: Ints) -> float:
    """Mean loss of the given labels ``(n,)``, in nats, under the mean of the looks ``(V, n, C)``; -1 is left out."""
    rows = np.flatnonzero(label >= 0)
    return -float(np.log(np.maximum(looks[:, rows].mean(0)[np.arange(len(rows)), label[rows]], 1e-12)).mean())


def chosen(x: Matrix, label: Ints, classes: int, parts: Ints, people: Ints | None = None) -> tuple[Matrix, float]:
    """Views ``(V, n, d)`` and ridge to go on with; ``parts`` and ``people`` ``(n,)`` as in :func:`look`.

    Small data seeks its ridge. What is common to a person's rows is taken away where given labels are then read better:
    persons of whom each shows one expression only are read worse without it.
    """
    kinds = [x]
    if people is not None and np.unique(people, return_counts=True)[1].max() >= _KNOWN:
        kinds.append(centred(x, people))
    if len(label) >= SMALL and len(kinds) == 1:
        return x, RIDGE
    if len(label) >= SMALL:
        losses = [label_loss(cross_fitted(k, label, classes, parts)[0], label) for k in kinds]
        return kinds[int(np.argmin(losses))], RIDGE
    found = [best_ridge(k, label, classes, parts) for k in kinds]
    best = int(np.argmin([loss for _, loss in found]))
    return kinds[best], found[best][0]


def look(x: Matrix, label: Ints, classes: int, parts: Ints, *, people: Ints | None = None, rounds: int = 3,
         seed: int = 0, progress: Callable[[int, int], None] = lambda done, total: None) -> Looked:  # fmt: skip
    """Looks at all rows of views ``x`` ``(V, n, d)``, out of sample: each row's by probes of the other ``parts``.

    ``label`` ``(n,)`` are in 0..C-1, C being ``classes``; ``parts`` and ``people`` ``(n,)`` number the parts, and
    the persons if known.

    After the first round each row counts with the probability that its label is right, as far as that can be counted on
    (:func:`firmness`), and probes are fitted again.
    ``progress`` hears how many of ``rounds`` are done.

    A row's own label has no part in its looks but for the second-order one that it may have lowered another row's
    weight. Rows of label -1 are looked at and never learnt from. Raises SettingError for fewer than two parts.
    """
    if len(np.unique(parts)) < 2:
        raise SettingError("Predictions out of sample need two folds or more.")
    known = label >= 0
    x, ridge = chosen(x, label, classes, parts, people)
    near = neighbour_shares(x[: learnt(x)].mean(0), label, classes, parts)
    first, probes = cross_fitted(x, label, classes, parts, ridge=ridge)
    looks = first
    progress(1, rounds)
    for done in range(1, rounds):
        quality = assess(Signals(looks[:, known], label[known], neighbours=near[known]), parts[known], seed=seed)
        weight = np.zeros(len(label))
        weight[known] = 1 - firmness(label[known]) * quality.wrong
        looks, probes = cross_fitted(x, label, classes, parts, weight=weight, ridge=ridge, starts=probes)
        progress(done + 1, rounds)
    return Looked(looks, first, near)
