from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.metrics.folds import stratified_folds

SEEDS = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 300), st.integers(1, 8), st.integers(1, 12))
def test_groups_stay_whole_and_every_row_has_a_fold(seed: int, n: int, folds: int, per_group: int) -> None:
    rng = np.random.default_rng(seed)
    label, group = rng.integers(0, 4, n), rng.integers(0, max(1, n // per_group), n)
    fold = stratified_folds(label, group, folds, seed)
    assert fold.min() >= 0 and fold.max() < folds
    assert all(len(set(fold[group == g].tolist())) == 1 for g in set(group.tolist()))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 8))
def test_single_rows_are_spread_to_within_one_of_every_label(seed: int, folds: int) -> None:
    label = np.random.default_rng(seed).choice(4, 300, p=[0.7, 0.2, 0.07, 0.03])
    fold = stratified_folds(label, np.arange(300), folds, seed)
    for kind in range(4):
        counts = np.bincount(fold[label == kind], minlength=folds)
        assert np.ptp(counts) <= 1


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_groups_of_two_keep_the_shares_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.choice(4, 400, p=[0.6, 0.2, 0.1, 0.1])
    fold = stratified_folds(label, np.arange(400) // 2, 5, seed)
    assert np.ptp(np.bincount(fold, minlength=5)) <= 0.1 * 400
    for kind in range(4):
        counts = np.bincount(fold[label == kind], minlength=5)
        assert np.ptp(counts) <= 0.15 * max(40, int((label == kind).sum()))


def test_the_seed_is_the_cut_and_group_names_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    label, group = rng.integers(0, 5, 500), rng.integers(0, 300, 500)
    cut = stratified_folds(label, group, 5, 3)
    assert (cut == stratified_folds(label, group, 5, 3)).all()
    assert (cut == stratified_folds(label, group * 10 + 7, 5, 3)).all(), "numbers in the same order are the same groups"
    assert (cut != stratified_folds(label, group, 5, 4)).any()
