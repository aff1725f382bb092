"""Signals, probabilities and verdicts on rows whose truth is known: drawn predictions, planted wrong labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.audit.label_quality import (
    Signals,
    assess,
    isotonic,
    label_rates,
    mistaken_labels,
    planted_labels,
    probability_wrong,
    relative_entropy,
    wrong_odds,
)
from tronie.audit.out_of_sample import look
from tronie.audit.proof import average_precision, plant, precision_at, recovered, replayed
from tronie.audit.share import confident_share, share_interval
from tronie.audit.verdicts import (
    CLEAN,
    DOUBTFUL,
    HARD,
    WRONG,
    Cuts,
    error_table,
    hardness,
    label_verdicts,
    reasons,
    told_apart,
)
from tronie.core.errors import SettingError

SEEDS = st.integers(0, 2**32)


def drawn(rate: float, seed: int = 0, n: int = 4000, classes: int = 5) -> tuple[Signals, np.ndarray, np.ndarray]:
    """Signals of a model that is right in about 8 of 10, labels of which ``rate`` are wrong; wrong rows, truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    seen = 3.0 * np.eye(classes)[truth] + rng.normal(size=(n, classes)) * 1.15
    looks = np.exp(seen + 0.5 * rng.normal(size=(4, n, classes)))
    wrong = rng.random(n) < rate
    label = np.where(wrong, (truth + rng.integers(1, classes, n)) % classes, truth)
    near = np.exp(0.7 * (2 * np.eye(classes)[truth] + rng.normal(size=(n, classes))))
    signals = Signals(looks / looks.sum(2, keepdims=True), label, neighbours=near / near.sum(1, keepdims=True))
    return signals, wrong, truth


PARTS = np.arange(4000) % 5


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3])
def test_the_share_of_wrong_labels_is_estimated(rate: float) -> None:
    signals, wrong, _ = drawn(rate)
    found = assess(signals, PARTS)
    assert found.share == pytest.approx(wrong.mean(), rel=0.2, abs=0.015)
    interval = share_interval(signals, found, np.arange(4000), draws=50)
    assert interval.low <= wrong.mean() <= interval.high and interval.low <= interval.value <= interval.high
    assert found.wrong.mean() == pytest.approx(found.share, abs=1e-3)


def test_probabilities_of_being_wrong_mean_what_they_say() -> None:
    signals, wrong, _ = drawn(0.2, n=12000)
    found = assess(signals, np.arange(12000) % 5)
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        inside = (found.wrong >= low) & (found.wrong < high)
        assert wrong[inside].mean() == pytest.approx(found.wrong[inside].mean(), abs=0.15)


def test_ranking_beats_the_loss_of_one_look_and_suggestions_are_mostly_the_truth() -> None:
    signals, wrong, truth = drawn(0.1)
    found = assess(signals, PARTS)
    alone = -np.log(signals.looks[0][np.arange(4000), signals.label])
    assert average_precision(found.score, wrong) > average_precision(alone, wrong)
    assert (found.suggested == truth)[wrong].mean() > 0.75 and (found.suggested != signals.label).all()


def test_same_seed_same_answer_and_the_order_of_looks_does_not_matter() -> None:
    signals, _, _ = drawn(0.1)
    turned = Signals(signals.looks[::-1], signals.label, neighbours=signals.neighbours)
    np.testing.assert_array_equal(assess(signals, PARTS, seed=3).score, assess(signals, PARTS, seed=3).score)
    np.testing.assert_allclose(assess(signals, PARTS).score, assess(turned, PARTS).score, atol=1e-6)


def test_planted_labels_are_wrong_and_follow_the_table() -> None:
    label = np.repeat(np.arange(3), 3000)
    table = np.array([[9, 1, 3], [0, 5, 2], [1, 1, 0]])
    got = planted_labels(label, table, np.random.default_rng(0))
    assert (got != label).all()
    np.testing.assert_allclose([(got[label == 0] == 2).mean(), (got[label == 2] == 1).mean()], [0.75, 0.5], atol=0.03)
    assert (got[label == 1] == 2).all()


def test_mistaken_labels_are_counted_by_pair() -> None:
    """Noise from one class to one other: it is found where it is, and hardly anywhere else."""
    signals, _, truth = drawn(0)
    rng = np.random.default_rng(0)
    label = np.where((truth == 2) & (rng.random(4000) < 0.3), 4, truth)
    table = mistaken_labels(signals.agreement.mean, label)
    planted = float((label != truth).sum())
    assert table[4, 2] == pytest.approx(planted, rel=0.3)  # errors of the model count too
    assert table.sum() - table[4, 2] < 0.5 * planted and np.trace(table) == 0


