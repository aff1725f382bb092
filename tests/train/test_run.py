"""From a recipe to a model folder: what a run leaves behind, and that it can be taken up and run again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.config import as_dict, to_toml  # noqa: E402
from tronie.core.errors import SettingError, SourceError  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.metrics.calibration import softmax  # noqa: E402
from tronie.models.folder import both_ways, load_folder  # noqa: E402
from tronie.train.predictions import read_answers  # noqa: E402
from tronie.train.recipe import Recipe, read_recipe  # noqa: E402
from tronie.train.run import Outcome, execute, make_method, new_folder, open_run  # noqa: E402
from tronie.train.scores import plain  # noqa: E402
from tronie.train.sources import open_part, validation_parts  # noqa: E402
from tronie.train.validate import said_by  # noqa: E402

RECIPE = """
method = "tiny_method:Tiny"
labels = []
fold = 1
[[train]]
data = "drawn"
folds = "manifest"
[[valid]]
data = "voted"
split = "valid"
soft = true
[config]
decide = true
[loop]
epochs = 3
batch = 16
half = false
judge_every = 1
[optim]
rate = 5e-3
ema = 0.9
[augment]
rotate = 5
smallest = 16
erase = 0
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "drawn.toml"
    path.write_text(RECIPE)
    return read_recipe(path)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def outcome(recipe: Recipe, data: Path, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return execute(recipe, data, tmp_path_factory.mktemp("runs") / "first", lines.append)


def told(outcome: Outcome) -> dict[str, object]:
    return {name: plain(e) for name, e in outcome.evaluations.items()}


def test_the_run_folder_holds_what_the_design_says(outcome: Outcome, lines: list[str]) -> None:
    names = {p.name for p in outcome.folder.iterdir()}
    assert names == {
        "recipe.toml",
        "environment.json",
        "log.jsonl",
        "samples.csv",
        "evaluation.json",
        "answers.csv",
        "model",
        "last.pt",
    }
    assert {p.name for p in outcome.model.iterdir()} == {"encoder.onnx", "model.json", "card.md"}
    assert "tronie" in json.loads((outcome.folder / "environment.json").read_text())
    assert lines[0].startswith("computes in float32 (loop.half=false), on 1 of ")
    assert lines[1] == "learns from drawn: 39 faces, 100% of them each epoch" and len(lines) == 2 + 3 * 3
    assert set(outcome.evaluations) == {"drawn/fold1", "voted/valid"}
    written = json.loads((outcome.folder / "evaluation.json").read_text())
    assert written["sources"]["drawn/fold1"]["rows"] == 21
    assert {"votes_kl", "votes_correlation"} <= set(written["sources"]["voted/valid"]["scores"])
    assert "votes_kl" not in written["sources"]["drawn/fold1"]["scores"]


def test_its_recipe_is_complete_and_runs_again_to_the_same_end(outcome: Outcome, data: Path, tmp_path: Path) -> None:
    """Nothing is left to defaults: labels and the method's numbers are written out."""
    again = read_recipe(outcome.folder / "recipe.toml")
    assert again.labels == ("happiness", "sadness", "neutral") and again.config["dropout"] == 0.3
    second = execute(again, data, tmp_path / "second")
    assert told(second) == told(outcome)
    assert (tmp_path / "second" / "recipe.toml").read_text() == (outcome.folder / "recipe.toml").read_text()
    for name in ("answers.csv", "samples.csv", "evaluation.json"):
        assert (tmp_path / "second" / name).read_text() == (outcome.folder / name).read_text()


def test_decisions_are_told_by_row_id(outcome: Outcome) -> None:
    with (outcome.folder / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "id", "given", "verdict", "weight", "label", "reason"]
    assert [r["epoch"] for r in rows] == ["0"] * 39 + ["1"] * 39 + ["2"] * 39
    assert rows[4]["label"] == "neutral" and rows[4]["given"] == "sadness" and rows[5]["label"] == ""
    assert {r["verdict"] for r in rows} == {"keep", "hard"} and rows[0]["reason"].startswith("loss ")
    assert rows[0]["id"] == "drawn/train0000"


def test_the_exported_model_answers_as_the_run_did(outcome: Outcome, recipe: Recipe, data: Path) -> None:
    model = load_folder(outcome.model)
    assert model.labels.names == ("happiness", "sadness", "neutral") and model.size == 32
    assert model.info.calibrated == "" and model.info.temperature == 1.0  # 21 faces are too few to calibrate on
    assert model.info.seen == (f"drawn:39:{_learnt(outcome, data).hash()}",)
    part = validation_parts(recipe_of(outcome), data)[0]
    answered = read_answers(outcome.folder)["drawn/fold1"]
    assert answered.id.tolist() == part.manifest.id.tolist() and answered.truth.tolist() == part.truth.tolist()
    p = both_ways(model.predict, np.ascontiguousarray(part.rows.faces[part.rows.index, -1]))
    assert np.abs(p - answered.probability).max() < 5e-3  # weights lie as fp16
    assert (p.argmax(1) == answered.probability.argmax(1)).mean() > 0.95


def recipe_of(outcome: Outcome) -> Recipe:
    return read_recipe(outcome.folder / "recipe.toml")


def _learnt(outcome: Outcome, data: Path) -> Manifest:
    from tronie.train.sources import training_parts

    return training_parts(recipe_of(outcome), data)[0].manifest


def test_a_run_opens_again_with_its_averaged_weights(outcome: Outcome, data: Path) -> None:
    recipe, method = open_run(outcome.folder)
    part = validation_parts(recipe, data)[0]
    probability = softmax(said_by(method, part).logits)
    assert np.abs(probability - read_answers(outcome.folder)["drawn/fold1"].probability).max() < 1e-5
    assert method.get_buffer("times").shape == (39,)  # a memory of the training rows, without the training rows


def test_a_folder_of_another_recipe_is_refused(outcome: Outcome, recipe: Recipe, data: Path) -> None:
    from dataclasses import replace

    with pytest.raises(SettingError, match="holds a run of another recipe"):
        execute(replace(recipe, balance=0.9), data, outcome.folder)


def test_a_lost_end_is_made_again_without_training(outcome: Outcome, data: Path, tmp_path: Path) -> None:
    """Killed after the last epoch: judging and export are done when the run is taken up."""
    shutil.copytree(outcome.folder, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "model")
    (tmp_path / "cut" / "evaluation.json").unlink()
    again = execute(recipe_of(outcome), data, tmp_path / "cut")
    assert told(again) == told(outcome) and (again.model / "model.json").is_file()
    assert (tmp_path / "cut" / "log.jsonl").read_text() == (outcome.folder / "log.jsonl").read_text()


def test_wrong_data_and_methods_are_found_before_a_folder_is_made(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(SourceError, match="No prepared data"):
        execute(recipe, tmp_path / "nowhere", tmp_path / "run")
    with pytest.raises(SettingError, match="is no method"):
        make_method(replace(recipe, method="tiny_method:torch.nn.Identity", labels=("a", "b")))
    assert not (tmp_path / "run").exists()


def test_numbers_that_no_layer_takes_are_told(recipe: Recipe) -> None:
    from dataclasses import replace

    with pytest.raises(SettingError, match="cannot be made with these settings: dropout probability"):
        make_method(replace(recipe, labels=("a", "b"), config={"dropout": 2.0}))


def test_folders_are_numbered(tmp_path: Path) -> None:
    first = new_folder(tmp_path, "x")
    assert first.is_dir()
    assert new_folder(tmp_path, "x").name == first.name[:-1] + "2"


def test_weights_from_elsewhere_start_the_encoder(data: Path, tmp_path: Path) -> None:
    from tronie.nn.encoders.small import SmallResNet

    torch.manual_seed(9)
    torch.save(SmallResNet().state_dict(), tmp_path / "start.pt")
    path = tmp_path / "half.toml"
    path.write_text(
        f'labels = []\nweights = "{(tmp_path / "start.pt").as_posix()}"\n[[train]]\ndata = "drawn"\n'
        '[config]\nencoder = "small"\nsize = 32\n[loop]\nepochs = 1\nbatch = 60\nhalf = false\n'
        '[optim]\nname = "sgd"\nrate = 1e-12\nema = 0\n[augment]\nsmallest = 16\n'
    )
    execute(read_recipe(path), data, tmp_path / "run")
    _, method = open_run(tmp_path / "run")
    torch.manual_seed(9)
    assert torch.allclose(method.get_parameter("encoder.conv1.weight"), SmallResNet().conv1.weight, atol=1e-8)


def test_a_calibrated_run_says_on_what(data: Path, tmp_path: Path, prepared: object, recipe: Recipe) -> None:
    from dataclasses import replace

    from tronie.train.recipe import Source
    from tronie.train.validate import Said, judge_finally

    rng = np.random.default_rng(0)
    prepared(tmp_path, "many", 150)  # type: ignore[operator]
    part = open_part(tmp_path, Source("many"), recipe_labels())
    logits = (np.eye(3)[part.truth] * 2 + rng.normal(0, 2, (150, 3))).astype(np.float32)
    verdict = judge_finally(lambda p: Said(logits), [part], recipe_labels().names)
    assert verdict.calibrated == "many (150 rows, not learnt from)" and verdict.temperature != 1.0
    p = softmax(logits / verdict.temperature)
    crossed = verdict.answered["many"].probability
    assert not np.array_equal(p, crossed) and np.abs(p - crossed).max() < 0.1
    some = np.arange(60)
    small = replace(
        part,
        truth=part.truth[some],
        manifest=part.manifest.select(some),
        rows=replace(part.rows, index=part.rows.index[some]),
    )
    assert judge_finally(lambda p: Said(logits[some]), [small], recipe_labels().names).calibrated == ""


def recipe_labels():  # type: ignore[no-untyped-def]
    from tronie.core.labels import LabelSet

    return LabelSet(("happiness", "sadness", "neutral"))


def test_recipe_text_is_toml(recipe: Recipe) -> None:
    assert "tiny_method:Tiny" in to_toml(as_dict(recipe))
