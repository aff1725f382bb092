"""What every reader of a data set holds to, in every layout it knows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.core.manifest import Manifest
from tronie.core.registry import resolve
from tronie.datasets.clips import read_points
from tronie.datasets.pictures import read_picture
from tronie.datasets.table import DATASETS, FACTS, about, read

_spec = importlib.util.spec_from_file_location("fake_trees", Path(__file__).parents[1] / "fake_trees.py")
assert _spec is not None and _spec.loader is not None
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)

LAYOUTS = [(name, layout) for name, layouts in fakes.FAKES.items() for layout in layouts]


def made(name: str, layout: str, root: Path) -> tuple[Manifest, dict[str, tuple[str, str]]]:
    expected = fakes.FAKES[name][layout](root)
    return read(name, root), expected


def test_every_data_set_has_facts_and_a_fake_tree() -> None:
    assert set(DATASETS) == set(FACTS) == set(fakes.FAKES)


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_rows_labels_and_splits(name: str, layout: str, tmp_path: Path) -> None:
    manifest, expected = made(name, layout, tmp_path)
    words = [*manifest.labels.names, ""]
    rows = zip(manifest.id.tolist(), manifest.label, manifest.split.tolist(), strict=True)
    assert {i: (words[k], s) for i, k, s in rows} == expected
    assert len(set(manifest.id.tolist())) == len(manifest)


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_every_row_leads_to_its_own_picture(name: str, layout: str, tmp_path: Path) -> None:
    manifest, _ = made(name, layout, tmp_path)
    facts = about(name)
    if facts is not None and facts.kind == "points":
        tracks = [read_points(manifest, row) for row in range(len(manifest))]
        assert len({t.tobytes() for t in tracks}) == len(manifest) and all(t.shape[1:] == (68, 2) for t in tracks)
        return
    pictures = [read_picture(manifest, row) for row in range(len(manifest))]
    assert all(p.dtype == np.uint8 and p.ndim == 3 and p.shape[2] == 3 and p.std() > 5 for p in pictures)
    assert len({p.tobytes() for p in pictures}) == len(manifest)
    assert not any(Path(p).is_absolute() or "\\" in p for p in manifest.path.tolist())


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_the_same_folder_reads_the_same_and_survives_saving(name: str, layout: str, tmp_path: Path) -> None:
    manifest, _ = made(name, layout, tmp_path / "data")
    assert read(name, tmp_path / "data").hash() == manifest.hash()
    manifest.save(tmp_path / "saved.csv")
    assert Manifest.load(tmp_path / "saved.csv").hash() == manifest.hash()


@pytest.mark.parametrize("name", DATASETS)
def test_labels_are_the_published_ones(name: str, tmp_path: Path) -> None:
    facts = about(name)
    assert facts is not None
    if facts.labels is not None:
        manifest, _ = made(name, next(iter(fakes.FAKES[name])), tmp_path)
        assert manifest.labels == facts.labels
        assert all(set(c) <= set(facts.labels.names) for c in facts.counts.values() if not isinstance(c, int))
    assert facts.source and facts.licence and facts.layouts


@pytest.mark.parametrize("name", [n for n in DATASETS if n not in ("folder", "video-folder", "csv")])
def test_not_found_says_where_was_looked_and_what_to_do(name: str, tmp_path: Path) -> None:
    facts = about(name)
    assert facts is not None
    with pytest.raises(SourceError) as told:
        read(name, tmp_path)
    text = str(told.value)
    assert text.count(str(tmp_path)) >= 3, "the root and at least two paths in it"
    assert facts.title in text and facts.source in text and all(layout in text for layout in facts.layouts)
    assert "does not exist" not in text
    with pytest.raises(SourceError, match="That folder does not exist"):
        read(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", DATASETS)
def test_a_misspelt_option_is_answered(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"'{name}' has no option 'skip_mising'\."):
        read(name, tmp_path, skip_mising=True)


@pytest.mark.parametrize(
    ("name", "listing"),
    [
        ("rafdb", "basic/EmoLabel/list_patition_label.txt"),
        ("rafdb-compound", "compound/EmoLabel/list_patition_label.txt"),
        ("fer2013", "fer2013.csv"),
        ("ferplus", "fer2013new.csv"),
        ("affectnet8", "training.csv"),
        ("csv", "table.csv"),
        ("ckplus", "Emotion/S005/001/S005_001_00000006_emotion.txt"),
        ("ckplus-sequences", "FACS/S005/001/S005_001_00000006_facs.txt"),
        ("dfew", "EmoLabel_DataSplit/test(single-labeled)/set_3.csv"),
        ("ferv39k", "4_setups/All_scenes/test_All.csv"),
        ("mafw", "Train & Test Set/single/no_caption/set_5/test.txt"),
        ("crema-d", "finishedResponses.csv"),
    ],
)
def test_a_broken_list_names_file_and_line(name: str, listing: str, tmp_path: Path) -> None:
    fakes.FAKES[name][next(iter(fakes.FAKES[name]))](tmp_path)
    path = tmp_path / listing
    whole = path.read_text().splitlines(keepends=True)
    last = whole[-1]
    broken = last.rstrip("\r\n")[:-1].rstrip() + "?\n"
    if name in ("ferplus", "fer2013", "csv", "crema-d"):
        broken = ",".join(last.split(",")[:2]) + "\n"  # cells lost
    path.write_text("".join([*whole[:-1], broken]))
    with pytest.raises(SourceError) as told:
        read(name, tmp_path)
    assert str(path) in str(told.value) and f"line {len(whole)}" in str(told.value)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("rafdb", "basic/Image/aligned/train_00002_aligned.jpg"),
        ("affectnet8", "Manually_Annotated_Images/3/train3.jpg"),
        ("rafdb-compound", "compound/Image/aligned/train_0002_aligned.jpg"),
        ("csv", "faces/1.png"),
        ("mafw", "data/clips/00004.mp4"),
    ],
)
def test_a_missing_picture_is_named_and_may_be_left_out(name: str, lost: str, tmp_path: Path) -> None:
    expected = fakes.FAKES[name][next(iter(fakes.FAKES[name]))](tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(SourceError, match=r"1 of the \d+ do not exist") as told:
        read(name, tmp_path)
    assert str(tmp_path / lost) in str(told.value) and "skip_missing" in str(told.value)
    assert len(read(name, tmp_path, skip_missing=True)) == len(expected) - 1


def test_a_function_of_ones_own_is_a_data_set(tmp_path: Path) -> None:
    fakes.folder(tmp_path)
    mine = resolve(DATASETS, "folder", "data set")
    assert len(read(lambda root: mine(root / "train"), tmp_path)) == 6
    with pytest.raises(SettingError, match="not a Manifest"):
        read(lambda root: root, tmp_path)
    with pytest.raises(SettingError, match="Did you mean 'ckplus'"):
        read("ckplu", tmp_path)