def test_mistaken_labels_by_hand() -> None:
    """Two classes of twenty rows, a bar of half a class: two rows labelled 0 look as clear as the upper ten of 1."""
    one = np.concatenate([np.linspace(0, 0.3, 18), [0.95, 0.97], np.linspace(0.6, 0.99, 20)])
    label = np.repeat([0, 1], 20)
    table = mistaken_labels(np.stack([1 - one, one], 1), label, 0.5)
    assert table[1, 0] == 0
    assert table[0, 1] == pytest.approx(2 / 0.5)  # both lie in the upper half of class 1, so twice as many are wrong


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 40))
def test_isotonic_is_the_nearest_rising_sequence(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    value, weight = rng.normal(size=n), rng.random(n) + 0.1
    got = isotonic(value, weight)
    assert (np.diff(got) >= -1e-12).all()
    assert (weight @ got) == pytest.approx(weight @ value)
    for _ in range(20):  # no rising sequence is nearer
        other = np.sort(rng.normal(size=n))
        assert weight @ (got - value) ** 2 <= weight @ (other - value) ** 2 + 1e-9


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(0.01, 0.5))
def test_probabilities_rise_with_the_score_and_their_mean_is_the_share(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    given_ = np.concatenate([rng.normal(0, 1, 500), rng.normal(3, 1, int(500 * share / (1 - share)))])
    p = probability_wrong(given_, rng.normal(3, 1, 1000), share)
    assert (np.diff(p[np.argsort(given_)]) >= -1e-12).all() and (p >= 0).all() and (p <= 1).all()
    assert p.mean() == pytest.approx(share, abs=2e-3)


def test_scores_that_do_not_vary_say_the_share_of_everyone() -> None:
    assert (probability_wrong(np.zeros(5), np.zeros(10), 0.2) == 0.2).all()


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from([0.05, 0.3]))
def test_verdicts_are_exhaustive_and_what_is_clean_agrees(seed: int, rate: float) -> None:
    signals, _, _ = drawn(rate, seed, 600)
    quality = assess(signals, np.arange(600) % 3)
    verdict = label_verdicts(signals, quality)
    assert set(verdict.tolist()) <= {CLEAN, HARD, DOUBTFUL, WRONG}
    looks = signals.agreement
    assert (looks.vote == signals.label)[verdict == CLEAN].all() and (looks.majority[verdict == CLEAN] >= 0.8).all()
    assert (quality.wrong[verdict != WRONG] < 0.5).all()
    if (verdict == HARD).any():
        assert quality.wrong[verdict == HARD].mean() <= 1 - Cuts().hard_right + 1e-9


def test_hard_rows_hold_the_right_labels_that_are_promised() -> None:
    signals, wrong, _ = drawn(0.3)
    verdict = label_verdicts(signals, assess(signals, PARTS))
    assert (~wrong)[verdict == HARD].mean() > 0.87 and (verdict == HARD).mean() > 0.05
    assert wrong[verdict == WRONG].mean() > 0.6


def test_hardness_follows_how_torn_the_looks_are() -> None:
    signals, _, truth = drawn(0.1)
    np.testing.assert_allclose(relative_entropy(np.array([[0.2] * 5, [1, 0, 0, 0, 0]])), [1, 0])
    hard = hardness(signals, assess(signals, PARTS))
    right = signals.agreement.mean.argmax(1) == truth
    assert hard[~right].mean() > 1.3 * hard[right].mean() and (hard > 0).all() and (hard <= 1).all()


def test_the_table_of_estimated_numbers_adds_up() -> None:
    signals, _, _ = drawn(0.2)
    quality = assess(signals, PARTS)
    table = error_table(signals.label, quality, 5)
    np.testing.assert_allclose(table.sum(1), np.bincount(signals.label, minlength=5))
    assert table.sum() - np.trace(table) == pytest.approx(quality.wrong.sum())


def test_reasons_name_what_speaks_against_a_label() -> None:
    signals, _, _ = drawn(0.1, n=200)
    quality = assess(signals, np.arange(200) % 2)
    verdict = label_verdicts(signals, quality)
    told = reasons(signals, quality, verdict, ("a", "b", "c", "d", "e"))
    at = int(np.argmax(quality.wrong))
    names = "abcde"
    assert f"the label {names[signals.label[at]]}" in told[at] and "looks say" in told[at] and "neighbours" in told[at]


def test_precision_at_recall_and_average_precision_by_hand() -> None:
    score, wrong = np.array([5.0, 4, 3, 2, 1]), np.array([True, False, True, False, True])
    assert precision_at(score, wrong, 0.6) == pytest.approx(2 / 3)
    assert precision_at(score, wrong, 1.0) == pytest.approx(3 / 5)
    assert average_precision(score, wrong) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert np.isnan(precision_at(score, np.zeros(5, bool), 0.9))


def test_the_proof_finds_what_was_planted() -> None:
    signals, _, _ = drawn(0.05)
    own = assess(signals, PARTS)
    label, flipped = plant(signals, "even", 0.1, 0)
    assert flipped.mean() == pytest.approx(0.1, abs=0.02) and (label != signals.label)[flipped].all()
    assert (label == signals.label)[~flipped].all()
    again = assess(Signals(signals.looks, label, neighbours=signals.neighbours), PARTS)
    proof = recovered("even", again, flipped, own.share, 0.5)
    assert proof.found > 0.6 and proof.precision_90 > 0.3 and proof.share == pytest.approx(proof.expected, rel=0.3)
    for one in replayed(own, 0.5):
        assert one.found > 0.5 and np.isnan(one.precision)


