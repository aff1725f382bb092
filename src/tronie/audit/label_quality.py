"""How likely is each label wrong? Signals, one column each, weighed by how they part labels that were planted wrong.

Predictions are out of sample, so a label that is *planted* wrong on a row needs no new training: nothing has seen it.
First it is estimated how many rows of each label should carry which other one; wrong labels are planted in just these
proportions, a logistic model learns what parts them from given labels, and with the estimated share its score becomes
a probability (given labels are a mixture of right and wrong ones: Elkan & Noto, KDD 2008).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.metrics.agreement import Agreement, agreement, losses, margin, support
from tronie.metrics.calibration import logistic
from tronie.metrics.scores import Floats, Ints, Probabilities

TAIL = 0.15
"""Share of a class's rows, those that look most like it, which rows of other classes hardly ever reach."""
FEWEST = 10
"""Rows that such a tail holds at least."""
_FLOOR = 0.02  # probability below which a look's "no" is no firmer
_UNSEEN = 1e-4  # probability below which the mean of the looks is no firmer
_EVEN = 0.02  # share of labels that are taken to be mistaken evenly, beside what is estimated
_RIDGE = 10.0  # pulls weights towards 0 as strongly as ten rows would
_BINS = 200
_SUREST = 0.99  # nobody is surer of a wrong label than this
_MOST = 0.9  # largest share of wrong labels that is believed


@dataclass(frozen=True, eq=False)
class Signals:
    """What speaks for and against the label of each of ``n`` rows; NaN where a signal is not there.

    ``looks`` ``(K, n, C)`` out-of-sample probabilities, ``label`` ``(n,)``; ``agreement`` of the looks; ``support``
    share of looks that say the label; ``margin`` of the vote over the label; ``loss`` of the mean probability, in nats;
    ``entropy`` of it over log C, in [0, 1]; ``neighbours`` ``(n, C)`` label shares of the nearest rows; ``history``
    mean loss over a training's epochs ``(n,)``, in nats; ``votes_entropy`` ``(n,)`` of annotators' votes over log C, in
    [0, 1]. The others are ``(n,)`` too. Raises SettingError for labels that are no classes or not as many as rows.
    """

    looks: Probabilities
    label: Ints
    agreement: Agreement = field(init=False)
    support: Floats = field(init=False)
    margin: Floats = field(init=False)
    loss: Floats = field(init=False)
    entropy: Floats = field(init=False)
    neighbours: Floats | None = None
    history: Floats | None = None
    votes_entropy: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "agreement", agreement(self.looks))
        if self.label.shape != self.agreement.vote.shape or (self.label < 0).any():
            raise SettingError(
                f"Labels {self.label.shape} must be one of the classes for each of "
                f"{len(self.agreement.vote)} rows looked at."
            )
        for name, value in (
            ("support", support(self.agreement, self.label)),
            ("margin", margin(self.agreement, self.label)),
            ("loss", losses(self.agreement.mean, self.label)),
            ("entropy", relative_entropy(self.agreement.mean)),
        ):
            object.__setattr__(self, name, value)

    @property
    def neighbour_share(self) -> Floats:
        """Share of the nearest rows that carry the row's label; NaN without neighbours."""
        if self.neighbours is None:
            return np.full(len(self.label), np.nan)
        return np.asarray(self.neighbours[np.arange(len(self.label)), self.label])


@dataclass(frozen=True, eq=False)
class Quality:
    """How good the labels are.

    ``score`` ``(n,)`` log-odds of planted against given: the ranking. ``wrong`` ``(n,)`` probability that the label is
    wrong, its mean the estimated ``share``. ``suggested`` ``(n,)`` the likeliest other class, and ``sure`` ``(n,)`` its
    probability should the label be wrong. ``mistaken`` ``(C, C)`` estimated numbers of rows labelled so (row) that
    should be labelled so (column). ``planted`` are the scores of planted labels, even and mistaken ones, ``(2, n)``.
    """

    score: Floats
    wrong: Floats
    share: float
    suggested: NDArray[np.int64]
    sure: Floats
    mistaken: Floats
    planted: Floats


