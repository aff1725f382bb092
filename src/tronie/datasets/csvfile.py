"""A user's own table: a CSV file with a picture, or a clip, and its label per line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet, canonical, classes
from tronie.core.manifest import Floats, Manifest
from tronie.core.manifest_io import META
from tronie.core.sheet import Sheet, folded, opened
from tronie.datasets.about import About
from tronie.datasets.clipfiles import without_ending
from tronie.datasets.files import as_on_disk, not_found, present
from tronie.datasets.folder import PARTS

ABOUT = About(
    title="CSV table",
    labels=None,
    source="your own table",
    licence="yours",
    layouts=(
        "a CSV file with the columns path and label (and perhaps id, split, fold, subject, group, valence, "
        "arousal, votes_<label>, au_<number>); paths are relative to the file, and lead to pictures, films or "
        "folders of frames",
    ),
)


def read(root: Path, *, labels: Sequence[str] | None = None, skip_missing: bool = False) -> Manifest:
    """``root`` is the CSV file, or a folder with one in it; a file that ``Manifest.save`` wrote is read as such.

    Classes are the labels in alphabetical order or in that of ``labels``, spellings of one label joined
    (:func:`tronie.core.labels.classes`); an empty label is a row without one. Groups may be words. A path may differ
    from the file's in case where only one file fits. Raises SourceError that names the line.
    """
    path = _file(root)
    with opened(path, meta=META) as sheet:
        if sheet.meta:
            return Manifest.load(path)
        at_path, at_label = sheet.need("path", "label")
        table = _Table(sheet, at_path, at_label, list(sheet.rows()))
    if not table.rows:
        raise SourceError(f"{path} holds no rows: write one line per picture below the line of names.")
    paths = as_on_disk(path.parent, [cell.replace("\\", "/").rstrip("/") for cell in table.cells(table.path)])
    _refuse_repeated(table, paths)
    there = present(path.parent, paths, path, skip_missing)
    try:
        vocabulary = classes((word for word in table.cells(table.label) if word), labels)
        return _manifest(table, paths, vocabulary).select(there)
    except SettingError as error:  # labels in doubt, ids that repeat, values out of range
        raise SourceError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Table:
    """The rows of a sheet, and where the two columns stand that it must have."""

    sheet: Sheet
    path: int
    label: int
    rows: list[tuple[int, list[str]]]

    def cells(self, place: int) -> list[str]:
        return [row[place] for _, row in self.rows]

    def texts(self, name: str) -> list[str] | None:
        """An optional column's cells, None where it is not there."""
        place = self.sheet.place(name)
        return None if place is None else self.cells(place)

    def numbers(self, places: list[int]) -> Floats:
        """``(rows, places)``; NaN where a cell is empty."""
        read, names = self.sheet.optional, self.sheet.names
        return np.array([[read(n, names[at], row[at]) for at in places] for n, row in self.rows], np.float32)

    def optional(self, name: str) -> Floats | None:
        place = self.sheet.place(name)
        return None if place is None else self.numbers([place])[:, 0]


def _refuse_repeated(table: _Table, paths: list[str]) -> None:
    """Raise SourceError for a path on two lines, where no ids tell them apart."""
    if table.sheet.place("id") is not None:
        return
    first: dict[str, tuple[int, str]] = {}
    for (line, row), path in zip(table.rows, paths, strict=True):
        before, label = first.setdefault(path, (line, row[table.label]))
        if before != line:
            other = (
                ""
                if canonical(label) == canonical(row[table.label])
                else (f" with another label ('{label}', then '{row[table.label]}')")
            )
            raise SourceError(
                f"{table.sheet.path}, line {line}: '{path}' stands on line {before} already{other}: "
                "take one of the two out."
            )


def _file(root: Path) -> Path:
    if root.is_file():
        return root
    found = sorted(p for p in root.glob("*.csv") if p.is_file()) if root.is_dir() else []
    if len(found) > 1:
        raise SourceError(f"{root} holds {len(found)} CSV files ({found[0].name}, {found[1].name}, …): name one.")
    if not found:
        raise not_found(ABOUT, root, ("*.csv",))
    return found[0]


def _manifest(table: _Table, paths: list[str], labels: LabelSet) -> Manifest:
    sheet, rows = table.sheet, table.rows
    columns = [folded(name) for name in sheet.names]
    label = [_label(table, line, row[table.label], labels) for line, row in rows]
    units = {int(name[3:]): at for at, name in enumerate(columns) if name.startswith("au_") and name[3:].isdecimal()}
    voted = [(labels.index(name[6:]), at) for at, name in enumerate(columns) if name.startswith("votes_")]
    votes = dict(voted)
    if len(votes) < len(voted):
        raise SourceError(f"{sheet.path} has two columns of votes for one label: add them up in one column.")
    if votes and set(votes) != set(range(len(labels))):
        raise SourceError(
            f"{sheet.path} has votes for {len(votes)} of {len(labels)} labels: it needs a column for each."
        )
    empty, group = [""] * len(rows), table.texts("group")
    split = zip(rows, table.texts("split") or empty, strict=True)
    fold = zip(rows, table.texts("fold") or empty, strict=True)
    return Manifest(
        np.array(table.texts("id") or [without_ending(p) for p in paths], np.str_),
        np.array(paths, np.str_),
        np.array(label, np.int64),
        labels,
        split=np.array([_part(sheet, line, word) for (line, _), word in split], np.str_),
        fold=np.array([sheet.whole(line, "fold", cell) if cell else -1 for (line, _), cell in fold], np.int64),
        subject=np.array(table.texts("subject") or empty, np.str_),
        group=np.arange(len(rows)) if group is None else np.unique(group, return_inverse=True)[1].astype(np.int64),
        votes=table.numbers([votes[i] for i in range(len(labels))]) if votes else None,
        valence=table.optional("valence"),
        arousal=table.optional("arousal"),
        action_units=table.numbers(list(units.values())) if units else None,
        units=tuple(units),
        root=sheet.path.parent,
    )


def _label(table: _Table, line: int, word: str, labels: LabelSet) -> int:
    if not word:
        return -1
    try:
        return labels.index(word)
    except SettingError as error:
        raise SourceError(f"{table.sheet.path}, line {line}: {error}") from error


def _part(sheet: Sheet, line: int, word: str) -> str:
    if word and word.lower() not in PARTS:
        raise SourceError(
            f"{sheet.path}, line {line}: '{word}' is no part: write train, valid or test, or leave it empty."
        )
    return PARTS[word.lower()] if word else ""
