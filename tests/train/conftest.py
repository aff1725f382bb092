"""What the tests of the lab share: generated faces of three kinds, laid down as ``tronie prepare`` would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest

sys.path.insert(0, str(Path(__file__).parent))  # recipes name the method of these tests as "tiny_method:Tiny"
NAMES = ("happiness", "sadness", "neutral")
SIDE = 32


def drawn(label: NDArray[np.int64], seed: int = 0) -> NDArray[np.uint8]:
    """``(n, 2, 32, 32, 3)``: a mouth that curves up, down or not at all, on noise; the second cut is moved a little."""
    rng = np.random.default_rng(seed)
    x = np.arange(8, 24)
    faces = rng.normal(90, 12, (len(label), 2, SIDE, SIDE, 3))
    bend = np.array([1.0, -1.0, 0.0])[label]
    for i, b in enumerate(bend):
        for cut in range(2):
            y = (21 + cut - b * ((x - 15.5) ** 2 / 12 - 2)).round().astype(int)
            for thick in (0, 1):
                faces[i, cut, y + thick, x] += 120
    return faces.clip(0, 255).astype(np.uint8)


def prepare(
    root: Path,
    name: str = "drawn",
    n: int = 60,
    seed: int = 0,
    *,
    split: str = "train",
    folds: int = 3,
    votes: bool = False,
    names: tuple[str, ...] = NAMES,
) -> Manifest:
    """Write ``root/name`` and return its manifest; labels go round, folds too."""
    label = np.arange(n) % 3
    rng = np.random.default_rng(seed)
    counts = np.eye(3)[label] * 6 + rng.integers(0, 3, (n, 3))
    manifest = Manifest(
        id=np.array([f"{name}/{split}{i:04d}" for i in range(n)]),
        path=np.array([f"faces.npy::{i}" for i in range(n)]),
        label=label,
        labels=LabelSet(names),
        split=np.full(n, split),
        fold=(np.arange(n) // 3) % folds,
        votes=counts.astype(np.float32) if votes else None,
        root=root / name,
    )
    (root / name).mkdir(parents=True)
    np.save(root / name / "faces.npy", drawn(label, seed))
    manifest.save(root / name / "manifest.csv")
    return manifest


@pytest.fixture(scope="session")
def prepared() -> Callable[..., Manifest]:
    """:func:`prepare`, for tests that need a data set of their own."""
    return prepare


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two prepared sets: ``drawn`` (60, three folds) and ``voted`` (30, split valid, with votes)."""
    root = tmp_path_factory.mktemp("prepared")
    prepare(root)
    prepare(root, "voted", 30, 7, split="valid", votes=True)
    return root
