"""Recipes: strict, complete, and the same again when they are read back."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tronie.core.config import as_dict, build, to_toml  # noqa: E402
from tronie.core.errors import SettingError  # noqa: E402
from tronie.train.recipe import Recipe, Source, read_recipe, recipes, resolved  # noqa: E402


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('[[train]]\ndata = "drawn"\n[config]\nencoder = "resnet18-half"\n')
    return path


@pytest.mark.parametrize("name", recipes())
def test_every_shipped_recipe_is_sound_and_survives_being_written(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    (tmp_path / "again.toml").write_text(to_toml(as_dict(recipe)))
    assert read_recipe(tmp_path / "again.toml") == recipe


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("loop.epoch=3", r"Unknown setting 'loop\.epoch'\. Did you mean 'loop\.epochs'"),
        ("epochs=3", r"Unknown setting 'epochs'\. Did you mean 'loop\.epochs'"),
        ("config.smothing=0.2", r"Unknown setting 'config\.smothing'\. Did you mean 'config\.smoothing'"),
        ("method=baselin", r"Unknown method 'baselin'\. Did you mean 'baseline'"),
        ("optim.name=adam", r"must be one of adamw, sgd, not 'adam'"),
        ("loop.epochs=0", r"\[loop\] are impossible: epochs"),
        ("optim.rate=0", r"rate must be above 0"),
        ("augment.flip=2", r"\[augment\] are impossible"),
        ("balance=3", r"balance lies in 0\.\.1"),
        ("train=[]", r"train is empty"),
        ("train=[{data='a', share=2}]", r"share lies in"),
        ("loop.norms=sync", r"one of batch, frozen"),
        ("labels=['a', 'a']", r"repeat"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(file: Path, assignment: str, sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        read_recipe(file, [assignment])


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"no recipe 'baseline-statik'.*Did you mean 'baseline-static'"):
        read_recipe("baseline-statik")


def test_files_and_assignments_only_override(file: Path) -> None:
    recipe = read_recipe(file, ["loop.epochs=2", "config.dropout=0", "optim.rate=1e-4"])
    assert (recipe.name, recipe.loop.epochs, recipe.loop.batch, recipe.optim.rate) == ("mine", 2, 64, 1e-4)
    assert recipe.train == (Source("drawn"),)
    assert recipe.config["encoder"] == "resnet18-half" and recipe.config["dropout"] == 0


def test_hard_clips_are_a_share_or_a_file(file: Path) -> None:
    for given, wanted in (("0.2", 0.2), ("plan.csv", "plan.csv")):
        assert read_recipe(file, [f"train.0.hard={given}"]).train[0].hard == wanted


def test_a_resolved_recipe_spells_its_methods_numbers_out() -> None:
    from tronie.methods.baseline import BaselineConfig

    recipe = resolved(Recipe("a", (Source("drawn"),), config={"dropout": 0.5}))
    assert recipe.config == as_dict(BaselineConfig(dropout=0.5))
    assert resolved(recipe) == recipe
    assert build(Recipe, as_dict(recipe)) == recipe
