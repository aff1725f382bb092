"""The numbers behind plots, against slow ways to the same."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.core.labels import BASIC7
from tronie.output.summary import bin_edges, curves, poor, shown, time_per_bin, transitions

NAMES = (*BASIC7.names, "uncertain")


def test_time_per_bin_against_a_fine_grid(timeline_of) -> None:
    told = timeline_of([(0, 0, 3.3, "neutral"), (0, 3.3, 7.1, "anger"), (1, 2, 4, "uncertain")], fps=7)
    edges = np.array([0.0, 1.05, 2.5, 4.0, 8.0])
    found = time_per_bin(told, edges, NAMES)
    for track in (0, 1):
        slow = np.zeros((4, len(NAMES)))
        for time in np.arange(0.0005, 8, 0.001):
            row = (told["track"] == track) & (told["time"] <= time) & (time < told.end)
            if row.any():
                slow[np.searchsorted(edges, time, "right") - 1, NAMES.index(told["label"][row][0])] += 0.001
        assert found["film.mp4", track] == pytest.approx(slow, abs=0.003)
    assert sum(v.sum() for v in found.values()) == pytest.approx(told["duration"].sum())


@pytest.mark.parametrize(
    ("end", "width", "bins"),
    [
        (0.3, 0.1, 3),
        (10, 0.5, 20),
        (61, 5, 13),
        (3600, 300, 12),
        (1e6, 43200, 24),
    ],
)
def test_bins_are_round_and_few(end, width, bins) -> None:
    edges = bin_edges(end)
    assert edges[1] == width and len(edges) == bins + 1 and edges[-1] >= end


def test_transitions_pass_over_doubt_and_stop_at_absence(timeline_of) -> None:
    told = timeline_of(
        [
            (0, 0, 1, "neutral"),
            (0, 1, 2, "uncertain"),
            (0, 2, 3, "happiness"),
            (0, 3, 4, "neutral"),
            (0, 4, 5, "uncertain"),
            (0, 5, 6, "neutral"),
            (0, 8, 9, "anger"),
            (1, 0, 1, "anger"),
            (1, 1, 2, "neutral"),
        ]
    )
    counts = transitions(told.segments(), BASIC7.names)
    n, h, a = (BASIC7.index(name) for name in ("neutral", "happiness", "anger"))
    assert {(int(i), int(j)): int(counts[i, j]) for i, j in np.argwhere(counts)} == {(n, h): 1, (h, n): 1, (a, n): 1}


def test_curves_break_where_the_face_is_away(timeline_of) -> None:
    told = timeline_of([(1, 0, 2, "neutral"), (1, 4, 5, "anger"), (0, 0, 1, "anger")])
    first, second = curves(told, {("film.mp4", 1): "Anna"})
    assert (first.person, second.person) == ("person 0", "Anna")
    away = np.isnan(second.values).all(1)
    assert away.sum() == 1 and second.time[away] == [3.0]
    assert second.values[~away] == pytest.approx(told.probabilities[told["track"] == 1])


def test_thinned_curves_keep_means_and_breaks(timeline_of) -> None:
    told = timeline_of([(0, 0, 100, "neutral"), (0, 110, 200, "anger")])
    (curve,) = curves(told, most=200)
    assert len(curve.time) == 200
    neutral = curve.values[:, BASIC7.index("neutral")]
    assert neutral[curve.time < 99] == pytest.approx(0.8)
    assert np.isnan(neutral[(curve.time > 101) & (curve.time < 109)]).all()
    assert curve.values[curve.time > 111][:, BASIC7.index("anger")] == pytest.approx(0.8)


def test_thinning_bridges_short_pauses(timeline_of) -> None:
    told = timeline_of([(0, i * 0.8, i * 0.8 + 0.4, "neutral") for i in range(50)])
    (curve,) = curves(told, most=400)  # bins of 0.1 s, pauses of 0.4 s
    assert not np.isnan(curve.values).any()


def test_shown_is_in_the_models_order(timeline_of) -> None:
    told = timeline_of([(0, 0, 1, "uncertain"), (0, 1, 2, "neutral"), (1, 0, 1, "surprise")])
    assert shown(told) == ["surprise", "neutral", "uncertain"]


def test_poor_stretches(timeline_of) -> None:
    told = timeline_of([(0, 0, 2, "neutral"), (0, 4, 5, "anger"), (1, 0, 1, "anger")], fps=10)
    usable = ~((told["track"] == 0) & (((told["time"] > 0.45) & (told["time"] < 0.95)) | (told["time"] > 1.75)))
    made = type(told)({**told.columns, "usable": usable}, told.labels, told.provenance, told.looked)
    assert poor(made) == {("film.mp4", 0): [(0.5, 1.0), (1.8, 2.0), (4.0, 5.0)], ("film.mp4", 1): []}
