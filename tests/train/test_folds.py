"""A run per fold: the summary against its definition, and the whole walk on drawn faces."""

from __future__ import annotations

import importlib.util
import json
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.cli import main
from tronie.core.errors import SettingError, SourceError
from tronie.methods.method import Method
from tronie.train import run
from tronie.train.compare import compare_models
from tronie.train.folds import Folded, fold_numbers, summarise, table, train_folds
from tronie.train.package import GRAPH, Precision
from tronie.train.predictions import Answered, read_answers
from tronie.train.recipe import read_recipe

LAB = Path(__file__).parents[1] / "train" / "conftest.py"
RECIPE = """
method = "tiny_method:Tiny"
labels = []
[[train]]
data = "drawn"
folds = "manifest"
[[valid]]
data = "voted"
split = "valid"
[loop]
epochs = 2
batch = 16
half = false
[optim]
rate = 5e-3
ema = 0.9
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``prepared`` with drawn faces in two folds and 30 others, and ``drawn.toml``."""
    spec = importlib.util.spec_from_file_location("lab_conftest", LAB)
    assert spec is not None and spec.loader is not None
    lab = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lab)
    folder = tmp_path_factory.mktemp("folds")
    lab.prepare(folder / "prepared", n=42, folds=2)
    lab.prepare(folder / "prepared", "voted", 30, 7, split="valid", votes=True)
    (folder / "drawn.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The first run's graph stands for those of all runs here: each would take seconds, and none is looked at."""
    made, write = tmp_path_factory.mktemp("graph"), run.write_graph

    def write_once(weights: Method, folder: Path, precision: Precision) -> Path:
        if not any(made.iterdir()):
            write(weights, made, precision)
        shutil.copytree(made, folder)
        return folder / GRAPH

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "write_graph", write_once)
        yield


@pytest.fixture(scope="module")
def folded(home: Path) -> Folded:
    return train_folds(home / "drawn.toml", data=home / "prepared", out=home / "runs")


def made_up(seed: int, n: int, first: int = 0) -> Answered:
    rng = np.random.default_rng(seed)
    return Answered(
        np.array([f"r{first + i}" for i in range(n)]),
        np.arange(first, first + n) // 2,
        rng.integers(0, 3, n),
        rng.dirichlet(np.ones(3), n),
        ("a", "b", "c"),
    )


def by_hand(a: Answered) -> tuple[float, float]:
    """Accuracy and mean recall by plain loops."""
    pairs = list(zip(a.truth.tolist(), a.probability.argmax(1).tolist(), strict=True))
    recalls = [statistics.mean(t == g for t, g in pairs if t == c) for c in {t for t, _ in pairs}]
    return statistics.mean(t == g for t, g in pairs), statistics.mean(recalls)


def test_the_summary_is_the_mean_and_deviation_over_folds() -> None:
    parts = {k: made_up(k, 10 + 5 * k, 100 * k) for k in range(3)}
    war, uar = summarise({k: {f"set/fold{k}": a} for k, a in parts.items()})
    for which, found in enumerate((war, uar)):
        values = [by_hand(a)[which] for a in parts.values()]
        np.testing.assert_allclose(found.values, values)
        assert found.mean.value == pytest.approx(statistics.mean(values))
        assert found.deviation == pytest.approx(statistics.stdev(values))
        assert found.mean.low < found.mean.value < found.mean.high
    assert (war.source, war.score, uar.score, war.rows) == ("set", "war", "uar", 45)


def test_rows_that_every_run_judged_are_drawn_once_for_all() -> None:
    """Three runs that answer the same rows alike know no more than one of them."""
    one = made_up(5, 40)
    thrice = summarise({k: {"valid": one} for k in range(3)})[0]
    alone = summarise({0: {"valid": one}})[0]
    assert thrice.rows == 40 and thrice.deviation == 0 and np.isnan(alone.deviation)
    assert thrice.mean == alone.mean
    apart = summarise({k: {f"v/fold{k}": made_up(5, 40, 1000 * k)} for k in range(3)})[0]
    assert apart.mean.high - apart.mean.low < 0.8 * (alone.mean.high - alone.mean.low)


