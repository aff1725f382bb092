"""Looks out of sample: ridges that fit the data, people taken away where that helps, and nothing learnt from a row."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.audit.out_of_sample import RIDGE, best_ridge, centred, chosen, cross_fitted, label_loss, learnt, look
from tronie.core.errors import SettingError


def people(n: int = 240, persons: int = 12, who: float = 4.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Views in which a person's own place drowns the class; labels, folds by person, persons."""
    rng = np.random.default_rng(seed)
    person, label = np.arange(n) % persons, np.arange(n) // persons % 3
    place = who * rng.normal(size=(persons, 10))
    x = place[person] + 1.2 * np.eye(10)[label] + 0.5 * rng.normal(size=(3, n, 10))
    return x.astype(np.float32), label, person % 4, person


def accuracy(x: np.ndarray, label: np.ndarray, fold: np.ndarray) -> float:
    return float((cross_fitted(x, label, 3, fold, ridge=0.02)[0].mean(0).argmax(1) == label).mean())


def test_what_is_common_to_a_person_is_taken_away() -> None:
    x, label, fold, person = people()
    plain, moved = accuracy(x, label, fold), accuracy(centred(x, person), label, fold)
    assert moved > plain + 0.15
    assert (centred(x, person) ** 2).mean() == pytest.approx((x**2).mean(), rel=1e-4)
    means = np.stack([centred(x, person)[:, person == k].mean((0, 1)) for k in range(12)])
    np.testing.assert_allclose(means, 0, atol=1e-4)


def test_persons_with_few_rows_stay_where_they_are() -> None:
    x = np.random.default_rng(0).normal(size=(2, 20, 4)).astype(np.float32)
    alone = centred(x, np.arange(20))
    assert np.corrcoef(alone.ravel(), x.ravel())[0, 1] > 0.95


def test_people_are_taken_away_only_where_labels_are_then_read_better() -> None:
    x, label, fold, person = people()
    assert not any(np.array_equal(choice.x, x) for choice in chosen(x, label, 3, fold, person))
    assert all(np.array_equal(choice.x, x) for choice in chosen(x, label, 3, fold))
    one = person % 3  # each person shows one expression only: who it is says what it is
    faces = (np.eye(10)[one] * 3 + 0.3 * np.random.default_rng(1).normal(size=(3, len(one), 10))).astype(np.float32)
    assert all(np.array_equal(choice.x, faces) for choice in chosen(faces, one, 3, fold, person))


def test_small_noisy_data_is_held_by_a_stronger_ridge() -> None:
    rng = np.random.default_rng(0)
    label = np.arange(150) % 3
    x = (0.5 * np.eye(60)[label] + rng.normal(size=(2, 150, 60))).astype(np.float32)
    fold = np.arange(150) // 3 % 5
    ridge, loss = best_ridge(x, label, 3, fold)
    assert ridge > RIDGE
    assert loss < label_loss(cross_fitted(x, label, 3, fold, ridge=RIDGE)[0], label)


def test_large_data_learns_from_two_views_small_from_all() -> None:
    assert learnt(np.empty((4, 12000, 1))) == 2 and learnt(np.empty((4, 500, 1))) == 4


def test_a_rows_own_label_is_not_in_its_first_look() -> None:
    x, label, fold, person = people()
    other = label.copy()
    inside = fold == 0
    other[inside] = (label[inside] + 1) % 3
    first, again = (cross_fitted(x, known, 3, fold)[0][:, inside] for known in (label, other))
    np.testing.assert_allclose(first, again, atol=1e-6)
    first, again = (look(x, known, 3, fold, people=person).first[:, inside] for known in (label, other))
    np.testing.assert_array_equal(first, again)  # not even in the choice of ridge and views
    found = look(x, label, 3, fold, people=person)
    assert found.looks.shape == (3, 240, 3) and found.neighbours.shape == (240, 3)
    with pytest.raises(SettingError, match="two folds"):
        look(x, label, 3, np.zeros(240, np.int64))
