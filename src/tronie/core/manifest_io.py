"""Manifests on disk: CSV whose first line names the labels, so that a person and a spreadsheet can read it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError, SourceError
from tronie.core.files import parse_json
from tronie.core.labels import LabelSet
from tronie.core.manifest import VERSION, Floats, Manifest, check_below

_NEEDED = ("id", "path", "label", "split", "fold", "subject", "group")


def write(manifest: Manifest, path: Path) -> None:
    """Write CSV: a first line ``# {...}`` with labels and root, then one row per sample, labels by name.

    Votes are columns ``votes_<label>``, action units ``au_<n>``; an empty cell is "not known". ``root`` is written
    relative to the file. Raises OutputError if the file cannot be written.
    """
    meta: dict[str, Any] = {"tronie_manifest": VERSION, "labels": manifest.labels.names}
    if manifest.root is not None:
        meta["root"] = _relative(manifest.root.absolute(), path.absolute().parent)
    columns = _as_text(manifest)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {json.dumps(meta, ensure_ascii=False)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read(path: Path, root: Path | None = None) -> Manifest:
    """Read what :func:`write` wrote; ``root`` overrides the folder it names.

    Raises SourceError if the file is missing, is no manifest or holds a cell that cannot be read (with its line).
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            meta = _meta(path, file.readline())
            rows = list(csv.reader(file))
    except OSError as error:
        raise SourceError(f"Manifest {path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is not a manifest: {error}.") from error
    if root is None and meta.get("root") is not None:
        root = Path(os.path.normpath(path.parent / str(meta["root"])))
    try:
        manifest = _from_text(path, LabelSet(tuple(map(str, meta["labels"]))), rows, root)
        check_below(manifest.id, manifest.path, root)
        return manifest
    except SettingError as error:
        raise SourceError(f"Manifest {path}: {error}") from error


def _relative(folder: Path, start: Path) -> str:
    try:
        return Path(os.path.relpath(folder, start)).as_posix()
    except ValueError:  # another drive on Windows
        return folder.as_posix()


def _as_text(m: Manifest) -> dict[str, list[str]]:
    """CSV columns in order, by name."""
    words = [*m.labels.names, ""]  # index -1 is the empty word
    columns: dict[str, list[str]] = {
        "id": m.id.tolist(), "path": m.path.tolist(), "label": [words[i] for i in m.label],
        "split": m.split.tolist(), "fold": [str(f) for f in m.fold.tolist()],
        "subject": m.subject.tolist(), "group": [str(g) for g in m.group.tolist()],
    }  # fmt: skip
    wide = [("votes", [f"votes_{name}" for name in m.labels.names]), ("action_units", [f"au_{u}" for u in m.units])]
    for name, titles in wide:
        table = getattr(m, name)
        if table is not None:
            columns |= {title: _numbers(table[:, i]) for i, title in enumerate(titles)}
    columns |= {name: _numbers(c) for name in ("valence", "arousal") if (c := getattr(m, name)) is not None}
    return columns


def _numbers(column: Floats) -> list[str]:
    """Shortest text that reads back as the same float32; NaN is an empty cell."""
    return ["" if np.isnan(v) else str(v) for v in column]


def _meta(path: Path, line: str) -> dict[str, Any]:
    try:
        meta = parse_json(line.removeprefix("# ")) if line.startswith("# {") else None
    except ValueError:
        meta = None
    if not isinstance(meta, dict) or not isinstance(meta.get("labels"), list) or "tronie_manifest" not in meta:
        raise SourceError(f"{path} is not a manifest: it must begin with '# {{\"tronie_manifest\": {VERSION}, …}}'.")
    if meta["tronie_manifest"] != VERSION:
        raise SourceError(f"Manifest {path} has format {meta['tronie_manifest']}, not {VERSION}: update Tronie.")
    return meta


def _from_text(path: Path, labels: LabelSet, rows: list[list[str]], root: Path | None) -> Manifest:
    header = rows[0] if rows else []
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise SourceError(f"Manifest {path} lacks the column {', '.join(missing)}.")
    for line, row in enumerate(rows[1:], 3):
        if len(row) != len(header):
            raise SourceError(f"Manifest {path}, line {line}: {len(row)} cells for {len(header)} columns.")
    text = {name: [row[i] for row in rows[1:]] for i, name in enumerate(header)}
    index = {name: i for i, name in enumerate(labels.names)} | {"": -1}
    units = tuple(int(name[3:]) for name in header if name.startswith("au_") and name[3:].isdecimal())
    votes = [f"votes_{name}" for name in labels.names]
    found = [name for name in votes if name in header]
    if found and found != votes:
        raise SourceError(f"Manifest {path} has votes for {len(found)} of {len(votes)} labels: it needs all or none.")

    def texts(name: str) -> Any:
        return np.array(text[name], np.str_)

    def integers(name: str) -> Any:
        return np.array(_converted(path, name, text[name], int), np.int64)

    def numbers(names: list[str]) -> Floats:
        cells = [_converted(path, n, text[n], lambda cell: float(cell) if cell else np.nan) for n in names]
        return np.array(cells, np.float32).reshape(len(names), len(rows) - 1).T

    label = np.array(_converted(path, "label", text["label"], index.__getitem__), np.int64)
    return Manifest(
        id=texts("id"), path=texts("path"), label=label, labels=labels, split=texts("split"), fold=integers("fold"),
        subject=texts("subject"), group=integers("group"), votes=numbers(votes) if found else None,
        valence=numbers(["valence"])[:, 0] if "valence" in header else None,
        arousal=numbers(["arousal"])[:, 0] if "arousal" in header else None,
        action_units=numbers([f"au_{u}" for u in units]) if units else None, units=units, root=root)  # fmt: skip


def _converted(path: Path, name: str, cells: list[str], kind: Callable[[str], Any]) -> list[Any]:
    values = []
    for line, cell in enumerate(cells, 3):
        try:
            values.append(kind(cell))
        except (ValueError, KeyError) as error:
            raise SourceError(f"Manifest {path}, line {line}: '{cell}' cannot stand in column '{name}'.") from error
    return values
