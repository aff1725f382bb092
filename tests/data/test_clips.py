"""Clips of pixels, points and features: cut by the view, varied alike in all frames, repeatable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tronie.clips.points import IBUG68_MIRROR  # noqa: E402
from tronie.clips.sampling import jittered, uniform, window  # noqa: E402
from tronie.clips.views import View, resize  # noqa: E402
from tronie.core.errors import SettingError  # noqa: E402
from tronie.data.augmentation import Augment, augment, augment_clip, augment_points, mirrored_points  # noqa: E402
from tronie.data.loader import Cut, Rows, batch_starts, batches, cut, epoch_order  # noqa: E402

LENGTHS = (7, 1, 30, 4, 12, 9)
STARTS = np.cumsum([0, *LENGTHS])
HOW = Augment()
STILL = Augment(
    rotate=0, scale=0, shift=0, flip=0, colour=0, grey=0, blur=0, low_resolution=0, erase=0, noise=0, window=1
)


def rows(kind: str = "pixels", index: tuple[int, ...] = (5, 0, 2, 1, 4, 3)) -> Rows:
    rng = np.random.default_rng(0)
    total = int(STARTS[-1])
    frames = {
        "pixels": rng.integers(0, 256, (total, 20, 20, 3), np.uint8),
        "points": rng.normal(0, 1, (total, 68, 2)).astype(np.float32),
        "features": rng.normal(0, 1, (total, 5)).astype(np.float16),
    }[kind]
    n = len(index)
    return Rows(
        frames,
        np.array(index),
        np.eye(3, dtype=np.float32)[np.arange(n) % 3],
        np.ones(n, np.float32),
        starts=STARTS,
        kind=kind,
        mirror=IBUG68_MIRROR if kind == "points" else None,
    )


def frames_of(source: Rows, row: int) -> np.ndarray:
    clip = source.index[row]
    return np.asarray(source.faces[STARTS[clip] : STARTS[clip + 1]])


def draw(
    source: Rows,
    *views: View,
    epoch: int = 0,
    size: int = 4,
    draw: int | None = None,
    how: Augment = HOW,
    team: tuple[int, int] = (0, 1),
) -> list[Cut]:
    order = epoch_order([source], 1, epoch)
    return list(batches([source], order, views, size, how=how, seed=1, epoch=epoch, team=team, draw=draw))


@pytest.mark.parametrize("frames", [1, 4, 16])
@pytest.mark.parametrize("kind", ["pixels", "points", "features"])
def test_unvaried_clips_are_the_frames_at_uniform_places(kind: str, frames: int) -> None:
    source = rows(kind)
    shapes = {"pixels": (frames, 3, 20, 20), "points": (frames, 68, 2), "features": (frames, 5)}
    seen = 0
    for made in draw(source, View(20, frames, kind=kind)):
        clip = made.clips[0]
        assert clip.dtype == (torch.uint8 if kind == "pixels" else torch.float32)
        assert clip.shape == (len(made.where), *shapes[kind])
        for i, (_, row) in enumerate(made.where):
            own = frames_of(source, row)
            expected = own[[len(own) * j // frames for j in range(frames)]].astype(own.dtype)
            found = clip[i].permute(0, 2, 3, 1) if kind == "pixels" else clip[i]
            assert np.array_equal(found.numpy(), expected.astype(found.numpy().dtype))
            seen += 1
    assert seen == len(source)


def test_pixels_come_at_the_size_asked_for() -> None:
    source = rows()
    found = cut(source, 2, View(12, 5), HOW, (0,))
    own = frames_of(source, 2)
    assert np.array_equal(found, np.stack([resize(own[30 * j // 5], 12) for j in range(5)]))


@pytest.mark.parametrize("kind", ["pixels", "points", "features"])
def test_jitter_shows_frames_at_drawn_places(kind: str) -> None:
    source, view = rows(kind), View(20, 5, kind=kind, jitter=True)
    for row in range(len(source)):
        own = frames_of(source, row)
        found = cut(source, row, view, HOW, (9, row))
        assert np.array_equal(found, own[jittered(len(own), 5, np.random.default_rng((9, row)))].astype(found.dtype))
    long = {cut(source, 2, view, HOW, (s,)).tobytes() for s in range(6)}
    assert len(long) == 6 and cut(source, 2, replace(view, jitter=False), HOW, (1,)).tobytes() not in long


def test_all_frames_of_a_clip_are_varied_by_one_draw() -> None:
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (4, 20, 20, 3), np.uint8)
    found = augment_clip(frames, 16, np.random.default_rng(7), HOW)
    for frame, varied in zip(frames, found, strict=True):  # the oracle: each frame alone, from the same state
        assert np.array_equal(varied, augment(frame, 16, np.random.default_rng(7), HOW))
    standing = np.repeat(frames[:1], 6, 0)
    for seed in range(8):
        moved = augment_clip(standing, 16, np.random.default_rng(seed), HOW)
        assert (moved == moved[0]).all()
    source = rows()
    still, view = replace(source, faces=np.repeat(frames[:1], len(source.faces), 0)), View(16, 6, augment=True)
    clips = [c.clips[0] for c in draw(still, view)]
    assert all((clip == clip[:, :1]).all() for clip in clips)
    assert len({clip.numpy().tobytes() for whole in clips for clip in whole}) == len(still)  # rows differ


def test_frames_that_come_again_come_alike() -> None:
    source = rows()
    found = cut(source, 3, View(16, 4, augment=True), HOW, (5,))  # one frame, shown four times
    assert (found == found[0]).all()
    found = cut(source, 5, View(16, 8, augment=True), HOW, (5,))  # four frames, each twice
    assert all(np.array_equal(found[2 * i], found[2 * i + 1]) for i in range(4))
    assert not np.array_equal(found[0], found[2])


def test_a_photo_is_a_clip_of_one_frame() -> None:
    rng = np.random.default_rng(0)
    photos = Rows(
        rng.integers(0, 256, (5, 2, 20, 20, 3), np.uint8),
        np.arange(5),
        np.eye(5, dtype=np.float32),
        np.ones(5, np.float32),
    )
    one = cut(photos, 3, View(16, 1, augment=True), HOW, (4, 2))
    rng = np.random.default_rng((4, 2))  # the oracle: as photos were cut before there were clips
    assert np.array_equal(one, augment(photos.faces[3][rng.integers(2)], 16, rng, HOW)[None])
    four = cut(photos, 3, View(16, 4, augment=True, jitter=True), HOW, (4, 2))
    assert four.shape == (4, 16, 16, 3) and (four == one).all()
    assert np.array_equal(cut(photos, 3, View(20, 3), HOW, (0,)), np.repeat(photos.faces[3, -1:], 3, 0))


def test_points_are_turned_scaled_and_moved_as_written() -> None:
    """Recover the similarity by least squares from a cloud of points and compare with what was allowed."""
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (6, 68, 2)).astype(np.float32)
    how = replace(STILL, rotate=20.0, scale=0.3, shift=0.4)
    angles, scales, shifts = [], [], []
    for seed in range(60):
        moved = augment_points(points, np.random.default_rng(seed), how, IBUG68_MIRROR)
        assert moved.dtype == np.float32
        a, b = points.reshape(-1, 2).astype(np.float64), moved.reshape(-1, 2).astype(np.float64)
        solved, rest, *_ = np.linalg.lstsq(np.hstack([a, np.ones((len(a), 1))]), b, rcond=None)
        assert rest.max() < 1e-6  # one similarity for all frames
        matrix, shift = solved[:2].T, solved[2]
        scale = np.sqrt(np.linalg.det(matrix))
        assert matrix @ matrix.T == pytest.approx(scale**2 * np.eye(2), abs=1e-5)
        angles.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        scales.append(np.log(scale))
        shifts.append(np.abs(shift).max())
    assert 15 < np.abs(angles).max() <= 20.001 and min(angles) < -5 < 5 < max(angles)
    assert 0.2 < np.abs(scales).max() <= 0.3001 and 0.3 < max(shifts) <= 0.4001


def test_points_are_mirrored_noisy_and_cropped_in_time_by_their_shares() -> None:
    source = rows("points")
    own = frames_of(source, 2)
    view = View(1, 30, augment=True, kind="points")
    assert np.array_equal(cut(source, 2, view, STILL, (0,)), own)
    flipped = [
        np.array_equal(cut(source, 2, view, replace(STILL, flip=0.5), (s,)), mirrored_points(own, IBUG68_MIRROR))
        for s in range(40)
    ]
    assert 10 < sum(flipped) < 30
    assert np.array_equal(mirrored_points(own, IBUG68_MIRROR)[:, 36], own[:, 45] * (-1, 1))
    noisy = cut(source, 2, view, replace(STILL, noise=0.05), (1,)) - own
    assert noisy.std() == pytest.approx(0.05, rel=0.1)
    for seed in range(12):
        first, n = window(30, 0.4, np.random.default_rng((seed,)))
        found = cut(source, 2, view, replace(STILL, window=0.4), (seed,))
        assert 12 <= n <= 30 and np.array_equal(found, own[first + uniform(n, 30)])
    unknown = replace(source, mirror=None)
    assert np.array_equal(cut(unknown, 2, view, replace(STILL, flip=1.0), (0,)), own)  # never mirrored wrongly


def test_features_are_not_varied_but_in_time() -> None:
    source, plain = rows("features"), View(1, 5, kind="features")
    for row in range(len(source)):
        assert np.array_equal(
            cut(source, row, replace(plain, augment=True), HOW, (3,)), cut(source, row, plain, HOW, (4,))
        )


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_stretches_of_clips_are_learnt_from_only_where_they_are_asked_for(kind: str) -> None:
    source, view = rows(kind), View(20, 30, augment=True, kind=kind)
    own, lengths = frames_of(source, 2), set()
    for seed in range(12):
        first, n = window(30, 0.4, np.random.default_rng((seed,)))
        found = cut(source, 2, view, replace(STILL, stretch=0.4), (seed,))
        assert np.array_equal(found, own[first + uniform(n, 30)].astype(found.dtype))
        lengths.add(n)
        whole = cut(source, 2, replace(view, augment=False), replace(STILL, stretch=0.4), (seed,))
        for other in (whole, cut(source, 2, view, STILL, (seed,))):  # when judged, and by default: all of it
            assert np.array_equal(other, own.astype(other.dtype))
    assert min(lengths) >= 12 and len(lengths) > 5
    photo = cut(source, 3, view, replace(STILL, stretch=0.4), (0,))  # a clip of one frame has no parts
    assert np.array_equal(photo, np.repeat(frames_of(source, 3), 30, 0).astype(photo.dtype))


def test_mirror_views() -> None:
    for made in draw(rows(), View(20, 3, augment=True), View(20, 3, mirror=True)):
        assert torch.equal(made.clips[1], made.clips[0].flip(-1))
    view = View(1, 3, kind="points")
    for made in draw(rows("points"), view, replace(view, mirror=True)):
        assert np.array_equal(made.clips[1].numpy(), mirrored_points(made.clips[0].numpy(), IBUG68_MIRROR))
    view = View(1, 3, kind="features")
    with pytest.raises(SettingError, match="mirror image of features"):
        draw(rows("features"), view, replace(view, mirror=True))


def test_a_method_that_wants_other_clips_is_told_so() -> None:
    with pytest.raises(SettingError, match="looks at points, and the data holds pixels"):
        draw(rows(), View(20, 3, kind="points"))


@pytest.mark.parametrize("kind", ["pixels", "points", "features"])
def test_clips_depend_on_seed_epoch_row_view_and_draw_alone(kind: str) -> None:
    source, view = rows(kind), View(16, 3, augment=True, kind=kind, jitter=True)

    def clips(**how: object) -> dict[int, np.ndarray]:
        cuts = draw(source, view, view, **how)  # type: ignore[arg-type]
        return {int(r): c.clips[0][i].numpy() for c in cuts for i, (_, r) in enumerate(c.where)}

    base, again, others = clips(size=6), clips(size=6), clips(size=2)
    assert base.keys() == set(range(6))
    for row, clip in base.items():
        assert np.array_equal(clip, again[row])
        assert row not in others or np.array_equal(clip, others[row])
    for changed in (clips(size=6, epoch=1), clips(size=6, draw=0), clips(size=6, draw=1)):
        same = [row for row in base if np.array_equal(base[row], changed[row])]
        assert len(same) <= (2 if kind == "features" else 0)  # short clips have few ways to be shown
    shards = [clips(size=6, team=(rank, 2)) for rank in (0, 1)]
    assert {r for s in shards for r in s} == set(base)
    assert all(np.array_equal(clip, base[row]) for s in shards for row, clip in s.items())


def test_jittered_training_drops_a_small_last_batch_and_a_look_does_not() -> None:
    source, view = rows("features"), View(1, 3, kind="features", jitter=True)
    assert view.varied and not View().varied and batch_starts(6, 5, True) == range(0, 5, 5)
    assert [len(c.where) for c in draw(source, view, size=5)] == [5]
    assert [len(c.where) for c in draw(source, view, size=5, draw=0)] == [5, 1]
