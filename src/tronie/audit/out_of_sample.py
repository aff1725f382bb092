"""Predictions of rows by probes that have not seen them, and again without the labels that proved doubtful."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tronie.audit.label_quality import Signals, assess, firmness
from tronie.audit.neighbours import neighbour_shares
from tronie.audit.probe import Matrix, Probe, fit_probe
from tronie.core.errors import SettingError
from tronie.metrics.scores import Floats, Ints

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


class Choice(NamedTuple):
    """How the rows of one part are predicted: from views ``x`` ``(V, n, d)``, by a probe with this ``ridge``."""

    x: Matrix
    ridge: float = RIDGE


def cross_fitted(
    x: Matrix,
    label: Ints,
    classes: int,
    parts: Ints,
    *,
    weight: Floats | None = None,
    ridge: float = RIDGE,
    starts: list[Probe] | None = None,
) -> tuple[Floats, list[Probe]]:
    """Probabilities ``(V, n, C)`` of views ``x`` ``(V, n, d)``, each row's by a probe of the other ``parts``.

    ``weight`` ``(n,)`` >= 0 counts rows less; ``starts`` are the probes of an earlier call. Also gives the probes, one
    a part in rising order. Rows of label -1 are looked at, and no probe learns from them.
    """
    choices = [Choice(x, ridge)] * len(np.unique(parts))
    return _fitted(choices, label, classes, parts, weight=weight, starts=starts)


def _fitted(
    choices: Sequence[Choice],
    label: Ints,
    classes: int,
    parts: Ints,
    *,
    weight: Floats | None = None,
    starts: list[Probe] | None = None,
) -> tuple[Floats, list[Probe]]:
    """:func:`cross_fitted` with a choice of its own for each part."""
    looks, probes = np.empty((*choices[0].x.shape[:2], classes)), []
    for number, (part, (x, ridge)) in enumerate(zip(np.unique(parts), choices, strict=True)):
        inside = parts == part
        probe = fit_probe(
            x[: learnt(x), ~inside],
            label[~inside],
            classes,
            ridge=ridge,
            weight=None if weight is None else weight[~inside],
            start=starts[number] if starts else None,
        )
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

    The given labels are the judge, wrong ones included: they punish a probe that has fitted wrong labels.
    """
    loss = _loss_of_ridge(x, label, classes, parts)
    best, least = RIDGE, loss(RIDGE)
    for factor in (2.0, 0.5):
        while 1e-4 < best * factor < 10 and (trial := loss(best * factor)) < least:
            best, least = best * factor, trial
        if best != RIDGE:
            break
    return best, least


def _loss_of_ridge(x: Matrix, label: Ints, classes: int, parts: Ints) -> Callable[[float], float]:
    """The loss of given labels out of sample as a function of the ridge.

    Where a few parts hold enough rows, these alone are predicted.
    """
    names, counts = np.unique(parts, return_counts=True)
    judged = names[: int(np.searchsorted(counts.cumsum(), _ENOUGH)) + 1].tolist()
    at = np.isin(parts, judged)
    probes: dict[int, Probe] = {}

    def loss(ridge: float) -> float:
        looks = np.empty((*x.shape[:2], classes))
        for part in judged:
            inside = parts == part
            probes[part] = fit_probe(
                x[: learnt(x), ~inside],
                label[~inside],
                classes,
                ridge=ridge,
                steps=_SEARCH,
                start=probes.get(part),
            )
            looks[:, inside] = probes[part](x[:, inside])
        return label_loss(looks[:, at], label[at])

    return loss


def label_loss(looks: Floats, label: Ints) -> float:
    """Mean loss of the given labels ``(n,)``, in nats, under the mean of the looks ``(V, n, C)``; -1 is left out."""
    rows = np.flatnonzero(label >= 0)
    return -float(np.log(np.maximum(looks[:, rows].mean(0)[np.arange(len(rows)), label[rows]], 1e-12)).mean())


def chosen(x: Matrix, label: Ints, classes: int, parts: Ints, people: Ints | None = None) -> list[Choice]:
    """Views and ridge for each of the ``parts``, in rising order; arguments as in :func:`look`.

    Small data seeks its ridge. What is common to a person's rows is taken away where given labels are then predicted
    better: persons of whom each shows one expression only are predicted worse without it. Each part's choice is made
    by the labels of the other parts alone, so that no row's label has a part in how that row is predicted.
    """
    kinds = [x]
    if people is not None and np.unique(people, return_counts=True)[1].max() >= _KNOWN:
        kinds.append(centred(x, people))
    return [_choice(kinds, label, classes, parts, parts != part) for part in np.unique(parts)]


def _choice(kinds: Sequence[Matrix], label: Ints, classes: int, parts: Ints, others: NDArray[np.bool_]) -> Choice:
    """The best of ``kinds`` of views and its ridge, by the labels of ``others`` ``(n,)`` alone."""
    small = len(label) < SMALL
    if (len(kinds) == 1 and not small) or len(np.unique(parts[others])) < 2:
        return Choice(kinds[0])
    found = []
    for kind in kinds:
        x, known, inside = kind[:, others], label[others], parts[others]
        if small:
            found.append(best_ridge(x, known, classes, inside))
        else:
            found.append((RIDGE, _loss_of_ridge(x, known, classes, inside)(RIDGE)))
    best = int(np.argmin([loss for _, loss in found]))
    return Choice(kinds[best], found[best][0])


def _neighbours(choices: Sequence[Choice], label: Ints, classes: int, parts: Ints) -> Floats:
    """Label shares of the nearest rows ``(n, C)``, each part's among the views chosen for it."""
    near = np.empty((len(label), classes))
    shares: dict[int, Floats] = {}
    for part, (x, _) in zip(np.unique(parts), choices, strict=True):
        if id(x) not in shares:
            shares[id(x)] = neighbour_shares(x[: learnt(x)].mean(0), label, classes, parts)
        near[parts == part] = shares[id(x)][parts == part]
    return near


def look(
    x: Matrix,
    label: Ints,
    classes: int,
    parts: Ints,
    *,
    people: Ints | None = None,
    rounds: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Looked:
    """Looks at all rows of views ``x`` ``(V, n, d)``, out of sample: each row's by probes of the other ``parts``.

    ``label`` ``(n,)`` are in 0..C-1, C being ``classes``; ``parts`` and ``people`` ``(n,)`` number the parts, and
    the persons if known.

    After the first round each row counts with the probability that its label is right, as far as that can be counted on
    (:func:`firmness`), and probes are fitted again.
    ``progress`` hears how many of ``rounds`` are done.

    A row's own label has no part in its looks of the first round, nor in any choice that they rest on. In later rounds
    it has a second-order one: it may have lowered another row's weight. Rows of label -1 are looked at and never
    learnt from. Raises SettingError for fewer than two parts.
    """
    if len(np.unique(parts)) < 2:
        raise SettingError("Predictions out of sample need two folds or more.")
    known = label >= 0
    choices = chosen(x, label, classes, parts, people)
    near = _neighbours(choices, label, classes, parts)
    first, probes = _fitted(choices, label, classes, parts)
    looks = first
    progress(1, rounds)
    for done in range(1, rounds):
        quality = assess(Signals(looks[:, known], label[known], neighbours=near[known]), parts[known], seed=seed)
        weight = np.zeros(len(label))
        weight[known] = 1 - firmness(label[known]) * quality.wrong
        looks, probes = _fitted(choices, label, classes, parts, weight=weight, starts=probes)
        progress(done + 1, rounds)
    return Looked(looks, first, near)