def test_probes_look_out_of_sample_and_doubtful_labels_count_less() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    wrong = rng.random(600) < 0.2
    label = np.where(wrong, (truth + 1) % 3, truth)
    x = (1.2 * np.eye(3)[truth] @ rng.normal(size=(3, 30)) + rng.normal(size=(600, 30))).astype(np.float32)
    views = np.stack([x, x + 0.3 * rng.normal(size=x.shape).astype(np.float32)])
    parts = np.arange(600) % 4
    found = look(views, label, 3, parts)
    assert found.looks.shape == (2, 600, 3) and found.neighbours.shape == (600, 3)
    rows = np.arange(600)
    first, last = (-np.log(p.mean(0)[rows, label]) for p in (found.first, found.looks))
    assert average_precision(last, wrong) > average_precision(first, wrong) - 0.01
    other = label.copy()
    other[0] = (label[0] + 1) % 3  # a row's own label has no part in its first look
    np.testing.assert_allclose(look(views, other, 3, parts, rounds=1).looks[:, 0], found.first[:, 0], atol=1e-6)


def test_impossible_asks_are_refused() -> None:
    signals, _, _ = drawn(0.1, n=50)
    with pytest.raises(SettingError, match="two folds"):
        assess(signals, np.zeros(50, np.int64))
    with pytest.raises(SettingError, match="Labels"):
        Signals(signals.looks, signals.label[:-1])
    with pytest.raises(SettingError, match="hard_right"):
        Cuts(hard_right=0)
    with pytest.raises(SettingError, match="two folds"):
        look(np.zeros((1, 4, 2), np.float32), np.array([0, 1, 0, 1]), 2, np.zeros(4, np.int64))


def test_wrong_odds_are_bayes_rule() -> None:
    mean = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    rates = np.array([[0.9, 0.3, 0.0], [0.1, 0.7, 0.05], [0.0, 0.0, 0.95]])
    by_hand = [np.log((0.7 * 0.1 + 0.1 * 0.05) / (0.2 * 0.7)), np.log(1e-9 / (0.6 * 0.95))]
    np.testing.assert_allclose(wrong_odds(mean, np.array([1, 2]), rates), by_hand, rtol=1e-6)


def test_label_rates_are_smoothed_probabilities_of_the_label_given_the_class() -> None:
    label = np.repeat(np.arange(3), 400)
    mistaken = np.zeros((3, 3))
    mistaken[1, 0] = 200  # of class 0, 200 rows are labelled 1
    rates = label_rates(mistaken, label)
    np.testing.assert_allclose(rates.sum(0), 1)
    assert rates[1, 0] > 5 * rates[2, 0] > 0 and rates[1, 1] < rates[2, 2] and rates[0, 1] < 0.02
    few = label_rates(mistaken / 40, label)  # five rows prove little: the ratio is pulled to even
    assert few[1, 0] / few[2, 0] < rates[1, 0] / rates[2, 0]


def test_noise_that_follows_a_pattern_is_found_by_its_pattern() -> None:
    """Two classes labelled as each other: the ranking leaves a fifth of what the loss leaves to be found."""
    signals, _, truth = drawn(0, n=6000)
    rng = np.random.default_rng(2)
    wrong = (truth < 2) & (rng.random(6000) < 0.25)
    label = np.where(wrong, 1 - truth, truth)
    noisy = Signals(signals.looks, label, neighbours=signals.neighbours)
    score = assess(noisy, np.arange(6000) % 5).score
    assert 1 - average_precision(score, wrong) < (1 - average_precision(noisy.loss, wrong)) / 5


def test_the_confident_share_is_that_of_cleanlab() -> None:
    signals, _, _ = drawn(0.2)
    mean, label = signals.agreement.mean, signals.label
    bars = [mean[label == c, c].mean() for c in range(5)]
    joint = np.zeros((5, 5))
    for p, given_label in zip(mean, label.tolist(), strict=True):
        reached = [c for c in range(5) if p[c] >= bars[c]]
        if reached:
            joint[given_label, max(reached, key=lambda c: p[c])] += 1
    joint *= (np.bincount(label) / joint.sum(1))[:, None]
    assert confident_share(mean, label) == pytest.approx(1 - np.trace(joint) / len(label))
    cleanlab = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed")
    assert confident_share(mean, label) == pytest.approx(1 - np.trace(cleanlab.estimate_joint(label, mean)), abs=1e-3)


def test_looks_at_random_tell_labels_apart_no_better_than_guessing() -> None:
    signals, _, truth = drawn(0)
    assert told_apart(signals.looks, truth) > 0.6
    assert abs(told_apart(signals.looks, np.random.default_rng(0).permutation(truth))) < 0.05
