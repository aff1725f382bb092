"""Who is where at any moment of a film."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.output.moving import HOLD, Moving


def at_fps(timeline_of, fps, gap=False):
    """One face that moves right by 100 px a second for 4 s, seen ``fps`` times a second."""
    told = timeline_of([(0, 0, 4, "neutral")] if not gap else [(0, 0, 1, "neutral"), (0, 3, 4, "anger")], fps=fps)
    return type(told)({**told.columns, "x": 100 * told["time"]}, told.labels, told.provenance, told.looked)


def test_every_frame_has_its_own_row(timeline_of) -> None:
    moving = Moving(at_fps(timeline_of, 25), names={("film.mp4", 0): "Anna"})
    for i in range(100):
        (mark,) = moving.at(i / 25)
        assert mark.box == pytest.approx((4 * i, 30, 40, 50)) and mark.person == "Anna" and mark.confidence == 0.8
    assert moving.at(4.0) == moving.at(-0.1) == []


def test_between_sparse_rows_the_box_moves_evenly(timeline_of) -> None:
    moving = Moving(at_fps(timeline_of, 5))
    for time in np.arange(0, 3.8, 0.04):
        (mark,) = moving.at(float(time))
        assert mark.box[0] == pytest.approx(100 * time, abs=0.02)


def test_nobody_is_drawn_where_no_row_is_but_somebody_may_be_hidden(timeline_of) -> None:
    moving = Moving(at_fps(timeline_of, 25, gap=True))
    assert moving.at(2.0) == [] and moving.hidden(2.0) == []
    for time in (1.0, 1.0 + HOLD - 0.01, 3.0 - HOLD + 0.01, 2.99, 4.0, 4.0 + HOLD - 0.01):
        assert len(moving.hidden(time)) == 1, time
    assert moving.hidden(4.0 + HOLD + 0.05) == []


def test_hidden_covers_the_face_on_its_whole_way(timeline_of) -> None:
    sparse = Moving(at_fps(timeline_of, 2))
    for time in np.arange(0, 3.5, 0.04):
        (box,) = sparse.hidden(float(time))
        assert box[0] <= 100 * time + 1e-6 and box[0] + box[2] >= 100 * time + 40 - 1e-6


def test_a_photo_shows_its_faces(timeline_of) -> None:
    told = timeline_of([(0, 0, 0.04, "anger"), (1, 0, 0.04, "neutral")])
    photo = type(told)({**told.columns, "duration": np.zeros(2)}, told.labels)
    assert [mark.label for mark in Moving(photo).at(0.0)] == ["anger", "neutral"]
    assert len(Moving(photo).hidden(0.0)) == 2


def test_many_tracks_are_found_by_time(timeline_of) -> None:
    told = timeline_of([(i, i, i + 2, "neutral") for i in range(50)])
    moving = Moving(told)
    for time in np.arange(0, 51, 0.5):
        wanted = sorted(f"person {i}" for i in range(50) if i <= time < i + 2)
        assert sorted(mark.person for mark in moving.at(float(time))) == wanted
