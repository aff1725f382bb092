from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.registry import resolve
from tronie.metrics.agreement import (
    CLEAN,
    HARD,
    NOISY,
    STRATEGIES,
    VERDICTS,
    Agreement,
    Settings,
    agreement,
    confident_learning,
    losses,
    margin,
    rule,
    self_confidence,
    support,
    two_parts,
)

SEEDS = st.integers(0, 2**32)


def random_looks(seed: int, k: int = 5, n: int = 40, c: int = 4, sharp: float = 3.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    e = np.exp(sharp * (rng.normal(size=(1, n, c)) + rng.normal(size=(k, n, c))))
    return e / e.sum(2, keepdims=True)


def one_hot(classes: list[int], c: int) -> NDArray[np.float64]:
    """Looks at one sample that are sure of these classes."""
    return np.eye(c)[classes][:, None]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 7), st.integers(2, 8))
def test_equals_the_definition_row_by_row(seed: int, k: int, c: int) -> None:
    p = random_looks(seed, k, 10, c)
    got = agreement(p)
    for i in range(10):
        said = p[:, i].argmax(1)
        assert got.majority[i] == pytest.approx(np.bincount(said).max() / k)
        pairs = [said[a] == said[b] for a, b in combinations(range(k), 2)]
        assert got.pairwise[i] == pytest.approx(np.mean(pairs))
        middle = p[:, i].mean(0)
        divergence = np.mean([(row * np.log(row / middle)).sum() for row in p[:, i]])
        assert got.jsd[i] == pytest.approx(1 - divergence / np.log(min(k, c)))
        assert got.counts[i, got.vote[i]] == got.counts[i].max()


def test_all_equal_looks_agree_wholly() -> None:
    got = agreement(one_hot([2, 2, 2, 2], 5))
    assert (got.majority[0], got.pairwise[0], got.vote[0], got.looks) == (1, 1, 2, 4)
    same = agreement(np.repeat(random_looks(0, 1), 6, axis=0))
    np.testing.assert_allclose(same.jsd, 1)


def test_looks_of_different_classes_agree_least() -> None:
    got = agreement(one_hot([0, 1, 2, 3], 6))
    assert (got.majority[0], got.pairwise[0]) == (1 / 4, 0)
    assert got.jsd[0] == pytest.approx(0)
    assert agreement(one_hot([0, 1, 2, 0, 1, 2], 3)).jsd[0] == pytest.approx(0), "more looks than classes"


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_order_of_looks_does_not_matter(seed: int) -> None:
    p = random_looks(seed)
    one, other = agreement(p), agreement(p[np.random.default_rng(seed).permutation(len(p))])
    for name in ("majority", "pairwise", "jsd", "vote", "counts", "mean"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_equal_counts_go_to_the_larger_mean_probability() -> None:
    p = np.array([[[0.6, 0.4, 0.0]], [[0.1, 0.9, 0.0]]])
    assert agreement(p).vote[0] == 1
    assert agreement(p[:, :, [1, 0, 2]]).vote[0] == 0


def test_support_and_margin_are_the_formulas() -> None:
    p = np.array([[[0.8, 0.2, 0.0]], [[0.4, 0.6, 0.0]], [[0.9, 0.1, 0.0]]])
    got = agreement(p)
    for label, share, gap in ((0, 2 / 3, 0), (1, 1 / 3, 0.7 - 0.3), (2, 0, 0.7)):
        at = np.array([label])
        assert support(got, at)[0] == pytest.approx(share)
        assert margin(got, at)[0] == pytest.approx(gap)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(sorted(STRATEGIES)))
def test_every_strategy_says_one_thing_of_every_row_and_what_is_clean_agrees_with_its_label(
    seed: int, name: str
) -> None:
    looks = agreement(random_looks(seed))
    label = np.random.default_rng(seed + 1).integers(0, 4, 40)
    verdict = resolve(STRATEGIES, name, "strategy")(looks, label, Settings())
    assert verdict.shape == (40,) and set(verdict.tolist()) <= set(range(len(VERDICTS)))
    assert (looks.vote == label)[verdict == CLEAN].all()


@pytest.mark.parametrize("name", ["rule", "class-adaptive", "mixture"])
def test_what_is_called_noisy_has_another_vote(name: str) -> None:
    looks = agreement(random_looks(1, n=300))
    label = np.where(np.random.default_rng(2).random(300) < 0.7, looks.vote, (looks.vote + 1) % 4)
    verdict = resolve(STRATEGIES, name, "strategy")(looks, label, Settings())
    assert (verdict == NOISY).any() and (looks.vote != label)[verdict == NOISY].all()


