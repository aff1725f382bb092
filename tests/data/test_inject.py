"""``tronie corrupt``: a file of wrong labels from a prepared folder or a manifest."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.cli import main
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.noise import clips
from tronie.data.noise.files import load


@pytest.fixture
def table(tmp_path: Path) -> Path:
    ids = np.array([f"a/{i}" for i in range(70)])
    Manifest(ids, ids, np.arange(70) % 7, BASIC7, split=np.full(70, "train")).save(tmp_path / "manifest.csv")
    return tmp_path / "manifest.csv"


def test_the_file_can_be_planted_again_and_is_not_written_over(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "noise.csv"
    assert main(["corrupt", str(table), "symmetric:0.3", "--out", str(out), "--seed", "5"]) == 0
    ids, made = load(out)
    assert len(ids) == 70 and f"{made.flipped.sum()} of 70 labels are wrong now" in capsys.readouterr().err
    before = out.read_bytes()
    assert main(["corrupt", str(table.parent), "pair:0.3", "--out", str(out)]) == 2 and out.read_bytes() == before
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["nowhere", "votes", "--out", "n.csv"], "No labelled data in nowhere", 3),
        (["{table}", "votes", "--out", "n.csv"], "no votes", 2),
        (["{table}", "symmetric:0.3", "--out", "n.txt"], "must end in .csv", 2),
    ],
)
def test_mistakes_are_one_sentence(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str, code: int
) -> None:
    given = [a.format(table=table) if "{" in a else a for a in arguments]
    given[-1] = str(tmp_path / given[-1])
    assert main(["corrupt", *given]) == code
    assert told in capsys.readouterr().err


def test_clips_are_made_hard_by_the_same_command(
    fakes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.ravdess_tracks(tmp_path)
    assert main(["prepare", "ravdess-tracks", str(tmp_path), "--out", str(tmp_path / "clips")]) == 0
    manifest, out = Manifest.load(tmp_path / "clips" / "manifest.csv"), tmp_path / "hard.csv"
    assert main(["corrupt", str(tmp_path / "clips"), "hard:1.0", "--out", str(out)]) == 0
    plan = clips.load(out, manifest.id)
    assert f"{plan.hard.sum()} of {len(manifest)} clips are hard now" in capsys.readouterr().err and plan.hard.any()
    assert (manifest.subject[plan.donor[plan.hard]] == manifest.subject[plan.hard]).all()
    assert main(["corrupt", str(tmp_path / "clips" / "manifest.csv"), "hard:1", "--out", str(tmp_path / "b.csv")]) == 2
    assert "give that folder" in capsys.readouterr().err
