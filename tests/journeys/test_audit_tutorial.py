"""The tutorial of the audit, command by command, as it is written."""

from __future__ import annotations

import csv
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tronie.cli import main
from tronie.core.manifest import Manifest

REPO = Path(__file__).resolve().parents[2]
TUTORIAL = REPO / "docs" / "tutorials" / "audit-your-own-folder.md"
MISPLACED = {"frown/a": "grin", "gasp/b": "frown", "grin/c": "gasp"}


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    return [
        shlex.split(line)
        for line in lines
        if line.startswith(("python ", "mv ", "cp ", "tronie ")) and not line.startswith("tronie:")
    ]


def test_the_tutorial_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("face_recognition_models")
    monkeypatch.chdir(tmp_path)
    done = []
    for name, *arguments in commands():
        if name == "python":
            monkeypatch.setattr(sys, "argv", arguments)
            runpy.run_path(str(REPO / arguments[0]), run_name="__main__")
        elif name in ("mv", "cp"):
            (shutil.move if name == "mv" else shutil.copy)(*arguments)
        else:
            if "--decisions" in arguments:
                (tmp_path / "decisions.csv").write_text("id,decision,label\nfrown/a,reject,\n")
            if "--probabilities" in arguments:
                _own_probabilities(tmp_path)
            assert main([*arguments, "--quiet"]) == 0, arguments
        done.append((name, *arguments[:1]))
        if done.count(("tronie", "audit")) == 1 and name == "tronie":
            _found(tmp_path)
    assert done.count(("tronie", "audit")) == 3 and ("tronie", "prepare") in done and ("cp",) not in done
    after = Manifest.load(tmp_path / "prepared" / "own" / "manifest.csv")
    assert after.labels.names[after.label[after.id.tolist().index("frown/a")]] == "frown", "a person said so"


def _found(home: Path) -> None:
    with (home / "audited" / "audit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"]: row["suggested"] for row in rows[:3]} == MISPLACED
    assert [row["verdict"] for row in rows].count("wrong") == 3
    assert (home / "audited" / "audit.html").stat().st_size > 10_000


def _own_probabilities(home: Path) -> None:
    manifest = Manifest.load(home / "prepared" / "own" / "manifest.csv")
    names = manifest.labels.names
    with (home / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *(f"p_{name}" for name in names)])
        for row, name in enumerate(manifest.id.tolist()):
            truth = MISPLACED.get(name, name.split("/")[0])
            sure = 0.6 + 0.35 * ((row * 7) % 10) / 10
            writer.writerow([name, *(f"{sure if n == truth else (1 - sure) / 2:.4f}" for n in names)])
