from __future__ import annotations

import numpy as np
import pytest

from tronie.faces.cut import SHAPE, USUAL, change, is_cut, learn, thumbnail
from tronie.video.reader import VideoReader


def scene(seed: int, size=(180, 320)) -> np.ndarray:
    """Some large blots of colour."""
    rng = np.random.default_rng(seed)
    blots = rng.integers(30, 226, (6, 10, 3)).astype(np.uint8)
    return np.repeat(np.repeat(blots, size[0] // 6, 0), size[1] // 10, 1)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (180, 320), (1080, 1920)])
def test_any_picture_has_a_thumbnail(size) -> None:
    image = np.full((*size, 3), (90, 90, 90), np.uint8)
    assert thumbnail(image).shape == SHAPE
    assert (thumbnail(image) == 90).all()


def test_light_and_small_movement_are_no_cut_but_another_scene_is() -> None:
    before = thumbnail(scene(0))
    brighter = np.clip(scene(0) * 1.2 + 20, 0, 255).astype(np.uint8)
    moved = np.roll(scene(0), 4, 1)
    assert change(before, before) == 0
    assert change(before, thumbnail(brighter)) < 3
    for image in (brighter, moved):
        assert not is_cut(change(before, thumbnail(image)), USUAL)
    assert is_cut(change(before, thumbnail(scene(1))), USUAL)
    assert change(before, thumbnail(scene(1))) == pytest.approx(change(thumbnail(scene(1)), before), rel=0.5)


def test_what_is_usual_is_learnt() -> None:
    usual = USUAL
    for _ in range(40):
        usual = learn(1.0, usual)
    assert usual == pytest.approx(1.0, abs=0.01)
    assert is_cut(9.0, usual)
    assert not is_cut(9.0, USUAL)


def test_the_cuts_of_the_sample_films_are_found(shared_data) -> None:
    # Counted by eye; in two_people_stage the first is a dissolve of some five frames.
    for name, at in (
        ("london_neutral_smile_3people", [90, 180]),
        ("single_face", []),
        ("expressive_d20", []),
        ("two_people_stage", [20, 82, 211]),
    ):
        before, usual, found = None, USUAL, []
        for frame in VideoReader(shared_data / "samples" / f"{name}.mp4"):
            now = thumbnail(frame.image)
            if before is not None:
                amount = change(before, now)
                if is_cut(amount, usual):
                    found.append(frame.index)
                usual = learn(amount, usual)
            before = now
        assert found == at, name
