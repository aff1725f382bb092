"""What is drawn on a picture, and what is left of a blurred face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tronie.core.labels import BASIC7, LabelSet
from tronie.output.overlay import CELLS, GROW, Mark, blur_faces, draw
from tronie.output.palette import GREY, looks

LOOKS = looks(BASIC7.names)
GROUND = (90, 120, 60)


def ground(height=360, width=480):
    return np.full((height, width, 3), GROUND, np.uint8)


def changed(image):
    return (image != np.array(GROUND, np.uint8)).any(2)


def test_a_box_in_the_labels_colour_and_a_plate_above_it() -> None:
    before = ground()
    after = draw(before, [Mark((180, 150, 100, 120), "Anna", "happiness", 0.87)], LOOKS)
    assert (before == GROUND).all() and after.shape == before.shape and after.dtype == np.uint8
    assert tuple(after[210, 180]) == LOOKS["happiness"].rgb == (230, 159, 0)  # middle of the left edge
    touched = changed(after)
    assert touched[130:148, 180:300].mean() > 0.8  # the plate
    assert not touched[160:260, 190:270].any()  # the face itself stays free
    assert not touched[280:].any()


def test_uncertain_is_grey_and_dashed() -> None:
    after = draw(ground(), [Mark((180, 150, 100, 120), "Anna", "uncertain", 0.3)], LOOKS)
    edge = changed(after)[155:265, 180]
    assert 0.3 < edge.mean() < 0.8  # gaps
    grey = tuple(int(GREY[i : i + 2], 16) for i in (1, 3, 5))
    assert (after[155:265, 180] == grey).all(1).any()
    poor = draw(ground(), [Mark((180, 150, 100, 120), "Anna", "anger", 0.9, usable=False)], LOOKS)
    assert 0.3 < changed(poor)[155:265, 180].mean() < 0.8


def test_labels_differ_without_colour() -> None:
    """As a grey picture, every two labels' plates differ: in initials, not only in words and tone."""
    marks = [Mark((180, 150, 100, 120), "A", name, 0.5) for name in (*BASIC7.names, "uncertain")]
    grey = [cv2.cvtColor(draw(ground(), [mark], LOOKS), cv2.COLOR_RGB2GRAY).astype(int) for mark in marks]
    assert all(np.abs(a - b).max() > 100 for i, a in enumerate(grey) for b in grey[:i])
    shorts = [look.initials for look in LOOKS.values()]
    assert len(set(shorts)) == len(shorts)


def test_every_label_of_a_large_set_has_initials_of_its_own() -> None:
    names = [f"Anger {i}" for i in range(30)] + ["sad", "happy"]
    found = looks(LabelSet(tuple(names)).names)
    assert len({look.initials for look in found.values()}) == len(found) == 33
    assert found["happy"].colour == LOOKS["happiness"].colour  # synonyms look alike
    assert found["Anger 1"] != found["Anger 2"]


@pytest.mark.parametrize("box", [(-40, -40, 100, 100), (430, 320, 100, 100), (0, 0, 480, 360), (600, 600, 50, 50)])
def test_boxes_over_the_edge(box) -> None:
    after = draw(ground(), [Mark(box, "Anna", "anger", 0.5)], LOOKS)
    assert changed(after).any()  # the plate is moved into the picture


@pytest.mark.parametrize("size", [(1, 1), (8, 300), (48, 48), (2160, 3840)])
def test_any_size_of_picture(size) -> None:
    image = ground(*size)
    after = draw(image, [Mark((0, 0, size[1], size[0]), "李 Ångström", "surprise", 1.0)], LOOKS)
    assert after.shape == image.shape and (after != image).any()
    assert blur_faces(image, [(0, 0, size[1], size[0])]).shape == image.shape


def test_plates_of_neighbours_do_not_cover_each_other() -> None:
    marks = [Mark((60 + 110 * i, 150, 60, 80), f"person {i}", "neutral", 0.5) for i in range(3)]
    alone = [changed(draw(ground(), [mark], LOOKS)).sum() for mark in marks]
    together = changed(draw(ground(), marks, LOOKS)).sum()
    assert together > 0.97 * sum(alone)


def test_letters_grow_with_the_picture() -> None:
    small = changed(draw(ground(360, 480), [Mark((180, 150, 100, 120), "Anna", "anger", 0.5)], LOOKS)).mean()
    large = changed(draw(ground(1440, 1920), [Mark((720, 600, 400, 480), "Anna", "anger", 0.5)], LOOKS)).mean()
    assert large == pytest.approx(small, rel=0.25)


def test_nothing_to_draw() -> None:
    assert (draw(ground(), [], LOOKS) == ground()).all() and (blur_faces(ground(), []) == ground()).all()


def test_a_blurred_face_keeps_only_means() -> None:
    """Two faces that differ everywhere but in the means of the cells give the same picture: nothing else is kept."""
    rng = np.random.default_rng(0)
    base = np.repeat(np.repeat(rng.integers(60, 190, (CELLS, CELLS, 3)), 30, 0), 30, 1)
    pair = rng.integers(1, 60, (150, 75, 3))
    detail = np.empty((150, 150, 3), int)
    detail[:, 0::2], detail[:, 1::2] = pair, -pair  # cancels within every two columns, so within every cell
    size = 100.0  # grown by a quarter on each side it covers exactly the 150 pixels
    assert size * (1 + 2 * GROW) == 150
    pictures = []
    for face in (base + detail, base - detail, base):
        image = ground()
        image[50:200, 50:200] = face
        pictures.append(blur_faces(image, [(75, 75, size, size)]).astype(int))
    assert np.abs(base + detail - base).mean() > 25
    assert np.abs(pictures[0] - pictures[1]).max() <= 1 and np.abs(pictures[0] - pictures[2]).max() <= 1


def test_blur_covers_more_than_the_box_and_nothing_else() -> None:
    image = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    after = blur_faces(image, [(80, 80, 40, 40)])
    outside = np.ones((200, 200), bool)
    outside[70:130, 70:130] = False
    assert (after[outside] == image[outside]).all()
    assert np.abs(np.diff(after[70:130, 70:130].astype(int), axis=1)).max() < 20  # no sharp detail is left
    assert blur_faces(image, [(-500, -500, 10, 10)]).shape == image.shape
