"""The noise table on a fake pack: runs, skips what is there, and prints figures that a person can check."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

REPO = Path(__file__).resolve().parents[2]
FACES = 150


class Tiny(nn.Module):
    width = 8

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4)

    def maps(self, pixels: Tensor) -> Tensor:
        return torch.relu(self.conv(pixels / 128 - 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.maps(pixels).mean((2, 3))

    def start(self, faces: Tensor) -> None:
        """Nothing to load."""


@pytest.fixture(scope="module")
def noise() -> Iterator[ModuleType]:
    """The script, and an encoder small enough for a test under a name it can be asked for."""
    encoder = ModuleType("tiny_encoder")
    encoder.Tiny = Tiny  # type: ignore[attr-defined]
    sys.modules["tiny_encoder"] = encoder
    sys.path.insert(0, str(REPO / "benchmarks" / "accuracy"))
    import noise as script

    yield script
    sys.path.remove(str(REPO / "benchmarks" / "accuracy"))
    for name in ("tiny_encoder", "noise", "noise_table"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RAF-DB's first training names with made-up pictures whose brightness tells the label."""
    with (REPO / "src/tronie/recipes/folds/rafdb-train.csv").open(encoding="utf-8", newline="") as file:
        names = [row["id"] for _, row in zip(range(FACES), csv.DictReader(file), strict=False)]
    rng, label = np.random.default_rng(0), np.arange(FACES) % 7
    pictures = [np.clip(rng.normal(20 + 35 * y, 10, (20, 20, 3)), 0, 255).astype(np.uint8) for y in label]
    encoded = [cv2.imencode(".png", picture)[1] for picture in pictures]
    folder = tmp_path_factory.mktemp("pack")
    words = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]
    np.savez(
        folder / "rafdb_train.npz",
        blob=np.concatenate(encoded),
        name=np.array(names),
        label=label,
        offsets=np.cumsum([0] + [len(e) for e in encoded]),
        label_names=np.array(words),
    )
    return folder


def given(pack: Path, out: Path, *more: str) -> list[str]:
    return [str(pack), "--out", str(out), "--encoder", "tiny_encoder:Tiny", "--size", "24", "--epochs", "2", *more]


def test_every_row_runs_once_and_then_never_again(
    noise: ModuleType, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "runs.jsonl"
    first = given(pack, out, "--seeds", "0", "--rates", "symmetric:0.3", "--subset", "20")
    assert noise.main([*first, "--shard", "0/2"]) == 0 and noise.main([*first, "--shard", "1/2"]) == 0
    capsys.readouterr()
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(line["row"] for line in lines) == sorted(noise.ROWS)
    assert len({(line["truth"], line["wrong"]) for line in lines}) == 1, "all rows see the same faces and noise"
    assert all(len(line["chosen"]) == len(line["last"]) == len(line["truth"]) == 20 for line in lines)
    monkeypatch.setattr(noise, "run", lambda *_: pytest.fail("a run that is there was done again"))
    assert noise.main(first) == 0
    printed = capsys.readouterr().out
    assert all(f"| {row} |" in printed for row in noise.ROWS) and "| | symmetric 30% |" in printed


def test_a_run_is_repeatable_and_a_cut_line_is_done_again(noise: ModuleType, pack: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    more = ("--seeds", "1", "--rates", "pair:0.2", "--rows", "plain")
    assert noise.main(given(pack, one, *more)) == 0
    text = one.read_text()
    two.write_text(text[: len(text) // 2])  # as a kill would leave it
    assert noise.main(given(pack, two, *more)) == 0
    before, after = json.loads(text), json.loads(two.read_text().splitlines()[-1])
    assert {k: v for k, v in before.items() if k != "seconds"} == {k: v for k, v in after.items() if k != "seconds"}


def test_roles_never_share_a_face(noise: ModuleType, pack: Path) -> None:
    faces = noise.read_faces(pack)
    reported = []
    for seed in range(5):
        learn, choose, report = (set(part.tolist()) for part in noise.roles(faces, seed, 0))
        assert not (learn & choose or learn & report or choose & report)
        assert len(learn) + len(choose) + len(report) == FACES
        reported += sorted(report)
    assert sorted(reported) == list(range(FACES)), "five seeds report on every face once"


def line(seed: int, truth: str, last: str, row: str = "plain") -> dict[str, Any]:
    return {
        "row": row,
        "noise": "symmetric:0",
        "seed": seed,
        "reported": "a",
        "faces": [1, 2, 3],
        "truth": truth,
        "last": last,
        "chosen": truth,
    }


def test_the_figures_by_hand(noise: ModuleType) -> None:
    table = sys.modules["noise_table"]
    plain = [line(0, "00112", "00100"), line(1, "00112", "11002")]  # 60 % and 20 %; recalls (1, .5, 0) and (0, 0, 1)
    better = [line(0, "00112", "00110", "scn"), line(1, "00112", "00002", "scn")]  # 80 % and 60 %
    assert table.cell(plain, "last") == "40.0 ± 28.3 / 41.7 ± 11.8"
    assert table.difference(better, plain, "last").startswith("+30.0 [")
    assert table.difference(plain, plain, "last") == "+0.0 [+0.0, +0.0] / +0.0 [+0.0, +0.0]"
    assert table.difference(better, [], "last") == table.cell([], "last") == "–"
    printed = "\n".join(table.tables([*plain, *better], ["plain", "scn"], ["symmetric:0"], "plain"))
    assert "| plain | 40.0 ± 28.3 / 41.7 ± 11.8 |" in printed and "1/2/3; seeds 0, 1" in printed


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--rows", "plane"), "no row 'plane'"),
        (("--rates", "asymmetric:0.2"), "no noise"),
        (("--rates", "pair"), "no noise"),
        (("--shard", "2/2"), "no shard"),
    ],
)
def test_a_wrong_word_is_one_sentence(
    noise: ModuleType, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, ...], says: str
) -> None:
    assert noise.main(given(pack, tmp_path / "x.jsonl", *wrong)) == 2
    assert says in capsys.readouterr().err
