"""What verdicts lead to, against the rules written out row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import SettingError
from tronie.metrics.actions import Looking, actions, capped, changed, look, remembered
from tronie.metrics.agreement import CLEAN, HARD, NOISY, STRATEGIES, VERDICTS, Settings, agreement, margin

SEEDS = st.integers(0, 2**32)


def random_looks(seed: int, k: int = 5, n: int = 60, c: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    e = np.exp(3 * (rng.normal(size=(1, n, c)) + rng.normal(size=(k, n, c))))
    return e / e.sum(2, keepdims=True), rng.integers(0, c, n)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("noisy", ["drop", "relabel"])
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_equals_the_rules_row_by_row(strategy: str, noisy: str, seed: int) -> None:
    p, label = random_looks(seed)
    how = Looking(looks=5, strategy=strategy, noisy=noisy, noisy_weight=0.2, beta=2.0, cap=0.25)  # type: ignore[arg-type]
    for done in (0.2, 0.9):
        found = look(p, label, how, done=done)
        for value in range(4):
            mine = [i for i in range(60) if label[i] == value]
            noisy_rows = sorted((i for i in mine if found.verdict[i] == NOISY), key=lambda i: (-found.margin[i], i))
            acted = noisy_rows[: int(0.25 * len(mine))]
            for i in mine:
                weight, to = 1.0, -1
                if found.verdict[i] == HARD:
                    weight = 1 + 2 * (1 - found.looks.majority[i])
                elif i in acted:
                    weight = 0.2
                    if noisy == "relabel" and done == 0.9 and found.margin[i] > 0.5:
                        weight, to = 1.0, int(found.looks.vote[i])
                assert found.weight[i] == pytest.approx(weight, rel=1e-5) and found.label[i] == to


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_caps_bind_actions_and_never_verdicts(seed: int, cap: float) -> None:
    p, label = random_looks(seed)
    found = look(p, label, Looking(looks=5, cap=cap))
    free = look(p, label, Looking(looks=5, cap=1.0))
    assert np.array_equal(found.verdict, free.verdict)
    for value in range(4):
        assert (found.weight[label == value] == 0).sum() <= cap * (label == value).sum() + 1e-6
    assert set(np.flatnonzero(found.weight == 0)) <= set(np.flatnonzero(free.weight == 0))


def test_the_cap_takes_the_largest_margins_of_each_label() -> None:
    against = np.array([0.6, 0.9, 0.7, 0.8, 0.95, 0.1])
    label = np.array([0, 0, 0, 0, 1, 1])
    noisy = np.array([True, True, True, False, True, True])
    assert capped(noisy, against, label, 0.5).tolist() == [False, True, True, False, True, False]
    assert not capped(noisy, against, label, 0.0).any()
    assert capped(noisy, against, label, 1.0).tolist() == noisy.tolist()


def test_a_running_mean_over_looks_by_hand() -> None:
    how = Looking(looks=5, keep=0.8)
    (p, label), (q, _) = random_looks(1), random_looks(2)
    first = look(p, label, how)
    assert np.allclose(first.memory[:, 0], agreement(p).majority)
    second = look(q, label, how, memory=first.memory)
    assert np.allclose(second.memory[:, 0], 0.8 * agreement(p).majority + 0.2 * agreement(q).majority, atol=1e-6)
    mean = 0.8 * agreement(p).mean + 0.2 * agreement(q).mean
    assert np.allclose(second.looks.mean, mean, atol=1e-6)
    rows, vote = np.arange(60), agreement(q).vote
    assert np.allclose(second.margin, mean[rows, vote] - mean[rows, label], atol=1e-6)


def test_rows_never_looked_at_begin_with_what_is_seen() -> None:
    p, _ = random_looks(3)
    now, memory = agreement(p), np.full((60, 5), -1, np.float32)
    memory[0] = 0.5
    found = remembered(now, memory, 0.9)
    assert np.array_equal(found.majority[1:], now.majority[1:])
    assert found.majority[0] == pytest.approx(0.45 + 0.1 * now.majority[0])


def test_planted_wrong_labels_are_found_and_dropped() -> None:
    """Clear rows with a wrong label are dropped, ambiguous rows are strengthened, clear ones stay as they are."""
    n, rng = 300, np.random.default_rng(0)
    truth, kind = rng.integers(0, 5, n), rng.permutation(np.repeat([CLEAN, HARD, NOISY], [200, 50, 50]))
    p = np.full((5, n, 5), 0.02)
    for i in range(n):
        for k in range(5):
            p[k, i, truth[i] if kind[i] != HARD else (truth[i] + k) % 5] = 0.92
    label = np.where(kind == NOISY, (truth + 1) % 5, truth)
    found = look(p, label, Looking(looks=5))
    assert np.array_equal(found.verdict, kind)
    assert (found.weight[kind == NOISY] == 0).all() and (found.weight[kind == CLEAN] == 1).all()
    assert np.allclose(found.weight[kind == HARD], 1.8)
    assert found.word.tolist() == [VERDICTS[k] for k in kind]
    assert found.reasons(np.flatnonzero(kind == NOISY)[:1]).tolist() == ["agreement 1.00, margin +0.90"]


def test_relabelling_waits_for_its_share_of_the_run() -> None:
    p = np.tile(np.array([[0.9, 0.05, 0.05]]), (5, 1, 1))
    label, how = np.array([2]), Looking(looks=5, noisy="relabel", relabel_from=0.5, cap=1.0)
    early, late = (look(p, label, how, done=d) for d in (0.49, 0.5))
    assert (early.weight[0], early.label[0]) == (0.0, -1) and (late.weight[0], late.label[0]) == (1.0, 0)


def test_when_rows_are_looked_at() -> None:
    how = Looking(looks=5, warmup=3, every=2)
    assert [e for e in range(9) if how.due(e)] == [2, 4, 6, 8]
    assert not any(Looking(looks=0, warmup=1).due(e) for e in range(9))


def test_rows_are_named_until_they_are_clean_again() -> None:
    verdict, before = np.array([CLEAN, HARD, NOISY, CLEAN, CLEAN]), np.array([-1, -1, CLEAN, NOISY, CLEAN])
    assert changed(verdict, before).tolist() == [1, 2, 3]


def test_weights_follow_agreement() -> None:
    p, label = random_looks(5)
    found = agreement(p)
    hard = np.full(60, HARD)
    weight, new = actions(hard, found, margin(found, label), label, Looking(looks=5, beta=0.5), 1.0)
    assert np.allclose(weight, 1 + 0.5 * (1 - found.majority)) and (new == -1).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep": 1.0},
        {"cap": 1.2},
        {"looks": -1},
        {"every": 0},
        {"beta": -1.0},
        {"looks": 3, "strategy": "rul"},
        {"settings": Settings},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    if "settings" in wrong:
        with pytest.raises(SettingError, match="between 0 and 1"):
            Settings(tau=1.5)
        return
    with pytest.raises(SettingError):
        Looking(**wrong)  # type: ignore[arg-type]
