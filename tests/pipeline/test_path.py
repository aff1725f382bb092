"""The label path against brute force over every possible sequence."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.pipeline.path import Before, best_path, others


def worth(path, scores, start, end, switch, least, before) -> float | None:
    """The value of one path by its definition, or None where a segment but the last is too short."""
    total = sum(scores[i, y] for i, y in enumerate(path))
    groups, at = [], 0
    for state, rows in groupby(path):
        n = len(list(rows))
        groups.append((state, start[at], end[at + n - 1]))
        at += n
    if before is not None:
        if groups[0][0] == before.state:
            groups[0] = (before.state, before.since, groups[0][2])
        else:
            groups.insert(0, (before.state, before.since, before.until))
    if any(until - since < least - 1e-9 for _, since, until in groups[:-1]):
        return None
    return total - switch * (len(groups) - 1)


def brute(scores, start, end, switch, least, before) -> float:
    paths = product(range(scores.shape[1]), repeat=len(scores))
    return max(v for p in paths if (v := worth(p, scores, start, end, switch, least, before)) is not None)


@st.composite
def problems(draw):
    rows, states = draw(st.integers(1, 6)), draw(st.integers(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = rng.choice([0.04, 0.1, 0.1, 0.3], rows)  # true times of a film with a variable rate
    start = np.concatenate([[0.0], np.cumsum(steps[:-1] + rng.choice([0.0, 0.0, 0.2], rows - 1))])
    before = None
    if draw(st.booleans()):
        since = -float(rng.choice([0.1, 0.2, 0.4]))
        before = Before(int(rng.integers(states)), since, -float(rng.choice([0.0, 0.05])))
    return (
        rng.normal(0, 2, (rows, states)),
        start,
        start + steps,
        draw(st.sampled_from([0.0, 0.7, 2.0])),
        draw(st.sampled_from([0.0, 0.1, 0.25, 0.5])),
        before,
    )


@given(problems())
@settings(max_examples=300, deadline=None)
def test_no_path_is_better(problem) -> None:
    scores, start, end, switch, least, before = problem
    path = best_path(scores, start, end, switch=switch, least=least, before=before)
    value = worth(path.tolist(), scores, start, end, switch, least, before)
    assert value is not None
    assert value == pytest.approx(brute(scores, start, end, switch, least, before), abs=1e-9)


def test_a_dear_switch_bridges_a_blip() -> None:
    scores = np.zeros((9, 2))
    scores[:, 0], scores[4, 0], scores[4, 1] = 1.0, 0.0, 1.0
    time = np.arange(9) / 10
    assert best_path(scores, time, time + 0.1, switch=2.0, least=0.0).tolist() == [0] * 9
    assert best_path(scores, time, time + 0.1, switch=0.2, least=0.0).tolist() == [0] * 4 + [1] + [0] * 4
    assert best_path(scores, time, time + 0.1, switch=0.2, least=0.3).tolist() == [0] * 9


def test_others_leaves_out_each_entry_itself() -> None:
    top, where = others(np.array([1.0, 5.0, 3.0]))
    assert top.tolist() == [5.0, 3.0, 5.0]
    assert where.tolist() == [1, 2, 1]
