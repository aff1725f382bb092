"""``tronie compare-models``: two models or methods on the same faces, difference by difference, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.metrics import scores
from tronie.metrics.intervals import Interval, paired

if TYPE_CHECKING:
    from tronie.train.predictions import Answered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SCORES = ("war", "uar", "nll")


@dataclass(frozen=True)
class Difference:
    """One score of A and of B on the same rows, and B minus A with its 95 % interval.

    The interval is drawn over rows (twins, clips and people whole) and over runs of each side. ``decided`` says
    whether it leaves 0 out.
    """

    source: str
    score: str
    first: float
    second: float
    difference: Interval
    rows: int
    runs: tuple[int, int]

    @property
    def decided(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not self.difference.low <= 0 <= self.difference.high


def compare_models(
    first: str | Path | Sequence[str | Path],
    second: str | Path | Sequence[str | Path],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> list[Difference]:
    """Accuracy, mean recall and log-likelihood of ``second`` minus ``first``, on the rows that both have answered.

    Each side is a run folder, a folder that ``tronie evaluate --out`` wrote, a folder that holds several of these (runs
    of one recipe with different seeds), or a list of them. Labels are joined by name. Raises SourceError where a folder
    holds no answers or the sides share no row, SettingError where they disagree about a row's label or were read in
    unlike ways (one face alone, the other with its mirror image).
    """
    sides = [_runs(first), _runs(second)]
    shared = [name for name in sides[0][0] if all(name in run for side in sides for run in side)]
    if not shared:
        known = [", ".join(sorted(set().union(*side))) for side in sides]
        raise SourceError(f"The two share no data: one was judged on {known[0]}, the other on {known[1]}.")
    return [d for name in shared for d in _compare(name, [[run[name] for run in side] for side in sides], draws, seed)]


def _runs(given: str | Path | Sequence[str | Path]) -> list[dict[str, Answered]]:
    """The answers of every run on one side."""
    from tronie.train.predictions import FILE, read_answers

    folders = [Path(given)] if isinstance(given, (str, Path)) else [Path(g) for g in given]
    found: list[Path] = []
    for folder in folders:
        inside = sorted(p.parent for p in folder.glob(f"*/{FILE}"))
        found += [folder] if (folder / FILE).is_file() or not inside else inside
    answers = [read_answers(folder) for folder in found]
    return [{name: kept for name, a in run.items() if len(kept := a.labelled())} for run in answers]


def _compare(name: str, sides: list[list[Answered]], draws: int, seed: int) -> list[Difference]:
    """All scores on one source."""
    labels = sides[0][0].labels
    ways = list(dict.fromkeys(run.reading for side in sides for run in side))
    if len(ways) > 1:
        read = "; ".join(way or "an earlier Tronie does not say how" for way in ways)
        raise SettingError(
            f"'{name}' was read in unlike ways ({read}), so a difference would tell nothing of the "
            "models: evaluate both with the same `tronie evaluate`."
        )
    ids = [set(run.id.tolist()) for side in sides for run in side]
    order = [i for i in sides[0][0].id.tolist() if all(i in known for known in ids)]
    if not order:
        raise SourceError(f"The two share no row of '{name}'.")
    lined = [[_lined_up(run, order, labels, name) for run in side] for side in sides]
    truth, group = lined[0][0][0], lined[0][0][1]
    if any(not np.array_equal(t, truth) for side in lined for t, _, _ in side):
        raise SettingError(f"The two were judged by different labels on '{name}': judge both on the same manifest.")
    first, second = ([p for _, _, p in side] for side in lined)
    found = []
    for score in _SCORES:
        by_run = [[partial(_score, score, truth, p) for p in side] for side in (first, second)]
        everything = np.arange(len(order))
        a, b = (float(np.mean([run(everything) for run in side])) for side in by_run)
        difference = paired(by_run[0], by_run[1], len(order), groups=group, draws=draws, seed=seed)
        found.append(Difference(name, score, a, b, difference, len(order), (len(first), len(second))))
    return found


def _lined_up(run: Answered, order: Sequence[str], labels: tuple[str, ...], name: str) -> tuple[Ints, Ints, Floats]:
    """Truth, groups and probabilities of the rows in ``order``, in the labels of the first run."""
    place = {id_: i for i, id_ in enumerate(run.id.tolist())}
    rows = np.array([place[i] for i in order])
    move = LabelSet(run.labels).translate(LabelSet(labels))
    if sorted(move) != list(range(len(labels))):
        raise SettingError(
            f"The two answer with different labels on '{name}': {', '.join(labels)} and {', '.join(run.labels)}."
        )
    probability = np.empty((len(rows), len(labels)))
    probability[:, move] = run.probability[rows]
    return move[run.truth[rows]], run.group[rows], probability


def _score(kind: str, truth: Ints, probability: Floats, rows: Ints) -> float:
    if kind == "nll":
        return scores.negative_log_likelihood(probability[rows], truth[rows])
    table = scores.confusion(truth[rows], probability[rows].argmax(1), probability.shape[1])
    return scores.accuracy(table) if kind == "war" else scores.mean_recall(table)
