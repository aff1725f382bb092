"""Augmentation: what it is told not to change stays to the bit, and what it changes goes where it should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.config import build
from tronie.core.errors import SettingError
from tronie.data.augmentation import Augment, augment, coarsen, erase, recolour, warp

NOTHING = Augment(rotate=0, scale=0, shift=0, flip=0, colour=0, grey=0, blur=0, low_resolution=0, erase=0)


def picture(side: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(0, 999), st.integers(8, 60))
def test_no_variation_is_the_picture_itself(seed: int, side: int) -> None:
    face = picture(side, seed)
    assert np.array_equal(augment(face, side, rng(seed), NOTHING), face)


def test_mirrored_is_mirrored() -> None:
    face = picture()
    assert np.array_equal(augment(face, 48, rng(), NOTHING, mirror=True), face[:, ::-1])
    assert np.array_equal(augment(face, 48, rng(), Augment(0, 0, 0, 1.0, 0, 0, 0, 0, 20, 0)), face[:, ::-1])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 64), st.integers(0, 64), st.booleans())
def test_a_planted_dot_moves_as_the_warp_says(seed: int, x: int, y: int, mirror: bool) -> None:
    """Rotation and scale about the middle, then the shift: computed again from the same draws."""
    how, side, size = Augment(rotate=25, scale=0.2, shift=0.1), 65, 80
    grid = np.arange(side)
    glow = np.exp(-((grid[None] - x) ** 2 + (grid[:, None] - y) ** 2) / 18)
    face = np.repeat((glow * 255).astype(np.uint8)[:, :, None], 3, 2)
    out = warp(face, size, rng(seed), how, mirror)[:, :, 0].astype(float)
    draw = rng(seed)
    angle, zoom = np.deg2rad(draw.uniform(-25, 25)), np.exp(draw.uniform(-0.2, 0.2)) * size / side
    shift = draw.uniform(-0.1, 0.1, 2) * size
    dx, dy = (x - 32) * (-1 if mirror else 1) * zoom, (y - 32) * zoom
    px = np.cos(angle) * dx - np.sin(angle) * dy + shift[0] + 39.5
    py = np.sin(angle) * dx + np.cos(angle) * dy + shift[1] + 39.5
    if 8 < px < size - 9 and 8 < py < size - 9 and 8 < x < 56 and 8 < y < 56:
        heavy = out * (out > 20)
        found = (heavy.sum(0) @ np.arange(size) / heavy.sum(), heavy.sum(1) @ np.arange(size) / heavy.sum())
        assert found == pytest.approx((px, py), abs=0.6)


@pytest.mark.parametrize(("side", "size"), [(100, 112), (112, 64), (48, 48), (20, 33)])
def test_any_size_comes_out_as_asked(side: int, size: int) -> None:
    for seed in range(20):
        out = augment(picture(side, seed), size, rng(seed), Augment())
        assert out.shape == (size, size, 3) and out.dtype == np.uint8


def test_the_same_draws_give_the_same_pixels_and_others_do_not() -> None:
    face = picture()
    again = [augment(face, 48, rng(s), Augment()) for s in (5, 5, 6)]
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], again[2])


def test_the_picture_given_is_never_written_to() -> None:
    face = picture()
    face.flags.writeable = False
    before = face.copy()
    for seed in range(30):
        augment(face, 48, rng(seed), Augment(erase=1.0))
    assert np.array_equal(face, before)


def test_grey_has_three_equal_channels_and_keeps_its_brightness() -> None:
    face = picture()
    out = recolour(face, rng(), Augment(colour=0, grey=1.0))
    assert np.array_equal(out[..., 0], out[..., 1]) and np.array_equal(out[..., 1], out[..., 2])
    assert out.mean() == pytest.approx((face @ np.array([0.299, 0.587, 0.114])).mean(), abs=1)


def test_low_resolution_takes_detail_away_and_leaves_size() -> None:
    fine = np.repeat((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None], 3, 2)
    out = coarsen(fine, rng(), Augment(low_resolution=1.0, blur=0, smallest=8))
    assert out.shape == fine.shape and out.std() < 0.5 * fine.std()
    assert np.array_equal(coarsen(fine, rng(), NOTHING), fine)


def test_erasing_replaces_one_rectangle_of_the_promised_area() -> None:
    face = np.zeros((64, 64, 3), np.uint8)
    for seed in range(40):
        changed = (erase(face, rng(seed), Augment(erase=1.0)) > 0).any(2)
        ys, xs = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        area = (ys[-1] - ys[0] + 1) * (xs[-1] - xs[0] + 1)
        assert 0.01 * 64**2 < area < 0.21 * 64**2
        assert changed.sum() > 0.98 * area  # noise is black once in 16 million


def test_shares_are_met() -> None:
    face, how = picture(), Augment(flip=0.3, erase=0.25)
    flipped = sum(
        np.array_equal(augment(face, 48, rng(s), Augment(0, 0, 0, 0.3, 0, 0, 0, 0, 20, 0)), face[:, ::-1])
        for s in range(400)
    )
    erased = sum(not np.array_equal(erase(face, rng(s), how), face) for s in range(400))
    assert 90 < flipped < 150 and 70 < erased < 130


@pytest.mark.parametrize("wrong", [{"flip": 1.5}, {"rotate": -1}, {"smallest": 0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=r"impossible"):
        build(Augment, wrong)
