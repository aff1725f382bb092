"""Prepared data sets as they lie on disk: faces ready to be cut, manifest and folds. Works without PyTorch."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.core.registry import nearest

RECIPES = Path(__file__).parents[1] / "recipes"
OWN_FOLDS = "manifest"
"""Word for the folds in the prepared manifest itself (``tronie prepare --folds``)."""


def open_prepared(folder: Path) -> tuple[Manifest, NDArray[np.uint8]]:
    """Manifest and faces ``(n, cuts, s, s, 3)`` (memory-mapped) that ``tronie prepare`` wrote. Raises SourceError."""
    if not (folder / "manifest.csv").is_file() or not (folder / "faces.npy").is_file():
        raise SourceError(f"No prepared data in {folder}: run `tronie prepare` with --out {folder} first.")
    manifest = Manifest.load(folder / "manifest.csv", folder)
    try:
        faces: NDArray[np.uint8] = np.load(folder / "faces.npy", mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise SourceError(f"{folder / 'faces.npy'} cannot be read ({error}): run `tronie prepare` again.") from error
    if faces.dtype != np.uint8 or faces.ndim != 5 or len(faces) != len(manifest):
        raise SourceError(f"{folder} holds {len(faces)} faces for {len(manifest)} rows: run `tronie prepare` again.")
    return manifest, faces


def read_folds(name: str, manifest: Manifest) -> NDArray[np.int64]:
    """Fold of each row, -1 for none: the manifest's own ("manifest"), or joined by id from a fold file.

    ``name`` is a file of ``recipes/folds`` or the path of a CSV with the columns id and fold. Raises SettingError where
    there is no such file, SourceError where a training row is not in it.
    """
    if name == OWN_FOLDS:
        if not (manifest.fold >= 0).any():
            raise SettingError("The prepared data has no folds of its own: cut them with `tronie prepare … --folds 5`.")
        return manifest.fold
    shipped = {p.stem: p for p in (RECIPES / "folds").glob("*.csv")}
    path = shipped.get(name, Path(name))
    try:
        with path.open(encoding="utf-8", newline="") as file:
            known = {row["id"]: int(row["fold"]) for row in csv.DictReader(file)}
    except OSError:
        raise SettingError(f"There is no fold file '{name}'.{nearest(name, [OWN_FOLDS, *shipped])}") from None
    except (KeyError, ValueError, TypeError) as error:
        raise SettingError(f"Fold file {path} needs the columns id and fold, a whole number ({error}).") from error
    ids = [str(i).rpartition("/")[2] for i in manifest.id]
    strange = [i for i, split in zip(ids, manifest.split, strict=True) if split == "train" and i not in known]
    if strange:
        raise SourceError(f"Fold file '{name}' does not know row '{strange[0]}': this is not the data it was cut for.")
    return np.array([known.get(i, -1) for i in ids], np.int64)


def votes_among(manifest: Manifest, labels: LabelSet) -> NDArray[np.float32]:
    """Votes ``(n, len(labels))`` for ``labels``, joined by name; 0 in rows without votes; votes for others are left."""
    ours = np.zeros((len(manifest), len(labels)), np.float32)
    if manifest.votes is not None:
        votes = np.nan_to_num(manifest.votes)
        for old, new in enumerate(manifest.labels.translate(labels)):
            if new >= 0:
                ours[:, new] += votes[:, old]
    return ours


def vote_shares(manifest: Manifest, labels: LabelSet) -> NDArray[np.float32]:
    """Shares ``(n, len(labels))`` that sum to 1; NaN rows have no vote for any of ``labels``."""
    votes = votes_among(manifest, labels)
    total = votes.sum(1, keepdims=True)
    shares = np.full(votes.shape, np.nan, np.float32)
    np.divide(votes, total, out=shares, where=total > 0)
    return shares
