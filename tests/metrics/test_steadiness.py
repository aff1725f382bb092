"""What stays: against counting by hand, frame by frame."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.metrics.steadiness import Sights, Steadiness, changes, overlaps, pair, partners, steadiness, together


def sights(*rows: tuple[float, float, float, str]) -> Sights:
    """Rows of (start, end, x, label); boxes of 10 by 10 pixels at (x, 0)."""
    return Sights(
        np.array([r[0] for r in rows], float),
        np.array([r[1] for r in rows], float),
        np.array([[r[2], 0, 10, 10] for r in rows], float).reshape(-1, 4),
        np.array([r[3] for r in rows], object),
    )


def test_overlaps_by_hand() -> None:
    first = np.array([[0, 0, 10, 10]], float)
    second = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 0, 5, 5]], float)
    assert overlaps(first, second).tolist() == [[1.0, pytest.approx(50 / 150), 0.0]]


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 10**6))
def test_pairs_are_one_to_one_and_start_with_the_best(n: int, m: int, seed: int) -> None:
    overlap = np.random.default_rng(seed).random((n, m))
    chosen = pair(overlap, 0.3)
    used = chosen[chosen >= 0].tolist()
    assert len(set(used)) == len(used) and all(overlap[i, j] >= 0.3 for i, j in enumerate(chosen) if j >= 0)
    if overlap.size and overlap.max() >= 0.3:
        i, j = np.unravel_index(overlap.argmax(), overlap.shape)
        assert chosen[i] == j
    for i, j in itertools.product(range(n), range(m)):  # nothing that could be paired is left over
        assert chosen[i] >= 0 or j in used or overlap[i, j] < 0.3


def test_each_moment_is_met_by_what_is_shown_then() -> None:
    before = sights((0, 1, 0, "a"), (0, 1, 50, "b"), (1, 2, 0, "a"), (1, 2, 50, "b"))
    thinned = sights((0, 2, 49, "b"), (0, 2, 1, "a"))
    assert partners(before, thinned).tolist() == [1, 0, 1, 0]
    assert partners(before, sights((0, 1, 0, "a"))).tolist() == [0, -1, -1, -1]  # over at 1 s, and nobody at 50
    assert partners(before, sights()).tolist() == [-1] * 4 and partners(sights(), before).tolist() == []


def test_times_that_differ_in_the_last_digit_are_the_same() -> None:
    before = sights((0.033367, 0.066733, 0, "a"), (0.066733, 0.1, 0, "b"))
    assert partners(before, sights((0.033366, 0.066734, 0, "a"), (0.066734, 0.1, 0, "b"))).tolist() == [0, 1]


def test_the_share_kept_by_hand() -> None:
    before = sights((0, 1, 0, "joy"), (1, 3, 0, "unsure"), (3, 4, 0, "joy"), (3, 4, 50, "sad"))
    after = sights((0, 1, 0, "joy"), (1, 3, 0, "unsure"), (3, 4, 0, "sad"), (5, 7, 90, "sad"))
    found = steadiness(before, after, partners(before, after), "unsure")
    assert found == Steadiness(all=5, same=3, sure=3, sure_same=1, lost=1, extra=2)
    assert found.held == 3 / 5 and found.sure_held == 1 / 3


def test_a_thinned_film_of_the_same_face_keeps_all_and_has_nothing_new() -> None:
    full = sights(*((t / 10, (t + 1) / 10, t, "a") for t in range(10)))
    half = sights(*((t / 10, (t + 2) / 10, t, "a") for t in range(0, 10, 2)))
    for before, after in ((full, half), (half, full)):
        found = steadiness(before, after, partners(before, after), "unsure")
        assert found.held == 1 and found.lost == found.extra == 0


@given(st.lists(st.sampled_from("abu"), min_size=1, max_size=12), st.data())
def test_against_counting_one_by_one(labels: list[str], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.sampled_from("abu-"), min_size=len(labels), max_size=len(labels)))
    before = sights(*((i, i + 1, 0, label) for i, label in enumerate(labels)))
    after = sights(*((i, i + 1, 0, label) for i, label in enumerate(other) if label != "-"))
    found = steadiness(before, after, partners(before, after), "u")
    both = list(zip(labels, other, strict=True))
    assert found.same == sum(a == b for a, b in both) and found.lost == other.count("-")
    assert found.sure_same == sum(a == b != "u" for a, b in both)
    told = changes(before, after, partners(before, after), np.zeros(len(labels), np.int64))
    assert sum(c.end - c.start for c in told) == pytest.approx(found.all - found.same)
    assert [c.end - c.start for c in told] == sorted((c.end - c.start for c in told), reverse=True)


def test_changes_name_what_became_of_each_face() -> None:
    before = sights((0, 1, 0, "joy"), (0, 1, 50, "sad"), (1, 2, 0, "joy"), (1, 2, 50, "sad"))
    after = sights((0, 1, 0, "sad"), (1, 2, 0, "sad"), (0, 1, 50, "sad"))
    first, second = changes(before, after, partners(before, after), np.array([7, 8, 7, 8]))
    assert (first.start, first.end, first.before, first.after) == (0, 2, "joy", "sad")
    assert (second.start, second.end, second.before, second.after) == (1, 2, "sad", "")
    assert first.rows.tolist() == [0, 2]


def test_sums_and_nothing_at_all() -> None:
    assert together([]) == Steadiness() and np.isnan(Steadiness().held) and np.isnan(Steadiness().sure_held)
    assert together([Steadiness(1, 1, 1, 1), Steadiness(3, 0, 1, 0, 3, 2)]) == Steadiness(4, 1, 2, 1, 3, 2)
