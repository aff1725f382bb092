"""Prepared data sets as they lie on disk: faces or clips ready to be cut, manifest, folds. Works without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.clips.views import Kind
from tronie.core.arrays import read_npy
from tronie.core.errors import SettingError, SourceError
from tronie.core.files import LARGE, read_json
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.core.registry import nearest
from tronie.core.sheet import opened

RECIPES = Path(__file__).parents[1] / "recipes"
OWN_FOLDS = "manifest"
"""Word for the folds in the prepared manifest itself (``tronie prepare --folds``)."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What lies in a prepared folder: rows of photos, or of clips of one ``kind``.

    ``faces`` (memory-mapped): photos ``(n, cuts, s, s, 3)`` uint8, or the frames of all clips one after another: pixels
    ``(total, s, s, 3)`` uint8, points ``(total, P, 2)`` float32, features ``(total, D)`` float16. ``starts``
    ``(n + 1,)``: where each clip begins; None for photos. ``mirror`` ``(P,)``: which point each becomes in the mirror
    image, where points have one.
    """

    manifest: Manifest
    faces: NDArray[Any]
    starts: NDArray[np.int64] | None = None
    kind: Kind = "pixels"
    mirror: NDArray[np.int64] | None = None


def open_prepared(folder: Path) -> Opened:
    """Open what ``tronie prepare`` wrote, photos or clips. Raises SourceError where it is missing or damaged."""
    if not (folder / "manifest.csv").is_file():
        raise SourceError(f"No prepared data in {folder}: run `tronie prepare` with --out {folder} first.")
    note = read_note(folder)
    kind = note.get("kind")
    manifest = Manifest.load(folder / "manifest.csv", folder)
    if kind is None:
        faces = _array(folder / "faces.npy")
        if faces.dtype != np.uint8 or faces.ndim != 5 or len(faces) != len(manifest):
            raise SourceError(
                f"{folder} holds {len(faces)} faces for {len(manifest)} rows: run `tronie prepare` again."
            )
        return Opened(manifest, faces)
    if kind not in _SHAPES:
        raise SourceError(f"{folder} holds clips of '{kind}', which this Tronie does not know: upgrade it.")
    frames, starts = _array(folder / "frames.npy"), np.asarray(_array(folder / "starts.npy"))
    type_, axes = _SHAPES[kind]
    whole = starts.ndim == 1 and len(starts) == len(manifest) + 1 and starts[0] == 0 and starts[-1] == len(frames)
    if not whole or (np.diff(starts) < 1).any() or frames.dtype != type_ or frames.ndim != axes:
        raise SourceError(
            f"{folder} holds {len(frames)} frames that are no {len(manifest)} clips of {kind}: "
            "run `tronie prepare` again."
        )
    mirror = np.array(note["mirror"], np.int64) if kind == "points" and note.get("mirror") else None
    return Opened(manifest, frames, starts.astype(np.int64), kind, mirror)


_SHAPES: dict[Any, tuple[type[np.generic], int]] = {
    "pixels": (np.uint8, 4),
    "points": (np.float32, 3),
    "features": (np.float16, 2),
}


def read_note(folder: Path) -> dict[str, Any]:
    """What ``prepared.json`` says of how the data was made, empty where there is none. Raises SourceError."""
    path = folder / "prepared.json"
    if not path.exists():
        return {}
    note = read_json(path, most=LARGE)
    if not isinstance(note, dict):
        raise SourceError(f"{path} is no note on prepared data: run `tronie prepare` again.")
    return note


def _array(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise SourceError(f"No prepared data in {path.parent}: run `tronie prepare` with --out {path.parent} first.")
    try:
        array: NDArray[Any] = read_npy(path, mapped=True)
    except (ValueError, EOFError, OSError) as error:
        raise SourceError(f"{path} cannot be read ({error}): run `tronie prepare` again.") from error
    return array


def read_folds(name: str, manifest: Manifest) -> NDArray[np.int64]:
    """Fold of each row, -1 for none: the manifest's own ("manifest"), or joined by id from a fold file.

    ``name`` is a file of ``recipes/folds`` or the path of a CSV with the columns id and fold. Raises SettingError where
    there is no such file, SourceError where a training row, or every row, is not in it.
    """
    if name == OWN_FOLDS:
        if not (manifest.fold >= 0).any():
            raise SettingError("The prepared data has no folds of its own: cut them with `tronie prepare … --folds 5`.")
        return manifest.fold
    shipped = {p.stem: p for p in (RECIPES / "folds").glob("*.csv")}
    path = shipped.get(name, Path(name))
    if not path.is_file():
        raise SettingError(f"There is no fold file '{name}'.{nearest(name, [OWN_FOLDS, *shipped])}")
    with opened(path, "fold file") as sheet:
        at_id, at_fold = sheet.need("id", "fold")
        known = {row[at_id]: sheet.whole(line, "fold", row[at_fold]) for line, row in sheet.rows()}
    ids = [str(i).rpartition("/")[2] for i in manifest.id]
    strange = [i for i, split in zip(ids, manifest.split, strict=True) if split == "train" and i not in known]
    if not strange and known.keys().isdisjoint(ids):
        strange = ids
    if strange:
        raise SourceError(f"Fold file '{name}' does not know row '{strange[0]}': this is not the data it was cut for.")
    return np.array([known.get(i, -1) for i in ids], np.int64)


def in_fold(name: str, manifest: Manifest, fold: int) -> NDArray[np.bool_]:
    """Which rows ``(n,)`` are of a fold of :func:`read_folds`; -1 is those of none.

    Raises as :func:`read_folds` does, and SettingError for a fold that is not there.
    """
    folds = read_folds(name, manifest)
    known = np.unique(folds[folds >= 0]).tolist()
    if fold not in (-1, *known):
        raise SettingError(f"There is no fold {fold} in '{name}': it has {', '.join(map(str, known))}.")
    return np.asarray(folds == fold)


def votes_among(manifest: Manifest, labels: LabelSet) -> NDArray[np.float32]:
    """Votes ``(n, len(labels))`` for ``labels``, joined by name; 0 in rows without votes; votes for others are left."""
    ours = np.zeros((len(manifest), len(labels)), np.float32)
    if manifest.votes is not None:
        votes = np.nan_to_num(manifest.votes)
        for old, new in enumerate(manifest.labels.translate(labels)):
            if new >= 0:
                ours[:, new] += votes[:, old]
    return ours


def ratings(manifest: Manifest) -> NDArray[np.float32] | None:
    """Valence and arousal ``(n, 2)``, NaN where not annotated; None where no row has any."""
    unknown = np.full(len(manifest), np.nan, np.float32)
    columns = [unknown if c is None else c for c in (manifest.valence, manifest.arousal)]
    rated = np.stack(columns, 1)
    return rated if np.isfinite(rated).any() else None


def vote_shares(manifest: Manifest, labels: LabelSet) -> NDArray[np.float32]:
    """Shares ``(n, len(labels))`` that sum to 1; NaN rows have no vote for any of ``labels``."""
    votes = votes_among(manifest, labels)
    total = votes.sum(1, keepdims=True)
    shares = np.full(votes.shape, np.nan, np.float32)
    np.divide(votes, total, out=shares, where=total > 0)
    return shares
