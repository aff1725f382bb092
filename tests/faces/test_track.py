from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.face import Face, Frame
from tronie.faces.track import Tracker, TrackSettings

STILL = np.zeros((9, 16, 3), np.uint8)
RATE = 25


def face(x: float, y: float = 100, size: float = 60, score: float = 0.9) -> Face:
    """A face with its middle at ``x``, ``y``."""
    return Face((x - size / 2, y - size / 2, size, size), score)


def follow(film, *, image=STILL, tracker=None, rate=RATE, settings=None):
    """The numbers each person got, ``{person: {number, ...}}``; a film is a list of ``{person: face}``."""
    tracker = tracker or Tracker(settings)
    numbers = defaultdict(set)
    for k, people in enumerate(film):
        shown = tracker.update(Frame(image, k / rate, k), list(people.values()))
        assert [f.box for f in shown] == [f.box for f in people.values()]
        assert len({f.track for f in shown}) == len(shown)
        for person, f in zip(people, shown, strict=True):
            numbers[person].add(f.track)
    return dict(numbers)


def one_each(numbers) -> bool:
    return all(len(n) == 1 for n in numbers.values()) and len(set().union(*numbers.values())) == len(numbers)


@pytest.mark.parametrize(("rate", "seconds"), [(60, 0.6), (25, 0.6), (25, 1), (25, 2), (12, 1), (12, 2), (5, 2)])
def test_people_who_cross_keep_their_numbers(rate, seconds) -> None:
    # Two walk past each other at different heights; their boxes overlap by more than half on the way.
    steps = np.linspace(0, 1, round(rate * seconds))
    film = [{"a": face(100 + 300 * s, 100), "b": face(400 - 300 * s, 125, 66)} for s in steps]
    assert one_each(follow(film, rate=rate))


def test_one_passes_behind_another() -> None:
    film = []
    for s in np.linspace(0, 1, 60):
        people = {"front": face(250, 100, 80)}
        x = 100 + 300 * s
        if abs(x - 250) > 60:  # hidden for 0.95 s
            people["behind"] = face(x, 110, 55)
        film.append(people)
    assert one_each(follow(film))


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5, 1])
@pytest.mark.parametrize(("away", "kept"), [(0, True), (1, True), (2, False)])
def test_time_in_which_nobody_looked_ends_no_track(rate, away, kept) -> None:
    film = [{"a": face(100), "b": face(300)}] * 3 + [{"b": face(300)}] * away + [{"a": face(104), "b": face(297)}] * 3
    numbers = follow(film, rate=rate)
    assert len(numbers["b"]) == 1 and len(numbers["a"]) == (1 if kept else 2)


@pytest.mark.parametrize(("gap", "kept"), [(1, True), (12, True), (24, True), (30, False)])
def test_out_of_sight_for_up_to_a_second(gap, kept) -> None:
    film = [{"a": face(200 + k)} for k in range(20)] + [{}] * gap + [{"a": face(225)} for _ in range(20)]
    assert (len(follow(film)["a"]) == 1) == kept


def test_memory_is_a_setting() -> None:
    film = [{"a": face(200)}, *[{}] * 12, {"a": face(200)}]
    assert len(follow(film, settings=TrackSettings(memory=0.3))["a"]) == 2


def test_who_comes_back_elsewhere_is_somebody_new() -> None:
    assert len(follow([{"a": face(200)}] * 5 + [{"a": face(500)}] * 5)["a"]) == 2
    assert len(follow([{"a": face(200, size=40)}] * 5 + [{"a": face(200, size=120)}] * 5)["a"]) == 2


def test_jitter_and_missed_detections() -> None:
    rng = np.random.default_rng(0)
    film = []
    for k in range(200):
        row = {
            p: face(100 + 90 * p + 0.5 * k + rng.normal(0, 3), 100 + rng.normal(0, 3), 60 + rng.normal(0, 3))
            for p in range(5)
        }
        film.append({p: f for p, f in row.items() if rng.random() > 0.2})
    assert one_each(follow(film))


