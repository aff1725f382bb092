"""Agreement with a human coder over time: Cohen's kappa, segments, confusion, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tronie.metrics.intervals import Interval, bootstrap
from tronie.metrics.segments import Floats, Ints, Segmentation, match, onset_lags, segment_f1


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far answers agree with a coder.

    ``labels`` are the categories. ``table`` ``(labels, labels + 2)`` counts moments of ``step`` seconds: rows are the
    coder's label, columns the answer, then "uncertain", then no answer (no face). ``kappa`` and ``accuracy`` are over
    the moments that have a sure answer; ``coverage`` is their share of the coder's time. ``kappa_all`` counts
    "uncertain" as an answer of its own, which a coder never gives. ``f1`` is over segments of one label that overlap
    by ``least``; ``per_label`` gives (F1, coder's segments, answered segments). ``lag`` is the median delay in seconds
    of matched segments, ``pieces`` the answered segments per coder's one; NaN where there are none. ``blocks`` of
    ``block`` seconds were drawn for the 95 % intervals: fewer than about 10 make them rough, one gives none, and they
    are too narrow where expressions last longer than a block.
    """

    labels: tuple[str, ...]
    table: Ints
    step: float
    kappa: Interval
    kappa_all: Interval
    accuracy: Interval
    coverage: float
    least: float
    f1: Interval
    per_label: dict[str, tuple[float, int, int]]
    lag: float
    pieces: float
    block: float
    blocks: int


def cohen_kappa(table: NDArray[np.integer]) -> float:
    """Agreement beyond chance, at most 1, from counts ``(k, k)`` (Cohen 1960). NaN where chance always agrees."""
    count = float(table.sum())
    if not count:
        return float("nan")
    seen = float(np.trace(table)) / count
    chance = float((table.sum(1) / count) @ (table.sum(0) / count))
    return (seen - chance) / (1 - chance) if chance < 1 else float("nan")


