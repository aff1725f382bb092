"""Timelines and segments on disk: CSV with a sidecar, JSON, Parquet (docs/reference/timeline.md)."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

import numpy as np

from tronie.core.atomic import ensure_writable, replacing
from tronie.core.errors import MissingExtraError, SettingError, SourceError, TronieError
from tronie.core.files import LARGE, parse_json, read_bytes, read_json
from tronie.core.labels import UNCERTAIN, LabelSet, canonical
from tronie.core.segment import Segment, SegmentCalibration, as_rows
from tronie.core.segment_io import SEGMENTS, holds_segments, load_segments
from tronie.core.sheet import Sheet, folded, opened, text_cell, writer
from tronie.core.timeline import (
    AFTER,
    BEFORE,
    PROBABILITY,
    SCHEMA,
    TEXT,
    WHOLE,
    Column,
    Looked,
    Provenance,
    Timeline,
    decimals,
    in_schema,
)

_SEGMENT_DECIMALS = {"start": 6, "end": 6, "confidence": 5, "usable": 5, "agreement": 5, "valence": 5, "arousal": 5}
_KEY = b"tronie"  # where Parquet's own metadata carries what rows cannot say
_CHUNK = 10_000  # rows turned to or from text at once
Work = TypeVar("Work")
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, NotImplementedError, csv.Error)
_SEGMENT_TEXT = ("source", "label", "said")
_TRUE = frozenset(
    [  # as spreadsheets write it in the languages of Europe
        "true",
        "1",
        "wahr",
        "vrai",
        "verdadero",
        "vero",
        "verdadeiro",
        "waar",
        "prawda",
        "pravda",
        "sand",
        "sant",
        "sann",
        "tosi",
        "igaz",
        "истина",
        "doğru",
        "adevărat",
    ]
)
_FALSE = frozenset(
    [
        "false",
        "0",
        "falsch",
        "faux",
        "falso",
        "onwaar",
        "fałsz",
        "nepravda",
        "falsk",
        "falskt",
        "usann",
        "epätosi",
        "hamis",
        "ложь",
        "yanliş",
        "yanlış",
        "fals",
    ]
)


class Writable(Protocol):
    """What text can be written to."""

    def write(self, text: str, /) -> object:
        """Write a piece."""


def sidecar(path: Path) -> Path:
    """The file beside a CSV with what rows cannot say: ``film.csv`` -> ``film.meta.json``."""
    return path.with_name(path.stem + ".meta.json")


def save(timeline: Timeline, path: Path, *, csv_safe: bool = False) -> list[Path]:
    """Write a timeline by the suffix of ``path``; see :meth:`Timeline.save`."""
    if path.suffix.lower() == ".csv":
        return _save_csv(timeline, path, csv_safe=csv_safe)
    return _by_suffix(path, _WRITERS)(timeline, path)


def ensure_savable(path: Path) -> None:
    """Raise OutputError now if a table, or the sidecar of a CSV, could not be written later. Makes parent folders.

    Raises MissingExtraError for Parquet without pyarrow.
    """
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise MissingExtraError("Writing Parquet", "table")
    ensure_writable(path)
    if path.suffix.lower() == ".csv":
        ensure_writable(sidecar(path))


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


def save_segments(found: Sequence[Segment], path: Path, *, csv_safe: bool = False) -> Path:
    """Write segments as CSV: the columns of :func:`tronie.core.segment.as_rows`."""
    rows = as_rows(found)
    names = list(rows[0]) if rows else list(SEGMENTS)

    def cell(name: str, value: Any) -> str:
        written = _cell(value, _SEGMENT_DECIMALS.get(name))
        return text_cell(written, csv_safe=csv_safe) if name in _SEGMENT_TEXT else written

    with replacing(path) as temporary, _text(temporary) as file:
        lines = writer(file)
        lines.writerow(names)
        lines.writerows([cell(name, row[name]) for name in names] for row in rows)
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
        "looked": [_looked(one) for one in timeline.looked],
        "warnings": list(timeline.warnings),
    }


def _looked(looked: Looked) -> dict[str, Any]:
    """``unseen`` only where there is any: most films have no holes."""
    return {name: value for name, value in asdict(looked).items() if name != "unseen" or value}


def _made(provenance: Provenance) -> dict[str, Any]:
    """``clips`` and ``affect`` only where there are any: the tables of most models have no use for them."""
    return {name: value for name, value in asdict(provenance).items() if name not in ("clips", "affect") or value}


def _from_about(about: dict[str, Any], columns: dict[str, Column]) -> Timeline:
    """A timeline of rows and of what :func:`about_of` said. Raises ValueError, KeyError, TypeError, TronieError."""
    if about["schema"] > SCHEMA:
        raise SourceError(f"The table has schema {about['schema']}, this Tronie reads up to {SCHEMA}: update Tronie.")
    labels = LabelSet(tuple(about["labels"]))
    made = dict(about["provenance"])
    fitted = made.pop("segments", None)
    provenance = Provenance(**made, segments=None if fitted is None else SegmentCalibration(**fitted))
    if not isinstance(provenance.clips, int) or not isinstance(provenance.settings, dict):
        raise ValueError("its provenance says no number of clips, or no settings by name")
    if not all(isinstance(words, str) for words in about["warnings"]):
        raise ValueError("its warnings are no sentences")
    looked = tuple(_from_looked(**one) for one in about["looked"])
    return Timeline(_in_words_of(labels, columns), labels, provenance, looked, tuple(about["warnings"]))


def _from_looked(
    source: str,
    kind: str,
    frames: int,
    start: float,
    end: float,
    empty: Sequence[Sequence[float]],
    unseen: Sequence[Sequence[float]] = (),
) -> Looked:
    """Raises ValueError or TypeError for what no file of ours says."""
    without, holes = (tuple((float(a), float(b)) for a, b in pairs) for pairs in (empty, unseen))
    if not isinstance(source, str) or kind not in ("image", "video"):
        raise ValueError("a source of it is neither an image nor a video")
    one = Looked(source, kind, int(frames), float(start), float(end), without, holes)
    if not np.isfinite([one.start, one.end, *(edge for pair in (*without, *holes) for edge in pair)]).all():
        raise ValueError("a source of it has a time that is no number")
    return one


def _cell(value: Any, digits: int | None) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if digits is None else f"{value:.{digits}f}"


def write_rows(timeline: Timeline, file: TextIO, *, heading: bool, csv_safe: bool = False) -> None:
    """Rows as the lines of a CSV, after a line of names where ``heading``; part after part they are the whole table."""

    def texts(name: str, column: list[Any]) -> list[str]:
        if name not in TEXT:
            return [_cell(value, decimals(name)) for value in column]
        same = {word: text_cell(word, csv_safe=csv_safe) for word in set(column)}
        return [same[word] for word in column]

    lines = writer(file)
    if heading:
        lines.writerow(timeline.columns)
    for start in range(0, len(timeline), _CHUNK):  # as text, rows take ten times their memory
        part = {name: column[start : start + _CHUNK].tolist() for name, column in timeline.columns.items()}
        cells = [texts(name, column) for name, column in part.items()]
        lines.writerows(zip(*cells, strict=True))


def write_about(about: dict[str, Any], path: Path, table: Path | None = None) -> Path:
    """The sidecar of the CSV at ``path``, from what :func:`about_of` gives; ``table`` is where its rows lie now.

    It also says what the table is like (rows, SHA-256) and carries a checksum of itself, so that :func:`load` can tell
    whether either was changed or cut short since.
    """
    plain = {key: value for key, value in about.items() if key != "checksum"}
    whole = {**plain, "table": _likeness(table or path)}
    with replacing(sidecar(path)) as temporary, _text(temporary) as file:
        file.write(json.dumps({**whole, "checksum": _checksum(whole)}, ensure_ascii=False, indent=1) + "\n")
    return sidecar(path)


def _likeness(table: Path) -> dict[str, Any]:
    """Lines below the first, and SHA-256, of a table as Tronie writes it."""
    digest, lines = hashlib.sha256(), 0
    with table.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
            lines += part.count(b"\n")
    return {"lines": max(lines - 1, 0), "sha256": digest.hexdigest()}


def _checksum(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:12]


def changed(path: Path) -> tuple[str, ...]:
    """What is not as it was written in a CSV and its sidecar, one sentence each; nothing where all is well.

    Tables of a Tronie that kept no likeness are taken as they are. Raises SourceError for a sidecar that is damaged.
    """
    meta = sidecar(path)
    if not meta.is_file():
        return (
            f"{meta.name} is missing beside {path.name}: where no face was found, and with which settings it was "
            "read, is not known.",
        )
    about = read_json(meta, most=LARGE)
    if not isinstance(about, dict) or "checksum" not in about:
        return ()
    said = []
    if about.pop("checksum") != _checksum(about):
        said.append(f"{meta.name} was changed after Tronie wrote it.")
    was, now = about.get("table"), _likeness(path)
    if isinstance(was, dict) and was != now:
        some = f" ({now['lines']:,} lines, {was.get('lines')} were written)" if now["lines"] != was.get("lines") else ""
        said.append(f"{path.name} was changed or cut short after Tronie wrote it{some}.")
    return tuple(said)


def _save_csv(timeline: Timeline, path: Path, *, csv_safe: bool = False) -> list[Path]:
    with replacing(path) as table:
        with _text(table) as file:
            write_rows(timeline, file, heading=True, csv_safe=csv_safe)
        return [path, write_about(about_of(timeline), path, table)]


def _load_csv(path: Path) -> Timeline:
    if holds_segments(path):
        return load_segments(path)[0]
    columns, meta = read_columns(path), sidecar(path)
    if meta.is_file():
        timeline = _from_about(read_json(meta, most=LARGE), columns)
    else:
        labels = LabelSet(tuple(name.removeprefix(PROBABILITY) for name in columns if name.startswith(PROBABILITY)))
        timeline = Timeline(_in_words_of(labels, columns), labels)
        if len(timeline):
            model, settings, version = (str(timeline[name][0]) for name in AFTER)
            made = Provenance(model_hash=model, settings_hash=settings, version=version)
            timeline = replace(timeline, provenance=made)
    said = tuple(sentence for sentence in changed(path) if sentence not in timeline.warnings)
    return replace(timeline, warnings=(*timeline.warnings, *said))


def _in_words_of(labels: LabelSet, columns: dict[str, Column]) -> dict[str, Column]:
    """The columns with each label spelled as in ``labels``: a person may have corrected one by hand."""
    if "label" not in columns:
        return columns
    spelled = {canonical(name): name for name in (*labels.names, UNCERTAIN)}
    words = [spelled.get(canonical(word), word) for word in columns["label"].tolist()]
    return {**columns, "label": np.array(words, object)}


def read_columns(path: Path) -> dict[str, Column]:
    """The columns of a CSV of rows, by name, piece by piece; those that no timeline has are passed over.

    Raises SourceError for what is no such table.
    """
    with opened(path, exact=True) as sheet:
        names, rows = [folded(name) if folded(name) in BEFORE else name for name in sheet.names], sheet.rows()
        place = {name: at for at, name in enumerate(names) if in_schema(name)}
        if len(place) < sum(map(in_schema, names)):
            raise SourceError(f"{path} has two columns of one name: take one out.")
        pieces: list[list[Column]] = []
        while (part := list(islice(rows, _CHUNK))) or not pieces:
            lines = [line for line, _ in part]
            cells = list(zip(*(row for _, row in part), strict=True)) if part else [()] * len(names)
            pieces.append([_parsed(sheet, name, lines, cells[at]) for name, at in place.items()])
    return {name: np.concatenate(column) for name, column in zip(place, zip(*pieces, strict=True), strict=True)}


def _parsed(sheet: Sheet, name: str, lines: Sequence[int], cells: Sequence[str]) -> Column:
    if name in TEXT:
        same: dict[str, str] = {}
        return np.array([same.setdefault(cell, cell) for cell in cells], object)  # each word is kept once
    if name in WHOLE:
        if all(cell.isdigit() and cell.isascii() and len(cell) < 19 for cell in cells):  # as Tronie writes them
            return np.array(list(map(int, cells)), np.int64)
        return np.array([sheet.whole(line, name, cell) for line, cell in zip(lines, cells, strict=True)], np.int64)
    if name == "usable":
        return np.array([_truth(sheet, line, cell) for line, cell in zip(lines, cells, strict=True)], bool)
    return _numbers(sheet, name, lines, cells)


def _numbers(sheet: Sheet, name: str, lines: Sequence[int], cells: Sequence[str]) -> Column:
    """NaN where a cell is empty, but for times."""
    needed = name in ("time", "duration")
    try:  # as Tronie writes them
        values = np.array([float(cell) if cell else np.nan for cell in cells], np.float64)
        whole = "".join(cells)
        odd = "_" in whole or not whole.isascii()  # Python takes more for a number than a table may hold
        if not odd and (np.isfinite(values).all() or not (needed or np.isinf(values).any())):
            return values
    except ValueError:
        pass
    read = sheet.number if needed else sheet.optional
    return np.array([read(line, name, cell) for line, cell in zip(lines, cells, strict=True)], np.float64)


def _truth(sheet: Sheet, line: int, cell: str) -> bool:
    word = cell.strip().lower()  # spreadsheets write TRUE, and in other languages WAHR or VRAI
    if word not in _TRUE | _FALSE:
        raise sheet.wrong(line, "usable", cell, "true or false is needed")
    return word in _TRUE


def _records(timeline: Timeline) -> Iterator[dict[str, Any]]:
    lists = {name: column.tolist() for name, column in timeline.columns.items()}
    for i in range(len(timeline)):
        yield {name: None if (value := column[i]) != value else value for name, column in lists.items()}


def _save_json(timeline: Timeline, path: Path) -> list[Path]:
    with replacing(path) as temporary, _text(temporary) as file:
        write_json(timeline, file)
    return [path]


def _load_json(path: Path) -> Timeline:
    about = parse_json(read_bytes(path, most=LARGE))
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
    about = parse_json((table.schema.metadata or {})[_KEY])
    columns = {name: _column(name, table[name].to_pylist()) for name in table.column_names}
    return _from_about(about, columns)


_WRITERS: dict[str, Callable[[Timeline, Path], list[Path]]] = {
    ".csv": _save_csv,
    ".json": _save_json,
    ".parquet": _save_parquet,
}
_READERS: dict[str, Callable[[Path], Timeline]] = {
    ".csv": _load_csv,
    ".json": _load_json,
    ".parquet": _load_parquet,
}
SUFFIXES = tuple(_WRITERS)
"""Suffixes of the tables that can be written."""
