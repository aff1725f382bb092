"""A researcher's slips, through the real command: one sentence, an exit code, and nothing begun that cannot end."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tronie import cli

OPTION, SOURCE, OUTPUT = 2, 3, 5
RECIPE = """
labels = []
[[train]]
data = "set"
split = ""
folds = "manifest"
[config]
encoder = "small"
size = 32
[loop]
epochs = 1
batch = 8
half = false
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in two folders, prepared at 32 pixels with two folds; a file, an empty folder, a table, a recipe."""
    root, rng = tmp_path_factory.mktemp("slips"), np.random.default_rng(0)
    for name in ("happiness", "sadness"):
        (root / "pictures" / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(root / "pictures" / name / f"{i}.png")
    (root / "diary" / "sadness").mkdir(parents=True)
    (root / "diary" / "sadness" / "1.jpg").write_text("Dear diary")
    (root / "empty").mkdir()
    (root / "file").write_text("x")
    (root / "table.csv").write_text("a,b\n1,2\n")
    (root / "mine.toml").write_text(RECIPE)
    given = ["prepare", "folder", str(root / "pictures"), "-o", str(root / "prepared" / "set"), "--size", "32"]
    assert cli.main([*given, "--folds", "2", "--detector", "whole", "-q"]) == 0
    return root


SLIPS = {
    "datasets nonsense": (OPTION, "Unknown data set 'nonsense'"),
    "datasets folder nowhere": (SOURCE, "That folder does not exist"),
    "datasets folder empty": (SOURCE, "empty has no folders with pictures"),
    "datasets folder pictures --set labels=happiness,sadness": (OPTION, "is a list, such as labels="),
    "datasets folder pictures --set labels=3": (OPTION, "is a list, such as labels="),
    "datasets folder pictures --set names=happiness": (OPTION, "is a table, such as names="),
    "datasets folder pictures --set labels=['fear','sadness']": (SOURCE, "none of the labels fear, sadness"),
    "prepare folder diary -o out --detector whole": (SOURCE, "None of the 1 pictures could be read"),
    "prepare folder pictures -o out --size 1000000": (OPTION, "a size of 16 to 4,096 pixels"),
    "prepare folder pictures -o out --folds 2 --seed -1": (OPTION, "a seed of 0 or more"),
    "prepare folder pictures -o file/out --detector whole": (OUTPUT, "is a file, not a folder"),
    "prepare csv pictures/happiness/0.png -o out": (SOURCE, r"0\.png"),
    "features pictures -o out": (SOURCE, "No prepared data in pictures"),
    "features prepared/set -o prepared/set": (OPTION, "give another folder"),
    "corrupt prepared/set symmetric:0.3 -o out.csv --seed -1": (OPTION, "The seed is -1; it must be 0 or more"),
    "corrupt prepared/set symetric:0.3 -o out.csv": (OPTION, "'symetric:0.3' is no noise"),
    "corrupt prepared/set symmetric:0.3 -o out.txt": (OPTION, r"it must end in \.csv"),
    "corrupt table.csv symmetric:0.3 -o out.csv": (SOURCE, "is not a manifest"),
    "audit prepared/set -o out --seed -1": (OPTION, "a seed of 0 or more"),
    "audit prepared/set -o out --decisions none.csv": (SOURCE, r"There is no file none\.csv"),
    "audit prepared/set -o out --decisions table.csv": (SOURCE, r"table\.csv lacks the column id, decision"),
    "audit pictures -o out": (SOURCE, "No prepared data in pictures"),
}
WITH_TORCH = {
    "audit prepared/set -o out": (OPTION, "faces of 71 pixels or more, and these have 32: prepare them again"),
    "train": (OPTION, "Give a recipe"),
    "train nonsense": (OPTION, "There is no recipe 'nonsense'"),
    "train mine.toml --data nowhere": (SOURCE, "No prepared data in nowhere/set"),
    "train mine.toml --data prepared --set loop.epoch=3": (OPTION, r"Did you mean 'loop\.epochs'"),
    "train mine.toml --data prepared -o out --set loop.device=abacus": (OPTION, "cannot use the device 'abacus'"),
    "train mine.toml --data prepared -o file": (OUTPUT, "is a file, not a folder"),
    "train --resume empty": (OPTION, "empty is no run folder"),
    "evaluate default prepared/set --split tset": (SOURCE, "none of the 0 that were asked for"),
    "evaluate nonsense prepared/set": (4, "There is no model 'nonsense'"),
    "export empty -o out": (OPTION, r"empty is no run folder: it has no recipe\.toml"),
    "export nowhere -o empty": (OPTION, "empty exists: give a new folder"),
}


def slip(
    home: Path, command: str, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    given = cli.main(command.split())
    out, err = capsys.readouterr()
    assert (given, out) == (code, ""), (given, out, err)
    (line,) = err.splitlines()
    assert re.fullmatch(r"tronie: .+[.}?]", line) and re.search(says, line), line
    assert not [p for p in home.rglob("*") if p.is_file() and p.relative_to(home).parts[0].startswith("out")]
    shutil.rmtree(home / "out", ignore_errors=True)  # an empty folder may stay


@pytest.mark.parametrize("command", SLIPS)
def test_a_slip_is_one_sentence(home, command, monkeypatch, capsys) -> None:
    slip(home, command, *SLIPS[command], monkeypatch, capsys)


@pytest.mark.parametrize("command", WITH_TORCH)
def test_a_slip_with_pytorch_is_one_sentence(home, command, monkeypatch, capsys) -> None:
    pytest.importorskip("torch")
    slip(home, command, *WITH_TORCH[command], monkeypatch, capsys)
