"""Readers of clips in packs: every frame is the clip's own, codes and folds are as told, damage is a sentence."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.core.manifest import Manifest
from tronie.data.inspect import datasets
from tronie.datasets import ravdess
from tronie.datasets.clips import holds_points, read_frames, read_points, span
from tronie.datasets.pictures import read_picture
from tronie.datasets.table import about, read


def test_tracks_are_restored_from_their_steps(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess_tracks(tmp_path)
    manifest = read("ravdess-tracks", tmp_path)
    assert holds_points(manifest) and about("ravdess-tracks").kind == "points"  # type: ignore[union-attr]
    for row in range(4):
        found = read_points(manifest, row)
        assert found.dtype == np.float32 and np.array_equal(found, fakes.face_points(row, 5 + row))
    assert manifest.subject.tolist() == ["01", "01", "06", "20"] and manifest.group.tolist() == [1, 1, 6, 20]
    assert manifest.fold.tolist() == [0, 0, 1, 4]
    assert read("ravdess-tracks", tmp_path / "ravdess_tracks_train.npz").hash() == manifest.hash()


def test_an_id_tells_what_the_films_name_tells(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess_tracks(tmp_path)
    manifest = read("ravdess-tracks", tmp_path)
    told = [ravdess.recording(i) for i in manifest.id.tolist()]
    assert [t.intensity for t in told] == ["normal", "strong", "normal", "strong"]
    assert [t.actor for t in told] == [1, 1, 6, 20] and [t.label for t in told] == manifest.label.tolist()


def test_a_pack_whose_names_and_labels_disagree_is_refused(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess_tracks(tmp_path)
    path = tmp_path / "ravdess_tracks_train.npz"
    with np.load(path) as pack:
        columns = {name: pack[name] for name in pack.files}
    columns["label"] = columns["label"][::-1]
    np.savez(path, **columns)
    with pytest.raises(SourceError, match="labels 02-01-01-01-01-01-01"):
        read("ravdess-tracks", tmp_path)


def test_acted_clips_as_clips_and_as_photos(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    clips, photos = read("acted-clips", tmp_path), read("acted-clips", tmp_path, frames="photos")
    assert len(clips) == 12 and len(photos) == 48 and not holds_points(clips)
    for row in (0, 7):
        frames = read_frames(clips, row)
        assert len(frames) == 4 and span(clips, row) == (tmp_path / "acted_clips_train.npz", 4 * row, 4 * row + 4)
        for i, frame in enumerate(frames):  # the oracle: the picture that was drawn, through JPEG
            drawn = cv2.cvtColor(fakes.drawn(1000 * row + i, 112, 112), cv2.COLOR_BGR2RGB)
            assert np.abs(frame.astype(int) - drawn).mean() < 8
            assert np.array_equal(frame, read_picture(photos, 4 * row + i))
        assert np.array_equal(read_picture(clips, row), frames[-1])  # where one picture is asked for
        assert [f.tobytes() for f in read_frames(clips, row, 2)] == [frames[0].tobytes(), frames[2].tobytes()]
    assert photos.id[30] == "acted-clips/02-3-1/02"
    assert photos.label.tolist() == np.repeat(clips.label, 4).tolist()
    assert photos.subject.tolist() == np.repeat(clips.subject, 4).tolist() and span(photos, 3) is None
    assert set(zip(clips.group.tolist(), clips.subject.tolist(), strict=True)) == {(1, "01"), (2, "02")}


def test_the_unsure_code_may_be_left_out(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    sure = read("acted-clips", tmp_path, unsure=False)
    assert len(sure) == 10 and "fear or disgust" not in {sure.labels.names[k] for k in sure.label}
    assert len(read("acted-clips", tmp_path, unsure=False, frames="photos")) == 40
    with pytest.raises(SettingError, match=r"frames is 'films'; it must be 'clips' or 'photos'"):
        read("acted-clips", tmp_path, frames="films")
    with pytest.raises(SettingError, match="unsure is 'no'"):
        read("acted-clips", tmp_path, unsure="no")


def test_ratings_lie_between_minus_one_and_one(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.film_clips(tmp_path)
    manifest = read("film-clips", tmp_path)
    assert manifest.valence is not None and manifest.arousal is not None
    assert manifest.valence == pytest.approx([-1, 0, 0.8]) and manifest.arousal == pytest.approx([1, 0.25, -0.5])
    assert (manifest.label == -1).all() and [len(read_frames(manifest, i)) for i in range(3)] == [3, 1, 5]
    assert "classes   none" in str(datasets("film-clips"))


def test_tracks_are_checked_without_asking_for_pictures(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess_tracks(tmp_path)
    report = datasets("ravdess-tracks", tmp_path)
    assert "pictures cannot be read" not in str(report) and "80" in str(report)


@pytest.mark.parametrize("name", ["ravdess-tracks", "acted-clips", "film-clips"])
def test_a_damaged_pack_is_named(name: str, fakes: ModuleType, tmp_path: Path) -> None:
    fakes.FAKES[name]["pack"](tmp_path)
    manifest = read(name, tmp_path)
    pack = next(tmp_path.rglob("*.npz"))
    pack.write_bytes(b"nothing")
    look = read_points if name == "ravdess-tracks" else read_frames
    with pytest.raises(SourceError, match=pack.name):
        look(manifest, 0)
    with pytest.raises(SourceError, match="cannot be read"):
        read(name, tmp_path)
    with pytest.raises(SourceError, match="cannot be read"):
        holds_points(manifest)
    pack.unlink()
    with pytest.raises(SourceError, match="cannot be opened"):
        look(manifest, 0)


def test_a_row_that_is_no_span_is_told_so(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    photos = read("acted-clips", tmp_path, frames="photos")
    with pytest.raises(SourceError, match=r"is no clip of a pack, such as pack\.npz::80-96"):
        read_frames(photos, 0)
    far = Manifest(
        photos.id[:1], np.array(["acted_clips_train.npz::40-60"]), photos.label[:1], photos.labels, root=tmp_path
    )
    with pytest.raises(SourceError, match="the pack holds 48 pictures"):
        read_frames(far, 0)


def test_the_real_packs(shared_data: Path) -> None:
    tracks, acted, films = (read(n, shared_data) for n in ("ravdess-tracks", "acted-clips", "film-clips"))
    assert np.bincount(tracks.label).tolist() == [80, *[160] * 7] and len(set(tracks.subject.tolist())) == 20
    assert np.bincount(tracks.fold).tolist() == [240] * 5
    with np.load(shared_data / "ravdess_tracks_train.npz") as pack:
        strong = [ravdess.recording(i).intensity == "strong" for i in tracks.id.tolist()]
        assert strong == (pack["intensity"] == 2).tolist()
        assert pack["label_names"].tolist() == list(tracks.labels.names)
    assert np.bincount(acted.label).tolist() == [32] * 6 and len(read("acted-clips", shared_data, unsure=False)) == 160
    assert len(read("acted-clips", shared_data, frames="photos")) == 3072
    assert [f.shape for f in read_frames(acted, 191)] == [(112, 112, 3)] * 16
    assert len(films) == 634 and {len(read_frames(films, i)) for i in range(0, 634, 40)} <= set(range(1, 13))
