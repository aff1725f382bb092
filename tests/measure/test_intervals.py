"""Bootstrap intervals cover what they should, and draw groups whole."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.measure.intervals import Interval, bootstrap


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    x = np.random.default_rng(0).normal(3, 2, 500)
    found = bootstrap(lambda i: float(x[i].mean()), 500, draws=4000)
    half = 1.96 * x.std() / np.sqrt(500)
    assert found.value == pytest.approx(x.mean())
    assert found.low == pytest.approx(x.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(x.mean() + half, abs=0.1 * half)


@pytest.mark.parametrize("grouped", [False, True])
def test_it_covers_in_nineteen_of_twenty_worlds(grouped: bool) -> None:
    rng, hits, worlds = np.random.default_rng(1), 0, 150
    for _ in range(worlds):
        group = np.repeat(np.arange(60), 4)
        shared = rng.normal(0, 1, 60)[group] if grouped else 0.0
        x = shared + rng.normal(0, 1, 240)
        found = bootstrap(lambda i, x=x: float(x[i].mean()), 240, groups=group if grouped else None, draws=200)
        hits += found.low <= 0 <= found.high
    assert 0.88 * worlds <= hits <= 0.99 * worlds


def test_forgetting_the_groups_would_be_too_sure() -> None:
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(50), 10)
    x = rng.normal(0, 1, 50)[group]

    def mean(i: np.ndarray) -> float:
        return float(x[i].mean())
    alone, whole = bootstrap(mean, 500), bootstrap(mean, 500, groups=group)
    assert whole.high - whole.low > 2 * (alone.high - alone.low)


def test_groups_are_drawn_whole() -> None:
    group = np.array([7, 3, 7, 3, 3, 9])

    def check(rows: np.ndarray) -> float:
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[2] and counts[1] == counts[3] == counts[4]
        return float(len(rows))
    bootstrap(check, 6, groups=group, draws=50)


def test_groups_of_one_are_rows() -> None:
    x = np.random.default_rng(3).normal(size=40)

    def mean(i: np.ndarray) -> float:
        return float(x[i].mean())
    assert bootstrap(mean, 40) == bootstrap(mean, 40, groups=np.arange(40)[::-1])


def test_a_statistic_without_a_value_has_no_interval() -> None:
    found = bootstrap(lambda i: float("nan"), 5, draws=10)
    assert np.isnan([found.value, found.low, found.high]).all()


def test_an_interval_reads_as_text() -> None:
    assert str(Interval(0.87654321, 0.85, 0.9)) == "0.8765 [0.85, 0.9]"
