"""Face points: the mirror image is one, and place and scale leave a track while the head's movement stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.clips.points import IBUG68_MIRROR, normalised, person_shapes, refaced, smoothed
from tronie.core.errors import SettingError, SourceError


def track(seed: int, frames: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 20, (frames, 68, 2))
    points[:, 36:42, 0] -= 100
    points[:, 42:48, 0] += 100
    return points + np.array([400, 300])


def test_mirroring_twice_is_nothing_and_pairs_are_the_known_ones() -> None:
    assert np.array_equal(IBUG68_MIRROR[IBUG68_MIRROR], np.arange(68))
    assert sorted(IBUG68_MIRROR.tolist()) == list(range(68))
    pairs = {
        0: 16,
        8: 8,
        17: 26,
        21: 22,
        27: 27,
        30: 30,
        31: 35,
        33: 33,
        36: 45,
        39: 42,
        37: 44,
        41: 46,
        48: 54,
        51: 51,
        55: 59,
        57: 57,
        60: 64,
        61: 63,
        62: 62,
        65: 67,
        66: 66,
    }
    assert all(IBUG68_MIRROR[a] == b for a, b in pairs.items())


def test_real_faces_look_like_their_mirror_image(shared_data: Path) -> None:
    from tronie.datasets.clips import read_points
    from tronie.datasets.table import read

    manifest = read("ravdess-tracks", shared_data)
    mean = np.mean([normalised(read_points(manifest, row)).mean(0) for row in range(0, len(manifest), 60)], 0)
    mirrored = mean[IBUG68_MIRROR] * (-1, 1)
    assert np.abs(mirrored - mean).max() < 0.08  # of the distance between the eyes
    assert np.abs(mean * (-1, 1) - mean).max() > 2  # without changing names it is no face at all


def test_by_hand() -> None:
    points = track(0, 3)
    found = normalised(points)
    assert found.dtype == np.float32 and found.shape == (3, 68, 2)
    left, right = points[:, 36:42].mean(1), points[:, 42:48].mean(1)
    unit = np.mean([np.linalg.norm(r - a) for a, r in zip(left, right, strict=True)])
    middle = np.mean([(a + r) / 2 for a, r in zip(left, right, strict=True)], axis=0)
    assert found == pytest.approx((points - middle) / unit, abs=1e-5)
    eyes = found[:, 36:42].mean(1), found[:, 42:48].mean(1)
    assert (eyes[0] + eyes[1]).mean(0) == pytest.approx([0, 0], abs=1e-5)
    assert np.hypot(*(eyes[1] - eyes[0]).T).mean() == pytest.approx(1, abs=1e-5)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 40), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_place_and_scale_do_not_matter_and_movement_does(seed: int, scale: float, x: float, y: float) -> None:
    points = track(seed)
    assert normalised(points * scale + (x, y)) == pytest.approx(normalised(points), abs=2e-4)
    moved = points + np.arange(len(points))[:, None, None] * 10.0  # the head moves on, frame by frame
    assert np.abs(normalised(moved) - normalised(points)).max() > 0.05


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.zeros((4, 68, 2)), "lie on one point"),
        (np.full((4, 68, 2), np.nan), "no number"),
        (np.zeros((4, 49, 2)), "no clip of iBUG's 68"),
        (np.zeros((0, 68, 2)), "no clip of"),
    ],
)
def test_no_face_is_said_in_a_sentence(points: np.ndarray, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        normalised(points)


@pytest.mark.parametrize("frames", [1, 3, 5, 9])
def test_smoothing_is_a_mean_over_neighbours(frames: int) -> None:
    points, half = track(3, 6).astype(np.float32), frames // 2
    found = smoothed(points, frames)
    assert found.shape == points.shape and found.dtype == np.float32
    for t in range(6):
        near = [points[min(max(t + d, 0), 5)] for d in range(-half, half + 1)]
        assert found[t] == pytest.approx(np.mean(near, 0), rel=1e-4)


@pytest.mark.parametrize("frames", [0, -1, 4])
def test_smoothing_wants_an_odd_number(frames: int) -> None:
    with pytest.raises(SettingError, match="odd number"):
        smoothed(track(0).astype(np.float32), frames)


def people(seed: int, number: int = 3, clips: int = 4) -> tuple[list[np.ndarray], list[str], np.ndarray]:
    """Clips whose faces are a common one, plus the person's difference, plus a movement; and the movements."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(0, 1, (68, 2)), rng.normal(0, 0.1, (number, 68, 2))
    moves = rng.normal(0, 0.02, (number, clips, 6, 68, 2))
    moves -= moves.mean((1, 2), keepdims=True)
    tracks = [(common + own[p] + moves[p, c]).astype(np.float32) for p in range(number) for c in range(clips)]
    return tracks, [f"{p}" for p in range(number) for _ in range(clips)], moves.reshape(-1, 6, 68, 2)


def turned(track: np.ndarray, angle: float, scale: float, place: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    return (track @ np.array([[c, s], [-s, c]]) + place).astype(np.float32)


def test_everyone_gets_the_same_face_and_keeps_the_movement() -> None:
    tracks, who, moves = people(0)
    reference, own = person_shapes(tracks, who)
    assert np.abs(reference.mean(0)).max() < 1e-5 and np.hypot(*reference.T).mean() == pytest.approx(1, abs=1e-5)
    assert sorted(own) == ["0", "1", "2"]
    before = np.stack([np.mean([t.mean(0) for t, w in zip(tracks, who, strict=True) if w == p], 0) for p in own])
    made = [refaced(t, own[w], reference) for t, w in zip(tracks, who, strict=True)]
    after = np.stack([np.mean([t.mean(0) for t, w in zip(made, who, strict=True) if w == p], 0) for p in own])
    assert before.std(0).mean() > 0.05 and after.std(0).mean() < 0.02
    kept = np.stack(made) - np.stack(made).mean((0, 1))
    seen = np.stack(tracks) - np.stack(tracks).mean((0, 1))
    one, other = (np.corrcoef(x.ravel(), moves.ravel())[0, 1] for x in (seen, kept))
    assert one < 0.5 and other > 0.75
    assert made[0].dtype == np.float32


def test_place_turn_and_size_of_the_head_stay() -> None:
    tracks, who, _ = people(1)
    reference, own = person_shapes(tracks, who)
    for angle, scale, place in ((0.4, 1.0, (0.0, 0.0)), (-0.3, 2.5, (7.0, -4.0))):
        one = refaced(turned(tracks[5], angle, scale, place), own[who[5]], reference)
        assert one == pytest.approx(turned(refaced(tracks[5], own[who[5]], reference), angle, scale, place), abs=1e-4)
    assert refaced(tracks[5], reference, reference) == pytest.approx(tracks[5], abs=1e-5)  # nothing to change


def test_a_person_counts_alike_however_long_the_clips() -> None:
    tracks, who, _ = people(2)
    long = [np.repeat(t, 3, 0) if i % 4 == 0 else t for i, t in enumerate(tracks)]
    (_, one), (_, other) = person_shapes(tracks, who), person_shapes(long, who)
    assert all(one[w] == pytest.approx(other[w], abs=2e-3) for w in one)
