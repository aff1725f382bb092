"""From probabilities to a verdict on each row, a reason in words, and how much checking finds how many errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.audit.label_quality import Quality, Signals
from tronie.core.errors import SettingError
from tronie.metrics.scores import Floats, Ints, Probabilities

VERDICTS = ("clean", "hard", "doubtful", "wrong", "unusable", "duplicate", "leaked")
"""What an audit says of a row, as a position in this tuple."""
CLEAN, HARD, DOUBTFUL, WRONG, UNUSABLE, DUPLICATE, LEAKED = range(7)

WEAK = 0.25
"""Where labels are :func:`told_apart` less than this, an audit is not to be trusted: looks are as wrong as labels."""


@dataclass(frozen=True)
class Cuts:
    """Where verdicts part. Raises SettingError for what does not lie in (0, 1].

    ``wrong``: labels that are wrong with at least this probability are called so. ``hard_right``: the list of hard rows
    holds at least this share of right labels, by our own estimate; where it would not, rows are called doubtful.
    ``agree``: looks agree from this majority on. ``sure``: a label is changed, not taken away, from this probability of
    the suggestion on.
    """

    wrong: float = 0.5
    hard_right: float = 0.9
    agree: float = 0.8
    sure: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value <= 1:
                raise SettingError(f"The cut '{name}' is {value}; it must lie between 0 and 1.")


def label_verdicts(signals: Signals, quality: Quality, cuts: Cuts = Cuts()) -> NDArray[np.int64]:
    """CLEAN, HARD, DOUBTFUL or WRONG ``(n,)``, positions in :data:`VERDICTS`.

    Hard: not called wrong, and the looks do not agree, or agree on another class, or the label's mean probability is
    less than half. Of these the likeliest wrong are called doubtful, until the others hold what ``cuts.hard_right``
    promises.
    """
    looks, rows = signals.agreement, np.arange(len(signals.label))
    unclear = (looks.majority < cuts.agree - 1e-9) | (looks.vote != signals.label)
    unclear |= looks.mean[rows, signals.label] < 0.5
    wrong = quality.wrong >= cuts.wrong
    hard = np.flatnonzero(unclear & ~wrong)
    hard = hard[np.argsort(quality.wrong[hard], kind="stable")]
    doubt = np.cumsum(quality.wrong[hard]) / np.arange(1, len(hard) + 1)
    kept = int(np.searchsorted(doubt, 1 - cuts.hard_right, side="right"))  # the running mean of sorted values rises
    verdict = np.where(wrong, WRONG, CLEAN)
    verdict[hard[:kept]], verdict[hard[kept:]] = HARD, DOUBTFUL
    return verdict.astype(np.int64)


def told_apart(looks: Probabilities, label: Ints) -> float:
    """How much better than by guessing looks ``(K, n, C)`` name the given labels: 0 no better, 1 never otherwise.

    The share of rows whose most probable class is the label, against the share of the commonest label. Give it the
    looks of a first round: in later rounds a label has had a say in which rows counted.
    """
    common = float(np.bincount(label).max() / max(len(label), 1))
    return (float((looks.mean(0).argmax(1) == label).mean()) - common) / max(1 - common, 1e-9)


def hardness(signals: Signals, quality: Quality) -> Floats:
    """How hard a row is to read as its label says ``(n,)``, from 0 (easiest of these rows) to 1 (hardest).

    Mean of ranks: of the loss, of the score, and, a quarter as heavy, of the entropy of the mean probability.
    """
    parts = [ranks(signals.loss), ranks(quality.score), 0.25 * ranks(signals.entropy)]
    return np.asarray(np.sum(parts, 0) / 2.25)


def ranks(value: Floats) -> Floats:
    """Ranks of ``value`` ``(n,)``, lowest first, over n, so in (0, 1]; equal values share their mean rank."""
    _, place, count = np.unique(value, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place] / max(len(value), 1))


def error_table(label: Ints, quality: Quality, classes: int, wrong: Floats | None = None) -> Floats:
    """Expected number of rows ``(C, C)`` labelled so (row) that should be labelled so (column).

    A doubtful row is counted in parts: its own class with 1 - ``wrong``, the suggested one with ``wrong`` ``(n,)``, by
    default the probabilities of ``quality``. ``label`` ``(n,)`` are classes in 0..C-1, C being ``classes``.
    """
    share = quality.wrong if wrong is None else wrong
    table = np.zeros((classes, classes))
    np.add.at(table, (label, quality.suggested), share)
    np.add.at(table, (label, label), 1 - share)
    return table


def reasons(signals: Signals, quality: Quality, verdict: Ints, names: tuple[str, ...]) -> list[str]:
    """One sentence for each of n rows: what its ``verdict`` ``(n,)`` rests on. ``names``: those of the C labels."""
    looks, found = signals.agreement, []
    near = signals.neighbour_share
    for i, said in enumerate(verdict.tolist()):
        given, vote, other = names[signals.label[i]], names[looks.vote[i]], names[quality.suggested[i]]
        count = f"{int(looks.counts[i].max())} of {looks.looks} looks say {vote}"
        ours, theirs = looks.mean[i, signals.label[i]], looks.mean[i, quality.suggested[i]]
        beside = "" if np.isnan(near[i]) else f"; {near[i]:.0%} of its neighbours are labelled {given}"
        if said == WRONG:
            found.append(f"{count}; {other} has {theirs:.0%}, the label {given} {ours:.0%}{beside}.")
        elif said in (HARD, DOUBTFUL):
            found.append(f"{_doubt(signals, i)}: {count}; {given} has {ours:.0%}, {other} {theirs:.0%}{beside}.")
        else:
            found.append(f"{count}, as labelled; {given} has {ours:.0%}{beside}.")
    return found


def _doubt(signals: Signals, row: int) -> str:
    """Why a row is hard, in words."""
    looks = signals.agreement
    if looks.majority[row] < Cuts().agree - 1e-9:
        return "Looks do not agree"
    if looks.vote[row] != signals.label[row]:
        return "Looks read it otherwise, but not surely enough to call the label wrong"
    return "Looks say the label, but are not sure"
