from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tronie.faces.assign import assign


def total(cost, alone, pairs) -> float:
    """What a choice costs."""
    return sum(cost[i, j] for i, j in pairs) + alone * (len(cost) - len(pairs))


def least(cost, alone) -> float:
    """The least total, by trying every choice."""
    n, m = cost.shape
    choices = permutations([*range(m), *[-1] * n], n)
    return min(total(cost, alone, [(i, j) for i, j in enumerate(columns) if j >= 0]) for columns in choices)


shapes = st.tuples(st.integers(0, 4), st.integers(0, 4))
prices = st.one_of(st.floats(0, 3, width=16), st.just(np.inf))
costs = shapes.flatmap(lambda s: st.tuples(arrays(np.float64, s, elements=prices), st.floats(0.125, 3, width=16)))


@settings(max_examples=200, deadline=None)
@given(costs)
def test_the_total_is_the_least_there_is(problem) -> None:
    cost, alone = problem
    pairs = assign(cost, alone)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(cost[i, j] < alone for i, j in pairs)
    assert total(cost, alone, pairs) == pytest.approx(least(cost, alone))


def test_a_row_of_people_that_shifts_by_more_than_half_their_distance_keeps_its_order() -> None:
    # Greedy would pair 1 with 0 and 2 with 1 at 0.4 each and leave the ends; 0.6 each pairs all three.
    before, after = np.arange(3.0), np.arange(3.0) + 0.6
    cost = np.abs(before[:, None] - after[None])
    assert assign(cost, 1.2) == [(0, 0), (1, 1), (2, 2)]


def test_many_faces_at_once() -> None:
    rng = np.random.default_rng(0)
    places = rng.random((40, 2)) * 100
    order = rng.permutation(40)
    cost = np.hypot(*(places[:, None] - (places[order] + rng.normal(0, 0.1, (40, 2)))[None]).transpose(2, 0, 1))
    assert [j for _, j in assign(cost, 50.0)] == np.argsort(order).tolist()


def test_nobody() -> None:
    assert assign(np.zeros((0, 3)), 1.0) == []
    assert assign(np.zeros((3, 0)), 1.0) == []
