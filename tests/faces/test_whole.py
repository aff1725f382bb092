from __future__ import annotations

import cv2
import numpy as np
import pytest

from tronie.core.face import Face
from tronie.faces import align
from tronie.faces.detect import RetinaFace
from tronie.faces.whole import WholePicture, find_points, plausible
from tronie.video.image import read_image


@pytest.fixture(scope="module")
def collins(samples) -> np.ndarray:
    return read_image(samples / "astronaut.jpg")


@pytest.fixture(scope="module")
def straight(collins) -> np.ndarray:
    """The face of a portrait as the aligner cuts it."""
    return align.crop(collins, RetinaFace().detect(collins)[0], 112)


def test_the_whole_picture_is_the_face() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    (face,) = WholePicture().detect(image)
    assert (face.box, face.score, face.points, face.track) == ((0, 0, 60, 40), 1.0, None, -1)
    (again,) = WholePicture().near(image, [face])
    assert again.box == face.box


def test_an_aligned_face_stays_where_it_is(straight) -> None:
    (face,) = WholePicture().detect(straight)
    assert face.box == (0, 0, 112, 112)
    assert np.abs(face.points / 112 - align.TEMPLATE).mean() < 0.03
    assert WholePicture(align=False).detect(straight)[0].points is None


@pytest.mark.parametrize("zoom", [1.4, 2.0])
def test_a_loose_crop_is_read_like_an_aligned_one(collins, straight, zoom) -> None:
    face = RetinaFace().detect(collins)[0]
    x, y, w, h = face.box
    half = 0.55 * zoom * max(w, h)
    left, top = int(x + w / 2 - half), int(y + h / 2 - half)
    loose = collins[max(top, 0) : int(top + 2 * half), max(left, 0) : int(left + 2 * half)]
    cut = align.crop(loose, WholePicture().detect(loose)[0], 112)
    alike = np.corrcoef(cut.ravel(), straight.ravel())[0, 1]
    assert alike > 0.95
    assert alike > np.corrcoef(cv2.resize(loose, (112, 112)).ravel(), straight.ravel())[0, 1] + 0.1


def test_points_that_are_no_face_are_not_believed() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    points = align.TEMPLATE * 100
    assert plausible(points, picture)
    assert not plausible(points[::-1].copy(), picture)
    assert not plausible(points * 0.2, picture)  # a face of a fifth of the picture does not fill it

    class Nobody:
        def detect(self, image: np.ndarray) -> list[Face]:
            return []

    assert find_points(picture, Nobody()) is None
