"""``tronie corrupt``: plant wrong labels, or make clips hard, in a file that anybody can plant again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.manifest import Manifest
from tronie.data.noise import clips
from tronie.data.noise.named import named


@dataclass(frozen=True)
class Corrupted:
    """The file, how many rows carry a label, and how many of these are wrong now, or are clips that are hard now."""

    path: Path
    rows: int
    wrong: int
    hard: int = 0


def corrupt(data: str | Path | Manifest, noise: str, out: str | Path, *, seed: int = 0) -> Corrupted:
    """Plant ``noise`` (:mod:`tronie.data.noise.named`) among the training rows of ``data`` and write it to ``out``.

    ``data`` is a prepared folder, a manifest (CSV) or a :class:`Manifest`. ``out`` is a CSV of id, label before and
    after; a recipe's ``noise`` takes it. ``noise`` "hard:0.2" instead makes a share of the expressive clips of a
    prepared folder hard (:mod:`tronie.data.noise.clips`); a recipe's ``hard`` takes that file. A file that is there
    is not written over. Raises SourceError, SettingError and OutputError.
    """
    out = Path(out)
    if out.suffix != ".csv":
        raise SettingError(f"{out} is no name for a noise file: it must end in .csv.")
    if out.exists():
        raise SettingError(f"{out} is there already: give another name, so that no noise is lost.")
    if seed < 0:
        raise SettingError(f"The seed is {seed}; it must be 0 or more.")
    kind, _, share = noise.partition(":")
    if kind == "hard":
        return _harden(data, share, out, seed)
    if seed and (kind in ("eac", "scn") or (noise.endswith(".csv") and kind != "confusion")):
        raise SettingError(f"{noise} is a list, in which nothing is drawn: leave the seed out.")
    manifest = data if isinstance(data, Manifest) else _manifest(Path(data))
    made = named(manifest, noise, seed)
    made.save(out)
    return Corrupted(out, int(np.sum(made.corruption.before >= 0)), int(made.corruption.flipped.sum()))


def _harden(data: str | Path | Manifest, share: str, out: Path, seed: int) -> Corrupted:
    from tronie.data.prepared import open_prepared  # a researcher's room, though without PyTorch

    if isinstance(data, Manifest) or not Path(data).is_dir():
        raise SettingError("Clips are made hard in a folder of clips that `tronie prepare` made: give that folder.")
    opened = open_prepared(Path(data))
    if opened.starts is None:
        raise SettingError(f"{data} holds photos: only clips can be made hard.")
    plan = clips.named(opened.manifest, np.diff(opened.starts), share, seed)
    clips.save(plan, opened.manifest.id, out)
    return Corrupted(out, int(np.sum(opened.manifest.label >= 0)), 0, int(plan.hard.sum()))


def _manifest(path: Path) -> Manifest:
    table = path / "manifest.csv" if path.is_dir() else path
    if not table.is_file():
        raise SourceError(f"No labelled data in {path}: give a folder of `tronie prepare`, or a manifest (CSV).")
    return Manifest.load(table)
