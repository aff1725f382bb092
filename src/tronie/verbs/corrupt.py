"""``tronie corrupt``: plant wrong labels among a data set's own, in a file that anybody can plant again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.manifest import Manifest
from tronie.data.corrupt.named import named


@dataclass(frozen=True)
class Corrupted:
    """The noise file, how many rows carry a label, and how many of these are wrong now."""

    path: Path
    rows: int
    wrong: int


def corrupt(data: str | Path | Manifest, noise: str, out: str | Path, *, seed: int = 0) -> Corrupted:
    """Plant ``noise`` (:mod:`tronie.data.corrupt.named`) among the training rows of ``data`` and write it to ``out``.

    ``data`` is a prepared folder, a manifest (CSV) or a :class:`Manifest`. ``out`` is a CSV of id, label before and
    after; a recipe's ``noise`` takes it. A file that is there is not written over. Raises SourceError, SettingError
    and OutputError.
    """
    out = Path(out)
    if out.suffix != ".csv":
        raise SettingError(f"{out} is no name for a noise file: it must end in .csv.")
    if out.exists():
        raise SettingError(f"{out} is there already: give another name, so that no noise is lost.")
    manifest = data if isinstance(data, Manifest) else _manifest(Path(data))
    made = named(manifest, noise, seed)
    made.save(out)
    return Corrupted(out, int(np.sum(made.corruption.before >= 0)), int(made.corruption.flipped.sum()))


def _manifest(path: Path) -> Manifest:
    table = path / "manifest.csv" if path.is_dir() else path
    if not table.is_file():
        raise SourceError(f"No labelled data in {path}: give a folder of `tronie prepare`, or a manifest (CSV).")
    return Manifest.load(table)
