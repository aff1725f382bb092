"""Agreement with a coder, by hand, against scikit-learn and against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.metrics.coders import agreement, cohen_kappa
from tronie.metrics.segments import Segmentation

LABELS = ("happiness", "sadness", "neutral")


def of(*rows) -> Segmentation:
    return Segmentation.of(list(rows))


def test_kappa_by_hand() -> None:
    """Cohen's form: 20 + 15 of 50 agree, chance 0.5 * 0.6 + 0.5 * 0.4."""
    assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx((0.7 - 0.5) / 0.5)
    assert cohen_kappa(np.eye(3, dtype=int)) == 1 and np.isnan(cohen_kappa(np.diag([5, 0])))
    assert np.isnan(cohen_kappa(np.zeros((2, 2), int)))


def test_kappa_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    a, b = np.random.default_rng(0).integers(0, 4, (2, 500))
    b[:200] = a[:200]
    table = np.zeros((4, 4), int)
    np.add.at(table, (a, b), 1)
    assert cohen_kappa(table) == pytest.approx(metrics.cohen_kappa_score(a, b))


def test_by_hand() -> None:
    coder = {"Anna": of((0, 10, 2), (10, 14, 0), (20, 30, 2))}  # 14-20 is not coded
    ours = {"Anna": of((-5, 9, 2), (9, 13, 0), (13, 14, 3), (15, 18, 1), (22, 35, 2))}
    found = agreement(coder, ours, LABELS, step=0.5, block=10)
    assert found.table.tolist() == [[6, 0, 0, 2, 0], [0, 0, 0, 0, 0], [2, 0, 34, 0, 4]]
    assert found.kappa.value == pytest.approx(cohen_kappa(np.array([[6, 0], [2, 34]])))
    assert found.kappa_all.value == pytest.approx(cohen_kappa(np.array([[6, 0, 2], [2, 34, 0], [0, 0, 0]])))
    assert found.accuracy.value == 40 / 42 and found.coverage == 42 / 48
    # cut to 0..30 and without 15-18, where nothing was coded: three answers, all of them right
    assert found.f1.value == 1.0 and found.per_label == {
        "happiness": (1.0, 1, 1),
        "sadness": (pytest.approx(np.nan, nan_ok=True), 0, 0),
        "neutral": (1.0, 2, 2),
    }
    assert found.lag == 0.0 and found.pieces == 1.0 and found.blocks == 3


def test_segments_too_many_and_missed() -> None:
    coder = {"a": of((0, 10, 0), (10, 20, 1))}
    ours = {"a": of((0, 3, 0), (3, 4, 2), (4, 10, 0), (10, 20, 2))}
    found = agreement(coder, ours, LABELS, block=5)
    assert found.f1.value == pytest.approx(2 / (2 + 3 + 1))  # one found, three too many, one missed
    assert found.per_label["happiness"] == (pytest.approx(2 / 3), 1, 2) and found.pieces == 2


def test_a_person_who_was_never_answered_is_missed() -> None:
    found = agreement({"a": of((0, 10, 0)), "b": of((0, 10, 1))}, {"a": of((0, 10, 0))}, LABELS)
    assert found.coverage == 0.5 and found.f1.value == pytest.approx(2 / 3) and found.accuracy.value == 1


def test_one_block_gives_no_interval() -> None:
    found = agreement({"a": of((0, 8, 0))}, {"a": of((0, 8, 0))}, LABELS)
    assert found.accuracy.value == 1.0 and np.isnan(found.accuracy.low) and found.blocks == 1


def test_nothing_to_compare() -> None:
    found = agreement({}, {}, LABELS)
    assert np.isnan(found.kappa.value) and np.isnan(found.f1.low) and found.blocks == 0


def planted(rng, seconds: float, right: float) -> tuple[Segmentation, Segmentation]:
    """A coder's film of 2-second segments, and answers that have each label right with a given chance."""
    label = rng.integers(0, 3, int(seconds / 2))
    start = 2.0 * np.arange(len(label))
    said = np.where(rng.random(len(label)) < right, label, (label + rng.integers(1, 3, len(label))) % 3)
    return Segmentation(start, start + 2, label), Segmentation(start, start + 2, said)


def test_intervals_hold_what_was_planted() -> None:
    """Labels right at 0.8, else one of two others: accuracy 0.8 and kappa 0.7. 95 % intervals must mostly hold both."""
    rng = np.random.default_rng(1)
    held = np.zeros(2)
    for _ in range(60):
        truth, said = planted(rng, 400, 0.8)
        found = agreement({"a": truth}, {"a": said}, LABELS, step=1.0, block=10, draws=200)
        held += [i.low <= value <= i.high for i, value in ((found.accuracy, 0.8), (found.kappa, 0.7))]
    assert (held >= 60 * 0.85).all(), held
    one = agreement({"a": truth}, {"a": said}, LABELS, step=1.0, block=10, draws=200)
    assert one.kappa == found.kappa  # seeded
