from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.face import Face
from tronie.faces.quality import aspects, quality, sharpness, turn

_BLOTS = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (112, 112, 3)), (0, 0), 2.0)
CROP = np.clip(128 + 45 * _BLOTS / _BLOTS.std(), 0, 255).astype(np.uint8)


def face(size: float = 100, score: float = 1, nose: float = 0, tilt: float = 0) -> Face:
    """A face whose nose lies ``nose`` eye distances off the middle, turned by ``tilt`` radians in the picture."""
    points = np.array([[-0.2, -0.1], [0.2, -0.1], [0.4 * nose, 0.1], [-0.15, 0.25], [0.15, 0.25]]) * size
    cos, sin = np.cos(tilt), np.sin(tilt)
    return Face(
        (0, 0, size, size * 1.2), score, (points @ np.array([[cos, sin], [-sin, cos]]) + size).astype(np.float32)
    )


def test_a_large_sharp_sure_frontal_face_is_as_good_as_it_gets() -> None:
    assert quality(CROP, face()) == 1.0
    assert quality(CROP, Face((0, 0, 112, 112), 1.0)) == 1.0  # the whole picture, without points


def test_it_is_the_worst_aspect() -> None:
    some = face(size=40, score=0.8, nose=0.4)
    assert quality(CROP, some) == min(aspects(CROP, some))
    assert quality(np.full_like(CROP, 128), face()) == 0.0
    assert quality(CROP, face(size=16)) == 0.0
    assert quality(CROP, face(score=0.5)) == 0.0
    assert quality(CROP, face(nose=1.2)) == 0.0


def test_scale_is_as_documented() -> None:
    assert aspects(CROP, face(size=32)).size == pytest.approx(0.5)
    assert aspects(CROP, face(score=0.7)).score == pytest.approx(0.5)
    assert aspects(CROP, face(nose=0.55)).frontal == pytest.approx(0.5, abs=1e-5)
    assert turn(face(nose=0.3)) == pytest.approx(0.3, abs=1e-5)


grown = st.floats(0, 2)


@given(st.floats(5, 300), st.floats(0, 1), grown, st.floats(0, 200), st.floats(0, 1), grown)
def test_better_is_never_worse(size, score, nose, more, surer, straighter) -> None:
    worse = quality(CROP, face(size, score, nose))
    better = quality(CROP, face(size + more, min(score + surer, 1), nose * min(straighter, 1)))
    assert 0 <= worse <= better + 1e-6 <= 1 + 1e-6


def test_blur_lowers_sharpness_step_by_step() -> None:
    values = [sharpness(cv2.GaussianBlur(CROP, (0, 0), s)) for s in (0.5, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert aspects(cv2.GaussianBlur(CROP, (0, 0), 8), face()).sharpness < 1


def test_neither_light_nor_the_size_of_the_crop_makes_detail() -> None:
    dim = (CROP * 0.6 + 20).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(sharpness(CROP), rel=0.15)
    noise_in_the_dark = np.random.default_rng(1).integers(0, 6, (112, 112, 3), np.uint8)
    assert sharpness(noise_in_the_dark) < 0.1 * sharpness(CROP)


@given(st.floats(-3, 3), st.floats(0, 1))
def test_a_tilted_head_is_not_turned_away(tilt, nose) -> None:
    assert turn(face(nose=nose, tilt=tilt)) == pytest.approx(nose, abs=1e-4)


def test_in_profile_the_eyes_fall_together_without_a_blow_up() -> None:
    points = np.array([[50, 50], [50, 50], [20, 60], [45, 80], [46, 80]], np.float32)
    assert turn(Face((0, 0, 100, 120), 1, points)) < 2
    points[1, 0] = 51
    assert 0.5 < turn(Face((0, 0, 100, 120), 1, points)) < 2
