"""Timelines and segments on disk: CSV with a sidecar, JSON, Parquet (docs/reference/timeline.md)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

import numpy as np

from tronie.core.atomic import replacing
from tronie.core.errors import MissingExtraError, SettingError, SourceError, TronieError
from tronie.core.labels import LabelSet
from tronie.core.segment import Segment, SegmentCalibration, as_rows
from tronie.core.timeline import AFTER, PROBABILITY, SCHEMA, TEXT, WHOLE, Column, Looked, Provenance, Timeline, decimals

_SEGMENT_DECIMALS = {"start": 6, "end": 6, "confidence": 5, "usable": 5, "agreement": 5, "valence": 5,
                     "arousal": 5}  # fmt: skip
_KEY = b"tronie"  # where Parquet's own metadata carries what rows cannot say
_CHUNK = 10_000  # rows turned to or from text at once
Work = TypeVar("Work")


class Writable(Protocol):
    """What text can be written to."""

    def write(self, text: str, /) -> object:
        """Write a piece."""


_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, csv.Error)


def sidecar(path: Path) -> Path:
    """The file beside a CSV with what rows cannot say: ``film.csv`` -> ``film.meta.json``."""
    return path.with_name(path.stem + ".meta.json")


def save(timeline: Timeline, path: Path) -> list[Path]:
    """Write a timeline by the suffix of ``path``; see :meth:`Timeline.save`."""
    return _by_suffix(path, _WRITERS)(timeline, path)


def load(path: Path) -> Timeline:
    """Read a timeline by the suffix of ``path``; see :meth:`Timeline.load`.

    Raises SettingError for another suffix, SourceError for a file that is missing, damaged or no such table, and
    MissingExtraError for Parquet without pyarrow.
    """
    read = _by_suffix(path, _READERS)
    try:
        return read(path)
    except FileNotFoundError:
        raise SourceError(f"There is no file {path}: check the path.") from None
    except SettingError as error:
        raise SourceError(f"{path} is not a table of Tronie: {error}") from error
    except TronieError:
        raise
    except OSError as error:
        raise SourceError(f"Cannot read {path}: {error.strerror or error}.") from error
    except _DAMAGED as error:
        raise SourceError(f"{path} is damaged or not a table of Tronie ({error}): make it again.") from error


def save_segments(found: Sequence[Segment], path: Path) -> Path:
    """Write segments as CSV: the columns of :func:`tronie.core.segment.as_rows`."""
    rows = as_rows(found)
    names = list(rows[0]) if rows else ["source", "track", "start", "end", "label", "confidence", "usable", "rows"]
    with replacing(path) as temporary, _text(temporary) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(row[name], _SEGMENT_DECIMALS.get(name)) for name in names] for row in rows)
    return path


def document(timeline: Timeline) -> dict[str, Any]:
    """Everything but the rows, as JSON holds it: schema, labels, provenance, what was looked at, warnings, segments."""
    return {**about_of(timeline), "segments": as_rows(timeline.segments()), "columns": list(timeline.columns)}


def write_json(timeline: Timeline, file: Writable) -> None:
    """The whole timeline as one JSON document, one row a line."""
    head = json.dumps(document(timeline), ensure_ascii=False, indent=1)
    file.write(head.removesuffix("\n}") + ',\n "rows": [')
    for i, row in enumerate(_records(timeline)):
        file.write(("," if i else "") + "\n  " + json.dumps(row, ensure_ascii=False))
    file.write("\n ]\n}\n")


def _by_suffix(path: Path, table: dict[str, Work]) -> Work:
    try:
        return table[path.suffix.lower()]
    except KeyError:
        raise SettingError(f"Tables end in {', '.join(table)}; '{path.name}' does not. Rename it.") from None


def _text(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")


def about_of(timeline: Timeline) -> dict[str, Any]:
    """What rows cannot say, as JSON holds it: schema, labels, provenance, what was looked at, warnings."""
    return {
        "schema": SCHEMA,
        "labels": list(timeline.labels.names),
        "provenance": _made(timeline.provenance),
        "looked": [asdict(one) for one in timeline.looked],
        "warnings": list(timeline.warnings),
    }


def _made(provenance: Provenance) -> dict[str, Any]:
    """``clips`` and ``affect`` only where there are any: the tables of most models have no use for them."""
    return {name: value for name, value in asdict(provenance).items() if name not in ("clips", "affect") or value}


def _from_about(about: dict[str, Any], columns: dict[str, Column]) -> Timeline:
    if about["schema"] > SCHEMA:
        raise SourceError(f"The table has schema {about['schema']}, this Tronie reads up to {SCHEMA}: update Tronie.")
    looked = tuple(
        Looked(**{**one, "empty": tuple((float(a), float(b)) for a, b in one["empty"])}) for one in about["looked"]
    )
    labels = LabelSet(tuple(about["labels"]))
    made = dict(about["provenance"])
    fitted = made.pop("segments", None)
    provenance = Provenance(**made, segments=None if fitted is None else SegmentCalibration(**fitted))
    return Timeline(columns, labels, provenance, looked, tuple(about["warnings"]))


def _cell(value: Any, digits: int | None) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if digits is None else f"{value:.{digits}f}"


def write_rows(timeline: Timeline, file: TextIO, *, heading: bool) -> None:
    """Rows as the lines of a CSV, after a line of names where ``heading``; part after part they are the whole table."""
    writer = csv.writer(file, lineterminator="\n")
    if heading:
        writer.writerow(timeline.columns)
    for start in range(0, len(timeline), _CHUNK):  # as text, rows take ten times their memory
        part = {name: column[start : start + _CHUNK].tolist() for name, column in timeline.columns.items()}
        cells = [[_cell(value, decimals(name)) for value in column] for name, column in part.items()]
        writer.writerows(zip(*cells, strict=True))


def write_about(about: dict[str, Any], path: Path) -> Path:
    """The sidecar of the CSV at ``path``, from what :func:`about_of` gives."""
    with replacing(sidecar(path)) as temporary, _text(temporary) as file:
        file.write(json.dumps(about, ensure_ascii=False, indent=1) + "\n")
    return sidecar(path)


def _save_csv(timeline: Timeline, path: Path) -> list[Path]:
    with replacing(path) as table:
        with _text(table) as file:
            write_rows(timeline, file, heading=True)
        return [path, write_about(about_of(timeline), path)]


def _load_csv(path: Path) -> Timeline:
    columns = read_columns(path)
    names = list(columns)
    if sidecar(path).is_file():
        return _from_about(json.loads(sidecar(path).read_text(encoding="utf-8")), columns)
    labels = LabelSet(tuple(name.removeprefix(PROBABILITY) for name in names if name.startswith(PROBABILITY)))
    timeline = Timeline(columns, labels)
    if not len(timeline):
        return timeline
    model, settings, version = (str(timeline[name][0]) for name in AFTER)
    return replace(timeline, provenance=Provenance(model_hash=model, settings_hash=settings, version=version))


def read_columns(path: Path) -> dict[str, Column]:
    """The columns of a CSV of rows, by name, piece by piece. Raises ValueError for what is no such table."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        names = next(lines, [])
        pieces: list[list[Column]] = []
        for rows in chain([list(islice(lines, _CHUNK))], iter(lambda: list(islice(lines, _CHUNK)), [])):
            for number, row in enumerate(rows, len(pieces) * _CHUNK + 2):
                if len(row) != len(names):
                    raise ValueError(f"line {number} is cut short")
            cells = list(zip(*rows, strict=True)) if rows else [()] * len(names)
            pieces.append([_parsed(name, column) for name, column in zip(names, cells, strict=True)])
    return {name: np.concatenate(column) for name, column in zip(names, zip(*pieces, strict=True), strict=True)}


