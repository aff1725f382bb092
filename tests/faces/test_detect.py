from __future__ import annotations

import importlib.util
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from tronie.core.face import Face
from tronie.faces.boxes import overlap
from tronie.faces.detect import DETECTORS, RetinaFace, anchors
from tronie.video.image import read_image
from tronie.video.reader import VideoReader


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace()


@pytest.fixture(scope="module")
def collins(samples) -> np.ndarray:
    return read_image(samples / "astronaut.jpg")


@pytest.fixture(scope="module")
def hopper(samples) -> np.ndarray:
    return read_image(samples / "grace_hopper.jpg")


def near_enough(a: Face, b: Face, share: float = 0.1) -> bool:
    """Whether two measurements are of one face: boxes and points apart by a small share of its size."""
    apart = np.abs(np.array(a.box) - b.box).max(), np.abs(a.points - b.points).max()
    return max(apart) < share * a.size


@pytest.mark.parametrize("size", [(64, 96), (33, 70), (128, 128)])
def test_anchors_as_published(size) -> None:
    height, width = size
    slow = []
    for step, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for i, j in product(range(-(-height // step)), range(-(-width // step))):
            slow += [((j + 0.5) * step, (i + 0.5) * step, s, s) for s in sides]
    assert np.array_equal(anchors(height, width), np.array(slow, np.float32))


def test_portraits_hold_one_face_each(detector, collins, hopper) -> None:
    for image, (x, y, size) in ((collins, (222, 118, 100)), (hopper, (266, 215, 180))):
        (face,) = detector.detect(image)
        assert face.score > 0.95
        assert abs(face.box[0] + face.box[2] / 2 - x) < 0.2 * size
        assert abs(face.box[1] + face.box[3] / 2 - y) < 0.2 * size
        assert 0.7 < face.size / size < 1.3
        left, right, nose, mouth_left, mouth_right = face.points
        assert left[0] < nose[0] < right[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_the_same_picture_gets_the_same_answer(detector, hopper) -> None:
    first, second = detector.detect(hopper), RetinaFace().detect(hopper)
    assert [(f.box, f.score, f.points.tolist()) for f in first] == [(f.box, f.score, f.points.tolist()) for f in second]


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0, 4.0])
def test_a_face_is_measured_alike_at_any_size(detector, hopper, scale) -> None:
    (face,) = detector.detect(hopper)
    (other,) = detector.detect(cv2.resize(hopper, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    back = Face(tuple(v / scale for v in other.box), other.score, other.points / scale)
    assert near_enough(face, back)


@pytest.mark.parametrize("beyond", [1.6, 1.2, 0.9, 0.7])
def test_a_face_that_fills_the_picture_is_found(detector, hopper, beyond) -> None:
    (face,) = detector.detect(hopper)
    x, y, w, h = face.box
    half = beyond * h / 2
    top, left = round(y + h / 2 - half), round(x + w / 2 - half)
    close = hopper[max(top, 0) : round(y + h / 2 + half), max(left, 0) : round(x + w / 2 + half)]
    for side in (60, 200, 1000):
        assert len(detector.detect(cv2.resize(close, (side, side)))) == 1


def test_small_faces_in_a_large_picture_are_found(detector, collins, hopper) -> None:
    picture = np.full((1080, 1920, 3), 90, np.uint8)
    for k, image in enumerate([collins, hopper] * 4):
        small = cv2.resize(image, None, fx=(0.35 if k % 2 else 0.6) * 0.9, fy=(0.35 if k % 2 else 0.6) * 0.9)
        row, column = divmod(k, 4)
        picture[row * 500 + 40 :, column * 470 + 30 :][: small.shape[0], : small.shape[1]] = small
    faces = detector.detect(picture)
    assert len(faces) == 8
    assert all(45 < f.size < 70 for f in faces)
    again = detector.near(picture, faces)
    assert len(again) == 8
    assert all(near_enough(a, b) for a, b in zip(faces, again, strict=True))


def test_near_follows_a_face_that_moved_and_drops_one_that_left(detector, hopper) -> None:
    (face,) = detector.detect(hopper)
    step = round(0.2 * face.size)
    moved = np.roll(hopper, (step // 2, step), (0, 1))
    (found,) = detector.near(moved, [face])
    x, y, w, h = face.box
    there = Face((x + step, y + step // 2, w, h), 1.0, face.points + np.float32([step, step // 2]))
    assert near_enough(there, found)
    blank = np.full_like(hopper, 120)
    assert detector.near(blank, [face]) == []
    assert detector.near(hopper, []) == []


def test_near_keeps_the_order_and_gives_two_looks_at_one_face_once(detector, hopper) -> None:
    pair = np.hstack([hopper, hopper])
    left, right = sorted(detector.detect(pair), key=lambda f: f.box[0])
    assert [f.box[0] > 400 for f in detector.near(pair, [right, left])] == [True, False]
    x, y, w, h = left.box
    beside = Face((x + 0.1 * w, y, w, h), 0.9, left.points)
    assert len(detector.near(pair, [left, beside, right])) == 2


def test_pictures_without_a_face(detector) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 300, 3), np.uint8)
    blots = cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), (640, 360))
    for image in (noise, blots, np.zeros((100, 100, 3), np.uint8)):
        assert detector.detect(image) == []


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 900), (900, 1), (17, 31), (5, 3000)])
def test_odd_sizes_do_no_harm(detector, size) -> None:
    image = np.full((*size, 3), 128, np.uint8)
    assert detector.detect(image) == []
    assert detector.near(image, [Face((-5, -5, 20, 20), 0.9), Face((9000, 0, 1, 1), 0.9)]) == []


def test_every_name_in_the_table_is_a_detector(hopper) -> None:
    for place in DETECTORS.values():
        module, name = place.split(":")
        kind = getattr(importlib.import_module(module), name)
        found = kind().detect(hopper)
        assert len(found) == 1
        assert overlap(kind().near(hopper, found), found)[0, 0] > 0.7


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("london_grid12", 12, 12), ("solvay1927", 26, 29), ("obama_and_biden", 2, 3), ("astronaut_nasa", 1, 1)],
)
def test_sample_photos(detector, shared_data, name, least, most) -> None:
    assert least <= len(detector.detect(read_image(shared_data / "samples" / f"{name}.jpg"))) <= most


def test_a_film_without_faces(detector, shared_data) -> None:
    for frame in VideoReader(shared_data / "samples" / "no_face.mp4", fps=1):
        assert detector.detect(frame.image) == []


def test_a_crowd_of_small_faces(detector, shared_data) -> None:
    place = Path(__file__).parents[2] / "benchmarks" / "accuracy" / "crowd.py"
    spec = importlib.util.spec_from_file_location("crowd", place)
    assert spec is not None
    assert spec.loader is not None
    crowd = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(crowd)
    people = crowd.london(shared_data)
    for seed in range(2):
        picture, places = crowd.compose(people, seed)
        faces = detector.detect(picture)
        assert crowd.found(faces, places) == (20, 0)
        assert crowd.found(detector.near(picture, faces), places) == (20, 0)