def relative_entropy(p: Probabilities) -> Floats:
    """Entropy of ``p`` ``(..., C)`` over the last axis divided by log C: 0 sure, 1 no idea. NaN rows stay NaN."""
    q = np.asarray(p, np.float64)
    inside = -(q * np.log(np.where(q > 0, q, 1.0))).sum(-1)
    return np.asarray(inside / np.log(q.shape[-1]))


def mistaken_labels(mean: Probabilities, label: Ints, tail: float = TAIL) -> Floats:
    """Estimated number of rows ``(C, C)`` that are labelled so (row) and should be labelled so (column).

    Of the rows labelled b, the share ``tail`` looks most like b. Rows labelled a that look as much like b, and like
    nothing more, are taken for b; the others of their kind look less clear, so their number is divided by ``tail``. It
    is the confident joint (Northcutt, Jiang & Chuang, JAIR 2021) with a far higher bar, which errors of the model
    seldom reach, and with the share that the bar keeps out put back. A class of few rows has a lower bar. ``mean``
    ``(n, C)`` are out-of-sample probabilities, ``label`` ``(n,)`` classes in 0..C-1, ``tail`` lies in (0, 1].
    """
    classes = mean.shape[1]
    count, table = np.bincount(label, minlength=classes), np.zeros((classes, classes))
    first = mean.argmax(1)
    for c in np.flatnonzero(count):
        ours = mean[label == c, c]
        bar = np.quantile(ours, 1 - min(max(tail, FEWEST / count[c]), 0.9))
        clear = (mean[:, c] >= bar) & (first == c) & (label != c)
        table[:, c] = np.bincount(label[clear], minlength=classes) / (ours >= bar).mean()
    right = np.ones(classes)
    for _ in range(10):  # of the rows labelled b only the right ones look like b: the share was taken of too many
        wrong = (table * right).sum(1) / np.maximum(count, 1)
        right = 1 - np.minimum(wrong, _MOST)
    return table * right


def firmness(label: Ints) -> float:
    """How far :func:`mistaken_labels` can be counted on, from 0 to 1: 1 where classes have rows enough for its bar.

    In smaller ones the bar is lower than it should be, and errors of the model are counted for those of the labels.
    """
    count = np.bincount(label)[label]
    return float(np.minimum(TAIL * count / FEWEST, 1).mean())


