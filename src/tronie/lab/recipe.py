"""A training run as data: dataclasses hold the numbers, a TOML file only says what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tronie.core import config
from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.core.registry import nearest
from tronie.data.augment import Augment
from tronie.lab.loop import Loop
from tronie.lab.optim import Optim

RECIPES = Path(__file__).parents[1] / "recipes"


@dataclass(frozen=True)
class Source:
    """Rows of one prepared data set (``tronie prepare``), named by its folder below the run's data root.

    ``split`` keeps the owners' split. ``share`` of the rows is drawn each epoch. ``soft``: votes are the targets where
    a row has at least ``least_votes`` votes for the recipe's labels and one of these labels leads.
    ``folds`` names a fold file in ``recipes/folds``: rows of the recipe's ``fold`` are then held out for validation.
    """

    data: str
    split: str = "train"
    share: float = 1.0
    soft: bool = False
    least_votes: int = 5
    folds: str = ""


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    ``fold``: which fold is held out to choose by; -1 trains on all rows of ``train`` (for the model that ships, once
    the recipe is chosen). ``valid`` are further validation sources. ``balance`` in [0, 1]: class weights are
    proportional to count^-balance. ``config`` overrides the method's own defaults.
    """

    name: str
    train: tuple[Source, ...]
    valid: tuple[Source, ...] = ()
    labels: tuple[str, ...] = BASIC7.names
    fold: int = 0
    method: str = "baseline"
    config: Mapping[str, Any] = field(default_factory=dict)
    balance: float = 0.35
    loop: Loop = field(default_factory=Loop)
    optim: Optim = field(default_factory=Optim)
    augment: Augment = field(default_factory=Augment)


def recipes() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(p.stem for p in RECIPES.glob("*.toml"))


def read_recipe(name: str | Path, assignments: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or a TOML file, with ``--set`` assignments on top. Raises SettingError."""
    path = RECIPES / f"{name}.toml" if str(name) in recipes() else Path(name)
    if not path.is_file():
        raise SettingError(f"There is no recipe '{name}': give a shipped one or a TOML file.{nearest(str(name), recipes())}")
    data = config.override(config.read_toml(path), assignments)
    data.setdefault("name", path.stem)
    return config.build(Recipe, data)
