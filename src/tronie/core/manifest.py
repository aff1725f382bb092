"""Labelled media as a table: one row per photo or clip. Every data set reader returns one, every recipe reads one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet

Texts = NDArray[np.str_]
Integers = NDArray[np.int64]
Floats = NDArray[np.float32]

VERSION = 1
"""Version of the file format."""


def _no_texts() -> Texts:
    return np.empty(0, np.str_)


def _no_integers() -> Integers:
    return np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Manifest:
    """Columns of equal length ``n``; read-only arrays. Left-out columns are filled with "nothing known".

    ``id``            unique names of the rows, stable over machines (``"rafdb/train_00001"``)
    ``path``          where the pixels lie below ``root``: a file, or ``pack.npz::17`` for picture 17 of a pack
    ``label``         index into ``labels``, -1 where a row has none
    ``labels``        the vocabulary; joined by name and never by index
    ``split``         ``"train"``, ``"valid"``, ``"test"`` or ``""``, as the data set's owners cut it
    ``fold``          fold number, -1 before the cut
    ``subject``       who is seen, ``""`` where unknown
    ``group``         rows with one number are near-duplicates and stay together; by default each row is its own
    ``votes``         ``(n, C)`` annotators' votes per label (counts or shares, >= 0); NaN rows have none
    ``valence``, ``arousal``   ``(n,)`` in [-1, 1], NaN where not annotated
    ``action_units``  ``(n, len(units))`` intensities, NaN where not annotated; ``units`` are the FACS numbers
    ``root``          folder that ``path`` is relative to and may not leave; not part of the hash

    Raises SettingError where columns do not fit each other or hold impossible values.
    """

    id: Texts
    path: Texts
    label: Integers
    labels: LabelSet
    split: Texts = field(default_factory=_no_texts)
    fold: Integers = field(default_factory=_no_integers)
    subject: Texts = field(default_factory=_no_texts)
    group: Integers = field(default_factory=_no_integers)
    votes: Floats | None = None
    valence: Floats | None = None
    arousal: Floats | None = None
    action_units: Floats | None = None
    units: tuple[int, ...] = ()
    root: Path | None = None

    def __post_init__(self) -> None:
        n = len(self.id)
        filled = {"split": np.full(n, ""), "fold": np.full(n, -1), "subject": np.full(n, ""), "group": np.arange(n)}
        for name, kind in _COLUMNS.items():
            column = getattr(self, name)
            if column is None:
                continue
            if len(column) == 0 and name in filled:
                column = filled[name]
            fixed = np.array(column, kind)  # a copy: nobody can change a manifest from outside
            fixed.flags.writeable = False
            object.__setattr__(self, name, fixed)
        _validate(self)

    def __reduce__(self) -> tuple[Any, ...]:  # checked and read-only again where it arrives
        return type(self), tuple(getattr(self, one.name) for one in fields(self))

    def __len__(self) -> int:
        return len(self.id)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.integer] | Sequence[int]) -> Manifest:
        """The rows of a mask ``(n,)`` or of row numbers, in that order."""
        chosen = np.asarray(rows)
        if chosen.dtype == bool and chosen.shape != (len(self),):
            raise SettingError(f"The mask has shape {chosen.shape}, not ({len(self)},): give one value per row.")
        if chosen.dtype != bool:
            chosen = chosen.astype(np.int64)
        return replace(self, **{name: c[chosen] for name in _COLUMNS if (c := getattr(self, name)) is not None})

    def relabel(self, labels: LabelSet) -> Manifest:
        """The same rows in another vocabulary, joined by name (synonyms allowed).

        Raises SettingError if a row carries a label, or a vote, that ``labels`` has no word for: leave such rows out
        first, so that nothing vanishes unseen.
        """
        move = self.labels.translate(labels)
        used = np.bincount(self.label[self.label >= 0], minlength=len(self.labels)) > 0
        if self.votes is not None:
            used |= np.nansum(self.votes, axis=0) > 0
        lost = [name for name, u, m in zip(self.labels.names, used, move, strict=True) if u and m < 0]
        if lost:
            raise SettingError(
                f"Label {', '.join(lost)} does not exist among {', '.join(labels.names)}: "
                "select the rows that fit, or choose a label set that has it."
            )
        votes = None
        if self.votes is not None:
            votes = np.zeros((len(self), len(labels)), np.float32)
            for old, new in enumerate(move):
                if new >= 0:
                    votes[:, new] += np.nan_to_num(self.votes[:, old])
            votes[np.isnan(self.votes).all(1)] = np.nan
        label = np.append(move, -1)[self.label]  # index -1, no label, stays -1
        return replace(self, label=label, labels=labels, votes=votes)

    def locate(self, row: int) -> tuple[Path, int | None]:
        """File of a row, and the picture's number where the file is a pack (``pack.npz::17``)."""
        name, mark, number = str(self.path[row]).partition("::")
        if mark and not number.isdecimal():
            raise SourceError(f"Row '{self.id[row]}' names '{self.path[row]}': after '::' comes a picture's number.")
        return (self.root or Path()) / name, int(number) if mark else None

    def hash(self) -> str:
        """12 hex digits of everything a result depends on: all columns in row order and the labels, not ``root``."""
        digest = hashlib.sha256(json.dumps([VERSION, self.labels.names, self.units, len(self)]).encode())
        for name in _COLUMNS:
            column = getattr(self, name)
            if column is not None:
                plain = json.dumps(column.tolist()).encode() if column.dtype.kind == "U" else _bytes(column)
                digest.update(f"|{name}|".encode() + plain)
        return digest.hexdigest()[:12]

    def save(self, path: Path) -> None:
        """Write CSV (:func:`tronie.core.manifest_io.write`). Raises OutputError if the file cannot be written."""
        from tronie.core.manifest_io import write  # it needs this module's class

        write(self, path)

    @staticmethod
    def load(path: Path, root: Path | None = None) -> Manifest:
        """Read what :meth:`save` wrote; ``root`` overrides the folder it names. Raises SourceError."""
        from tronie.core.manifest_io import read

        return read(path, root)


