"""``tronie models``: what models are there."""

from __future__ import annotations

from dataclasses import dataclass

from tronie.models.catalog import load_model, shipped
from tronie.models.info import ModelInfo


@dataclass(frozen=True)
class Listed:
    """One model that can be named: ``name`` is what ``--model`` takes, ``hash`` what tables carry."""

    name: str
    hash: str
    megabytes: float
    info: ModelInfo


def models() -> list[Listed]:
    """The models that ship. Raises ModelError where one is damaged."""
    found = []
    for name in shipped():
        model = load_model(name)
        size = sum(path.stat().st_size for path in model.folder.iterdir() if path.is_file())
        found.append(Listed(name, model.hash, size / 1e6, model.info))
    return found
