"""Positions in a clip: inside it, in order, one in each equal part, and repeatable."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.clips.sampling import jittered, timed, uniform, window
from tronie.core.errors import SettingError

LENGTHS, FRAMES = st.integers(1, 5000), st.integers(1, 300)


@settings(deadline=None)
@given(LENGTHS, FRAMES)
def test_uniform_is_the_floor_of_even_steps(n: int, frames: int) -> None:
    found = uniform(n, frames)
    assert found.dtype == np.int64
    assert found.tolist() == [int(Fraction(n * i, frames)) for i in range(frames)]


def test_uniform_as_one_would_write_it_down() -> None:
    assert uniform(10, 4).tolist() == [0, 2, 5, 7]
    assert uniform(3, 6).tolist() == [0, 0, 1, 1, 2, 2] and uniform(1, 3).tolist() == [0, 0, 0]
    assert uniform(7, 1).tolist() == [0]


@settings(deadline=None)
@given(LENGTHS, FRAMES, st.integers(0, 2**32))
def test_jitter_stays_in_its_part_of_the_clip(n: int, frames: int, seed: int) -> None:
    found = jittered(n, frames, np.random.default_rng(seed))
    assert found.dtype == np.int64 and found.shape == (frames,)
    assert found.min() >= 0 and found.max() < n and (np.diff(found) >= 0).all()
    for i, place in enumerate(found.tolist()):  # some point of [place, place + 1) lies in the part
        assert Fraction(place) < Fraction(n * (i + 1), frames) and Fraction(place + 1) > Fraction(n * i, frames)
    assert np.array_equal(found, jittered(n, frames, np.random.default_rng(seed)))


def test_jitter_reaches_every_frame_alike_and_begins_at_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = np.concatenate([jittered(40, 8, rng) for _ in range(4000)])
    counts = np.bincount(drawn, minlength=40)
    assert counts.min() > 650 and counts.max() < 950  # 800 each

    class Zero:
        def random(self, size: int) -> np.ndarray:
            return np.zeros(size)

    assert np.array_equal(jittered(37, 5, Zero()), uniform(37, 5))  # type: ignore[arg-type]
    assert jittered(16, 16, rng).tolist() == list(range(16))


@settings(deadline=None)
@given(LENGTHS, st.floats(0, 1), st.integers(0, 2**32))
def test_a_window_lies_inside_and_holds_its_share(n: int, least: float, seed: int) -> None:
    start, length = window(n, least, np.random.default_rng(seed))
    assert start >= 0 and length >= 1 and start + length <= n and length >= min(least * n, n)


@pytest.mark.parametrize(("n", "frames"), [(0, 4), (5, 0)])
def test_no_frames_is_said_in_a_sentence(n: int, frames: int) -> None:
    with pytest.raises(SettingError, match="cannot be chosen"):
        uniform(n, frames)
    with pytest.raises(SettingError, match="cannot be chosen"):
        jittered(n, frames, np.random.default_rng(0))


@given(st.integers(1, 200), st.integers(1, 70), st.integers(0, 2**31))
def test_frames_that_come_evenly_are_chosen_by_time_as_by_number(n: int, frames: int, seed: int) -> None:
    time = np.arange(n, dtype=np.float64)
    assert timed(time, float(n), frames).tolist() == uniform(n, frames).tolist()
    drawn = timed(time, float(n), frames, np.random.default_rng(seed))
    assert drawn.tolist() == jittered(n, frames, np.random.default_rng(seed)).tolist()


def test_a_frame_is_shown_until_the_next_one_comes() -> None:
    assert timed(np.array([10.0, 10.1, 10.9]), 11.0, 5).tolist() == [0, 1, 1, 1, 1]
    assert timed(np.array([10.0, 10.1, 10.5]), 11.0, 4).tolist() == [0, 1, 2, 2]
    assert timed(np.array([3.0]), 3.0, 3).tolist() == [0, 0, 0]
    with pytest.raises(SettingError):
        timed(np.array([]), 1.0, 3)