def test_the_camera_sways_over_a_row_of_people() -> None:
    film = [{p: face(100 + 80 * p + 50 * np.sin(k / 3)) for p in range(6)} for k in range(100)]
    assert one_each(follow(film))


def scene(seed: int) -> np.ndarray:
    blots = np.random.default_rng(seed).integers(30, 226, (6, 10, 3)).astype(np.uint8)
    return np.repeat(np.repeat(blots, 12, 0), 12, 1)


def test_a_cut_starts_new_numbers_and_none_comes_back() -> None:
    tracker = Tracker()
    shots = []
    for shot in (0, 1, 0):
        for k in range(10):
            frame = Frame(scene(shot), (10 * len(shots) + k) / RATE)
            assert tracker.cuts(frame) == (k == 0 and len(shots) > 0)
            numbers = [f.track for f in tracker.update(frame, [face(100), face(300)])]
            if k == 0:
                shots.append(numbers)
            assert numbers == shots[-1]
    assert shots == [[0, 1], [2, 3], [4, 5]]


def test_light_is_no_cut() -> None:
    tracker = Tracker()
    for k in range(10):
        image = np.clip(scene(0) * (1.25 if k == 5 else 1.0), 0, 255).astype(np.uint8)
        assert tracker.update(Frame(image, k / RATE), [face(100)])[0].track == 0


def test_every_face_keeps_what_it_had() -> None:
    points = np.zeros((5, 2), np.float32)
    given = Face((1, 2, 30, 40), 0.7, points, quality=0.3)
    (shown,) = Tracker().update(Frame(STILL), [given])
    assert (shown.box, shown.score, shown.quality, shown.track) == (given.box, given.score, given.quality, 0)
    assert shown.points is points
    assert given.track == -1


@pytest.mark.parametrize("at", [0, 1, 17, 33, 58, 59])
def test_a_tracker_goes_on_exactly_where_another_stopped(at) -> None:
    rng = np.random.default_rng(1)
    film = []
    for k in range(60):
        people = [face(90 * p + 3 * k * (-1) ** p + rng.normal(0, 4), 100 + 20 * p, 60) for p in range(4)]
        film.append((Frame(scene(k // 25), k / 24, k), [f for f in people if rng.random() > 0.15]))
    whole = Tracker()
    expected, states = [], [whole.state()]
    for frame, faces in film:
        expected.append([f.track for f in whole.update(frame, faces)])
        states.append(whole.state())
    second = Tracker()
    second.restore(json.loads(json.dumps(states[at])))
    assert second.state() == states[at]
    for (frame, faces), numbers, state in zip(film[at:], expected[at:], states[at + 1 :], strict=True):
        assert [f.track for f in second.update(frame, faces)] == numbers
        assert second.state() == state


some_faces = st.lists(
    st.builds(face, st.floats(0, 600), st.floats(0, 400), st.floats(5, 200), st.floats(0.5, 1)), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(st.lists(some_faces, max_size=8), st.randoms(use_true_random=False))
def test_numbers_are_unique_rising_and_blind_to_order(film, shuffle) -> None:
    straight, shuffled = Tracker(), Tracker()
    seen: set[int] = set()
    for k, faces in enumerate(film):
        frame = Frame(STILL, k / RATE)
        numbers = [f.track for f in straight.update(frame, faces)]
        assert len(set(numbers)) == len(numbers)
        new = sorted(set(numbers) - seen)
        assert new == list(range(len(seen), len(seen) + len(new)))
        seen |= set(numbers)
        other = list(faces)
        shuffle.shuffle(other)
        again = shuffled.update(frame, other)
        assert sorted((f.box, f.score, f.track) for f in again) == sorted(
            (f.box, f.score, n) for f, n in zip(faces, numbers, strict=True)
        )
