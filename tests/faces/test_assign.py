from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tronie.faces.assign import assign


def total(cost, limit, pairs) -> float:
    """What a choice costs: its pairs, and the limit of each row left alone."""
    alone = set(range(len(limit))) - {i for i, _ in pairs}
    return sum(cost[i, j] for i, j in pairs) + sum(limit[i] for i in alone)


def least(cost, limit) -> float:
    """The least total, by trying every choice."""
    n, m = cost.shape
    best = float(limit.sum())
    for columns in permutations([*range(m), *[-1] * n], n):
        best = min(best, total(cost, limit, [(i, j) for i, j in enumerate(columns) if j >= 0]))
    return best


shapes = st.tuples(st.integers(0, 4), st.integers(0, 4))
costs = shapes.flatmap(lambda s: st.tuples(
    arrays(np.float64, s, elements=st.floats(0, 3, width=16)),
    arrays(np.float64, s[0], elements=st.floats(0.125, 3, width=16)),
))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(costs)
def test_the_total_is_the_least_there_is(problem) -> None:
    cost, limit = problem
    pairs = assign(cost, limit)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(cost[i, j] < limit[i] for i, j in pairs)
    assert total(cost, limit, pairs) == pytest.approx(least(cost, limit))


def test_a_row_of_people_that_shifts_by_more_than_half_their_distance_keeps_its_order() -> None:
    # Greedy would pair 1 with 0 and 2 with 1 at 0.4 each and leave the ends; 0.6 each pairs all three.
    before, after = np.arange(3.0), np.arange(3.0) + 0.6
    cost = np.abs(before[:, None] - after[None])
    assert assign(cost, np.full(3, 1.2)) == [(0, 0), (1, 1), (2, 2)]


def test_many_faces_at_once() -> None:
    rng = np.random.default_rng(0)
    places = rng.random((40, 2)) * 100
    order = rng.permutation(40)
    cost = np.hypot(*(places[:, None] - (places[order] + rng.normal(0, 0.1, (40, 2)))[None]).transpose(2, 0, 1))
    assert [j for _, j in assign(cost, np.full(40, 50.0))] == np.argsort(order).tolist()


def test_nobody() -> None:
    assert assign(np.zeros((0, 3)), np.zeros(0)) == []
    assert assign(np.zeros((3, 0)), np.ones(3)) == []
