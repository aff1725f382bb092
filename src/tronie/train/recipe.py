"""A training run as data: dataclasses hold the numbers, a TOML file only says what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tronie.core import config
from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.registry import nearest, resolve
from tronie.data.augmentation import Augment
from tronie.data.prepared import RECIPES
from tronie.methods.method import Method
from tronie.methods.table import METHODS
from tronie.train.loop import Loop
from tronie.train.optim import Optim


@dataclass(frozen=True)
class Source:
    """Rows of one prepared data set (``tronie prepare``), named by its folder below the run's data root.

    ``split`` keeps the owners' split ("": all rows). ``share`` of the rows is drawn each epoch. ``soft``: votes are
    the targets, and rows count where at least ``least_votes`` votes are for the recipe's labels and one of these
    leads. ``folds`` says how the rows are cut: rows of the recipe's ``fold`` are then held out for validation. It names
    a file in ``recipes/folds`` or is the path of one, or "manifest" for the prepared manifest's own column. ``noise``
    plants wrong labels among the rows that are learnt from (:mod:`tronie.data.noise.named`: "symmetric:0.3", a file),
    drawn by ``noise_seed``; ``hard`` makes a share of the clips that are learnt from hard (0.2, or a plan's file, see
    :mod:`tronie.data.noise.clips`). Rows that the run is judged on are left as they are. ``taught``: the recipe's
    teacher, where it has one, has a say in these rows' targets. ``affect``: rows count too where valence and arousal
    are annotated and no label is, for a method that learns these.
    """

    data: str
    split: str = "train"
    share: float = 1.0
    soft: bool = False
    least_votes: float = 5
    folds: str = ""
    noise: str = ""
    noise_seed: int = 0
    hard: float | str = 0.0
    taught: bool = True
    affect: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError("share lies in 0..1, 0 excluded")
        if self.noise and self.soft:
            raise ValueError("votes tell the right labels: noise needs soft = false")


@dataclass(frozen=True)
class Teacher:
    """Distillation (:mod:`tronie.train.teacher`): models that have a say in what is learnt.

    ``models``: folders of image models, or names of those that ship; several are one ensemble, none: no distillation.
    ``share`` in [0, 1] of every target is theirs. ``heat`` >= 1 flattens what they say, so that more of it is about the
    labels they did not choose.
    """

    models: tuple[str, ...] = ()
    share: float = 0.5
    heat: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or not self.heat >= 1:
            raise ValueError("share lies in 0..1, heat is 1 or more")


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    ``fold``: which fold is held out to choose by; -1 trains on all rows of ``train`` (for the model that ships, once
    the recipe is chosen). ``valid`` are further validation sources. ``labels`` may be empty: then they are those of
    the first training source. ``weights``: a state dict that the method's encoders start from, in the place of their
    own start. ``start``: a run folder whose averaged weights this run goes on from (a second stage). ``teacher``:
    models whose answers have a share in the targets. ``balance`` in [0, 1]: class weights are proportional to
    count^-balance. ``config`` overrides the method's own defaults.
    """

    name: str
    train: tuple[Source, ...]
    valid: tuple[Source, ...] = ()
    labels: tuple[str, ...] = BASIC7.names
    fold: int = 0
    method: str = "baseline"
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""
    start: str = ""
    teacher: Teacher = field(default_factory=Teacher)
    balance: float = 0.35
    loop: Loop = field(default_factory=Loop)
    optim: Optim = field(default_factory=Optim)
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train is empty: name at least one source")
        LabelSet(self.labels)
        if not 0 <= self.balance <= 1:
            raise ValueError("balance lies in 0..1")


def recipes() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(p.stem for p in RECIPES.glob("*.toml"))


def read_recipe(name: str | Path, assignments: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or a TOML file, with ``--set`` assignments on top. Raises SettingError."""
    path = RECIPES / f"{name}.toml" if str(name) in recipes() else Path(name)
    if not path.is_file():
        hint = nearest(str(name), recipes())
        raise SettingError(f"There is no recipe '{name}': give a shipped one or a TOML file.{hint}")
    data = config.override(config.read_toml(path), assignments)
    data.setdefault("name", path.stem)
    return resolved(config.build(Recipe, data))


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with every number of its method written out, so that a change of defaults does not change it.

    Raises SettingError for an unknown method or a setting that its ``Config`` does not have, before anything is read;
    so it does for rows without labels that the method cannot learn from.
    """
    unlabelled = next((s.data for s in (*recipe.train, *recipe.valid) if s.affect), None)
    if unlabelled is not None and not method_kind(recipe).learns_affect:
        raise SettingError(
            f"'{unlabelled}' has affect = true, and method '{recipe.method}' learns no valence and "
            "arousal: choose 'multitask', or leave affect = false."
        )
    return replace(recipe, config=config.as_dict(config.build(method_kind(recipe).Config, recipe.config, "config")))


def method_kind(recipe: Recipe) -> type[Method]:
    """The class that the recipe's ``method`` names. Raises SettingError."""
    kind = resolve(METHODS, recipe.method, "method")
    if not (isinstance(kind, type) and issubclass(kind, Method) and hasattr(kind, "Config")):
        raise SettingError(
            f"'{recipe.method}' is no method: it must derive from tronie.methods.method.Method and have a Config."
        )
    return kind