def test_sources_that_only_some_folds_have_are_left_out() -> None:
    found = summarise({0: {"a/fold0": made_up(0, 9), "b": made_up(1, 9)}, 1: {"a/fold1": made_up(2, 9)}})
    assert {s.source for s in found} == {"a"}


def test_every_fold_is_held_out_once_and_all_rows_are_answered(folded: Folded, home: Path) -> None:
    assert folded.folds == (0, 1) and folded.folder.name.endswith("-drawn-folds-1")
    assert [(s.source, s.score) for s in folded.scores] == [
        ("drawn", "war"),
        ("drawn", "uar"),
        ("voted/valid", "war"),
        ("voted/valid", "uar"),
    ]
    together = read_answers(folded.folder)
    assert list(together) == ["drawn"] and len(set(together["drawn"].id.tolist())) == 42
    for k in folded.folds:
        assert read_recipe(folded.folder / f"fold{k}" / "recipe.toml").fold == k
        assert (folded.folder / f"fold{k}" / "report.html").is_file()
        evaluation = json.loads((folded.folder / f"fold{k}" / "evaluation.json").read_text())
        war = evaluation["sources"][f"drawn/fold{k}"]["scores"]["war"]["value"]
        assert folded.scores[0].values[k] == pytest.approx(war)
    content = json.loads((folded.folder / "folds.json").read_text())
    assert content["folds"] == [0, 1] and len(content["scores"]) == 4
    assert (folded.folder / "folds.md").read_text() == str(folded) and table(folded).count("\n") == 5
    assert {d.difference.value for d in compare_models(folded.folder, folded.folder)} == {0.0}


def test_a_stopped_walk_goes_on_with_the_folds_that_are_left(folded: Folded, home: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    shutil.copytree(folded.folder, begun)
    shutil.rmtree(begun / "fold1")
    (begun / "folds.json").write_text('{"folds": [0, 1]}')
    told: list[str] = []
    again = train_folds(data=home / "prepared", resume=begun, say=told.append)
    assert [t for t in told if t.startswith("fold")] == ["fold 0 is done", "fold 1 is held out"]
    assert again.scores == folded.scores
    with pytest.raises(SettingError, match="no assignments"):
        train_folds(data=home / "prepared", resume=begun, assignments=("loop.epochs=3",))
    with pytest.raises(SettingError, match="holds no runs over folds"):
        train_folds(resume=tmp_path)


def test_folds_by_number_from_the_command_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        [
            "train",
            str(home / "drawn.toml"),
            "--folds",
            "1",
            "--data",
            str(home / "prepared"),
            "--out",
            str(home / "few"),
            "--set",
            "loop.epochs=1",
        ]
    )
    assert code == 0
    printed = capsys.readouterr().out
    assert "fold 1 is held out" in printed and "| drawn (21) | accuracy (WAR) |" in printed
    assert "±" not in printed.splitlines()[-2]


def test_wrong_folds_are_answered(home: Path) -> None:
    recipe = read_recipe(home / "drawn.toml")
    assert fold_numbers(recipe, home / "prepared", "1,0") == (1, 0)
    with pytest.raises(SettingError, match="There is no fold 3 in 'drawn': it has 0, 1"):
        fold_numbers(recipe, home / "prepared", "0,3")
    with pytest.raises(SettingError, match="names no folds"):
        fold_numbers(recipe, home / "prepared", "first")
    with pytest.raises(SettingError, match="has no source with folds"):
        fold_numbers(read_recipe(home / "drawn.toml", ['train=[{data = "drawn"}]']), home / "prepared", "all")
    with pytest.raises(SourceError, match="No prepared data"):
        fold_numbers(recipe, home, "all")