def _parsed(name: str, cells: Iterable[str]) -> Column:
    if name in TEXT:
        same: dict[str, str] = {}
        return np.array([same.setdefault(cell, cell) for cell in cells], object)  # each word is kept once
    if name in WHOLE:
        return np.array([int(cell) for cell in cells], np.int64)
    if name == "usable":
        return np.array([_truth(cell) for cell in cells], bool)
    return np.array([float(cell) if cell else np.nan for cell in cells], np.float64)


def _truth(cell: str) -> bool:
    word = cell.lower()  # spreadsheets write TRUE
    if word not in ("true", "false"):
        raise ValueError(f"'{cell}' is neither true nor false")
    return word == "true"


def _records(timeline: Timeline) -> Iterator[dict[str, Any]]:
    lists = {name: column.tolist() for name, column in timeline.columns.items()}
    for i in range(len(timeline)):
        yield {name: None if (value := column[i]) != value else value for name, column in lists.items()}


def _save_json(timeline: Timeline, path: Path) -> list[Path]:
    with replacing(path) as temporary, _text(temporary) as file:
        write_json(timeline, file)
    return [path]


def _load_json(path: Path) -> Timeline:
    about = json.loads(path.read_text(encoding="utf-8"))
    columns = {name: _column(name, [row[name] for row in about["rows"]]) for name in about["columns"]}
    return _from_about(about, columns)


def _column(name: str, values: list[Any]) -> Column:
    if decimals(name) is None:
        return np.array(values, object)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _save_parquet(timeline: Timeline, path: Path) -> list[Path]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtraError("Writing Parquet", "table") from None
    about = json.dumps(about_of(timeline), ensure_ascii=False).encode()
    table = timeline.to_arrow().replace_schema_metadata({_KEY: about})
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)
    return [path]


def _load_parquet(path: Path) -> Timeline:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtraError("Reading Parquet", "table") from None
    if not path.is_file():
        raise FileNotFoundError(path)
    table = parquet.read_table(path)
    about = json.loads((table.schema.metadata or {})[_KEY])
    columns = {name: _column(name, table[name].to_pylist()) for name in table.column_names}
    return _from_about(about, columns)


_WRITERS: dict[str, Callable[[Timeline, Path], list[Path]]] = {
    ".csv": _save_csv, ".json": _save_json, ".parquet": _save_parquet,
}  # fmt: skip
_READERS: dict[str, Callable[[Path], Timeline]] = {
    ".csv": _load_csv, ".json": _load_json, ".parquet": _load_parquet,
}  # fmt: skip
SUFFIXES = tuple(_WRITERS)
"""Suffixes of the tables that can be written."""
