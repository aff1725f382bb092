from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.data.noise.labels import KINDS, confusion, pair, plant, symmetric, votes

N = 20_000
SEEDS = st.integers(0, 2**32)
RATES = st.floats(0, 1)


def drawn(seed: int, n: int = N, classes: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, n)


def within(share: float, rate: float, n: int) -> bool:
    """Inside five binomial standard errors, and five rows for rates so small that the normal law does not hold."""
    return bool(abs(share - rate) <= 5 * np.sqrt(rate * (1 - rate) / n) + 5 / n)


@settings(max_examples=40, deadline=None)
@given(SEEDS, RATES)
def test_symmetric_flips_at_its_rate_and_never_to_the_same_class(seed: int, rate: float) -> None:
    label = drawn(1)
    made = symmetric(label, BASIC7, rate, seed)
    assert within(made.flipped.mean(), rate, N) and made.realised == made.flipped.mean()
    assert (made.after[made.flipped] != label[made.flipped]).all()
    assert (made.after[~made.flipped] == label[~made.flipped]).all()
    assert made.after.min() >= 0 and made.after.max() < 7


def test_symmetric_is_uniform_over_the_other_classes_in_every_class() -> None:
    label = np.repeat(np.arange(7), 10_000)
    made = symmetric(label, BASIC7, 0.3, 5)
    table = np.zeros((7, 7))
    np.add.at(table, (label, made.after), 1 / 10_000)
    np.testing.assert_allclose(table, 0.7 * np.eye(7) + 0.05 * (1 - np.eye(7)), atol=0.023)


@settings(max_examples=40, deadline=None)
@given(SEEDS, RATES)
def test_pair_goes_to_the_partner_alone_and_leaves_the_rest(seed: int, rate: float) -> None:
    label = drawn(2)
    made = pair(label, BASIC7, rate, seed)
    partner = {"fear": "surprise", "disgust": "anger", "sadness": "neutral"}
    partner |= {b: a for a, b in partner.items()}
    pairs = np.stack([label, made.after], 1)[made.flipped]
    changed = {(BASIC7.names[a], BASIC7.names[b]) for a, b in pairs}
    assert changed <= set(partner.items())
    can = label != BASIC7.index("happiness")
    assert within(made.flipped[can].mean(), rate, int(can.sum())) and not made.flipped[~can].any()


def test_pairs_are_found_by_name_in_any_order_and_spelling() -> None:
    labels = LabelSet(("Sad", "contempt", "Surprised", "fearful", "happy", "neutral"))
    made = pair(np.arange(6), labels, 1.0, 0)
    assert made.after.tolist() == [5, 1, 3, 2, 4, 0]
    with pytest.raises(SettingError, match="Pair noise needs two labels of a pair"):
        pair([0], LabelSet(("happy", "sad")), 0.1, 0)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_confusion_follows_its_matrix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.dirichlet(np.ones(7), 7)
    matrix[3] = np.eye(7)[3]  # a class nobody confuses
    matrix[:, 2] = 0
    matrix /= matrix.sum(1, keepdims=True)
    label = np.repeat(np.arange(7), 3_000)
    made = confusion(label, BASIC7, matrix, seed)
    table = np.zeros((7, 7))
    np.add.at(table, (label, made.after), 1 / 3_000)
    assert (abs(table - matrix) <= 5 * np.sqrt(matrix * (1 - matrix) / 3_000) + 5 / 3_000).all()
    assert (table[matrix == 0] == 0).all()
    assert made.rate == pytest.approx(1 - np.trace(matrix) / 7) and within(made.realised, made.rate, len(label))


@pytest.mark.parametrize("matrix", [np.eye(6), np.ones((7, 7)), np.full((7, 7), np.nan), np.eye(7) * 2 - 1 / 7])
def test_a_wrong_matrix_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(SettingError, match="rows that sum to 1"):
        confusion([0], BASIC7, matrix, 0)


def test_votes_draw_an_annotator() -> None:
    cast = np.tile([6, 0, 3, 0, 1, 0, 0], (N, 1)).astype(float)
    cast[:10] = np.nan
    cast[10:20] = 0
    made = votes(np.zeros(N, int), BASIC7, cast, 3)
    assert not made.flipped[:20].any() and made.seed == 3 and np.isnan(made.rate)
    shares = np.bincount(made.after[20:], minlength=7) / (N - 20)
    np.testing.assert_allclose(shares, [0.6, 0, 0.3, 0, 0.1, 0, 0], atol=0.02)
    assert shares[1] == shares[3] == shares[5] == shares[6] == 0
    with pytest.raises(SettingError, match="Votes must be"):
        votes([0], BASIC7, np.zeros((1, 6)), 0)


@settings(max_examples=40, deadline=None)
@given(SEEDS, RATES)
def test_the_seed_is_the_noise_and_rows_without_a_label_keep_none(seed: int, rate: float) -> None:
    label = drawn(4, 500)
    label[::7] = -1
    for make in (symmetric, pair):
        one, two, other = (make(label, BASIC7, rate, s) for s in (seed, seed, seed + 1))
        np.testing.assert_array_equal(one.after, two.after)
        assert (one.after[::7] == -1).all() and not one.flipped[::7].any()
        assert not 0.05 < rate < 0.95 or (one.after != other.after).any()


def test_drawn_once_these_are_the_flips_for_ever() -> None:
    """Noise must repeat on other machines and in other years."""
    label = np.arange(21) % 7
    assert symmetric(label, BASIC7, 0.3, 0).after.tolist() == SYMMETRIC
    assert pair(label, BASIC7, 0.3, 0).after.tolist() == PAIR


SYMMETRIC = [0, 6, 6, 0, 4, 5, 6, 0, 1, 2, 3, 5, 5, 3, 0, 4, 2, 3, 0, 5, 1]
PAIR = [0, 0, 5, 3, 4, 5, 6, 0, 1, 2, 3, 6, 5, 4, 0, 0, 2, 3, 6, 5, 4]


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(SettingError, match="between 0 and 1"):
        symmetric([0], BASIC7, rate, 0)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match="from -1 to 6"):
        symmetric([7], BASIC7, 0.1, 0)


def whole(n: int = 900) -> Manifest:
    ids = np.array([f"x/{i}" for i in range(n)])
    cast = np.random.default_rng(0).integers(0, 4, (n, 7)).astype(np.float32)
    return Manifest(ids, ids, drawn(0, n), BASIC7, split=np.array(["train", "valid", "test"] * (n // 3)), votes=cast)


@pytest.mark.parametrize("kind", KINDS)
def test_only_training_rows_are_planted(kind: str) -> None:
    manifest = whole()
    made = plant(manifest, kind, seed=1, rate=0.5, matrix=np.full((7, 7), 1 / 7))
    assert made.flipped[manifest.split == "train"].any() and not made.flipped[manifest.split != "train"].any()
    assert (made.before == manifest.label).all() and made.kind == kind


def test_what_cannot_be_planted_is_told() -> None:
    with pytest.raises(SettingError, match="Unknown noise 'symetric'; known are symmetric, pair"):
        plant(whole(), "symetric", seed=0)
    with pytest.raises(SettingError, match="needs 'matrix'"):
        plant(whole(), "confusion", seed=0)