_COLUMNS: dict[str, type[np.generic]] = {
    "id": np.str_,
    "path": np.str_,
    "label": np.int64,
    "split": np.str_,
    "fold": np.int64,
    "subject": np.str_,
    "group": np.int64,
    "votes": np.float32,
    "valence": np.float32,
    "arousal": np.float32,
    "action_units": np.float32,
}


def concat(manifests: Sequence[Manifest], labels: LabelSet | None = None) -> Manifest:
    """All rows under one label set (the first manifest's, or ``labels``), joined by name.

    Columns that only some have are filled with NaN; groups are renumbered so that they stay apart; ``root`` becomes
    the deepest common folder. Raises SettingError for an empty list, a label the target does not know, ids that
    occur twice, or roots without a common folder.
    """
    if not manifests:
        raise SettingError("There is no manifest to join: give at least one.")
    target = labels or manifests[0].labels
    parts = [m.relabel(target) for m in manifests]
    units = tuple(sorted({u for m in parts for u in m.units}))
    root, paths = _join_roots(parts)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(m, name) for m in parts]) for name in ("id", "label", "split", "fold", "subject")
    }
    steps = np.cumsum([0] + [int(m.group.max(initial=-1)) + 1 for m in parts[:-1]])
    columns["group"] = np.concatenate([m.group + step for m, step in zip(parts, steps, strict=True)])
    for name, width in (("votes", (len(target),)), ("valence", ()), ("arousal", ())):
        if any(getattr(m, name) is not None for m in parts):
            columns[name] = np.concatenate([_or_nan(getattr(m, name), (len(m), *width)) for m in parts])
    if units:
        spread = [_or_nan(None, (len(m), len(units))) for m in parts]
        for wide, m in zip(spread, parts, strict=True):
            if m.action_units is not None:
                wide[:, [units.index(u) for u in m.units]] = m.action_units
        columns |= {"action_units": np.concatenate(spread), "units": units}
    return Manifest(path=paths, labels=target, root=root, **columns)


def _or_nan(column: Floats | None, shape: tuple[int, ...]) -> Floats:
    return np.full(shape, np.nan, np.float32) if column is None else column