def planted_labels(label: Ints, table: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """A wrong label ``(n,)`` for each row, drawn by the weights ``table[row's label]`` ``(C, C)`` of the others."""
    weight = np.array(table, np.float64)
    np.fill_diagonal(weight, 0)
    edges = weight.cumsum(1)
    drawn = rng.random(len(label))[:, None] * edges[label, -1:]
    return np.asarray((drawn >= edges[label]).sum(1), np.int64)


def confusions(mistaken: Floats, label: Ints) -> Floats:
    """Weights ``(C, C)`` of wrong labels (column) for rows of a class (row): the mistaken ones, and 1 % even ones."""
    count = np.bincount(label, minlength=len(mistaken))
    return np.asarray(mistaken.T + 0.01 * count[:, None] / max(len(mistaken) - 1, 1))


def label_rates(mistaken: Floats, label: Ints) -> Floats:
    """Probability ``(C, C)`` that a row of a class (column) is labelled so (row).

    From the ``mistaken`` labels, of each class smoothed as if each other label had been seen once more on a clear row
    (Laplace's rule), and 2 % of all labels spread evenly: what was not seen may still happen.
    """
    count = np.bincount(label, minlength=len(mistaken))
    joint = np.array(mistaken, np.float64)
    np.fill_diagonal(joint, 0)
    total = joint.sum(0)
    joint = (joint + 1 / TAIL) * total / (total + (len(joint) - 1) / TAIL)
    np.fill_diagonal(joint, 0)
    np.fill_diagonal(joint, np.maximum(count - joint.sum(1), 1))
    joint += _EVEN * count.mean() / len(joint)
    return np.asarray(joint / joint.sum(0))


def wrong_odds(mean: Probabilities, label: Ints, rates: Floats) -> Floats:
    """Log-odds ``(n,)`` that the row is of another class than its label, by Bayes' rule.

    Of each class the probability ``mean`` ``(n, C)`` that the row is of it, times ``rates[label, class]``, that it is
    then labelled so: what looks like anger speaks against *disgust* only as far as anger is labelled disgust.
    """
    rows = np.arange(len(label))
    share = np.maximum(mean, _UNSEEN) * rates[label]
    ours = share[rows, label]
    return np.asarray(np.log(np.maximum(share.sum(1) - ours, 1e-9)) - np.log(np.maximum(ours, 1e-9)))


def evidence(signals: Signals, rates: Floats) -> Floats:
    """Columns ``(n, E)`` that the weighing reads.

    The label's mean log-probability over looks, the :func:`wrong_odds`, and for the label and the best other class the
    log-share among neighbours; the loss history where there is one. Few and plain on purpose: support, agreement,
    entropy and a mark per label were tried beside them on planted noise and added nothing, or traded the top of the
    ranking for its middle. They are columns of the table, and agreement decides who is hard.
    """
    label, rows = signals.label, np.arange(len(signals.label))
    said = np.log(np.maximum(signals.looks, _FLOOR / 4)).mean(0)[rows, label]
    columns = [said, wrong_odds(signals.agreement.mean, label, rates)]
    if signals.neighbours is not None:
        near = np.log(signals.neighbours + _FLOOR)
        columns += [near[rows, label], _without(near, label, -np.inf).max(1)]
    return np.column_stack(columns if signals.history is None else [*columns, signals.history])


def _without(table: Floats, label: Ints, blot: float) -> Floats:
    """The table with ``blot`` in place of each row's label."""
    kept = table.copy()
    kept[np.arange(len(label)), label] = blot
    return kept


def assess(signals: Signals, parts: Ints, *, seed: int = 0) -> Quality:
    """Weigh the signals of ``n`` rows. ``parts`` ``(n,)``: weights for a row are learnt from rows of the other parts.

    n wrong labels are planted, drawn by ``seed``, on rows and by classes as labels are estimated to be mistaken. Raises
    SettingError where there is one part only.
    """
    if len(np.unique(parts)) < 2:
        raise SettingError("Labels are weighed part by part: give two folds or more.")
    label, n, mean = signals.label, len(signals.label), signals.agreement.mean
    mistaken = mistaken_labels(mean, label)
    rows, wrongs = _planted_rows(mistaken, label, np.random.default_rng(seed))
    rates = label_rates(mistaken, label)
    kinds = [evidence(signals, rates)]
    kinds += [evidence(_taken(signals, r, w), rates) for r, w in zip(rows, wrongs, strict=True)]
    at, score = [parts, *(parts[r] for r in rows)], np.empty((3, n))
    for part in np.unique(parts):
        weigh = _parting(kinds[0][at[0] != part], kinds[2][at[2] != part])
        for kind, where, into in zip(kinds, at, score, strict=True):
            into[where == part] = weigh(kind[where == part])
    share = float(np.clip(mistaken.sum() / n, 1e-4, _MOST))
    others = _without(mean, label, 0.0)
    sure = others.max(1) / np.maximum(others.sum(1), 1e-12)
    return Quality(
        score[0],
        probability_wrong(score[0], score[2], share),
        share,
        others.argmax(1).astype(np.int64),
        sure,
        mistaken,
        score[1:],
    )


def _planted_rows(mistaken: Floats, label: Ints, rng: np.random.Generator) -> tuple[list[Ints], list[Ints]]:
    """Rows and the wrong labels planted on them: every row evenly, then n rows drawn as labels are mistaken."""
    even, table = np.ones_like(mistaken), confusions(mistaken, label)
    weight = (table.sum(1) / np.maximum(np.bincount(label, minlength=len(table)), 1))[label]
    rows: list[Ints] = [np.arange(len(label)), rng.choice(len(label), len(label), p=weight / weight.sum())]
    return rows, [planted_labels(label[r], t, rng) for r, t in zip(rows, (even, table), strict=True)]


def _taken(signals: Signals, rows: Ints, label: Ints) -> Signals:
    """These rows of the signals, under other labels."""
    near, history = (None if c is None else c[rows] for c in (signals.neighbours, signals.history))
    return Signals(signals.looks[:, rows], label, neighbours=near, history=history)


def _parting(given: Floats, planted: Floats) -> Callable[[Floats], Floats]:
    """A score that parts planted labels from given ones."""
    centre, spread = given.mean(0), np.maximum(given.std(0), 1e-3)
    rows = (np.concatenate([given, planted]) - centre) / spread
    target = np.repeat([0.0, 1.0], [len(given), len(planted)])
    penalty = np.append(np.full(rows.shape[1], _RIDGE), 0.0)
    theta = logistic(np.hstack([rows, np.ones((len(rows), 1))]), target, penalty)
    return lambda x: np.asarray((x - centre) / spread @ theta[:-1] + theta[-1])


def probability_wrong(given: Floats, planted: Floats, share: float) -> Floats:
    """Probability ``(n,)`` that a label with this score is wrong: ``share`` times the densities' ratio, at most 0.99.

    ``given`` ``(n,)`` and ``planted`` ``(m,)`` are scores of given and of planted labels, ``share`` lies in (0, 1).
    The ratio never falls as the score rises: counts in equal bins of the pooled scores, made monotone by pooling
    neighbours that violate the order (isotonic regression), joined by straight lines. Its mean is ``share``.
    """
    pooled = np.sort(np.concatenate([given, planted]))
    edges = np.unique(pooled[np.linspace(0, len(pooled) - 1, _BINS + 1).astype(np.int64)])
    if len(edges) < 2:
        return np.full(len(given), share)
    ours, theirs = (np.histogram(v, edges)[0].astype(np.float64) for v in (given, planted))
    portion = isotonic(
        (theirs / len(planted)) / np.maximum(theirs / len(planted) + ours / len(given), 1e-12),
        theirs / len(planted) + ours / len(given),
    )
    smooth = np.interp(given, (edges[1:] + edges[:-1]) / 2, portion)
    ratio = smooth / np.maximum(1 - smooth, 1e-3)
    low, high = 0.0, 1.0
    for _ in range(50):  # capped, so the factor that gives the wanted mean is a little above the share
        factor = (low + high) / 2
        mean = float(np.minimum(factor * ratio, _SUREST).mean())
        low, high = (factor, high) if mean < share else (low, factor)
    return np.asarray(np.minimum(factor * ratio, _SUREST))


def isotonic(value: Floats, weight: Floats) -> Floats:
    """The non-decreasing sequence ``(n,)`` nearest to ``value`` ``(n,)`` in squares weighted by ``weight`` ``(n,)``.

    Weights are >= 0. By pooling adjacent violators.
    """
    blocks: list[list[float]] = []
    for v, w in zip(value.tolist(), weight.tolist(), strict=True):
        blocks.append([v, max(w, 1e-12), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            v2, w2, n2 = blocks.pop()
            v1, w1, n1 = blocks.pop()
            blocks.append([(v1 * w1 + v2 * w2) / (w1 + w2), w1 + w2, n1 + n2])
    return np.repeat([b[0] for b in blocks], [int(b[2]) for b in blocks])
