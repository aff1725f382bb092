"""Temperatures against a grid, and calibration errors that are what they claim to be, in expectation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.measure.calibration import (
    adaptive_ece,
    calibration_error,
    cross_fitted,
    fit_temperature,
    reliability,
    softmax,
    squared_gap,
)
from tronie.measure.intervals import bootstrap
from tronie.measure.scores import negative_log_likelihood


def honest(rng: np.random.Generator, n: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and whether each is right: as often as it says, or ``shift`` more rarely."""
    sure = rng.uniform(0.3, 1.0, n)
    return sure, rng.random(n) < np.clip(sure - shift, 0, 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.8, 1.0, 2.5]))
def test_temperature_is_the_best_of_a_fine_grid(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (120, 5))
    truth = np.array([rng.choice(5, p=p) for p in softmax(logits * scale)])
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 3000))
    cost = [negative_log_likelihood(softmax(logits / t), truth) for t in grid]
    assert fit_temperature(logits, truth) == pytest.approx(grid[int(np.argmin(cost))], rel=3e-3)


def test_softmax_survives_large_numbers_and_sums_to_one() -> None:
    p = softmax(np.array([[1e4, 0, -1e4], [0, 0, 0]], np.float32))
    assert p.sum(1) == pytest.approx([1, 1]) and p[0, 0] == pytest.approx(1) and p[1] == pytest.approx([1 / 3] * 3)


def test_cross_fitting_does_not_look_at_the_row_itself() -> None:
    rng = np.random.default_rng(1)
    logits, parts = rng.normal(0, 3, (90, 3)), np.arange(90) % 3
    truth = rng.integers(0, 3, 90)
    before = cross_fitted(logits, truth, parts)
    truth[parts == 0] = (truth[parts == 0] + 1) % 3  # changes what parts 1 and 2 were fitted on, but not part 0
    after = cross_fitted(logits, truth, parts)
    assert np.array_equal(before[parts == 0], after[parts == 0])
    assert not np.array_equal(before[parts == 1], after[parts == 1])


def test_reliability_counts_every_row_once() -> None:
    rng = np.random.default_rng(2)
    sure, right = honest(rng, 1003)
    table = reliability(sure, right, bins=15)
    assert table.shape == (15, 3) and table[:, 2].sum() == 1003 and np.ptp(table[:, 2]) <= 1
    assert (np.diff(table[:, 0]) >= 0).all()
    assert (table[:, 2] * table[:, 1]).sum() == pytest.approx(right.sum())
    assert len(reliability(sure[:4], right[:4], bins=15)) == 4


def test_a_perfect_model_has_no_squared_gap_in_expectation() -> None:
    rng = np.random.default_rng(3)
    gaps = np.array([squared_gap(*honest(rng, 600)) for _ in range(400)])
    assert abs(gaps.mean()) < 4 * gaps.std() / 20  # within four standard errors of 0
    plain = np.mean([adaptive_ece(*honest(rng, 1200)) for _ in range(100)])
    assert plain > 0.015  # what the plain estimate shows for a model without any error


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.15])
def test_the_error_finds_a_planted_shift(shift: float) -> None:
    rng = np.random.default_rng(4)
    sure, right = honest(rng, 40_000, shift)
    assert calibration_error(sure, right) == pytest.approx(shift, abs=0.012)


def test_the_centred_interval_of_the_squared_gap_covers() -> None:
    """95 % nominal; the plain percentile interval, which the drawing itself shifts upwards, misses far too often."""
    rng, truth = np.random.default_rng(5), 0.06**2
    hit = {True: 0, False: 0}
    for seed in range(40):
        sure, right = honest(rng, 800, 0.06)
        sure, right = sure[sure > 0.36], right[sure > 0.36]
        for centred in hit:
            gap = partial(lambda s, r, i: squared_gap(s[i], r[i]), sure, right)
            found = bootstrap(gap, len(sure), draws=100, seed=seed, centred=centred)
            hit[centred] += found.low <= truth <= found.high
    assert hit[True] >= 37 > hit[False]
