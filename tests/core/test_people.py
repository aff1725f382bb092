"""Names and seats: which tracks are one person."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.errors import SettingError, SourceError
from tronie.core.people import Naming, by_names, by_seats, neighbours, person, read_names, who_is_who

CUT = [(0, 0, 2, "neutral"), (1, 0, 2, "anger"), (2, 2, 4, "neutral"), (3, 2, 4, "sadness")]


def test_one_name_is_one_person(timeline_of) -> None:
    told = timeline_of(CUT)
    joined, names = by_names(told, [Naming(0, "Anna"), Naming(2, "Anna"), Naming(3, "Ben")])
    assert names == {("film.mp4", 0): "Anna", ("film.mp4", 3): "Ben"}
    assert [(s.track, s.start, s.end, s.label) for s in joined.segments()] == [
        (0, 0, 4, "neutral"),
        (1, 0, 2, "anger"),
        (3, 2, 4, "sadness"),
    ]
    assert [person(names, "film.mp4", track) for track in (0, 1, 3)] == ["Anna", "person 1", "Ben"]
    assert len(joined) == len(told) and joined.warnings == ()


@pytest.mark.parametrize(
    ("namings", "words"),
    [
        ([Naming(0, "Anna"), Naming(1, "Anna")], "Tracks 0, 1 of film.mp4 cannot be one person"),
        ([Naming(9, "Anna")], "the tracks are 0, 1, 2, 3"),
        ([Naming(0, "Anna", "other.mp4")], "about other.mp4 and other films, not about film.mp4"),
        ([Naming(0, "Anna"), Naming(0, "Ben")], "two names, 'Anna' and 'Ben'"),
        ([Naming(0, "person 1")], "choose another name"),
    ],
)
def test_names_that_cannot_be(timeline_of, namings, words) -> None:
    with pytest.raises(SettingError, match=words):
        by_names(timeline_of(CUT), namings)


def test_a_face_found_double_for_a_moment_is_left_out_and_told(timeline_of) -> None:
    told = timeline_of([(0, 0, 8, "neutral"), (1, 7.8, 16, "anger")])
    joined, _ = by_names(told, [Naming(0, "Anna"), Naming(1, "Anna")])
    assert len(joined) == 16 * 25
    assert [(s.start, s.end, s.label) for s in joined.segments()] == [(0, 7.8, "neutral"), (7.8, 16, "anger")]
    assert joined.warnings == ("film.mp4, person 0: the face was found twice for 0.20 s; one is left out.",)


def test_seats_are_numbered_from_the_left_and_join_over_cuts(timeline_of) -> None:
    told = timeline_of(CUT)
    x = told["x"].copy()
    x[told["track"] == 0] = 600.0  # on the right before the cut
    x[told["track"] == 3] = 580.0  # and after it
    moved = type(told)({**told.columns, "x": x}, told.labels, told.provenance, told.looked)
    seated = by_seats(moved, 2)
    assert [(s.track, s.start, s.end, s.label) for s in seated.segments()] == [
        (1, 0, 2, "anger"),
        (2, 0, 2, "neutral"),
        (1, 2, 4, "neutral"),
        (2, 2, 4, "sadness"),
    ]
    both, names = who_is_who(moved, seats=2)
    assert both == seated and names == {}


@pytest.mark.parametrize(("count", "words"), [(0, "give 1 or more"), (5, "at most 4"), (1, "cannot be one person")])
def test_seats_that_cannot_be(timeline_of, count, words) -> None:
    with pytest.raises(SettingError, match=words):
        by_seats(timeline_of(CUT), count)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 9)), min_size=1, max_size=8), st.data())
def test_neighbours_against_all_cuts(points, data) -> None:
    count = data.draw(st.integers(1, len(points)))
    position, weight = np.array(points, float).T

    def spread(group) -> float:
        return sum(
            float((weight[g] * (position[g] - np.average(position[g], weights=weight[g])) ** 2).sum())
            for k in set(group.tolist())
            for g in [group == k]
        )

    order = np.argsort(position, kind="stable")
    best = np.inf
    for cuts in combinations(range(1, len(points)), count - 1):
        group = np.empty(len(points), int)
        group[order] = np.searchsorted(np.array(cuts), np.arange(len(points)), "right")
        best = min(best, spread(group))
    found = neighbours(position, weight, count)
    assert sorted(set(found.tolist())) == list(range(count))
    assert (np.diff(found[order]) >= 0).all()
    assert spread(found) == pytest.approx(best, abs=1e-6)


def test_names_from_a_table(tmp_path) -> None:
    table = tmp_path / "names.csv"
    table.write_text("\ufefftrack,name,source\n0,  Anna  Lee ,film.mp4\n1,,\n2,Ben,\n", encoding="utf-8")
    assert read_names(table) == [Naming(0, "Anna Lee", "film.mp4"), Naming(2, "Ben", None)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"who,name\n", "lacks the column track"),
        (b"track,name\nx,Anna\n", "line 2: 'x' cannot stand in column 'track'"),
        (b"", "lacks the column track, name"),
        (b"track,name\n\xff,A\n", "neither UTF-8"),
        (None, "no file"),
    ],
)
def test_names_that_cannot_be_read(tmp_path, content, words) -> None:
    table = tmp_path / "names.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        read_names(table)
