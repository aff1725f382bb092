"""A user's own table: a CSV file with a picture, or a clip, and its label per line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Floats, Manifest
from tronie.data.datasets.about import About
from tronie.data.datasets.clipfiles import without_ending
from tronie.data.datasets.files import cell, not_found, present, table
from tronie.data.datasets.folder import PARTS

ABOUT = About(
    title="CSV table", labels=None, source="your own table", licence="yours",
    layouts=("a CSV file with the columns path and label (and perhaps id, split, fold, subject, group, valence, "
             "arousal, votes_<label>, au_<number>); paths are relative to the file, and lead to pictures, films or "
             "folders of frames",))  # fmt: skip
_Rows = list[tuple[int, dict[str, str]]]


def read(root: Path, *, labels: Sequence[str] | None = None, skip_missing: bool = False) -> Manifest:
    """``root`` is the CSV file, or a folder with one in it; a file that ``Manifest.save`` wrote is read as such.

    Classes are the labels in alphabetical order or in that of ``labels``; an empty label is a row without one. Groups
    may be words. Raises SourceError that names the line.
    """
    path = _file(root)
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        if file.readline().startswith("# {"):
            return Manifest.load(path)
    rows = list(table(path, ("path", "label")))
    if not rows:
        raise SourceError(f"{path} holds no rows: write one line per picture below the line of names.")
    words = [row["label"] for _, row in rows]
    vocabulary = LabelSet(tuple(labels) if labels else tuple(sorted({w for w in words if w})))
    paths = [row["path"].replace("\\", "/").rstrip("/") for _, row in rows]
    there = present(path.parent, paths, path, skip_missing)
    try:
        return _manifest(path, rows, paths, vocabulary).select(there)
    except SettingError as error:  # ids that repeat, values out of range
        raise SourceError(f"{path}: {error}") from error


def _file(root: Path) -> Path:
    if root.is_file():
        return root
    found = sorted(p for p in root.glob("*.csv") if p.is_file()) if root.is_dir() else []
    if len(found) > 1:
        raise SourceError(f"{root} holds {len(found)} CSV files ({found[0].name}, {found[1].name}, …): name one.")
    if not found:
        raise not_found(ABOUT, root, ("*.csv",))
    return found[0]


def _manifest(path: Path, rows: _Rows, paths: list[str], labels: LabelSet) -> Manifest:
    given = rows[0][1]
    label = np.array([_label(path, n, row["label"], labels) for n, row in rows], np.int64)

    def texts(name: str, otherwise: list[str]) -> list[str]:
        return [row[name] for _, row in rows] if name in given else otherwise

    def numbers(names: list[str]) -> Floats:
        return np.array([[cell(path, n, row[c], _number, c) for c in names] for n, row in rows], np.float32)

    units = tuple(int(c[3:]) for c in given if c.startswith("au_") and c[3:].isdecimal())
    votes = [c for c in given if c.startswith("votes_")]
    if votes and {labels.index(c[6:]) for c in votes} != set(range(len(labels))):
        raise SourceError(f"{path} has votes for {len(votes)} of {len(labels)} labels: it needs a column for each.")
    votes = sorted(votes, key=lambda c: labels.index(c[6:]))
    empty = [""] * len(rows)
    fold = [cell(path, n, row["fold"] or "-1", int, "fold") for n, row in rows] if "fold" in given else []
    group = np.unique(texts("group", []), return_inverse=True)[1] if "group" in given else np.arange(len(rows))
    return Manifest(
        np.array(texts("id", [without_ending(p) for p in paths]), np.str_), np.array(paths, np.str_), label,
        labels,
        split=np.array([_part(path, n, s) for (n, _), s in zip(rows, texts("split", empty), strict=True)], np.str_),
        fold=np.array(fold, np.int64), subject=np.array(texts("subject", empty), np.str_), group=group.astype(np.int64),
        votes=numbers(votes) if votes else None, valence=numbers(["valence"])[:, 0] if "valence" in given else None,
        arousal=numbers(["arousal"])[:, 0] if "arousal" in given else None,
        action_units=numbers([f"au_{u}" for u in units]) if units else None, units=units, root=path.parent)  # fmt: skip


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _label(path: Path, line: int, word: str, labels: LabelSet) -> int:
    if not word:
        return -1
    try:
        return labels.index(word)
    except SettingError as error:
        raise SourceError(f"{path}, line {line}: {error}") from error


def _part(path: Path, line: int, word: str) -> str:
    if word and word.lower() not in PARTS:
        raise SourceError(f"{path}, line {line}: '{word}' is no part: write train, valid or test, or leave it empty.")
    return PARTS[word.lower()] if word else ""
