"""Clips of packs: cut by the serving aligner, taken up where the work stopped, points freed of place and scale."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.clips.points import IBUG68_MIRROR, normalised, person_shapes, refaced, smoothed
from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Face, Pixels
from tronie.core.manifest import Manifest
from tronie.data.crops import cuts
from tronie.data.pack_clips import cut_clip, prepare_crops, prepare_points
from tronie.datasets.clips import read_frames, read_points
from tronie.datasets.table import read
from tronie.faces import align

GREY = np.array([123, 117, 104])


class Seeing:
    """Finds a face on the template's place, moved as said, in the frames whose number (by order of asking) is given."""

    def __init__(self, moved: dict[int, float]) -> None:
        self.moved, self.asked = moved, 0

    def detect(self, image: Pixels) -> list[Face]:
        number, self.asked = self.asked, self.asked + 1
        if number not in self.moved:
            return []
        inside = np.argwhere((image != GREY).any(2))
        (y0, x0), x1 = inside.min(0), inside[:, 1].max() + 1
        points = ((align.TEMPLATE * 0.9 + self.moved[number]) * (x1 - x0) + (x0, y0)).astype(np.float32)
        low, high = points.min(0), points.max(0)
        return [Face((*low, *(high - low)), 0.9, points)]


class Always(Seeing):
    def __init__(self) -> None:
        super().__init__(dict.fromkeys(range(10_000), 0.05))


def frames(n: int) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [np.asarray(rng.integers(0, 256, (112, 112, 3)), np.uint8) for _ in range(n)]


def test_a_frame_is_cut_as_a_photo_is_cut() -> None:
    clip = frames(3)
    made, found = cut_clip(clip, Seeing({0: 0.05, 1: 0.02, 2: 0.08}), 64)
    assert found == 3 and made.shape == (3, 64, 64, 3) and made.dtype == np.uint8
    for frame, cut, moved in zip(clip, made, (0.05, 0.02, 0.08), strict=True):
        assert np.array_equal(cut, cuts(frame, Seeing({0: moved}), 64)[0][1])


def test_a_missed_frame_is_cut_as_its_nearest_neighbour() -> None:
    clip = frames(5)
    made, found = cut_clip(clip, Seeing({1: 0.02, 4: 0.08}), 64)
    assert found == 2
    for place, moved in ((0, 0.02), (1, 0.02), (2, 0.02), (3, 0.08), (4, 0.08)):
        assert np.array_equal(made[place], cuts(clip[place], Seeing({0: moved}), 64)[0][1])
    whole, none = cut_clip(clip, Seeing({}), 64)
    assert none == 0 and np.array_equal(whole[2], align.crop(clip[2], Face((0, 0, 112, 112), 1.0), 64))


def opened(folder: Path) -> tuple[np.ndarray, np.ndarray, Manifest, dict]:
    note = json.loads((folder / "prepared.json").read_text())
    return np.load(folder / "frames.npy"), np.load(folder / "starts.npy"), Manifest.load(folder / "manifest.csv"), note


