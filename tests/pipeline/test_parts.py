"""Settings, the grid, quality, and the account of what was looked at."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Face, Frame
from tronie.pipeline.quality import inside, quality
from tronie.pipeline.settings import Settings
from tronie.pipeline.watched import Watched
from tronie.pipeline.windows import cell_of, on_grid

PIXEL = np.zeros((1, 1, 3), np.uint8)
POINTS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


@pytest.mark.parametrize(
    "bad",
    [
        {"fps": 0},
        {"fps": -1.0},
        {"cell": 0.0},
        {"usable": 1.5},
        {"certain": -0.1},
        {"batch": 0},
        {"lag": 0.1},
        {"switch": -1.0},
    ],
)
def test_impossible_settings_are_refused(bad) -> None:
    with pytest.raises(SettingError):
        Settings(**bad)


def test_the_hash_is_that_of_the_values() -> None:
    assert Settings().hash == Settings(kernel=0.3).hash
    assert Settings().hash != Settings(kernel=0.31).hash
    assert Settings().hash != Settings(fps=5).hash
    assert json.loads(json.dumps(Settings().as_dict())) == Settings().as_dict()


@given(st.lists(st.floats(0.001, 2.5), min_size=1, max_size=30))
def test_the_grid_marks_the_last_frame_of_every_cell(steps) -> None:
    at = np.cumsum(steps)
    frames = [Frame(PIXEL, float(t), i) for i, t in enumerate(at)]
    asked = []

    def source():
        for frame in frames:
            asked.append(frame.index)
            yield frame

    seen = list(on_grid(source(), 1.0, lambda: len(asked)))
    assert [frame.index for frame, _, _ in seen] == list(range(len(frames)))
    cells = [cell_of(t, 1.0) for t in at]
    assert [last for _, last, _ in seen] == [a != b for a, b in zip(cells, [*cells[1:], None], strict=True)]
    assert [mark for _, _, mark in seen] == list(range(1, len(frames) + 1))  # the place before the look ahead


def test_grid_lines_belong_to_the_cell_they_open() -> None:
    assert [cell_of(t, 0.1) for t in (0.0, 0.1, 0.3, 0.7, 0.1 + 0.2)] == [0, 1, 3, 7, 3]


def test_an_error_of_the_source_comes_after_its_last_frame() -> None:
    def source():
        yield Frame(PIXEL, 0.0, 0)
        raise SourceError("broken")

    grid = on_grid(source(), 1.0)
    assert next(grid)[1] is True
    with pytest.raises(SourceError):
        next(grid)


def scene(size=112, seed=0):
    """Something with the detail and contrast of a sharp face."""
    rng = np.random.default_rng(seed)
    grey = cv2.GaussianBlur(rng.integers(0, 255, (size, size), np.uint8), (0, 0), 1.2)
    return np.repeat(cv2.normalize(grey, None, 20, 235, cv2.NORM_MINMAX)[:, :, None], 3, 2)


def test_quality_falls_with_every_fault() -> None:
    box, crop, shape, least = (100.0, 100.0, 100.0, 100.0), scene(), (480, 640, 3), Settings().usable
    good = Face(box, 0.95, POINTS + 100)
    assert quality(good, crop, shape) == 1.0
    assert quality(Face((100.0, 100.0, 14.0, 14.0), 0.95, POINTS * 0.14 + 100), crop, shape) < least
    assert quality(good, cv2.GaussianBlur(crop, (0, 0), 20), shape) < 0.6
    assert quality(good, (crop // 32).astype(np.uint8), shape) < least
    assert quality(Face((-60.0, 100.0, 100.0, 100.0), 0.95, POINTS), crop, shape) < least
    profile = POINTS.copy()
    profile[:, 0] = [30, 44, 12, 32, 42]
    assert quality(Face(box, 0.95, profile), crop, shape) < least


def test_inside_is_the_share_of_the_box() -> None:
    assert inside(Face((10, 10, 20, 20), 1.0), (100, 100)) == 1.0
    assert inside(Face((-10, 10, 20, 20), 1.0), (100, 100)) == 0.5
    assert inside(Face((200, 10, 20, 20), 1.0), (100, 100)) == 0.0


def test_what_was_looked_at_keeps_its_stretches() -> None:
    watched = Watched()
    for i, faces in enumerate([0, 0, 1, 0, 2, 0, 0]):
        watched.note(i * 0.1, 0.1, faces)
        again = Watched()
        again.restore(json.loads(json.dumps(watched.state())))
        watched = again
    looked = watched.looked("film", "video")
    assert (looked.frames, looked.start, looked.end) == (7, 0.0, 0.7)
    assert looked.empty == ((0.0, 0.2), (0.3, 0.4), (0.5, 0.7))
