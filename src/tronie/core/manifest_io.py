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
from tronie.core.sheet import Sheet, folded, opened, text_cell, writer

META = "# {"
"""How the first line of a manifest begins."""
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
        lines = writer(file)
        lines.writerow(columns)
        lines.writerows(zip(*columns.values(), strict=True))


def read(path: Path, root: Path | None = None) -> Manifest:
    """Read what :func:`write` wrote; ``root`` overrides the folder it names.

    Raises SourceError if the file is missing, is no manifest or holds a cell that cannot be read (with its line).
    """
    with opened(path, "manifest", exact=True, meta=META) as sheet:
        meta, rows = _meta(path, sheet.meta), list(sheet.rows())
    if root is None and meta.get("root") is not None:
        root = Path(os.path.normpath(path.parent / str(meta["root"])))
    try:
        manifest = _from_text(sheet, LabelSet(tuple(map(str, meta["labels"]))), rows, root)
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
        "id": _texts(m.id.tolist()),
        "path": _texts(m.path.tolist()),
        "label": _texts([words[i] for i in m.label]),
        "split": _texts(m.split.tolist()),
        "fold": [str(f) for f in m.fold.tolist()],
        "subject": _texts(m.subject.tolist()),
        "group": [str(g) for g in m.group.tolist()],
    }
    wide = [("votes", [f"votes_{name}" for name in m.labels.names]), ("action_units", [f"au_{u}" for u in m.units])]
    for name, titles in wide:
        table = getattr(m, name)
        if table is not None:
            columns |= {title: _numbers(table[:, i]) for i, title in enumerate(titles)}
    columns |= {name: _numbers(c) for name in ("valence", "arousal") if (c := getattr(m, name)) is not None}
    return columns


def _texts(cells: list[str]) -> list[str]:
    return [text_cell(cell) for cell in cells]


def _numbers(column: Floats) -> list[str]:
    """Shortest text that reads back as the same float32; NaN is an empty cell."""
    return ["" if np.isnan(v) else str(v) for v in column]


def _meta(path: Path, line: str) -> dict[str, Any]:
    if line.startswith('"'):  # a spreadsheet has put the line, or each part of it between commas, in quotes
        line = ",".join(next(csv.reader([line], delimiter=";" if '";' in line else ",")))
    try:
        meta = parse_json(line.rstrip(",;\t ").removeprefix("# ")) if line.startswith(META) else None
    except ValueError:
        meta = None
    if not isinstance(meta, dict) or not isinstance(meta.get("labels"), list) or "tronie_manifest" not in meta:
        raise SourceError(f"{path} is not a manifest: it must begin with '# {{\"tronie_manifest\": {VERSION}, …}}'.")
    if meta["tronie_manifest"] != VERSION:
        raise SourceError(f"Manifest {path} has format {meta['tronie_manifest']}, not {VERSION}: update Tronie.")
    return meta


def _from_text(sheet: Sheet, labels: LabelSet, rows: list[tuple[int, list[str]]], root: Path | None) -> Manifest:
    path, columns = sheet.path, [folded(name) for name in sheet.names]
    missing = [name for name in _NEEDED if sheet.place(name) is None]
    if missing:
        raise SourceError(f"Manifest {path} lacks the column {', '.join(missing)}.")
    known = {name: i for i, name in enumerate(labels.names)} | {"": -1}
    units = {int(name[3:]): name for name in columns if name.startswith("au_") and name[3:].isdecimal()}
    votes = [f"votes_{name}" for name in labels.names]
    found = [name for name in votes if sheet.place(name) is not None]
    if found and found != votes:
        raise SourceError(f"Manifest {path} has votes for {len(found)} of {len(votes)} labels: it needs all or none.")

    def each(name: str, kind: Callable[[int, str, str], Any]) -> list[Any]:
        at = columns.index(folded(name))
        return [kind(line, name, row[at]) for line, row in rows]

    def texts(name: str) -> Any:
        return np.array(each(name, lambda line, name, cell: cell), np.str_)

    def numbers(names: list[str]) -> Floats:
        return np.array([each(n, sheet.optional) for n in names], np.float32).reshape(len(names), len(rows)).T

    def index(line: int, name: str, cell: str) -> int:
        try:
            return known[cell] if cell in known else labels.index(cell)
        except SettingError as error:
            raise sheet.wrong(line, name, cell) from error

    label = np.array(each("label", index), np.int64)
    return Manifest(
        id=texts("id"),
        path=texts("path"),
        label=label,
        labels=labels,
        split=texts("split"),
        fold=np.array(each("fold", sheet.whole), np.int64),
        subject=texts("subject"),
        group=np.array(each("group", sheet.whole), np.int64),
        votes=numbers(votes) if found else None,
        valence=numbers(["valence"])[:, 0] if "valence" in columns else None,
        arousal=numbers(["arousal"])[:, 0] if "arousal" in columns else None,
        action_units=numbers(list(units.values())) if units else None,
        units=tuple(units),
        root=root,
    )
