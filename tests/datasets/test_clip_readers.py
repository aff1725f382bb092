"""Readers of clips: folds, votes, names and options, on fake trees; counts on the official lists where they lie."""

from __future__ import annotations

import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.core.manifest import Manifest
from tronie.datasets import clipfiles, mafw, ravdess
from tronie.datasets.check import check
from tronie.datasets.files import table
from tronie.datasets.pictures import clip_files, read_picture
from tronie.datasets.sheet import read_sheet
from tronie.datasets.table import about, read
from tronie.video.image import read_image


def rows_of(manifest: Manifest, part: str) -> set[str]:
    return {i.rpartition("/")[2] for i in manifest.id[manifest.split == part].tolist()}


# --- DFEW


@pytest.mark.parametrize("layout", ["frames", "films"])
def test_dfews_folds_are_the_official_ones_and_hold_every_clip_once(
    layout: str, fakes: ModuleType, tmp_path: Path
) -> None:
    fakes.FAKES["dfew"][layout](tmp_path)
    manifest = read("dfew", tmp_path)
    number = np.array([int(i[-5:]) for i in manifest.id.tolist()])
    assert manifest.fold.tolist() == ((number - 1) % 5).tolist() and len(manifest) == 14
    first = read("dfew", tmp_path, fold=2)
    assert rows_of(first, "test") == {f"{n:05d}" for n in (2, 7, 12)} and len(rows_of(first, "train")) == 11
    assert (first.fold == -1).all()
    with pytest.raises(SettingError, match="fold is 6"):
        read("dfew", tmp_path, fold=6)


@pytest.mark.parametrize("layout", ["frames", "films"])
def test_dfews_ten_votes(layout: str, fakes: ModuleType, tmp_path: Path) -> None:
    fakes.FAKES["dfew"][layout](tmp_path)
    manifest = read("dfew", tmp_path)
    assert manifest.votes is not None
    assert manifest.votes.tolist() == [fakes.votes_of(n) for n in range(1, 15)]
    assert (manifest.votes.argmax(1) == manifest.label).all()


