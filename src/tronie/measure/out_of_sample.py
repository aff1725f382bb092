"""Predictions of rows by probes that have not seen them, and again without the labels that proved doubtful."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tronie.core.errors import SettingError
from tronie.measure.label_quality import Signals, assess
from tronie.measure.neighbours import neighbour_shares
from tronie.measure.probe import Matrix, Probe, fit_probe
from tronie.measure.scores import Floats, Ints

LEARN = 2
"""Views of each row that a probe learns from; all views are looked at."""


@dataclass(frozen=True, eq=False)
class Looked:
    """``looks`` ``(V, n, C)`` and ``neighbours`` ``(n, C)`` out of sample; ``first``: looks of the first round."""

    looks: Floats
    first: Floats
    neighbours: Floats


def cross_fitted(x: Matrix, label: Ints, classes: int, parts: Ints, *, weight: Floats | None = None,
                 ridge: float = 0.004, starts: list[Probe] | None = None) -> tuple[Floats, list[Probe]]:  # fmt: skip
    """Probabilities ``(V, n, C)`` of views ``x`` ``(V, n, d)``, each row's by a probe of the other ``parts``.

    ``weight`` ``(n,)`` counts rows less; ``starts`` are the probes of an earlier call. Also gives the probes.
    """
    looks, probes = np.empty((*x.shape[:2], classes)), []
    for number, part in enumerate(np.unique(parts)):
        inside = parts == part
        probe = fit_probe(x[:LEARN, ~inside], label[~inside], classes, ridge=ridge,
                          weight=None if weight is None else weight[~inside],
                          start=starts[number] if starts else None)  # fmt: skip
        looks[:, inside] = probe(x[:, inside])
        probes.append(probe)
    return looks, probes


def look(x: Matrix, label: Ints, classes: int, parts: Ints, *, rounds: int = 3, ridge: float = 0.004, seed: int = 0,
         progress: Callable[[int, int], None] = lambda done, total: None) -> Looked:  # fmt: skip
    """Looks at all rows of views ``x`` ``(V, n, d)``, out of sample.

    After the first round each row counts with the probability that its label is right, and probes are fitted again.
    A row's own label has no part in its looks but for the second-order one that it may have lowered another row's
    weight. Rows of label -1 are looked at and never learnt from. Raises SettingError for fewer than two parts.
    """
    if len(np.unique(parts)) < 2:
        raise SettingError("Predictions out of sample need two folds or more.")
    known = label >= 0
    near = neighbour_shares(x[:LEARN].mean(0), label, classes, parts)
    first, probes = cross_fitted(x, label, classes, parts, ridge=ridge)
    looks = first
    progress(1, rounds)
    for done in range(1, rounds):
        quality = assess(Signals(looks[:, known], label[known], neighbours=near[known]), parts[known], seed=seed)
        weight = np.zeros(len(label))
        weight[known] = 1 - quality.wrong
        looks, probes = cross_fitted(x, label, classes, parts, weight=weight, ridge=ridge, starts=probes)
        progress(done + 1, rounds)
    return Looked(looks, first, near)
