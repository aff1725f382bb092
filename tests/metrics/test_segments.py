"""Segments against segments, by hand and against slow counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.metrics.segments import Segmentation, match, onset_lags, overlap, segment_f1

ROW = st.tuples(st.integers(0, 30), st.integers(1, 10), st.integers(0, 2)).map(lambda r: (r[0], r[0] + r[1], r[2]))
MANY = st.lists(ROW, max_size=7).map(lambda rows: Segmentation.of([(float(a), float(b), c) for a, b, c in rows]))


def test_by_hand() -> None:
    truth = Segmentation.of([(0, 4, 0), (4, 8, 1), (8, 9, 0)])
    answer = Segmentation.of([(0.5, 4, 0), (4, 5, 1), (5, 6, 2), (6, 8, 1), (8.6, 9.4, 0)])
    assert overlap(truth, answer)[0, 0] == 3.5 / 4 and overlap(truth, answer)[1, 3] == 0.5
    assert match(truth, answer).tolist() == [[0, 0], [1, 3]]  # 0.5 is enough; 8.6-9.4 overlaps by 0.4 / 1.4
    assert match(truth, answer, 0.2).tolist() == [[0, 0], [1, 3], [2, 4]]
    assert onset_lags(truth, answer).tolist() == [0.5, 2.0]
    assert segment_f1(2, 3, 1) == 4 / 8 and np.isnan(segment_f1(0, 0, 0))
    assert truth.at(np.array([-1, 0, 3.9, 4, 8.5, 9])).tolist() == [-1, 0, 0, 1, 0, -1]


@given(MANY, MANY)
def test_overlap_against_counting_moments(truth, answer) -> None:
    moments = np.arange(0, 45) + 0.5
    inside = [(moments > s.start[:, None]) & (moments < s.end[:, None]) for s in (truth, answer)]
    slow = np.array([[(a & b).sum() / (a | b).sum() for b in inside[1]] for a in inside[0]])
    assert overlap(truth, answer) == pytest.approx(slow.reshape(len(truth), len(answer)))


@given(MANY, MANY, st.sampled_from([0.1, 0.5, 0.9]))
def test_pairs_are_allowed_and_nothing_better_is_left(truth, answer, least) -> None:
    pairs, iou = match(truth, answer, least), overlap(truth, answer)
    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
    for i, j in pairs:
        assert truth.label[i] == answer.label[j] and iou[i, j] >= least
    for i in set(range(len(truth))) - set(pairs[:, 0].tolist()):
        for j in set(range(len(answer))) - set(pairs[:, 1].tolist()):
            assert truth.label[i] != answer.label[j] or iou[i, j] < least


@given(MANY)
def test_everything_matches_itself(truth) -> None:
    assert len(match(truth, truth, 0.99)) == len(truth)
    assert not onset_lags(truth, truth, 0.99).any()


@given(MANY)
def test_the_last_begun_holds(given) -> None:
    moments = np.arange(0, 45) + 0.5
    slow = []
    for moment in moments:
        begun = [i for i in range(len(given)) if given.start[i] <= moment < given.end[i]]
        newest = max((given.start[i] for i in begun), default=None)
        slow.append({int(given.label[i]) for i in begun if given.start[i] == newest} or {-1})
    assert all(found in allowed for found, allowed in zip(given.at(moments).tolist(), slow, strict=True))
