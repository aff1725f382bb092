from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tronie.cli import main
from tronie.core.errors import SettingError, SourceError
from tronie.data.inspect import datasets
from tronie.datasets.table import DATASETS


def test_every_known_set_is_listed_with_what_a_person_needs() -> None:
    report = datasets()
    assert [k.name for k in report.known] == list(DATASETS) and report.fine and report.manifest is None
    text = str(report)
    assert "rafdb: RAF-DB (basic)" in text and "published train 12,271, test 3,068" in text
    assert "classes   surprise, fear, disgust" in text and "classes   your own" in text
    assert "options   classes, rule, keep_unlabelled, skip_missing" in text
    assert "licence   non-commercial research only" in text


def test_one_set_by_name() -> None:
    report = datasets("jaffe")
    assert [k.name for k in report.known] == ["jaffe"] and "zenodo" in str(report)
    with pytest.raises(SettingError, match="Did you mean 'jaffe'"):
        datasets("jafe")
    with pytest.raises(SettingError, match="Which data set lies in here"):
        datasets(root=Path("here"))


def test_a_folder_is_read_and_checked(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb(tmp_path)
    report = datasets("rafdb", tmp_path)
    assert report.manifest is not None and len(report.manifest) == 14 and not report.fine
    assert "! The part 'train' holds 9 rows, 12,262 fewer than the 12,271 published." in str(report)
    assert "All 14 pictures can be read." in str(report)
    assert "can be read" not in str(datasets("rafdb", tmp_path, pixels=False))
    with pytest.raises(SourceError, match="RAF-DB"):
        datasets("rafdb", tmp_path / "nowhere")


def test_twins_are_joined_in_the_groups_of_what_was_read(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.folder(tmp_path)
    twin = tmp_path / "train" / "happy" / "copy.png"
    twin.write_bytes((tmp_path / "train" / "happy" / "0.png").read_bytes())
    manifest = datasets("folder", tmp_path).manifest
    assert manifest is not None
    group = dict(zip(manifest.id.tolist(), manifest.group.tolist(), strict=True))
    assert group["train/happy/copy"] == group["train/happy/0"] and len(set(group.values())) == len(manifest) - 1


def test_counts_are_those_of_the_whole_set_and_options_reach_the_reader(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ferplus_csv(tmp_path)
    whole = datasets("ferplus", tmp_path, pixels=False).manifest
    labelled = datasets("ferplus", tmp_path, pixels=False, keep_unlabelled=False).manifest
    assert whole is not None and labelled is not None
    assert (len(whole), len(labelled)) == (8, 5)
    with pytest.raises(SettingError, match="no option 'rles'"):
        datasets("ferplus", tmp_path, rles="plurality")


def test_the_command_takes_the_reader_s_options(
    fakes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.ferplus_csv(tmp_path)
    assert main(["datasets", "ferplus", str(tmp_path), "--no-pixels", "--set", "keep_unlabelled=false"]) == 1
    few = capsys.readouterr().out
    assert main(["datasets", "ferplus", str(tmp_path), "--no-pixels"]) == 1
    assert few != capsys.readouterr().out
    assert main(["datasets", "ferplus", str(tmp_path), "--set", "rles=plurality"]) == 2
    assert "no option 'rles'" in capsys.readouterr().err
