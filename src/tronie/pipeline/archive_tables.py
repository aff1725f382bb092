"""Tables that lie in pieces, joined line by line: the memory of one line, however many pieces there are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tronie.core.atomic import replacing
from tronie.core.files import LARGE, read_json
from tronie.core.sheet import read_cell, writer
from tronie.core.timeline_io import sidecar, write_about

Pieces = Sequence[tuple[str, Path]]
"""Name and file of each piece, in their order."""


def join_segments(pieces: Pieces, owners: Mapping[str, str], path: Path) -> Path:
    """All segments in one CSV. Of a source, only what the piece named by ``owners`` says of it."""
    names: dict[str, None] = {}
    for _, piece in pieces:
        names |= dict.fromkeys(_heading(piece))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        lines = writer(file)
        lines.writerow(names)
        for key, piece in pieces:
            ours = (row for row in _rows(piece) if owners.get(read_cell(row["source"])) == key)
            lines.writerows([row.get(name, "") for name in names] for row in ours)
    return path


def join_tables(pieces: Pieces, owners: Mapping[str, str], path: Path) -> Path:
    """All pictures in one table with its sidecar, as one timeline of them all would have been saved."""
    about: dict[str, Any] = {}
    with replacing(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            names = _heading(pieces[0][1])
            lines = writer(file)
            lines.writerow(names)
            for key, piece in pieces:
                lines.writerows(row.values() for row in _rows(piece) if owners.get(read_cell(row["source"])) == key)
                told = read_json(sidecar(piece), most=LARGE)
                looked = [one for one in told["looked"] if owners.get(one["source"]) == key]
                if not about:
                    about = {**told, "looked": [], "warnings": []}
                about["looked"] += looked
                about["warnings"] = list(dict.fromkeys([*about["warnings"], *told["warnings"]]))
        write_about(about, path, temporary)
    return path


def _heading(piece: Path) -> list[str]:
    with piece.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])


def _rows(piece: Path) -> Iterator[dict[str, Any]]:
    with piece.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
