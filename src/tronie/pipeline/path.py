"""The label path of one track: the most probable sequence with a price on changes and a least duration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_TOUCH = 1e-9  # seconds: two times closer than this are one


class Before(NamedTuple):
    """The segment already settled before the first row: its state, when it began and where its last row ended."""

    state: int
    since: float
    until: float


def best_path(
    scores: Array, start: Array, end: Array, *, switch: float, least: float, before: Before | None = None
) -> NDArray[np.int64]:
    """The sequence of states with the highest sum of scores minus ``switch`` for every change of state.

    ``scores`` is ``(rows, states)``; ``start`` and ``end`` (rows,) are seconds, ascending. Every segment of equal
    states lasts at least ``least`` seconds, from its first row's start to its last row's end, except the last one
    (it may still go on). ``before`` is the segment that the first row continues or ends.
    Returns the states ``(rows,)``.

    A Viterbi search over explicit durations (Ferguson 1980; Yu, "Hidden semi-Markov models", 2010): ``ended[i, y]``
    is the best value of a path over rows 0..i whose last segment, of state y, has reached the least duration.
    """
    rows, states = scores.shape
    sums = np.vstack([np.zeros((1, states)), np.cumsum(scores, 0)])
    ended = np.full((rows, states), -np.inf)
    since = np.zeros((rows, states), np.int64)  # first row of that last segment; -1: it began before row 0
    opened = _Openings(states, switch, least, before)
    next_start = 0  # first row whose segment has not been offered to `ended` yet
    for i in range(rows):
        if i:
            ended[i] = ended[i - 1] + scores[i]
            since[i] = since[i - 1]
        if before is not None and end[i] - before.since >= least - _TOUCH:
            _offer(ended[i], since[i], sums[i + 1] + opened.carried, -1)
        while next_start <= i and end[i] - start[next_start] >= least - _TOUCH:
            value = opened.value(next_start, ended) + sums[i + 1] - sums[next_start]
            _offer(ended[i], since[i], value, next_start)
            next_start += 1
    return _walk_back(ended, since, sums, opened, next_start)


class _Openings:
    """What a path is worth just before a new segment opens at a row."""

    def __init__(self, states: int, switch: float, least: float, before: Before | None) -> None:
        self.switch, self.least, self.before = switch, least, before
        self.carried = np.full(states, -np.inf)  # value of continuing the segment from before row 0
        if before is not None:
            self.carried[before.state] = 0.0

    def value(self, row: int, ended: Array) -> Array:
        """For each state the best path over rows before ``row`` after which that state may open."""
        if row == 0:
            if self.before is None:
                return np.zeros(len(self.carried))
            ripe = self.before.until - self.before.since >= self.least - _TOUCH
            fresh = np.full(len(self.carried), -self.switch if ripe else -np.inf)
            fresh[self.before.state] = -np.inf
            return fresh
        return others(ended[row - 1])[0] - self.switch


def others(values: Array) -> tuple[Array, NDArray[np.int64]]:
    """For each entry the highest value among the *other* entries, and where it stands."""
    best = int(values.argmax())
    rest = values.copy()
    rest[best] = -np.inf
    second = int(rest.argmax())
    top, where = np.full(len(values), values[best]), np.full(len(values), best)
    top[best], where[best] = rest[second], second
    return top, where


def _offer(ended: Array, since: NDArray[np.int64], value: Array, row: int) -> None:
    better = value > ended
    ended[better] = value[better]
    since[better] = row


def _walk_back(ended: Array, since: NDArray[np.int64], sums: Array, opened: _Openings, young: int) -> NDArray[np.int64]:
    """The path itself, from the last row back. Segments opened at rows >= ``young`` have not reached their duration."""
    rows = len(ended)
    final, first = ended[-1].copy(), since[-1].copy()
    if opened.before is not None:
        _offer(final, first, sums[-1] + opened.carried, -1)
    for row in range(young, rows):
        _offer(final, first, opened.value(row, ended) + sums[-1] - sums[row], row)
    path = np.empty(rows, np.int64)
    state, upto = int(final.argmax()), rows
    begin = int(first[state])
    while True:
        path[max(begin, 0) : upto] = state
        if begin <= 0:
            return path
        upto = begin
        state = int(others(ended[begin - 1])[1][state])
        begin = int(since[begin - 1, state])
