from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import SettingError, SourceError
from tronie.data.corrupt.clips import hard, load, save

LENGTHS = st.lists(st.integers(1, 40), min_size=2, max_size=30)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(0, 2**32), st.floats(0, 1), st.floats(0.05, 0.95))
def test_most_frames_become_neutral_and_one_run_stays(lengths: list[int], seed: int, rate: float, keep: float) -> None:
    calm = np.arange(len(lengths)) % 3 == 0
    plan = hard(lengths, calm, rate, seed, keep=keep)
    assert not plan.hard[calm].any() and not plan.hard[np.array(lengths) < 2].any()
    for row, length in enumerate(lengths):
        shown = plan.frames(row)
        assert shown.shape == (length, 2) and (shown[:, 1] < np.array(lengths)[shown[:, 0]]).all() and shown.min() >= 0
        own = shown[:, 0] == row
        if not plan.hard[row]:
            assert own.all() and shown[:, 1].tolist() == list(range(length))
            continue
        assert own.sum() == plan.kept[row] == min(max(1, round(keep * length)), length - 1)
        where = np.flatnonzero(own)
        assert np.ptp(where) == len(where) - 1, "one run"
        assert (shown[own, 1] == where).all(), "in its own place"
        assert calm[shown[~own, 0]].all() and (np.diff(shown[~own, 1]) >= 0).all()


def test_a_donor_of_another_length_is_spread_over_the_clip() -> None:
    plan = hard([5, 3], [False, True], 1.0, 0, keep=0.2)
    shown = plan.frames(0)
    filled = shown[shown[:, 0] == 1]
    spread = np.array([0, 0, 1, 2, 2])  # rint of 0, .5, 1, 1.5, 2
    assert filled[:, 1].tolist() == np.delete(spread, plan.start[0]).tolist()


def test_the_donor_is_the_same_person() -> None:
    person = np.array(list("aaabbbcc"))
    calm = np.array([1, 0, 0, 1, 0, 1, 0, 0], bool)
    for seed in range(20):
        plan = hard(np.full(8, 10), calm, 1.0, seed, subject=person)
        assert plan.hard.tolist() == [False, True, True, False, True, False, False, False], "c has no neutral clip"
        assert (person[plan.donor[plan.hard]] == person[plan.hard]).all()


def test_rate_and_seed() -> None:
    calm = np.arange(20_000) < 100
    length = np.full(20_000, 8)
    plan = hard(length, calm, 0.3, 1)
    assert abs(plan.hard[~calm].mean() - 0.3) < 5 * np.sqrt(0.21 / 19_900)
    again, other = hard(length, calm, 0.3, 1), hard(length, calm, 0.3, 2)
    assert (plan.donor == again.donor).all() and (plan.start == again.start).all() and (plan.hard != other.hard).any()
    longer = hard(length + 3, calm, 0.3, 1)
    assert (longer.donor == plan.donor).all(), "a row's draw does not hang on lengths"


def test_saved_plans_come_back_in_any_order(tmp_path: Path) -> None:
    calm = np.arange(12) < 4
    ids = np.array([f"clip{i}" for i in range(12)])
    plan = hard(np.arange(12) + 3, calm, 0.8, 5, keep=0.4)
    save(plan, ids, tmp_path / "hard.csv")
    order = np.arange(11, -1, -1)
    again = load(tmp_path / "hard.csv", ids[order])
    assert (again.seed, again.rate, again.keep) == (5, 0.8, 0.4) and plan.hard.any()
    for row in range(12):
        shown, wanted = again.frames(int(np.flatnonzero(order == row)[0])), plan.frames(row)
        assert [(ids[order][r], f) for r, f in shown] == [(ids[r], f) for r, f in wanted]
    with pytest.raises(SourceError, match="does not know 'clip99'"):
        load(tmp_path / "hard.csv", np.array(["clip99"]))
    (tmp_path / "hard.csv").write_text("nonsense\n")
    with pytest.raises(SourceError, match="cannot be read"):
        load(tmp_path / "hard.csv", ids)


@pytest.mark.parametrize(("arguments", "told"), [
    (([5], [False], 0.5, 0), "none is marked neutral"), (([5], [True], 1.5, 0), "a rate from 0 to 1"),
    (([0], [True], 0.5, 0), "one length of at least 1"), (([5, 5], [True], 0.5, 0), "one neutral mark per clip"),
])  # fmt: skip
def test_what_cannot_be_planned_is_told(arguments: tuple, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        hard(*arguments)
