"""``tronie prepare``: a data set's pictures to faces that are ready to be learnt from and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.manifest import Manifest
from tronie.core.registry import resolve
from tronie.data.datasets.table import read
from tronie.faces.detect import DETECTORS
from tronie.measure.duplicates import perceptual_hash, twin_groups
from tronie.measure.folds import joined_groups, stratified_folds
from tronie.pipeline.crops import Prepared
from tronie.pipeline.crops import prepare as cut


@dataclass(frozen=True)
class Made:
    """What was prepared, and how the rows were cut: ``folds`` (0: not), ``twins`` rows that have a near-duplicate."""

    prepared: Prepared
    folds: int = 0
    twins: int = 0


def prepare(dataset: str | Manifest, root: str | Path, out: str | Path, *, size: int = 112, folds: int = 0,
            seed: int = 0, options: Mapping[str, Any] | None = None, detector: str = "retinaface",
            progress: Callable[[int, int], None] | None = None) -> Made:  # fmt: skip
    """Read ``dataset`` below ``root`` (a name of ``tronie datasets``, or a manifest) and cut its faces into ``out``.

    ``size`` is the side of the faces in pixels. ``folds`` > 1 cuts the training rows (all rows, where the owners made
    no parts) into so many folds, seeded and stratified, with near-duplicates and people kept together; 0 keeps folds
    that the data set brings. ``options`` are the reader's. Raises SourceError, SettingError and OutputError.
    """
    if folds == 1 or folds < 0 or size < 16:
        raise SettingError("Give 2 folds or more (0 for none), and a size of 16 pixels or more.")
    manifest = dataset if isinstance(dataset, Manifest) else read(dataset, Path(root), **(options or {}))
    out = Path(out)
    prepared = cut(manifest, out, resolve(DETECTORS, detector, "detector")(), size=size, progress=progress)
    if not folds:
        return Made(prepared)
    return Made(prepared, folds, _cut_folds(out, folds, seed))


def _cut_folds(folder: Path, folds: int, seed: int) -> int:
    """Write folds and groups into the prepared manifest; returns how many rows have a near-duplicate."""
    manifest = Manifest.load(folder / "manifest.csv", folder)
    faces = np.load(folder / "faces.npy", mmap_mode="r")
    twins = twin_groups(perceptual_hash(_grey(faces)))
    _, people = np.unique(manifest.subject, return_inverse=True)
    alone = manifest.subject == ""
    people[alone] = len(people) + np.flatnonzero(alone)
    group = joined_groups(joined_groups(manifest.group, twins), people)
    ours = np.isin(manifest.split, ("train", "")) & (manifest.label >= 0)
    if len(np.unique(group[ours])) < folds:
        raise SettingError(f"{int(ours.sum())} training rows cannot be cut into {folds} folds: they are too few, or "
                           "too many of them belong together.")  # fmt: skip
    fold = np.full(len(manifest), -1)
    fold[ours] = stratified_folds(manifest.label[ours], group[ours], folds, seed)
    replace(manifest, fold=fold, group=group).save(folder / "manifest.csv")
    _, counts = np.unique(twins, return_counts=True)
    return int(counts[counts > 1].sum())


def _grey(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The published pictures ``(n, 32, 32)`` in grey, as hashes want them."""
    grey = (cv2.cvtColor(face[0], cv2.COLOR_RGB2GRAY) for face in faces)
    return np.stack([cv2.resize(g, (32, 32), interpolation=cv2.INTER_AREA) for g in grey]).astype(np.uint8)
