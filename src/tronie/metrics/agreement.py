"""Do several looks at one sample agree, and with its label? Clean, hard or noisy, by strategies with names.

A look is one random clip of a video, or one fold's, seed's or augmentation's view of a photo. RDFER ("Robust Dynamic
Facial Expression Recognition", IEEE T-BIOM 2025, arXiv 2502.16129) tells hard samples from wrongly labelled ones by
how far looks agree; its formula and thresholds are not public, so the definitions and numbers here are our choice:
change them in :class:`Settings`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.metrics.scores import Floats, Ints, Probabilities

VERDICTS = ("clean", "hard", "noisy")
"""What a strategy says of a row, as a position in this tuple."""
CLEAN, HARD, NOISY = range(3)

STRATEGIES: dict[str, str] = {
    "rule": "tronie.metrics.agreement:rule",
    "class-adaptive": "tronie.metrics.agreement:class_adaptive",
    "mixture": "tronie.metrics.agreement:mixture",
    "loss": "tronie.metrics.agreement:loss_ranking",
    "confident-learning": "tronie.metrics.agreement:confident_learning",
    "opposite": "tronie.metrics.agreement:opposite",
}
"""Name → ``(looks: Agreement, label (n,), settings: Settings) -> verdicts (n,)``, indices into :data:`VERDICTS`."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How K looks at ``n`` samples agree over C classes. Independent of the order of looks.

    ``majority`` ``(n,)`` share of looks that say the commonest class, in [1/K, 1].
    ``pairwise`` ``(n,)`` share of pairs of looks that say the same, in [0, 1]; 1 where there is one look.
    ``jsd``      ``(n,)`` 1 - Jensen-Shannon divergence of the looks / log(min(K, C)), in [0, 1].
    ``vote``     ``(n,)`` the commonest class; of equals the one with the larger mean probability.
    ``counts``   ``(n, C)`` looks that say each class. ``mean`` ``(n, C)`` mean probabilities.
    """

    majority: Floats
    pairwise: Floats
    jsd: Floats
    vote: NDArray[np.int64]
    counts: NDArray[np.int64]
    mean: Floats

    @property
    def looks(self) -> int:
        """K, the number of looks."""
        return int(self.counts[0].sum()) if len(self.counts) else 0


@dataclass(frozen=True)
class Settings:
    """Numbers of the strategies; shares and probabilities in [0, 1]. Raises SettingError for others.

    ``tau``   majority agreement from which looks count as agreeing (0.8: 4 of 5).
    ``gap``   "rule": how far the mean probability of the vote must exceed the label's before it is called noisy.
    ``share`` "loss": share of rows, those of the highest loss, that are called noisy.
    ``sure``  "mixture": probability of belonging to the noisy part from which a row is called noisy.
    """

    tau: float = 0.8
    gap: float = 0.5
    share: float = 0.1
    sure: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise SettingError(f"The setting '{name}' is {value}; it must lie between 0 and 1.")


def agreement(p: Probabilities) -> Agreement:
    """Agreement of looks ``p`` ``(K, n, C)``, each row of which sums to 1. Raises SettingError for another shape."""
    looks = np.asarray(p, np.float64)
    if looks.ndim != 3 or not looks.shape[0] or looks.shape[2] < 2:
        raise SettingError(f"Looks must be (looks, rows, classes) with two classes or more; they are {looks.shape}.")
    number, _, classes = looks.shape
    counts = (looks.argmax(2)[..., None] == np.arange(classes)).sum(0)
    # Sorted along the looks, so that sums of floating-point numbers do not depend on the order of looks.
    mean = np.sort(looks, 0).mean(0)
    most = counts.max(1, keepdims=True)
    vote = np.where(counts == most, mean, -1.0).argmax(1)
    same = (counts * (counts - 1)).sum(1)
    pairwise = same / (number * (number - 1)) if number > 1 else np.ones(len(counts))
    spread = _entropy(mean) - np.sort(_entropy(looks), 0).mean(0)
    jsd = 1 - spread / np.log(min(number, classes)) if number > 1 else np.ones(len(counts))
    return Agreement(most[:, 0] / number, pairwise, np.clip(jsd, 0, 1), vote, counts.astype(np.int64), mean)


def _entropy(p: Floats) -> Floats:
    """In nats, over the last axis; 0 log 0 is 0."""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(-1))


def support(looks: Agreement, label: Ints) -> Floats:
    """Share of looks ``(n,)`` that say the label given ``(n,)``, a class in 0..C-1; in [0, 1]."""
    return np.asarray(looks.counts[np.arange(len(label)), label] / max(looks.looks, 1))


def margin(looks: Agreement, label: Ints) -> Floats:
    """Mean probability of the vote minus that of the label given ``(n,)``, in [-1, 1]: how much speaks against it."""
    rows = np.arange(len(label))
    return np.asarray(looks.mean[rows, looks.vote] - looks.mean[rows, label])


def rule(looks: Agreement, label: Ints, settings: Settings = Settings()) -> NDArray[np.int64]:
    """Agreeing looks that say the label are clean; that say another, by more than ``gap``, noisy; all others hard.

    As of every strategy: ``label`` ``(n,)`` are classes in 0..C-1, the verdicts ``(n,)`` positions in VERDICTS.
    A mislabelled but clear sample is read alike by every look, only not as its label says; a hard one is read
    differently from look to look.
    """
    agree, same = looks.majority >= settings.tau - 1e-9, looks.vote == label
    return _verdicts(agree & same, agree & ~same & (margin(looks, label) > settings.gap))


def class_adaptive(looks: Agreement, label: Ints, settings: Settings = Settings()) -> NDArray[np.int64]:
    """As :func:`rule`, with a class's own bar in place of ``tau`` and ``gap``: no class is noisy for being difficult.

    The bar of a class is the mean probability of that class over the rows labelled so (as in confident learning, and
    in the spirit of ASM, arXiv 2310.05618, whose thresholds follow mean class probabilities). Clean: the vote is the
    label and its mean probability reaches the bar. Noisy: the vote is another class and reaches that class's bar,
    while the label's probability lies below half of its own. A class without rows has a bar of 1.
    """
    rows, bar = np.arange(len(label)), self_confidence(looks.mean, label)
    same, ours = looks.vote == label, looks.mean[rows, label]
    clean = same & (ours >= bar[label])
    return _verdicts(clean, ~same & (looks.mean[rows, looks.vote] >= bar[looks.vote]) & (ours < bar[label] / 2))


def mixture(looks: Agreement, label: Ints, settings: Settings = Settings()) -> NDArray[np.int64]:
    """Two Gaussians over the loss of the mean probability (DivideMix, Li et al., ICLR 2020): the high one is noisy.

    Noisy: in the high part with probability of at least ``sure``, and the vote is not the label. Clean: else, where
    looks agree (``tau``) on the label. Hard: all others.
    """
    same = looks.vote == label
    noisy = (two_parts(losses(looks.mean, label)) >= settings.sure) & ~same
    return _verdicts((looks.majority >= settings.tau - 1e-9) & same & ~noisy, noisy)


def loss_ranking(looks: Agreement, label: Ints, settings: Settings = Settings()) -> NDArray[np.int64]:
    """The ``share`` of rows with the highest loss is noisy; of the others those are clean whose looks agree."""
    order = np.argsort(-losses(looks.mean, label), kind="stable")
    noisy = np.zeros(len(label), bool)
    noisy[order[: round(settings.share * len(label))]] = True
    return _verdicts((looks.majority >= settings.tau - 1e-9) & (looks.vote == label) & ~noisy, noisy)


def confident_learning(looks: Agreement, label: Ints, settings: Settings = Settings()) -> NDArray[np.int64]:
    """Off the diagonal of the confident joint (Northcutt, Jiang & Chuang, JAIR 2021, eq. 1 and 2) is noisy.

    A row counts as class j if p[j] reaches the mean of p[j] over the rows labelled j; of several the most probable.
    """
    bar = self_confidence(looks.mean, label)
    reached = np.where(looks.mean >= bar, looks.mean, -1.0)
    counted = np.where(reached.max(1) >= 0, reached.argmax(1), label)
    noisy = counted != label
    return _verdicts((looks.majority >= settings.tau - 1e-9) & (looks.vote == label) & ~noisy, noisy)


def opposite(looks: Agreement, label: Ints, settings: Settings = Settings()) -> NDArray[np.int64]:
    """The control: low agreement is called noisy, agreement on another label hard. To be beaten by :func:`rule`."""
    agree = looks.majority >= settings.tau - 1e-9
    return _verdicts(agree & (looks.vote == label), ~agree)


def losses(mean: Probabilities, label: Ints) -> Floats:
    """``-log p[label]`` ``(n,)`` in nats, p floored at 1e-12."""
    return np.asarray(-np.log(np.maximum(mean[np.arange(len(label)), label], 1e-12)))


def self_confidence(mean: Probabilities, label: Ints) -> Floats:
    """Per class the mean of its own probability over the rows labelled so ``(C,)``; 1 for a class without rows."""
    classes = mean.shape[1]
    count = np.bincount(label, minlength=classes)
    total = np.bincount(label, mean[np.arange(len(label)), label], classes)
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)


def two_parts(value: Floats, steps: int = 200) -> Floats:
    """Probability ``(n,)`` of belonging to the higher of two Gaussians fitted to ``value`` by expectation maximisation.

    Starts from the values below and above the middle of the range; deterministic. It never falls as the value rises.
    All 0 where the values do not vary.
    """
    x = np.asarray(value, np.float64)
    if len(x) < 2 or np.ptp(x) < 1e-12:
        return np.zeros(len(x))
    x = (x - x.min()) / np.ptp(x)
    high = np.where(x > 0.5, 0.99, 0.01)
    for _ in range(steps):
        part = np.stack([1 - high, high])
        weight = part.sum(1)
        mean = part @ x / weight
        variance = (part * (x - mean[:, None]) ** 2).sum(1) / weight + 1e-4
        at = np.maximum(x, mean[0])  # below the low mean the wider part may win again: no reason to call that high
        odds = np.log(weight / np.sqrt(variance))[:, None] - (at - mean[:, None]) ** 2 / (2 * variance[:, None])
        before, high = high, 1 / (1 + np.exp(np.clip(odds[0] - odds[1], -700, 700)))
        if np.abs(high - before).max() < 1e-6:
            break
    order = np.argsort(x, kind="stable")
    rising = np.empty(len(x))
    rising[order] = np.maximum.accumulate(high[order])
    return rising


def _verdicts(clean: NDArray[np.bool_], noisy: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(noisy, NOISY, np.where(clean, CLEAN, HARD)).astype(np.int64)