def test_the_rule_tells_clear_wrong_labels_from_hard_samples() -> None:
    clear, torn = one_hot([0, 0, 0, 0, 1], 3), one_hot([0, 1, 2, 0, 1], 3)
    looks = agreement(np.concatenate([clear, clear, torn], axis=1))
    assert rule(looks, np.array([0, 1, 2]), Settings()).tolist() == [CLEAN, NOISY, HARD]
    assert rule(looks, np.array([0, 1, 2]), Settings(gap=0.9)).tolist() == [CLEAN, HARD, HARD]


def _planted(seed: int) -> tuple[Agreement, NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """600 samples: clear ones, of which a tenth are wrongly labelled, and hard ones; looks, labels, wrong, hard."""
    rng = np.random.default_rng(seed)
    truth, hard = rng.integers(0, 4, 600), rng.random(600) < 0.25
    wrong = (rng.random(600) < 0.1) & ~hard
    label = np.where(wrong, (truth + rng.integers(1, 4, 600)) % 4, truth)
    centre = np.eye(4)[truth] * np.where(hard, 0.5, 4.0)[:, None]
    e = np.exp(centre + rng.normal(size=(5, 600, 4)) * np.where(hard, 2.0, 0.5)[:, None])
    return agreement(e / e.sum(2, keepdims=True)), label, wrong, hard


@pytest.mark.parametrize("name", ["rule", "class-adaptive", "mixture", "loss", "confident-learning"])
def test_strategies_find_clear_wrong_labels_and_the_control_does_not(name: str) -> None:
    looks, label, wrong, _ = _planted(0)
    found = resolve(STRATEGIES, name, "strategy")(looks, label, Settings()) == NOISY
    control = resolve(STRATEGIES, "opposite", "strategy")(looks, label, Settings()) == NOISY
    assert found[wrong].mean() > 0.75 and control[wrong].mean() < 0.3


def test_hard_samples_are_kept_by_the_rule_and_flagged_by_the_control() -> None:
    looks, label, _, hard = _planted(1)
    mine = rule(looks, label)
    assert (mine[hard] == HARD).mean() > 0.5 and (mine[hard] == NOISY).mean() < 0.2
    assert (resolve(STRATEGIES, "opposite", "strategy")(looks, label)[hard] == NOISY).mean() > 0.5


def test_loss_ranking_calls_the_asked_share_noisy() -> None:
    looks, label, _, _ = _planted(2)
    verdict = resolve(STRATEGIES, "loss", "strategy")(looks, label, Settings(share=0.05))
    assert (verdict == NOISY).sum() == 30
    loss = losses(looks.mean, label)
    assert loss[verdict == NOISY].min() >= loss[verdict != NOISY].max()


def test_confident_learning_is_the_confident_joint_counted_by_hand() -> None:
    looks, label, _, _ = _planted(3)
    bar = [looks.mean[label == j, j].mean() for j in range(4)]
    np.testing.assert_allclose(self_confidence(looks.mean, label), bar)
    noisy = confident_learning(looks, label) == NOISY
    for i in range(600):
        reached = [j for j in range(4) if looks.mean[i, j] >= bar[j]]
        counted = max(reached, key=lambda j: looks.mean[i, j]) if reached else label[i]
        assert noisy[i] == (counted != label[i])


def test_two_parts_separates_two_heaps_and_never_falls() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 0.3, 900), rng.normal(4, 1.0, 100)])
    high = two_parts(x)
    assert high[:900].mean() < 0.02 and high[900:].mean() > 0.9
    assert (np.diff(high[np.argsort(x)]) >= 0).all()
    assert (two_parts(np.full(5, 2.0)) == 0).all() and len(two_parts(np.empty(0))) == 0


def test_a_class_without_rows_and_a_single_look_are_no_trouble() -> None:
    p = random_looks(5, k=1, n=20)
    looks, label = agreement(p), np.zeros(20, np.int64)
    assert (looks.majority == 1).all() and (looks.pairwise == 1).all() and (looks.jsd == 1).all()
    for name in STRATEGIES:
        assert len(resolve(STRATEGIES, name, "strategy")(looks, label, Settings())) == 20


@pytest.mark.parametrize("shape", [(3, 4), (0, 4, 3), (2, 4, 1)])
def test_looks_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="Looks must be"):
        agreement(np.ones(shape))


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(SettingError, match="tau"):
        Settings(tau=1.2)
