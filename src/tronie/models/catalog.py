"""Which models there are: the one that ships, and any folder a user names."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from tronie.core.errors import ModelError
from tronie.models.folder import Model, load_folder

SHIPPED = Path(__file__).parent / "shipped"
DEFAULT = "default"


def shipped() -> list[str]:
    """Names of the models inside the package."""
    return sorted(p.name for p in SHIPPED.iterdir() if (p / "model.json").is_file()) if SHIPPED.is_dir() else []


@lru_cache(maxsize=8)
def _cached(folder: Path, stamp: float, threads: int, provider: str) -> Model:
    return load_folder(folder, threads, provider)


def load_model(name: str | Path | Model = DEFAULT, threads: int = 1, provider: str = "cpu") -> Model:
    """A model by shipped name, by the path of its folder, or as it is (``threads`` and ``provider`` say nothing then).

    Raises ModelError that names the nearest one, SettingError for a provider that cannot be had.
    """
    if isinstance(name, Model):
        return name
    folder = SHIPPED / str(name) if str(name) in shipped() else Path(name)
    if not folder.is_dir():
        near = difflib.get_close_matches(str(name), shipped(), 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        known = ", ".join(shipped()) or "(none shipped)"
        raise ModelError(f"There is no model '{name}': give one of {known} or a model folder.{hint}")
    path = folder / "model.json"
    return _cached(folder.resolve(), path.stat().st_mtime if path.is_file() else 0.0, threads, provider)


def model_folder(model: str | Path | Model) -> str | Path | Model:
    """A run folder stands for the model in it."""
    if isinstance(model, (str, Path)) and (Path(model) / "model" / "model.json").is_file():
        return Path(model) / "model"
    return model