def _join_roots(parts: Sequence[Manifest]) -> tuple[Path | None, Texts]:
    roots = {m.root for m in parts}
    if len(roots) == 1:
        return parts[0].root, np.concatenate([m.path for m in parts])
    folders = [(m.root or Path()).absolute() for m in parts]
    try:
        common = Path(os.path.commonpath(folders))
    except ValueError as error:
        raise SettingError("The manifests' roots share no folder: put the data on one drive.") from error
    moved = [
        [p if Path(p).is_absolute() else (f.relative_to(common) / p).as_posix() for p in m.path.tolist()]
        for m, f in zip(parts, folders, strict=True)
    ]
    return common, np.array([p for part in moved for p in part], np.str_)


def _validate(m: Manifest) -> None:
    n = len(m.id)
    for name in _COLUMNS:
        column = getattr(m, name)
        if column is not None and len(column) != n:
            raise SettingError(f"Column '{name}' has {len(column)} values for {n} rows: give one per row.")
        wide = name in ("votes", "action_units")
        if column is not None and column.ndim != 1 + wide:
            raise SettingError(f"Column '{name}' has shape {column.shape}: it needs {1 + wide} dimension(s).")
    values, counts = np.unique(m.id, return_counts=True)
    if n and (counts.max() > 1 or values[0] == ""):
        bad = str(values[counts.argmax()]) if counts.max() > 1 else ""
        raise SettingError(f"Row id '{bad}' is empty or occurs more than once: ids name rows and must be unique.")
    outside = (m.label < -1) | (m.label >= len(m.labels))
    if outside.any():
        raise SettingError(
            f"Row '{m.id[outside][0]}' has label {m.label[outside][0]}, but there are "
            f"{len(m.labels)} labels: use 0 to {len(m.labels) - 1}, or -1 for none."
        )
    if m.root is not None:
        check_below(m.id, m.path, m.root)
    for name, width in (("votes", len(m.labels)), ("action_units", len(m.units))):
        column = getattr(m, name)
        if column is not None and column.shape[1] != width:
            raise SettingError(f"Column '{name}' has {column.shape[1]} values a row, expected {width}.")
    if m.units and m.action_units is None:
        raise SettingError("Action units are named but no column 'action_units' is given: give both or neither.")
    for name, low, high in (("votes", 0, np.inf), ("action_units", 0, np.inf), ("valence", -1, 1), ("arousal", -1, 1)):
        column = getattr(m, name)
        if column is not None and (bad_rows := _outside(column, low, high)).any():
            raise SettingError(
                f"Row '{m.id[bad_rows][0]}' has {name} outside {low:g} to {high:g}: "
                "rescale it, or use NaN where it is not known."
            )


def check_below(ids: Texts, paths: Texts, root: Path | None) -> None:
    """Raise SettingError for the first path that leads out of ``root`` (None: out of the folder where one stands).

    A list of pictures may come from anybody, and must not make a reader open other files. What decides is the words:
    a path has no ``..``, and is absolute only where it names a place below ``root``. Links are followed.
    """
    suspect = (np.char.find(paths, "..") >= 0) | (np.char.find(paths, ":") == 1)
    suspect |= np.char.startswith(paths, "/") | np.char.startswith(paths, "\\")
    for row in np.flatnonzero(suspect):
        path = str(paths[row])
        pure = PureWindowsPath(path)  # knows both slashes, and drives
        rooted = bool(pure.anchor) and not (root is not None and Path(path).is_relative_to(root.absolute()))
        if rooted or ".." in pure.parts:
            raise SettingError(
                f"Row '{ids[row]}' names '{path}', which leads out of {root or 'its folder'}: name files below it."
            )


def _outside(column: Floats, low: float, high: float) -> NDArray[np.bool_]:
    wrong = (column < low) | (column > high) | np.isinf(column)  # NaN compares false: it means "not annotated"
    return np.asarray(wrong.any(axis=tuple(range(1, wrong.ndim))))


def _bytes(column: NDArray[Any]) -> bytes:
    """Bytes that do not depend on the machine: little-endian, one NaN, no negative zero."""
    if column.dtype.kind == "f":
        column = np.where(np.isnan(column), np.float32(np.nan), column + np.float32(0))
    return column.astype(column.dtype.newbyteorder("<")).tobytes()
