"""What is particular to single readers; what all of them hold to is in ``tests/contracts``."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.datasets import affectnet, ckplus, csvfile, folder, jaffe, rafdb
from tronie.datasets.pictures import clip_files, read_picture

# ---- RAF-DB


def test_rafdb_is_found_from_its_own_folder_and_from_above(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb(tmp_path / "RAF-DB")
    ids = [rafdb.read(root).id.tolist() for root in (tmp_path, tmp_path / "RAF-DB", tmp_path / "RAF-DB" / "basic")]
    assert ids[0] == ids[1] == ids[2]


def test_rafdb_original_photos(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb(tmp_path)
    assert read_picture(rafdb.read(tmp_path), 0).shape == (100, 100, 3)
    assert read_picture(rafdb.read(tmp_path, pictures="original"), 0).shape == (130, 170, 3)
    with pytest.raises(SettingError, match="'aligned' or 'original'"):
        rafdb.read(tmp_path, pictures="orignal")  # type: ignore[arg-type]


def test_rafdb_shares_of_votes_join_by_name(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb(tmp_path)
    assert rafdb.read(tmp_path).votes is None
    shares = tmp_path / "basic" / "EmoLabel" / "distribution_basic.txt"
    shares.write_text("test_00001.jpg 0.5 0 0 0 0.5 0 0 \ntrain_00002.jpg 0 0 1 0 0 0 0 \n")
    manifest = rafdb.read(tmp_path)
    assert manifest.votes is not None
    votes = dict(zip(manifest.id.tolist(), manifest.votes.tolist(), strict=True))
    assert votes["rafdb/test_00001"] == [0.5, 0, 0, 0, 0.5, 0, 0] and votes["rafdb/train_00002"][2] == 1
    assert np.isnan(votes["rafdb/train_00001"]).all()
    shares.write_text("test_00001.jpg 0.5 0.5\n")
    with pytest.raises(SourceError, match="line 1: 2 numbers for 7 labels"):
        rafdb.read(tmp_path)


def test_a_pack_may_be_given_itself_and_its_damage_is_told(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb_pack(tmp_path)
    pack = tmp_path / "rafdb_train.npz"
    assert rafdb.read(pack).hash() == rafdb.read(tmp_path).hash()
    np.savez(pack, label=np.zeros(2))
    with pytest.raises(SourceError, match="lacks the array name, label_names"):
        rafdb.read(tmp_path)
    pack.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(SourceError, match="copy or download it again"):
        rafdb.read(tmp_path)


# ---- AffectNet


@pytest.mark.parametrize("layout", ["affectnet_csv", "affectnet_npy"])
def test_affectnet_valence_and_arousal(fakes: ModuleType, tmp_path: Path, layout: str) -> None:
    getattr(fakes, layout)(tmp_path)
    manifest = affectnet.read(tmp_path)
    assert manifest.valence is not None and manifest.arousal is not None
    assert set(manifest.valence.tolist()) == {0.25} and set(manifest.arousal.tolist()) == {-0.5}
    assert set(manifest.split.tolist()) == {"train", "test"}


def test_affectnet_damage_is_named(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.affectnet_npy(tmp_path)
    note = tmp_path / "train_set" / "annotations" / "7_exp.npy"
    np.save(note, np.array("12"))
    with pytest.raises(SourceError, match=r"7_exp\.npy holds the expression 12"):
        affectnet.read(tmp_path)
    note.write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"7_exp\.npy cannot be read as one number"):
        affectnet.read(tmp_path)


# ---- CK+


def test_ckplus_protocols(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ckplus(tmp_path)
    for options, names, rows in (
        ({}, 8, 12),
        ({"contempt": False}, 7, 8),
        ({"neutral": False}, 7, 9),
        ({"last": 1, "neutral": False, "contempt": False}, 6, 2),
    ):
        manifest = ckplus.read(tmp_path, **options)
        assert (len(manifest.labels), len(manifest)) == (names, rows), options
    short = ckplus.read(tmp_path, last=99)  # never the first frame twice
    assert len(set(short.id.tolist())) == len(short) == 6 + 5 + 4


def test_ckplus_subjects_groups_and_folds(fakes: ModuleType, tmp_path: Path) -> None:
    for number in range(12):  # more than ten subjects
        fakes.ckplus_tree(tmp_path, [(f"S{number:03d}", "001", 4, 1, ((4, 2),))])
    manifest = ckplus.read_sequences(tmp_path)
    assert manifest.subject.tolist() == [f"S{n:03d}" for n in range(12)]
    assert manifest.fold.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert len(set(manifest.group.tolist())) == 12


def test_ckplus_action_units_stand_at_the_peak(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ckplus_tree(
        tmp_path,
        [
            ("S005", "001", 6, 3, ((9, 4), (17, 0))),
            ("S010", "002", 5, 7, ((1, 3),)),
            ("S999", "001", 5, None, ((4, 1),)),
        ],
    )
    photos = ckplus.read(tmp_path)
    assert photos.units == (1, 9, 17) and photos.action_units is not None
    units = dict(zip(photos.id.tolist(), photos.action_units.tolist(), strict=True))
    assert units["ckplus/S005_001_00000006"] == [0, 4, 1], "17 is shown but not graded: a trace, not absent"
    assert np.isnan(units["ckplus/S005_001_00000005"]).all() and np.isnan(units["ckplus/S005_001_00000001"]).all()
    clips = ckplus.read_sequences(tmp_path, unlabelled=True)
    assert clips.action_units is not None and clips.units == (1, 4, 9, 17)
    assert clips.action_units[-1].tolist() == [0, 1, 0, 0] and clips.label[-1] == -1
    assert [p.name for p in clip_files(clips, 0)] == [f"S005_001_{i:08d}.png" for i in range(1, 7)]
    with pytest.raises(SourceError, match="is not a folder of frames"):
        clip_files(photos, 0)


def test_ckplus_without_emotion_labels_says_so(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ckplus_tree(tmp_path, [("S005", "001", 4, 3, ((9, 4),))])
    (tmp_path / "Emotion").rename(tmp_path / "Emotion_labels")
    assert len(ckplus.read(tmp_path)) == 4, "the name of the archive will do"
    (tmp_path / "Emotion_labels").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="Emotion_labels"):
        ckplus.read(tmp_path)


# ---- JAFFE, folders, CSV


def test_jaffe_leaves_one_subject_out(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.jaffe(tmp_path)
    manifest = jaffe.read(tmp_path)
    assert dict(zip(manifest.subject.tolist(), manifest.fold.tolist(), strict=True)) == {"KA": 0, "KL": 1, "YM": 2}
    assert manifest.group.tolist() == manifest.fold.tolist()
    assert jaffe.read(tmp_path / "jaffe").hash() != "" and len(jaffe.read(tmp_path / "jaffe")) == 18


def test_folders_of_classes_without_parts_renamed_and_ordered(fakes: ModuleType, tmp_path: Path) -> None:
    for i, name in enumerate(("1", "2", "2/deeper")):
        fakes.draw(tmp_path / name / "a.png", i)
    fakes.draw(tmp_path / "1" / "a.jpg", 7)
    manifest = folder.read(tmp_path, names={"1": "surprise", "2": "fear"}, labels=["surprise", "fear"])
    assert manifest.labels.names == ("surprise", "fear")
    assert manifest.id.tolist() == ["1/a.jpg", "1/a.png", "2/a", "2/deeper/a"], "with its ending where that tells apart"
    assert manifest.label.tolist() == [0, 0, 1, 1] and set(manifest.split.tolist()) == {""}
    with pytest.raises(SourceError, match=r"class folder .*1 is none of the labels surprise, fear"):
        folder.read(tmp_path, labels=["surprise", "fear"])


def test_folders_in_disorder(fakes: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no folders with pictures"):
        folder.read(tmp_path)
    with pytest.raises(SourceError, match="That folder does not exist"):
        folder.read(tmp_path / "nowhere")
    fakes.folder(tmp_path)
    (tmp_path / "models").mkdir()  # no pictures: no matter
    folder.read(tmp_path)
    fakes.draw(tmp_path / "sad" / "1.png", 1)
    with pytest.raises(SourceError, match=r"parts \(train, val\) and beside them the folder 'sad'"):
        folder.read(tmp_path)
    (tmp_path / "sad" / "1.png").unlink()
    (tmp_path / "train" / "empty").mkdir()
    with pytest.raises(SourceError, match=r"class folder .*empty holds no pictures"):
        folder.read(tmp_path)


def test_csv_columns(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.csvfile(tmp_path)
    manifest = csvfile.read(tmp_path / "table.csv")
    assert manifest.labels.names == ("happy", "sad") and manifest.label.tolist() == [0, 1, -1]
    assert manifest.votes is not None and manifest.votes.tolist() == [[3, 0], [2, 1], [1, 2]], "joined by name"
    assert manifest.action_units is not None and manifest.units == (12,)
    np.testing.assert_equal(manifest.action_units[:, 0], np.array([np.nan, 0.5, 0.5], np.float32))
    assert manifest.valence is not None and manifest.valence.tolist() == [0, 0.25, 0.5]
    assert set(manifest.subject.tolist()) == {"anna"}
    with pytest.raises(SourceError, match=r"line 3: Unknown label 'sad'; known are happy, calm"):
        csvfile.read(tmp_path, labels=["happy", "calm"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,emotion\na.png,sad\n", "lacks the column label"),
        ("", "lacks the column path, label"),
        ("path,label\n", "holds no rows"),
        ("path,label,split\na.png,sad,half\n", "line 2: 'half' is no part"),
        ("path,label,valence\na.png,sad,x\n", "line 2: 'x' cannot stand in column 'valence'"),
        ("path,label,valence\na.png,sad,3\n", "outside -1 to 1"),
        ("path,label\na.png,sad\na.png,sad\n", "a"),
        ("id,path,label,votes_sad\n1,a.png,sad,1\n2,a.png,happy,1\n", "votes for 1 of 2 labels"),
        ("path,label\nb.png,sad\n", "none of the 1 exists"),
        ("path,label\na.png\n", "line 2: 1 cells for 2 columns"),
    ],
)
def test_csv_in_disorder(fakes: ModuleType, tmp_path: Path, text: str, told: str) -> None:
    fakes.draw(tmp_path / "a.png", 1)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SourceError, match=told) as error:
        csvfile.read(tmp_path)
    assert str(tmp_path / "t.csv") in str(error.value)


def test_csv_that_a_manifest_saved(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb(tmp_path)
    manifest = rafdb.read(tmp_path)
    manifest.save(tmp_path / "mine.csv")
    assert csvfile.read(tmp_path / "mine.csv").hash() == manifest.hash()
    (tmp_path / "other.csv").write_text("x")
    with pytest.raises(SourceError, match=r"holds 2 CSV files \(mine.csv, other.csv"):
        csvfile.read(tmp_path)