def agreement(
    coder: Mapping[str, Segmentation],
    answer: Mapping[str, Segmentation],
    labels: Sequence[str],
    *,
    step: float = 0.1,
    least: float = 0.5,
    block: float = 10.0,
    draws: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Compare person by person (the keys of ``coder``). Label numbers are positions in ``labels``.

    In ``answer`` the number ``len(labels)`` is "uncertain". Only the coder's time counts: moments without a label of
    hers are left out, answered segments are cut to the stretch from her first to her last, and those that lie mostly
    where she coded nothing are left out. Uncertain segments are no answers: they are neither right nor too many.
    """
    tables, counts, lags, pieces = [], [], [], np.zeros(2)
    for name, truth in coder.items():
        if not len(truth):
            continue
        said = _within(answer.get(name, Segmentation.of([])), truth)
        tables.append(_tables(truth, said, len(labels), step, block))
        sure = _coded(_picked(said, said.label < len(labels)), truth)
        counts.append(_counts(truth, sure, len(labels), least, block))
        lags.append(onset_lags(truth, sure, least))
        pieces += (len(sure), len(truth))
    table = np.concatenate(tables) if tables else np.zeros((0, len(labels), len(labels) + 2), np.int64)
    count = np.concatenate(counts) if counts else np.zeros((0, len(labels), 3), np.int64)
    return _summed(
        table,
        count,
        np.concatenate(lags) if lags else np.zeros(0),
        pieces,
        tuple(labels),
        step=step,
        least=least,
        block=block,
        draws=draws,
        seed=seed,
    )


def _summed(
    table: Ints,
    count: Ints,
    lags: Floats,
    pieces: Floats,
    labels: tuple[str, ...],
    *,
    step: float,
    least: float,
    block: float,
    draws: int,
    seed: int,
) -> Agreement:
    number = len(labels)

    def interval(statistic: Callable[[Ints], float]) -> Interval:
        if len(table) < 2:  # one block drawn again is always itself: that would look like certainty
            return Interval(statistic(np.arange(len(table))), float("nan"), float("nan"))
        return bootstrap(lambda rows: statistic(np.asarray(rows)), len(table), draws=draws, seed=seed)

    def decided(rows: Ints) -> Ints:
        return np.asarray(table[rows, :, :number].sum(0))

    def doubting(rows: Ints) -> Ints:  # "uncertain" as one category more, which the coder never gives
        square = np.zeros((number + 1, number + 1), np.int64)
        square[:number] = table[rows, :, : number + 1].sum(0)
        return square

    def right(rows: Ints) -> float:
        found = decided(rows)
        return float(np.trace(found) / found.sum()) if found.sum() else float("nan")

    whole = table.sum(0)
    per_label = {
        name: (segment_f1(*sums), int(sums[0] + sums[2]), int(sums[0] + sums[1]))
        for name, sums in zip(labels, count.sum(0), strict=True)
    }
    return Agreement(
        labels,
        whole,
        step,
        interval(lambda rows: cohen_kappa(decided(rows))),
        interval(lambda rows: cohen_kappa(doubting(rows))),
        interval(right),
        float(whole[:, :number].sum() / whole.sum()) if whole.sum() else float("nan"),
        least,
        interval(lambda rows: segment_f1(*count[rows].sum((0, 1)))),
        per_label,
        float(np.median(lags)) if len(lags) else float("nan"),
        float(pieces[0] / pieces[1]) if pieces[1] else float("nan"),
        block,
        len(table),
    )


def _picked(given: Segmentation, keep: NDArray[np.bool_]) -> Segmentation:
    return Segmentation(given.start[keep], given.end[keep], given.label[keep])


def _within(said: Segmentation, truth: Segmentation) -> Segmentation:
    """Cut to the stretch from the coder's first to her last moment."""
    start, end = np.maximum(said.start, truth.start.min()), np.minimum(said.end, truth.end.max())
    return _picked(Segmentation(start, end, said.label), end > start)


def _coded(said: Segmentation, truth: Segmentation) -> Segmentation:
    """Those that lie at least half in time that the coder coded."""
    low, high = _union(truth)
    both = np.minimum(said.end[:, None], high) - np.maximum(said.start[:, None], low)
    return _picked(said, np.maximum(both, 0).sum(1) >= 0.5 * (said.end - said.start))


def _union(truth: Segmentation) -> tuple[Floats, Floats]:
    """The coder's time without overlaps, as starts and ends."""
    order = np.argsort(truth.start, kind="stable")
    start, reach = truth.start[order], np.maximum.accumulate(truth.end[order])
    opens = np.concatenate([[True], start[1:] > reach[:-1]])
    return start[opens], reach[np.concatenate([opens[1:], [True]])]


def _block(time: Floats, truth: Segmentation, block: float) -> tuple[Ints, int]:
    """Block number of each time, and how many there are, counted from the coder's first moment."""
    first, last = float(truth.start.min()), float(truth.end.max())
    number = max(int(np.ceil((last - first) / block - 1e-9)), 1)
    return np.clip(((time - first) / block).astype(np.int64), 0, number - 1), number


def _tables(truth: Segmentation, said: Segmentation, labels: int, step: float, block: float) -> Ints:
    """Counts ``(blocks, labels, labels + 2)`` on a grid of moments in the middle of every ``step``."""
    first, last = float(truth.start.min()), float(truth.end.max())
    times = np.asarray(first + step * (np.arange(max(round((last - first) / step), 1)) + 0.5), np.float64)
    hers, ours = truth.at(times), said.at(times)
    ours = np.where(ours < 0, labels + 1, ours)
    place, number = _block(times, truth, block)
    table = np.zeros((number, labels, labels + 2), np.int64)
    coded = hers >= 0
    np.add.at(table, (place[coded], hers[coded], ours[coded]), 1)
    return table


def _counts(truth: Segmentation, sure: Segmentation, labels: int, least: float, block: float) -> Ints:
    """Segments found, too many and missed ``(blocks, labels, 3)``, each counted where its middle lies."""
    pairs = match(truth, sure, least)
    hers, number = _block((truth.start + truth.end) / 2, truth, block)
    ours, _ = _block((sure.start + sure.end) / 2, truth, block)
    found = np.isin(np.arange(len(truth)), pairs[:, 0])
    used = np.isin(np.arange(len(sure)), pairs[:, 1])
    count = np.zeros((number, labels, 3), np.int64)
    np.add.at(count[:, :, 0], (hers[found], truth.label[found]), 1)
    np.add.at(count[:, :, 1], (ours[~used], sure.label[~used]), 1)
    np.add.at(count[:, :, 2], (hers[~found], truth.label[~found]), 1)
    return count
