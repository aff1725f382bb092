"""Aligned crops of large faces: against averaging every pixel that a pixel of the crop covers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.face import Face, Pixels
from tronie.faces.align import TEMPLATE, _multiple, crop, similarity


@given(st.integers(-50, 300), st.integers(1, 300), st.integers(2, 250), st.integers(2, 9))
def test_the_part_covers_what_is_needed_in_whole_steps(low: int, length: int, side: int, factor: int) -> None:
    first, behind = _multiple(low, low + length, side, factor)
    assert 0 <= first < behind <= side
    needed = [i for i in range(low, low + length) if 0 <= i < side]
    if len(needed) >= 2:
        assert first <= needed[0] and behind > needed[-1] and behind - first < len(needed) + factor
    assert (behind - first) % factor == 0 or -(-(behind - first) // factor) * factor > side


def oracle(image: Pixels, face: Face, size: int, fine: int = 12) -> np.ndarray:
    """Each pixel of the crop as the mean of ``fine`` x ``fine`` points spread over it."""
    assert face.points is not None
    move = np.vstack([similarity(face.points, TEMPLATE * size), [0, 0, 1]])
    # The crop's pixel k covers k - 0.5 .. k + 0.5 in the coordinates that the warp counts in.
    at = (np.arange(size * fine) + 0.5) / fine - 0.5
    x, y = np.meshgrid(at, at)
    back = np.linalg.inv(move) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    maps = [back[i].reshape(x.shape).astype(np.float32) for i in (0, 1)]
    seen = cv2.remap(image.astype(np.float32), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return seen.reshape(size, fine, size, fine, 3).mean((1, 3))


@pytest.mark.parametrize(
    ("side", "turn", "x", "y"), [(260, 0.0, 300, 200), (333, 0.2, 250, 150), (520, -0.1, 10, 5), (707, 0.0, -60, -20)]
)
def test_a_large_face_is_averaged_not_sampled(side: int, turn: float, x: int, y: int) -> None:
    rng = np.random.default_rng(side)
    coarse = rng.integers(0, 256, (18, 22, 3), np.uint8)
    image = np.asarray(cv2.resize(coarse, (880, 720), interpolation=cv2.INTER_CUBIC), np.uint8)
    # Grain that averaging takes away and plain sampling picks up.
    image = np.clip(image + rng.normal(0, 40, image.shape), 0, 255).astype(np.uint8)
    cos, sin = np.cos(turn), np.sin(turn)
    points = ((TEMPLATE - 0.5) @ np.array([[cos, sin], [-sin, cos]]) + 0.5) * side + np.array([x, y])
    face = Face((x, y, side, side), 0.9, points.astype(np.float32))
    got, wanted = crop(image, face, 112).astype(float), oracle(image, face, 112)
    inside = slice(20, -4) if x < 0 or y < 0 else slice(3, -3)
    plain = cv2.warpAffine(image, similarity(points, TEMPLATE * 112), (112, 112), borderMode=cv2.BORDER_REPLICATE)
    errors = [np.abs(one - wanted)[inside, inside].mean() for one in (got, plain.astype(float))]
    assert errors[0] < 6.5 and errors[0] < 0.5 * errors[1], errors