def test_dfew_refuses_votes_of_other_clips(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.dfew_films(tmp_path)
    path = tmp_path / "DFEW/Annotation/annotation.csv"
    head, *lines = path.read_text().splitlines()
    moved = [f"{n},{line.partition(',')[2]}" for n, line in zip((*range(2, 15), 1), lines, strict=True)]
    path.write_text("\n".join([head, *moved]) + "\n")
    with pytest.raises(SourceError, match=r"annotation\.csv does not fit the lists: in 100% of the clips"):
        read("dfew", tmp_path)
    path.unlink()
    assert read("dfew", tmp_path).votes is None


def test_a_clip_in_two_test_lists_is_an_error(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.dfew(tmp_path)
    with (tmp_path / "EmoLabel_DataSplit/test(single-labeled)/set_4.csv").open("a") as file:
        file.write("00001,1\n")
    with pytest.raises(SourceError, match="Clip 00001 is in test of fold 1 and in test of fold 4"):
        read("dfew", tmp_path)


def test_dfews_folder_of_clips_may_be_named_and_missing_clips_left_out(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.dfew(tmp_path)
    fakes.frames(tmp_path / "Clip/clip_224x224_16f/00003", 50, 2)
    with pytest.raises(SourceError, match=r"Of the clips listed in .* 13 of the 14 do not exist"):
        read("dfew", tmp_path, clips="clip_224x224_16f")
    few = read("dfew", tmp_path, clips="clip_224x224_16f", skip_missing=True)
    assert few.path.tolist() == ["Clip/clip_224x224_16f/00003"] and few.votes is not None and len(few.votes) == 1


def test_frames_come_by_number(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.dfew(tmp_path)
    manifest = read("dfew", tmp_path)
    files = clip_files(manifest, 4)
    assert [f.name for f in files] == [f"{i}.jpg" for i in range(1, 13)]
    np.testing.assert_array_equal(read_picture(manifest, 4), read_image(files[-1]))
    (tmp_path / "Clip/clip_224x224/00099").mkdir()
    path = np.array(["Clip/clip_224x224/00099"])
    empty = Manifest(np.array(["a"]), path, np.array([0]), manifest.labels, root=tmp_path)
    with pytest.raises(SourceError, match="holds no frames"):
        clip_files(empty, 0)


# --- tables


def test_a_sheet_reads_as_the_table_it_holds(fakes: ModuleType, tmp_path: Path) -> None:
    rows = [["name", "a", "b"], ["x", 0, 2.5], ["y", 3, 0]]
    fakes.sheet(tmp_path / "t.xlsx", rows)
    (tmp_path / "t.csv").write_text("\n".join(",".join(map(str, r)) for r in rows))
    plain = [(n, {k: v for k, v in row.items() if v != "0"}) for n, row in table(tmp_path / "t.csv", ("name",))]
    assert list(read_sheet(tmp_path / "t.xlsx")) == plain
    (tmp_path / "broken.xlsx").write_bytes((tmp_path / "t.xlsx").read_bytes()[:200])
    with pytest.raises(SourceError, match=r"cannot be read as an \.xlsx table"):
        list(read_sheet(tmp_path / "broken.xlsx"))


# --- FERV39k, MAFW


def test_ferv39ks_list_and_folders_must_agree(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ferv39k(tmp_path)
    path = tmp_path / "4_setups/All_scenes/train_All.csv"
    path.write_text(path.read_text().replace("War/Sad/0001 Sad", "War/Sad/0001 Happy"))
    with pytest.raises(SourceError, match="line 13: 'War/Sad/0001 Happy' is not a clip and its label"):
        read("ferv39k", tmp_path)


def test_mafws_compound_labels_and_folds(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.mafw_compound(tmp_path)
    manifest = read("mafw-compound", tmp_path)
    assert len(mafw.COMPOUND) == 43 and manifest.labels.names[:11] == mafw.SINGLE.names
    assert read("mafw", tmp_path, labels="compound").hash() == manifest.hash()
    order = [tuple(mafw.SINGLE.names.index(w) for w in n.split("_")) for n in mafw.COMPOUND.names]
    assert order == sorted(order, key=lambda parts: (len(parts), parts))
    assert rows_of(read("mafw-compound", tmp_path, fold=5), "test") == {"00005", "00010"}
    with pytest.raises(SourceError, match=r"MAFW \(single\) was not found"):
        read("mafw", tmp_path)


def test_mafws_films_or_frames(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.mafw(tmp_path)
    fakes.frames(tmp_path / "data/frames/00002", 3, 2)
    assert read("mafw", tmp_path).path[1] == "data/clips/00002.mp4"
    few = read("mafw", tmp_path, clips="frames", skip_missing=True)
    assert few.path.tolist() == ["data/frames/00002"]


# --- CREMA-D, RAVDESS


def test_crema_ds_votes_are_counted_by_what_was_shown(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.crema_d(tmp_path)
    manifest = read("crema-d", tmp_path)
    assert manifest.votes is not None
    for row, id_ in enumerate(manifest.id.tolist()):
        cast = next(c for n, c, _ in fakes.CREMA_CLIPS if id_.endswith((n, f"{n}X")))
        counted = [cast.count(letter) for letter in "ADFHNS"]
        assert np.isnan(manifest.votes[row]).all() if not cast else manifest.votes[row].tolist() == counted
    heard = read("crema-d", tmp_path, shown="voice")
    assert heard.votes is not None and (heard.votes == np.eye(6)[4]).all()  # one "neutral" each
    assert manifest.subject.tolist() == ["1001", "1001", "1018", "1019", "1040", "1091", "1091"]
    assert manifest.fold.tolist() == [0, 0, 0, 1, 2, 4, 4]


def test_crema_ds_voted_labels(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.crema_d(tmp_path)
    manifest = read("crema-d", tmp_path, label="voted")
    leading = {n: w for n, _, w in fakes.CREMA_CLIPS}
    words = [*"ADFHNS", "H:N"]
    told = {
        i.rpartition("/")[2].replace("_XX", "_X"): words[k]
        for i, k in zip(manifest.id.tolist(), manifest.label, strict=True)
    }
    assert told == {n.replace("_XX", "_X"): w for n, w in leading.items()}
    assert (read("crema-d", tmp_path, label="voted", shown="both").label == -1).all()
    (tmp_path / "processedResults/summaryTable.csv").unlink()
    with pytest.raises(SourceError, match=r"summaryTable\.csv"):
        read("crema-d", tmp_path, label="voted")


def test_ravdess_names_say_everything(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ravdess(tmp_path)
    manifest = read("ravdess", tmp_path)
    one = ravdess.recording(str(manifest.id[2]))
    assert one == ravdess.Recording(False, "speech", 2, "strong", 0, 2, 4)
    assert [ravdess.recording(i).key for i in manifest.id.tolist()] == [i[8:] for i in manifest.id.tolist()]
    modality = [Path(p).name[:2] for p in manifest.path.tolist()]
    assert modality == ["01", "02", "01", "02", "01", "02"]  # without sound where it lies there
    assert manifest.fold.tolist() == [0, 0, 0, 1, 5, 5] and manifest.subject[-1] == "24"
    assert len(read("ravdess", tmp_path, intensity="strong")) == 2
    assert read("ravdess", tmp_path, channel="song").id.tolist() == ["ravdess/02-05-02-02-01-01"]
    with pytest.raises(SourceError, match="no name of RAVDESS"):
        ravdess.recording("clip.mp4")
    with pytest.raises(SettingError, match="channel is 'loud'"):
        read("ravdess", tmp_path, channel="loud")


# --- the official lists


@pytest.fixture(scope="module")
def lists(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The owners' lists in their own folders, with empty folders for the clips."""
    root = tmp_path_factory.mktemp("official")
    with tarfile.open(shared_data / "official_splits.tar.xz") as pack:
        pack.extractall(root, filter="data")
    given = root / "S2D_official_splits"
    for folder in ("DFEW/Clip/clip_224x224", "FERV39K/2_ClipsforFaceCrop", "MAFW/data/clips"):
        (given / folder).mkdir(parents=True)
    return root


@pytest.mark.parametrize("name", ["dfew", "ferv39k", "mafw", "mafw-compound"])
def test_official_lists_have_the_published_counts(name: str, lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipfiles, "present", lambda root, paths, *rest: np.ones(len(paths), bool))
    root = lists / "S2D_official_splits" / name.partition("-")[0].upper()
    facts = about(name)
    assert facts is not None
    found = check(read(name, root), facts, pixels=False)
    assert found.fine and str(found).count("as published") >= 2, found
    for fold, sizes in facts.folds.items():
        manifest = read(name, root, fold=fold)
        assert (int(np.sum(manifest.split == "train")), int(np.sum(manifest.split == "test"))) == sizes
        assert check(manifest, facts, pixels=False).fine


def test_crema_ds_summary_has_the_published_clips(lists: Path) -> None:
    (lists / "crema_d/VideoFlash").mkdir()
    for _, row in table(lists / "crema_d/processedResults/summaryTable.csv", ("FileName",)):
        (lists / "crema_d/VideoFlash" / f"{row['FileName']}.flv").touch()
    acted, voted = read("crema-d", lists / "crema_d"), read("crema-d", lists / "crema_d", label="voted")
    assert check(acted, about("crema-d"), pixels=False).fine and len(set(acted.subject.tolist())) == 91
    assert np.bincount(voted.label + 1).tolist() == [470, 968, 1057, 822, 1266, 2076, 783]
    told = [sum(1 for _ in (lists / f"mae_dfer/crema-d/split0{k}/test.csv").open()) for k in range(1, 6)]
    assert np.bincount(acted.fold).tolist() == told
