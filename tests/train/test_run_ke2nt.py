"""KE2NT from a recipe to a model folder: wrong labels are noticed on the way, and the neutral comes out at the end."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.manifest import Manifest  # noqa: E402
from tronie.models.folder import load_folder  # noqa: E402
from tronie.train.recipe import read_recipe  # noqa: E402
from tronie.train.run import execute, open_run  # noqa: E402

WRONG = 6
RECIPE = """
method = "ke2nt"
labels = ["happiness", "sadness", "neutral"]
balance = 0.0
[[train]]
data = "own"
folds = "manifest"
[config]
encoder = "small"
size = 32
[config.looking]
looks = 3
warmup = 6
every = 3
keep = 0.0
settings = { gap = 0.3 }
[loop]
epochs = 12
batch = 16
half = false
judge_every = 12
[optim]
rate = 5e-3
ema = 0.0
[augment]
rotate = 5
smallest = 24
erase = 0
"""


def test_a_run_finds_wrong_labels_and_exports_its_neutral(tmp_path: Path, prepared: Callable[..., Manifest]) -> None:
    manifest = prepared(tmp_path, "own", 120)
    learnt = np.flatnonzero(manifest.fold != 0)[:: len(manifest) // 12][:WRONG]
    label = manifest.label.copy()
    label[learnt] = (label[learnt] + 1) % 3
    Manifest(
        id=manifest.id,
        path=manifest.path,
        label=label,
        labels=manifest.labels,
        split=manifest.split,
        fold=manifest.fold,
        root=tmp_path / "own",
    ).save(tmp_path / "own" / "manifest.csv")
    (tmp_path / "ke2nt.toml").write_text(RECIPE)
    outcome = execute(read_recipe(tmp_path / "ke2nt.toml"), tmp_path, tmp_path / "run")

    with (outcome.folder / "samples.csv").open(encoding="utf-8", newline="") as file:
        said = list(csv.DictReader(file))
    assert {row["epoch"] for row in said} <= {"5", "8", "11"} and {row["verdict"] for row in said} <= {
        "clean",
        "hard",
        "noisy",
    }
    noisy = {row["id"] for row in said if row["verdict"] == "noisy"}
    planted = set(manifest.id[learnt].tolist())
    assert len(noisy & planted) >= WRONG - 2 and len(noisy - planted) <= 6
    log = [json.loads(line) for line in (outcome.folder / "log.jsonl").read_text().splitlines()]
    assert log[5]["clean"] + log[5]["hard"] + log[5]["noisy"] == pytest.approx(1)
    assert {"match", "transform", "contrast"} <= log[0].keys() and "clean" not in log[4]

    model = load_folder(outcome.model)
    found = model.answer(np.zeros((2, 32, 32, 3), np.uint8))
    assert found.neutral is not None and found.neutral.shape == (2, 384)
    _, method = open_run(outcome.folder)
    assert model.words is not None and np.allclose(model.words, method.get_buffer("text"), atol=1e-3)
    assert "a sentence encoder that has never seen a picture" in (outcome.model / "card.md").read_text()
