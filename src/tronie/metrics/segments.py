"""Segments against segments: which ones were found, and how late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labelled stretches of one person's time: ``start`` and ``end`` (n,) in seconds, ``label`` (n,) as numbers."""

    start: Floats
    end: Floats
    label: Ints

    @staticmethod
    def of(rows: list[tuple[float, float, int]]) -> Segmentation:
        """From (start, end, label), put in the order of time."""
        start, end, label = zip(*sorted(rows), strict=True) if rows else ((), (), ())
        return Segmentation(np.array(start, np.float64), np.array(end, np.float64), np.array(label, np.int64))

    def __len__(self) -> int:
        return len(self.start)

    def at(self, times: Floats) -> Ints:
        """The label that holds at each of ``times`` (start <= time < end), or -1; of several the one begun last."""
        if not len(self):
            return np.full(len(times), -1, np.int64)
        order = np.argsort(self.start, kind="stable")
        found = np.full(len(times), -1, np.int64)
        for i in order:  # later ones are written over earlier ones
            first, last = np.searchsorted(times, [self.start[i], self.end[i]])
            found[first:last] = self.label[i]
        return found


def overlap(truth: Segmentation, answer: Segmentation) -> Floats:
    """Intersection over union ``(truth, answer)`` of every pair, regardless of labels; 0 where both have no length."""
    both = np.minimum(truth.end[:, None], answer.end) - np.maximum(truth.start[:, None], answer.start)
    both = np.maximum(both, 0.0)
    either = (truth.end - truth.start)[:, None] + (answer.end - answer.start) - both
    return np.asarray(both / np.where(either > 0, either, 1.0), np.float64)


def match(truth: Segmentation, answer: Segmentation, least: float = 0.5) -> Ints:
    """Pairs ``(k, 2)`` of positions in truth and answer with one label that overlap by at least ``least`` (IoU).

    Each segment is in one pair at most; the best overlaps are paired first (ties: the earlier ones). This is the
    counting behind the segmental F1 of Lea et al., "Temporal convolutional networks", CVPR 2017.
    """
    iou = overlap(truth, answer) * (truth.label[:, None] == answer.label)
    pairs = np.argwhere(iou >= max(least, 1e-12))
    pairs = pairs[np.argsort(-iou[tuple(pairs.T)], kind="stable")]
    taken_truth, taken_answer, kept = set[int](), set[int](), []
    for i, j in pairs.tolist():
        if i not in taken_truth and j not in taken_answer:
            taken_truth.add(i)
            taken_answer.add(j)
            kept.append((i, j))
    return np.array(sorted(kept), np.int64).reshape(-1, 2)


def segment_f1(hit: float, extra: float, missed: float) -> float:
    """F1 from counts of segments found, found too many and missed; NaN where there is nothing at all."""
    whole = 2 * hit + extra + missed
    return 2 * hit / whole if whole else float("nan")


def onset_lags(truth: Segmentation, answer: Segmentation, least: float = 0.5) -> Floats:
    """Seconds ``(pairs,)`` by which each segment of :func:`match` begins late (negative: early)."""
    pairs = match(truth, answer, least)
    return np.asarray(answer.start[pairs[:, 1]] - truth.start[pairs[:, 0]], np.float64)
