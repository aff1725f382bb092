"""The share of wrong labels: its interval, and the estimate by the confident joint."""

from __future__ import annotations

import numpy as np

from tronie.audit.label_quality import TAIL, Quality, Signals, firmness, mistaken_labels
from tronie.metrics.agreement import self_confidence
from tronie.metrics.intervals import Interval
from tronie.metrics.scores import Ints, Probabilities


def confident_share(mean: Probabilities, label: Ints) -> float:
    """Share of wrong labels by the confident joint (Northcutt, Jiang & Chuang, JAIR 2021, eq. 1 to 3).

    A row counts as the class whose bar it reaches, of several as the most probable one; a class's bar is the mean of
    its probability over the rows labelled so. Counts of each label are scaled to its number of rows. ``mean``
    ``(n, C)`` are out-of-sample probabilities, ``label`` ``(n,)`` classes in 0..C-1; the share lies in [0, 1].
    """
    classes = mean.shape[1]
    count = np.bincount(label, minlength=classes)
    bar = self_confidence(mean, label)
    reached = np.where(mean >= bar, mean, -1.0)
    sure = reached.max(1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (label[sure], reached[sure].argmax(1)), 1)
    right = joint.diagonal() / np.maximum(joint.sum(1), 1)
    return float(1 - np.where(joint.sum(1) > 0, right, 1.0) @ count / len(label))


def share_interval(signals: Signals, quality: Quality, groups: Ints, *, draws: int = 100, seed: int = 0) -> Interval:
    """The estimated share with what it might be: 95 % bootstrap over ``groups`` (twins, people), the widest of four.

    ``groups`` ``(n,)`` number what belongs together; ``draws`` is how often they are drawn, by ``seed``.

    A higher bar counts fewer rows, a lower one also counts errors of the model: the interval spans the estimate's bar,
    one half as high up a class, one twice as far down, and the :func:`confident_share`, which takes sure looks at their
    word. Small classes have lower bars than they should: the lower end is brought down by their :func:`firmness`.
    Labels that are wrong in a way which looks have learnt from them are in none of these: where annotators share a
    misunderstanding, even the upper end may be too low.
    """
    names, group = np.unique(groups, return_inverse=True)
    member = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.cumsum(size) - size
    rng, mean, found = np.random.default_rng(seed), signals.agreement.mean, []
    for _ in range(draws):
        chosen = rng.integers(0, len(names), len(names))
        at = np.concatenate([member[start[g] : start[g] + size[g]] for g in chosen.tolist()])
        near, label = mean[at], signals.label[at]
        shares = [mistaken_labels(near, label, tail).sum() / len(at) for tail in (TAIL / 2, TAIL, 2 * TAIL)]
        found.append([*shares, confident_share(near, label)])
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    least = firmness(signals.label) * float(low.min())
    return Interval(quality.share, min(least, quality.share), min(max(float(high.max()), quality.share), 1.0))
