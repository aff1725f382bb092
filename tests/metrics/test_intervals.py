"""Bootstrap intervals cover what they should, and draw groups whole."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.metrics.intervals import Interval, bootstrap, paired, wilson


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


@pytest.mark.parametrize(
    ("share", "rows", "low", "high"), [(1.0, 4, 0.5101, 1.0), (0.0, 10, 0.0, 0.2775), (0.5, 100, 0.4038, 0.5962)]
)
def test_wilsons_interval_equals_published_values(share: float, rows: int, low: float, high: float) -> None:
    found = wilson(share, rows)
    assert (found.value, found.low, found.high) == pytest.approx((share, low, high), abs=1e-4)


def test_a_paired_difference_is_narrower_than_two_intervals_apart() -> None:
    rng = np.random.default_rng(4)
    hard = rng.random(800)
    a, b = (rng.random(800) * 0.2 + hard < t for t in (0.9, 0.93))
    found = paired([lambda i: float(a[i].mean())], [lambda i: float(b[i].mean())], 800)
    apart = [bootstrap(lambda i, x=x: float(x[i].mean()), 800) for x in (a, b)]
    assert found.value == pytest.approx(b.mean() - a.mean())
    assert found.high - found.low < 0.75 * sum(i.high - i.low for i in apart) / 2**0.5


def test_few_seeds_widen_a_paired_interval() -> None:
    x = np.random.default_rng(5).normal(0, 0.1, 400)
    one = [lambda i, s=s: float(x[i].mean()) + s for s in (-0.1, 0.0, 0.1)]
    same = [lambda i: float(x[i].mean())] * 3
    wide, narrow = paired(same, one, 400), paired(same, same, 400)
    assert narrow.low == narrow.high == narrow.value == 0.0
    assert wide.value == pytest.approx(0) and wide.high > 0.05 and wide.low < -0.05


@pytest.mark.filterwarnings("error")
def test_a_statistic_that_is_never_a_number_has_an_interval_of_none() -> None:
    found = bootstrap(lambda rows: float("nan"), 5, draws=20, centred=True)
    assert np.isnan([found.value, found.low, found.high]).all()


def test_an_interval_reads_as_text() -> None:
    assert str(Interval(0.87654321, 0.85, 0.9)) == "0.8765 [0.85, 0.9]"
