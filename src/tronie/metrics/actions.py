"""From verdicts about training rows to what training does with them: weights and labels.

RDFER (Liu et al., IEEE T-BIOM 2025, arXiv 2502.16129) strengthens hard samples and suppresses wrongly labelled ones;
how much, how often and from when on is not public. All numbers here are our choice:

    warm-up    nothing is decided before ``warmup`` epochs are done; then a look every ``every`` epochs
    memory     agreement and mean probabilities are running means over the looks' refreshes: keep·old + (1 - keep)·new
    clean      weight 1
    hard       weight 1 + beta (1 - A), A being the remembered majority agreement
    noisy      "drop": weight ``noisy_weight``;  "relabel": as "drop" until the share ``relabel_from`` of the run is
               done, then the label is the vote, at weight 1, where the margin against the label exceeds ``gap``
    cap        of the rows of one label at most the share ``cap`` is acted on as noisy, those with the largest margins;
               the rest keep their verdict, at weight 1: caps bind actions, never verdicts

Rows are judged by the label they were *given*, so a decision can be taken back by a later look.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.registry import resolve
from tronie.metrics.agreement import CLEAN, HARD, NOISY, STRATEGIES, VERDICTS, Agreement, Settings, agreement, margin
from tronie.metrics.scores import Ints, Probabilities

Memory = NDArray[np.float32]
"""``(n, 1 + C)``: remembered majority agreement and mean probabilities of each row; negative before the first look."""


@dataclass(frozen=True)
class Looking:
    """How training rows are looked at again and what is done with what is found. Raises SettingError.

    ``looks`` K views of each row, 0: no looking at all. ``strategy`` names one of
    :data:`tronie.metrics.agreement.STRATEGIES`, ``settings`` are its numbers. ``warmup`` and ``every`` count epochs;
    ``keep``, ``relabel_from`` and ``cap`` are shares in [0, 1]; ``beta`` and ``noisy_weight`` are >= 0. What they do:
    see the module's text.
    """

    looks: int = 0
    strategy: str = "rule"
    settings: Settings = field(default_factory=Settings)
    warmup: int = 10
    every: int = 2
    keep: float = 0.8
    beta: float = 1.0
    noisy: Literal["drop", "relabel"] = "drop"
    noisy_weight: float = 0.0
    relabel_from: float = 0.5
    cap: float = 0.3

    def __post_init__(self) -> None:
        if self.looks < 0 or self.warmup < 1 or self.every < 1 or self.beta < 0 or self.noisy_weight < 0:
            raise SettingError("Looking needs looks, beta and noisy_weight >= 0, warmup and every >= 1.")
        if not (0 <= self.keep < 1 and 0 <= self.relabel_from <= 1 and 0 <= self.cap <= 1):
            raise SettingError("Looking needs 0 <= keep < 1, relabel_from and cap in 0..1.")
        if self.looks:
            resolve(STRATEGIES, self.strategy, "strategy")

    def due(self, epoch: int) -> bool:
        """Whether rows are looked at after ``epoch`` (from 0)."""
        return self.looks > 0 and epoch + 1 >= self.warmup and (epoch + 1 - self.warmup) % self.every == 0


@dataclass(frozen=True, eq=False)
class Actions:
    """What a look at ``n`` rows leads to.

    ``looks`` is what was found, remembered looks included; ``verdict`` ``(n,)`` are positions in VERDICTS; ``weight``
    ``(n,)`` >= 0 factors of the rows' first weights; ``label`` ``(n,)`` what to learn from, -1 the label given;
    ``margin`` ``(n,)`` in [-1, 1], how much speaks against the label; ``memory`` ``(n, 1 + C)`` what to hand to the
    next look.
    """

    looks: Agreement
    verdict: NDArray[np.int64]
    weight: NDArray[np.float32]
    label: NDArray[np.int64]
    margin: NDArray[np.float64]
    memory: Memory

    @property
    def word(self) -> NDArray[np.str_]:
        """Verdicts in words, ``(n,)``."""
        return np.asarray(VERDICTS)[self.verdict]

    def reasons(self, row: Ints) -> NDArray[np.str_]:
        """Why, in a few words ``(k,)``, for the rows at positions ``row`` ``(k,)``."""
        pairs = zip(self.looks.majority[row], self.margin[row], strict=True)
        return np.array([f"agreement {a:.2f}, margin {g:+.2f}" for a, g in pairs], np.str_)


def look(p: Probabilities, label: Ints, how: Looking, *, memory: Memory | None = None, done: float = 0.0) -> Actions:
    """Looks ``p`` ``(K, n, C)`` at rows labelled ``label`` ``(n,)`` to verdicts and actions.

    ``memory`` is that of the last look's Actions, or None; ``done`` in [0, 1] is the share of the run that is over.
    Raises SettingError for looks of another shape or an unknown strategy.
    """
    found = remembered(agreement(p), memory, how.keep)
    verdict = resolve(STRATEGIES, how.strategy, "strategy")(found, label, how.settings)
    against = margin(found, label)
    weight, new = actions(verdict, found, against, label, how, done)
    kept = np.concatenate([found.majority[:, None], found.mean], 1).astype(np.float32)
    return Actions(found, verdict, weight, new, against, kept)


def remembered(now: Agreement, memory: Memory | None, keep: float) -> Agreement:
    """``now`` with its majority agreement and mean probabilities averaged with those of earlier looks, if any.

    ``keep`` in [0, 1) is the share of what is remembered; rows that were never looked at (negative) start with ``now``.
    """
    if memory is None:
        return now
    fresh = np.concatenate([now.majority[:, None], now.mean], 1)
    mixed = np.where(memory < 0, fresh, keep * memory + (1 - keep) * fresh)
    return replace(now, majority=mixed[:, 0], mean=mixed[:, 1:])


def actions(
    verdict: NDArray[np.int64], looks: Agreement, against: NDArray[np.float64], label: Ints, how: Looking, done: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Weights ``(n,)`` and labels ``(n,)`` (-1: the one given) for verdicts ``(n,)`` on rows labelled ``label``.

    ``against`` ``(n,)``: margins against the label; ``done`` in [0, 1]: the share of the run that is over.
    """
    weight = np.where(verdict == HARD, 1 + how.beta * (1 - looks.majority), 1.0)
    new = np.full(len(label), -1, np.int64)
    acted = capped(verdict == NOISY, against, label, how.cap)
    weight[acted] = how.noisy_weight
    if how.noisy == "relabel" and done >= how.relabel_from:
        sure = acted & (against > how.settings.gap)
        weight[sure], new[sure] = 1.0, looks.vote[sure]
    return weight.astype(np.float32), new


def capped(noisy: NDArray[np.bool_], against: NDArray[np.float64], label: Ints, cap: float) -> NDArray[np.bool_]:
    """Of the ``noisy`` rows those that may be acted on ``(n,)``: ``cap`` of each label's rows, largest margins first.

    ``against`` ``(n,)`` are the margins, ``label`` ``(n,)`` the labels given, ``cap`` a share in [0, 1].
    """
    acted = np.zeros(len(label), bool)
    for value in np.unique(label[noisy]):
        rows = np.flatnonzero(noisy & (label == value))
        most = int(cap * (label == value).sum() + 1e-9)
        acted[rows[np.argsort(-against[rows], kind="stable")[:most]]] = True
    return acted


def changed(verdict: NDArray[np.int64], before: Ints) -> NDArray[np.int64]:
    """Rows ``(k,)`` worth naming in a decision: not clean now, or not at the last look (``before``; -1: not looked at).

    ``verdict`` and ``before`` ``(n,)`` are positions in VERDICTS.
    """
    return np.flatnonzero((verdict != CLEAN) | (before > CLEAN))
