"""Temperatures against a grid, and calibration errors that are what they claim to be, in expectation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.metrics.calibration import (
    calibration_error,
    cross_fitted,
    cross_fitted_platt,
    fit_platt,
    fit_temperature,
    logit,
    reliability,
    softmax,
    squared_gap,
)
from tronie.metrics.intervals import bootstrap
from tronie.metrics.scores import negative_log_likelihood


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
    tables = [reliability(*honest(rng, 1200)) for _ in range(100)]
    plain = np.mean([np.average(np.abs(t[:, 0] - t[:, 1]), weights=t[:, 2]) for t in tables])
    assert plain > 0.015  # what the plain estimate (adaptive ECE) shows for a model without any error


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


def answered(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences, labels, and whether right: label 1 is right far less often than it says, label 2 far more."""
    sure, label = rng.uniform(0.2, 0.99, n), rng.integers(0, 3, n)
    z = 0.6 * logit(sure) + 0.3 + np.array([0.0, -2.0, 1.5])[label]
    return sure, label, rng.random(n) < 1 / (1 + np.exp(-z))


def cost(theta: np.ndarray, sure: np.ndarray, right: np.ndarray, label: np.ndarray, ridge: float) -> float:
    """What fit_platt minimises, row by row as its sources write it."""
    hits, misses = right.sum(), (~right).sum()
    total = ridge / 2 * float((theta[2:] ** 2).sum()) if np.isfinite(ridge) else 0.0
    for s, r, k in zip(sure, right, label, strict=True):
        p = 1 / (1 + np.exp(-(theta[0] * np.log(s / (1 - s)) + theta[1] + theta[2 + k])))
        t = (hits + 1) / (hits + 2) if r else 1 / (misses + 2)
        total -= t * np.log(p) + (1 - t) * np.log(1 - p)
    return total


def test_two_numbers_are_the_best_of_a_grid() -> None:
    sure, label, right = answered(np.random.default_rng(0), 60)
    fit = fit_platt(sure, right, label, 3, ridge=np.inf)
    assert not fit.offsets.any()
    grid = [
        (cost(np.array([a, b, 0, 0, 0]), sure, right, label, np.inf), a, b)
        for a in np.linspace(0, 2, 41)
        for b in np.linspace(-1.5, 1.5, 61)
    ]
    _, a, b = min(grid)
    assert abs(fit.a - a) <= 0.05 and abs(fit.b - b) <= 0.05


@pytest.mark.parametrize("ridge", [0.3, 1.0, 10.0])
def test_no_step_from_the_fit_lowers_its_cost(ridge: float) -> None:
    sure, label, right = answered(np.random.default_rng(1), 80)
    fit = fit_platt(sure, right, label, 3, ridge=ridge)
    found = np.r_[fit.a, fit.b, fit.offsets]
    least = cost(found, sure, right, label, ridge)
    for direction in [*np.eye(5), *np.random.default_rng(2).normal(size=(20, 5))]:
        for step in (-0.01, 0.01):
            assert cost(found + step * direction, sure, right, label, ridge) > least


def test_the_planted_numbers_come_back() -> None:
    sure, label, right = answered(np.random.default_rng(3), 20000)
    fit = fit_platt(sure, right, label, 4)
    assert fit.a == pytest.approx(0.6, abs=0.06)
    assert np.diff(fit.offsets[:3]) == pytest.approx([-2.0, 3.5], abs=0.15)
    assert fit.offsets[3] == pytest.approx(0, abs=1e-6)  # never given: like the others
    assert calibration_error(fit(sure, label), right) < 0.03 < calibration_error(sure, right)


def test_more_confidence_never_means_less_and_one_kind_says_nothing() -> None:
    rng = np.random.default_rng(4)
    sure = rng.uniform(0.2, 0.99, 200)
    label, right = np.zeros(200, int), rng.random(200) > sure
    assert fit_platt(sure, right, label, 1).a == 0
    with pytest.raises(ValueError, match="all right or all wrong"):
        fit_platt(sure, np.ones(200, bool), label, 1)


def test_nobody_s_own_answers_shape_their_confidence() -> None:
    sure, label, right = answered(np.random.default_rng(5), 120)
    who = np.repeat([3, 7, 9], 40)
    whole = cross_fitted_platt(sure, right, label, 3, who)
    for person in (3, 7, 9):
        own = who == person
        turned = np.where(own, ~right, right)
        again = cross_fitted_platt(sure, turned, label, 3, who)
        assert np.array_equal(again[own], whole[own])
        assert not np.allclose(again[~own], whole[~own])
        by_hand = fit_platt(sure[~own], right[~own], label[~own], 3)
        assert np.array_equal(whole[own], by_hand(sure[own], label[own]))
