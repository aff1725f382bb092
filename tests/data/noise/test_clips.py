from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.noise.clips import hard, load, named, save

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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([5], [False], 0.5, 0), "none is marked neutral"),
        (([5], [True], 1.5, 0), "a rate from 0 to 1"),
        (([0], [True], 0.5, 0), "one length of at least 1"),
        (([5, 5], [True], 0.5, 0), "one neutral mark per clip"),
    ],
)
def test_what_cannot_be_planned_is_told(arguments: tuple, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        hard(*arguments)


def test_rows_that_take_no_part_are_left_alone_and_donate_nothing() -> None:
    calm, rows = np.arange(40) % 4 == 0, np.arange(40) < 30
    plan, whole = (hard(np.full(40, 6), calm, 0.7, 3, rows=r) for r in (rows, None))
    assert plan.hard.any() and not plan.hard[~rows].any() and (plan.donor < 30).all()
    assert (plan.hard[rows] == whole.hard[rows]).all(), "who is chosen does not hang on who else takes part"


def test_a_part_of_a_plan_uses_its_own_donors_only() -> None:
    calm = np.arange(40) % 4 == 0
    plan, half = hard(np.full(40, 6), calm, 0.9, 3), np.arange(40) % 8 < 4
    part = plan.among(half)
    assert (part.hard == (plan.hard & half & half[plan.donor])).all() and 0 < part.hard.sum() < (plan.hard & half).sum()
    for row in range(40):
        same = plan if part.hard[row] else hard(np.full(40, 6), calm, 0.0, 0)
        assert (part.frames(row) == same.frames(row)).all()


def test_places_are_what_the_clips_show() -> None:
    length = np.array([4, 5, 3, 6])
    plan, starts = hard(length, [True, False, False, False], 1.0, 1), np.array([0, 4, 9, 12, 18])
    shown = plan.places(starts)
    for row in range(4):
        wanted = [starts[clip] + frame for clip, frame in plan.frames(row)]
        assert shown[starts[row] : starts[row + 1]].tolist() == wanted
    assert shown[:4].tolist() == [0, 1, 2, 3] and (shown[4:] < 4).sum() > 3


def clips_of(split: list[str], subject: list[str]) -> Manifest:
    ids, labels = np.array([f"c{i}" for i in range(len(split))]), LabelSet(("anger", "neutral"))
    return Manifest(ids, ids, np.arange(len(split)) % 2, labels, split=np.array(split), subject=np.array(subject))


def test_a_word_makes_training_clips_hard_with_frames_of_the_same_person(tmp_path: Path) -> None:
    clips = clips_of(["train"] * 6 + ["test"] * 4, list("aabbccaabb"))
    plan = named(clips, np.full(10, 8), 1.0, 0)
    assert plan.donor.tolist() == [1, -1, 3, -1, 5, -1, -1, -1, -1, -1]
    stranger = named(clips_of(["train"] * 6, ["a", "a", "", "b", "c", ""]), np.full(6, 8), "1", 0)
    assert stranger.hard.tolist() == [True, False] * 3, "where somebody is not known, anybody donates"
    save(plan, clips.id, tmp_path / "plan.csv")
    assert named(clips, np.full(10, 8), str(tmp_path / "plan.csv"), 9).donor.tolist() == plan.donor.tolist()
    with pytest.raises(SourceError, match="clips of other lengths"):
        named(clips, np.full(10, 7), str(tmp_path / "plan.csv"), 0)
    with pytest.raises(SettingError, match="'often' is no share"):
        named(clips, np.full(10, 8), "often", 0)