def test_a_prepared_folder_holds_every_frame_of_every_clip(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.film_clips(tmp_path)
    manifest = read("film-clips", tmp_path)
    told: list[tuple[int, int]] = []
    made = prepare_crops(manifest, tmp_path / "out", Always(), size=32, progress=lambda *d: told.append(d))
    assert (made.rows, made.frames, made.aligned, made.missed, made.unread) == (3, 9, 9, (), ())
    pixels, starts, kept, note = opened(tmp_path / "out")
    assert pixels.shape == (9, 32, 32, 3) and starts.tolist() == [0, 3, 4, 9] and starts.dtype == np.int64
    assert kept.path.tolist() == [f"frames.npy::{i}" for i in range(3)] and kept.id.tolist() == manifest.id.tolist()
    assert kept.valence is not None and kept.valence == pytest.approx(manifest.valence) and note["kind"] == "pixels"
    for row in range(3):
        expected = cut_clip(read_frames(manifest, row), Always(), 32)[0]
        assert np.array_equal(pixels[starts[row] : starts[row + 1]], expected)
    assert told == [(1, 3), (2, 3), (3, 3)]
    fewer = prepare_crops(manifest, tmp_path / "few", Always(), size=32, most=2)
    assert fewer.frames == 5 and np.array_equal(np.load(tmp_path / "few" / "frames.npy")[:2], pixels[[0, 1]])


def test_points_are_normalised_and_smoothed_clip_by_clip(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess_tracks(tmp_path)
    manifest = read("ravdess-tracks", tmp_path)
    made = prepare_points(manifest, tmp_path / "out")
    points, starts, kept, note = opened(tmp_path / "out")
    assert made.rows == 4 and points.dtype == np.float32 and starts.tolist() == [0, 5, 11, 18, 26]
    assert note["kind"] == "points" and note["mirror"] == IBUG68_MIRROR.tolist()
    assert kept.label.tolist() == manifest.label.tolist() and kept.fold.tolist() == manifest.fold.tolist()
    for row in range(4):
        assert np.array_equal(points[starts[row] : starts[row + 1]], smoothed(normalised(read_points(manifest, row))))


def test_points_can_be_taken_relative_to_the_person(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess_tracks(tmp_path)
    manifest = read("ravdess-tracks", tmp_path)
    prepare_points(manifest, tmp_path / "out", baseline="person")
    points, starts, _, note = opened(tmp_path / "out")
    tracks = [smoothed(normalised(read_points(manifest, row))) for row in range(4)]
    face, own = person_shapes(tracks, manifest.subject.tolist())
    assert note["baseline"] == "person" and np.array_equal(np.array(note["face"], np.float32), face)
    for row, track in enumerate(tracks):
        made = points[starts[row] : starts[row + 1]]
        assert np.array_equal(made, refaced(track, own[str(manifest.subject[row])], face))
        assert not np.array_equal(made, track)
    nobody = replace(manifest, subject=np.array(["", *manifest.subject[1:]]))
    with pytest.raises(SettingError, match="does not say who is seen"):
        prepare_points(nobody, tmp_path / "none", baseline="person")


def test_stopped_work_goes_on_and_gives_the_same(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    manifest = read("acted-clips", tmp_path)

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        prepare_crops(manifest, tmp_path / "a", Always(), size=32, progress=stop)
    assert not (tmp_path / "a" / "manifest.csv").exists()
    detector = Always()
    made = prepare_crops(manifest, tmp_path / "a", detector, size=32)
    assert detector.asked == 7 * 4 and made.rows == 12  # five clips were not looked at again
    straight = prepare_crops(manifest, tmp_path / "b", Always(), size=32)
    assert (made.aligned, made.frames) == (straight.aligned, straight.frames) == (48, 48)
    for name in ("frames.npy", "starts.npy", "manifest.csv", "prepared.json"):
        a, b = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        assert a.replace(str(tmp_path / "a").encode(), b"") == b.replace(str(tmp_path / "b").encode(), b"")
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"frames.npy", "starts.npy", "manifest.csv", "prepared.json"}


def test_other_settings_do_not_go_on_with_these_clips(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    manifest = read("acted-clips", tmp_path)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_crops(manifest, tmp_path / "a", Always(), size=32, progress=stop)
    with pytest.raises(SettingError, match="beginnings of other clips"):
        prepare_crops(manifest, tmp_path / "a", Always(), size=48)


def test_unreadable_clips_are_named_and_left_out(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    path = tmp_path / "acted_clips_train.npz"
    with np.load(path) as pack:
        columns = {name: pack[name] for name in pack.files}
    columns["blob"][columns["offsets"][5] : columns["offsets"][6]] = 0  # a frame of clip 1
    np.savez(path, **columns)
    manifest = read("acted-clips", tmp_path)
    made = prepare_crops(manifest, tmp_path / "out", Seeing({}), size=32)
    assert made.rows == 11 and [i for i, _ in made.unread] == ["acted-clips/01-3-1"] and made.aligned == 0
    assert len(made.missed) == 11 and opened(tmp_path / "out")[1].tolist() == list(range(0, 48, 4))
    columns["blob"][:] = 0
    np.savez(path, **columns)
    with pytest.raises(SourceError, match="None of the 12 clips could be read; the first: "):
        prepare_crops(read("acted-clips", tmp_path), tmp_path / "none", Seeing({}), size=32)
    assert not any((tmp_path / "none").iterdir())
