"""``tronie prepare`` and ``tronie features`` on data sets whose rows are clips."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.cli import main
from tronie.core.errors import SettingError
from tronie.core.face import Face, Pixels
from tronie.core.manifest import Manifest
from tronie.data.prepare import prepare


class Middle:
    """Finds one face, without points, in the middle of every picture; so frames of crops stay whole."""

    def __init__(self) -> None:
        self.threads = 1

    def detect(self, image: Pixels) -> list[Face]:
        height, width = image.shape[:2]
        return [Face((width / 4, height / 4, width / 2, height / 2), 0.9)]

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]:
        return self.detect(image)


def test_tracks_by_the_command(fakes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.ravdess_tracks(tmp_path)
    assert main(["prepare", "ravdess-tracks", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "4 clips of 26 frames" in told
    assert json.loads((tmp_path / "out" / "prepared.json").read_text())["kind"] == "points"


def test_tracks_relative_to_the_person_by_the_command(
    fakes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.ravdess_tracks(tmp_path)
    made = ["prepare", "ravdess-tracks", str(tmp_path), "--quiet", "--out"]
    assert main([*made, str(tmp_path / "plain")]) == main([*made, str(tmp_path / "own"), "--baseline", "person"]) == 0
    plain, own = (np.load(tmp_path / name / "frames.npy") for name in ("plain", "own"))
    assert plain.shape == own.shape and not np.array_equal(plain, own)
    fakes.acted_clips(tmp_path)
    assert main(["prepare", "acted-clips", str(tmp_path), "--out", str(tmp_path / "no"), "--baseline", "person"]) == 2
    assert "baseline=person is for tracks of points" in capsys.readouterr().err and not (tmp_path / "no").exists()


def test_clips_that_are_rated_and_not_labelled_are_cut_into_folds_too(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.film_clips(tmp_path)
    made = prepare("film-clips", tmp_path, tmp_path / "films", size=32, folds=2, detector=Middle)  # type: ignore[arg-type]
    folds = Manifest.load(tmp_path / "films" / "manifest.csv")
    assert made.folds == 2 and set(folds.fold.tolist()) == {0, 1} and (folds.label == -1).all()


def test_folds_keep_a_person_together(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    made = prepare("acted-clips", tmp_path, tmp_path / "clips", size=32, folds=2, detector=Middle)  # type: ignore[arg-type]
    manifest = Manifest.load(tmp_path / "clips" / "manifest.csv")
    assert made.folds == 2 and made.prepared.frames == 48
    assert len(set(zip(manifest.subject.tolist(), manifest.fold.tolist(), strict=True))) == 2
    fakes.ravdess_tracks(tmp_path)
    prepare("ravdess-tracks", tmp_path, tmp_path / "tracks", folds=2)
    folds = Manifest.load(tmp_path / "tracks" / "manifest.csv")
    assert folds.fold[0] == folds.fold[1] and set(folds.fold.tolist()) == {0, 1}


def test_frames_of_clips_as_photos(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    options = {"frames": "photos", "unsure": False}
    made = prepare("acted-clips", tmp_path, tmp_path / "photos", size=32, folds=2, options=options, detector=Middle)  # type: ignore[arg-type]
    faces, manifest = np.load(tmp_path / "photos" / "faces.npy"), Manifest.load(tmp_path / "photos" / "manifest.csv")
    assert faces.shape == (40, 2, 32, 32, 3) and made.prepared.frames == 0 and len(manifest) == 40
    assert len(set(zip(manifest.subject.tolist(), manifest.fold.tolist(), strict=True))) == 2
    clip = [i.rpartition("/")[0] for i in manifest.id.tolist()]
    assert len(set(clip)) == 10 and len(set(zip(clip, manifest.label.tolist(), strict=True))) == 10


def test_the_options_by_the_command(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    made = ["prepare", "acted-clips", str(tmp_path), "--out", str(tmp_path / "out"), "--size", "32", "--quiet"]
    assert main([*made, "--set", "frames=photos", "--set", "unsure=false"]) == 0
    assert len(Manifest.load(tmp_path / "out" / "manifest.csv")) == 40


def test_films_and_folders_of_frames_become_clips(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.video_folder(tmp_path / "data")
    made = prepare("video-folder", tmp_path / "data", tmp_path / "out", size=32, frames=3, detector=Middle)  # type: ignore[arg-type]
    starts = np.load(tmp_path / "out" / "starts.npy")
    assert made.prepared.rows == len(starts) - 1 > 2 and np.diff(starts).max() == 3
    assert np.load(tmp_path / "out" / "frames.npy").shape == (made.prepared.frames, 32, 32, 3)


def test_what_cannot_be_is_said(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.acted_clips(tmp_path)
    with pytest.raises(SettingError, match="0 frames or more"):
        prepare("acted-clips", tmp_path, tmp_path / "out", frames=-1)
    assert main(["features", str(tmp_path / "nothing"), "--out", str(tmp_path / "f")]) == 3
