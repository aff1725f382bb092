"""Corruptions: repeatable, of the size they claim, and harder with every level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tronie.clips.corruptions import CORRUPTIONS, blur, corrupted, face_size, noise, occlusion, rotation
from tronie.clips.views import resize


def faces(n: int = 4, size: int = 64) -> np.ndarray:
    """Smooth pictures with an edge, where every corruption shows."""
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 1, size)
    down, along = 6 * grid[None, :, None, None], 4 * grid[None, None, :, None]
    made = 90 + 80 * np.sin(down + rng.random((n, 1, 1, 3))) * np.cos(along)
    made[:, size // 3 : size // 2] += 60
    return made.clip(0, 255).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_is_repeatable_row_by_row_and_leaves_its_input_alone(name: str) -> None:
    given, rows = faces(), np.arange(4)
    given.flags.writeable = False
    for level in CORRUPTIONS[name].levels:
        all_at_once = corrupted(given, name, level, rows)
        assert all_at_once.shape == given.shape and all_at_once.dtype == np.uint8
        for i in rows:  # whatever the batch
            assert np.array_equal(corrupted(given[i : i + 1], name, level, rows[i : i + 1])[0], all_at_once[i])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_level_is_further_from_the_face_than_the_one_before(name: str) -> None:
    given, rows = faces(12), np.arange(12)
    changed = [corrupted(given, name, level, rows) for level in CORRUPTIONS[name].levels]
    if name == "face size":
        changed = changed[1:]  # the first level is larger than these faces
    gaps = [np.abs(c.astype(int) - given).mean() for c in changed]
    assert all(a < b or (a == b == 0) for a, b in pairwise(gaps)), gaps
    assert gaps[-1] > 1


def test_a_face_of_eight_pixels_has_no_finer_detail() -> None:
    checker = np.repeat((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None], 3, 2)
    assert np.ptp(face_size(checker, 8, rng())) <= 2
    assert all(np.array_equal(face_size(checker, side, rng()), checker) for side in (64, 100))


def test_blur_means_the_same_at_any_size() -> None:
    small, large = faces(1, 64)[0], faces(1, 128)[0]
    a = resize(blur(large, 3, rng()), 64).astype(int)
    assert np.abs(a - blur(small, 3, rng())).mean() < 2.5
    assert np.abs(a - small).mean() > 3


def test_noise_has_its_deviation() -> None:
    flat = np.full((64, 64, 3), 127, np.uint8)
    assert noise(flat, 10, rng()).std() == pytest.approx(10, rel=0.05)


def test_the_square_covers_its_share() -> None:
    flat = np.zeros((100, 100, 3), np.uint8)
    for share in CORRUPTIONS["occlusion"].levels:
        covered = (occlusion(flat, share, rng()) == 127).all(2)
        assert covered.mean() == pytest.approx(share, rel=0.05)
        ys, xs = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        assert np.ptp(ys) == np.ptp(xs) and covered[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1].all()


def test_a_turn_moves_a_dot_about_the_middle_to_either_side() -> None:
    dot = np.zeros((65, 65, 3), np.uint8)
    dot[31:34, 55:58] = 255  # to the right of the middle
    ends = set()
    for seed in range(12):
        out = rotation(dot, 90, np.random.default_rng(seed))[:, :, 0]
        y, x = np.argwhere(out > 127).mean(0)
        assert x == pytest.approx(32, abs=1)
        ends.add(round(y))
    assert len(ends) == 2 and {abs(e - 32) for e in ends} == {24}
