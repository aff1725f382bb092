"""Prepared data sets to training and validation rows, by the rules of a recipe."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.loader import Rows
from tronie.lab.recipe import RECIPES, Recipe, Source


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one source with what is needed to judge them: ``truth`` ``(m,)`` is the label, or the leading vote."""

    name: str
    manifest: Manifest
    rows: Rows
    truth: NDArray[np.int64]


def open_part(root: Path, source: Source, labels: LabelSet, keep_fold: int | None = None,
              drop_fold: int | None = None) -> Part:  # fmt: skip
    """The rows of ``source`` that carry one of ``labels``; of its folds only ``keep_fold``, or all but ``drop_fold``."""
    folder = root / source.data
    if not (folder / "manifest.csv").is_file() or not (folder / "faces.npy").is_file():
        raise SourceError(f"No prepared data in {folder}: run `tronie prepare` for '{source.data}' with --out {folder}.")
    manifest = Manifest.load(folder / "manifest.csv", folder)
    faces = np.load(folder / "faces.npy", mmap_mode="r")
    if len(faces) != len(manifest):
        raise SourceError(f"{folder} holds {len(faces)} faces for {len(manifest)} rows: run `tronie prepare` again.")
    target, truth = targets(manifest, labels, source)
    keep = truth >= 0
    if source.split:
        keep &= manifest.split == source.split
    if source.folds and (keep_fold is not None or drop_fold is not None):
        fold = read_folds(source.folds, manifest)
        keep &= (fold == keep_fold) if keep_fold is not None else (fold != drop_fold)
    index = np.flatnonzero(keep)
    if not len(index):
        raise SourceError(f"{folder} has no row of split '{source.split}' with a label of {', '.join(labels.names)}.")
    rows = Rows(faces, index, target[index], np.ones(len(index), np.float32), source.share)
    return Part(source.data, manifest.select(index), rows, truth[index])


def targets(manifest: Manifest, labels: LabelSet, source: Source) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Target probabilities ``(n, classes)`` and the label ``(n,)`` of each row, -1 where it has none to learn from."""
    move = manifest.labels.translate(labels)
    truth = np.append(move, -1)[manifest.label]
    target = np.eye(len(labels), dtype=np.float32)[np.maximum(truth, 0)]
    if source.soft and manifest.votes is not None:
        votes = np.nan_to_num(manifest.votes)
        ours = np.zeros((len(manifest), len(labels)), np.float32)
        for old, new in enumerate(move):
            if new >= 0:
                ours[:, new] += votes[:, old]
        led = ours.max(1) >= votes.max(1)
        enough = ours.sum(1) >= source.least_votes
        truth = np.where(led & enough, ours.argmax(1), -1)
        target = ours / np.maximum(ours.sum(1, keepdims=True), 1e-9)
    return target, truth


def read_folds(name: str, manifest: Manifest) -> NDArray[np.int64]:
    """Fold of each row from ``recipes/folds/<name>.csv``, joined by id; raises SourceError where a row has none."""
    with (RECIPES / "folds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        known = {row["id"]: int(row["fold"]) for row in csv.DictReader(file)}
    ids = [str(i).rpartition("/")[2] for i in manifest.id]
    strange = [i for i, split in zip(ids, manifest.split, strict=True) if split == "train" and i not in known]
    if strange:
        raise SourceError(f"Fold file '{name}' does not know row '{strange[0]}': this is not the data it was cut for.")
    return np.array([known.get(i, -1) for i in ids], np.int64)


def balanced(parts: list[Part], power: float) -> list[Rows]:
    """The parts' rows with class weights proportional to (count in the first part)^-power, mean 1 over that part."""
    count = parts[0].rows.target.sum(0)
    per_class = np.where(count > 0, count.clip(1) ** -power, 0)
    per_class /= (per_class * count).sum() / count.sum()
    return [
        Rows(p.rows.faces, p.rows.index, p.rows.target, (p.rows.target @ per_class).astype(np.float32), p.rows.share)
        for p in parts
    ]


def training_parts(recipe: Recipe, root: Path) -> list[Part]:
    """What the run learns from: every training source without the held-out fold."""
    labels = LabelSet(recipe.labels)
    return [open_part(root, s, labels, drop_fold=recipe.fold) for s in recipe.train]


def validation_parts(recipe: Recipe, root: Path) -> list[Part]:
    """What the run is judged on: the held-out fold of each source that has folds, and the ``valid`` sources."""
    labels = LabelSet(recipe.labels)
    folded = [s for s in recipe.train if s.folds and recipe.fold >= 0]
    held = [open_part(root, s, labels, keep_fold=recipe.fold) for s in folded]
    return held + [open_part(root, s, labels) for s in recipe.valid]
