"""Statistics of clips: what they should not see, and what they should."""

from __future__ import annotations

import numpy as np

from tronie.clips.statistics import of_features, of_points

RNG = np.random.default_rng(0)
FACE = RNG.normal(size=(68, 2))
CLIP = FACE + RNG.normal(0, 0.05, (30, 68, 2)).cumsum(0)


def turned(points: np.ndarray, angle: float, scale: float, shift: float) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def test_place_size_and_tilt_of_the_whole_clip_do_not_matter() -> None:
    plain = of_points(CLIP, FACE)
    assert plain.shape == (34 * 68 + 56,) and np.isfinite(plain).all()
    np.testing.assert_allclose(of_points(turned(CLIP, 0.3, 2.5, 4.0), FACE), plain, atol=2e-4)


def test_a_still_clip_has_no_changes_and_its_own_shape() -> None:
    still = of_points(np.repeat(FACE[None], 8, 0), FACE).tolist()
    shape = FACE - FACE.mean(0)
    np.testing.assert_allclose(still[:136], np.concatenate([shape[:, 0], shape[:, 1]]), atol=1e-5)
    np.testing.assert_allclose(still[136:272], 0, atol=1e-5)  # deviation


def test_a_turning_head_is_pose_and_not_shape() -> None:
    frames = np.stack([turned(FACE, a, 1.0, 0.0) for a in np.linspace(-0.2, 0.2, 20)])
    found = of_points(frames, FACE)
    np.testing.assert_allclose(found[136:272], 0, atol=1e-5)
    pose_deviation = found[3 * 136 + 4 : 3 * 136 + 8]
    assert pose_deviation[3] > 0.1 and abs(pose_deviation[1]) < 1e-5, "an angle, no change of size"


def test_quarters_tell_when_something_happened_even_in_the_shortest_clips() -> None:
    early, late = np.repeat(FACE[None], 16, 0), np.repeat(FACE[None], 16, 0)
    early[:4, 48] += 0.5
    late[12:, 48] += 0.5
    assert not np.allclose(of_points(early, FACE)[-1000:], of_points(late, FACE)[-1000:], atol=1e-2)
    assert np.isfinite(of_points(CLIP[:2], FACE)).all()


def test_features_are_mean_and_deviation() -> None:
    np.testing.assert_allclose(of_features(np.array([[1.0, 2], [3, 2]], np.float16)), [2, 2, 1, 0])
