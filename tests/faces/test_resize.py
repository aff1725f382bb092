from __future__ import annotations

import numpy as np
import pytest

from tronie.faces.resize import halvings, resized


@pytest.mark.parametrize("scale", [1.5, 1, 0.8, 0.51, 0.5, 0.3, 0.25, 0.12])
def test_a_picture_stays_on_average_what_it_was(scale) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (128, 192, 3), np.uint8)
    small = resized(image, (round(192 * scale), round(128 * scale)))
    assert small.shape == (round(128 * scale), round(192 * scale), 3)
    assert np.abs(small.mean((0, 1)) - image.mean((0, 1))).max() < 4
    assert (np.diff(resized(np.full_like(image, 77), (50, 30))) == 0).all()


def test_fine_detail_is_averaged_not_skipped() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 254
    assert np.abs(resized(stripes, (16, 16)).astype(int) - 127).max() <= 1


def test_halvings() -> None:
    assert [halvings(s) for s in (2, 1, 0.7, 0.5, 0.3, 0.25, 0.1)] == [0, 0, 0, 1, 1, 2, 3]
