"""The robust rivals of accuracy/noise.py beside cleaning.py: linear models on the same features, with noisy labels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1] / "accuracy"))
from cached import fit, predict

from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.loader import Rows
from tronie.train.loop import Loop
from tronie.train.optim import Optim
from tronie.train.recipe import Recipe, Source, resolved
from tronie.train.run import make_method

Ints = NDArray[np.int64]
RIVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "net": ("baseline", {"smoothing": 0.0, "dropout": 0.0}),
    "elr": ("elr", {"dropout": 0.0}),
    "gce": ("gce", {"dropout": 0.0}),
}
EPOCHS = 30
OPTIM = Optim(ema=0.0, rate=5e-3)


class Flat(nn.Module):
    """Features ``(n, d, 1, 1)``, brought to one scale, as they are: what learns on top is linear."""

    width = 1

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(self.width, affine=False)

    def maps(self, x: Tensor) -> Tensor:
        """``(n, d, 1, 1)``."""
        return self(x)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.norm(x.flatten(1))
        return scaled

    def start(self, faces: Tensor) -> None:
        """Nothing to load."""


class Middle(Flat):
    """512 components of dlib's net."""

    width = 512


class Strong(Flat):
    """1024: those and as many of a net trained on FERPlus."""

    width = 1024


@dataclass(frozen=True, eq=False)
class Views:
    """Two views ``(2, n, d)`` of each face, offered as ``cached.Cache`` offers its looks."""

    x: NDArray[np.float32]
    manifest: Manifest
    varied: int = 1

    @property
    def maps(self) -> NDArray[np.float32]:
        """For the number of looks alone."""
        return np.zeros((self.x.shape[1], 3), np.float32)

    def clip(self, row: Ints, look: Ints) -> Tensor:
        """``(m, 1, d, 1, 1)``."""
        return torch.from_numpy(self.x[look % 2, row])[:, None, :, None, None]


def answers(strength: str, x: NDArray[np.float32], label: Ints, held: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    """What each of RIVALS, having learnt from ``label`` ``(n,)`` of the rows not ``held``, says of those that are."""
    torch.set_num_threads(1)
    learn, rest = np.flatnonzero(~held), np.flatnonzero(held)
    ids = np.array([str(i) for i in range(len(label))])
    manifest = Manifest(ids, ids, label, BASIC7)
    views = Views(np.ascontiguousarray(x[:2]), manifest)
    target = np.eye(len(BASIC7), dtype=np.float32)[label[learn]]
    rows = Rows(np.zeros((len(label), 1, 1, 1, 3), np.uint8), learn, target, np.ones(len(learn), np.float32))
    found = {}
    for name, (kind, differing) in RIVALS.items():
        encoder = {"encoder": f"cleaning_rivals:{strength.capitalize()}", "size": 1}
        recipe = resolved(
            Recipe(
                "cleaning",
                (Source("rafdb"),),
                method=kind,
                config=encoder | differing,
                balance=0.0,
                loop=Loop(epochs=EPOCHS, seed=seed, half=False),
                optim=OPTIM,
            )
        )
        method = make_method(recipe)
        method.prepare(manifest.select(learn), torch.zeros(2, 3, 1, 1))
        fit(method, views, rows, EPOCHS, seed, OPTIM)  # type: ignore[arg-type]  # it offers what is asked of a Cache
        found[name] = predict(method, views, rest).logits.argmax(1)  # type: ignore[arg-type]
    return found
