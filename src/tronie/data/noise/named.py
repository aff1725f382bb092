"""Noise by a word: what a recipe's ``noise`` and ``tronie corrupt`` take.

=====================  ================================================================================
``symmetric:0.3``      every row flips with probability 0.3 to any other class
``pair:0.2``           rows flip to the expression they are taken for (fear and surprise, ...)
``confusion:FILE``     as a table says: a CSV, labels in the first row and column, one row of shares a label
``votes``              one annotator's label, drawn from the row's votes
``FILE.csv``           noise planted before and saved, joined by row id
``eac:FILE``           a public noise list of EAC for RAF-DB (``noise01.txt``)
``scn:FILE``           one of SCN (``0.1noise_train.txt``)
=====================  ================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet, canonical
from tronie.core.manifest import Manifest
from tronie.core.sheet import opened
from tronie.data.noise.files import apply, load, read_eac, read_scn, save
from tronie.data.noise.labels import Corruption, plant

WORDS = ("symmetric:RATE", "pair:RATE", "confusion:FILE", "votes", "eac:FILE", "scn:FILE", "FILE.csv")


@dataclass(frozen=True, eq=False)
class Planted:
    """Wrong labels and the ids ``(n,)`` of the rows they belong to."""

    ids: NDArray[np.str_]
    corruption: Corruption

    def apply(self, manifest: Manifest) -> Manifest:
        """The manifest with the planted labels and without votes. Raises SourceError where they do not fit."""
        return apply(manifest, self.corruption, self.ids)

    def save(self, path: Path) -> None:
        """Write them by row id, for anybody to plant again. Raises OutputError."""
        save(self.corruption, self.ids, path)


def named(manifest: Manifest, noise: str, seed: int) -> Planted:
    """Plant ``noise`` (see above) on the training rows of ``manifest``, or read it from the file it names.

    ``seed`` is not used by files. Raises SettingError for a word that is none, SourceError for a file that cannot be
    read or was made for other data.
    """
    kind, _, rest = noise.partition(":")
    if noise.endswith(".csv") and kind != "confusion":
        return Planted(*load(Path(noise)))
    if kind in ("symmetric", "pair"):
        made = plant(manifest, kind, seed=seed, rate=_rate(noise, rest))
    elif kind == "confusion" and rest:
        made = plant(manifest, kind, seed=seed, matrix=read_shares(Path(rest), manifest.labels))
    elif noise == "votes":
        made = plant(manifest, kind, seed=seed)
    elif kind in ("eac", "scn") and rest:
        made = (read_eac if kind == "eac" else read_scn)(Path(rest), manifest)
    else:
        clips = " Hard clips are a setting of their own: hard = 0.2." if kind == "hard" else ""
        raise SettingError(f"'{noise}' is no noise: use {', '.join(WORDS)}.{clips}")
    return Planted(manifest.id, made)


def _rate(noise: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingError(f"'{noise}' has no rate: write it as in {noise.partition(':')[0]}:0.3.") from None


def read_shares(path: Path, labels: LabelSet) -> NDArray[np.float64]:
    """``(C, C)`` shares in the order of ``labels`` from a CSV: row = the right label, column = what is said instead.

    Rows may be counts: each is divided by its sum. Labels are joined by name; one that the table lacks keeps its rows.
    Raises SourceError.
    """
    with opened(path, "table of confusions") as sheet:
        names = sheet.names[1:]
        rows = {
            canonical(row[0]): [sheet.number(line, name, cell) for name, cell in zip(names, row[1:], strict=True)]
            for line, row in sheet.rows()
        }
    try:
        table = LabelSet(names)
        found = np.array([rows[canonical(name)] for name in table.names])
    except (KeyError, SettingError) as error:
        raise SourceError(
            f"{path} is no table of confusions ({error}): labels in the first row and column, and one "
            "row of shares for each."
        ) from error
    if found.shape != (len(table), len(table)) or not (found >= 0).all() or not found.sum(1).all():
        raise SourceError(
            f"{path} is no table of confusions: {len(table)} labels need {len(table)} rows of shares >= "
            "0, not all of them 0."
        )
    move = table.translate(labels)
    if (move < 0).any():
        raise SourceError(
            f"{path} speaks of '{table.names[int(np.argmin(move))]}', which is none of the labels "
            f"{', '.join(labels.names)}."
        )
    shares = np.eye(len(labels))
    shares[np.ix_(move, move)] = found / found.sum(1, keepdims=True)
    return shares
