"""Read back what a human coder wrote: ELAN, Praat or a CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

from tronie.core.errors import SourceError
from tronie.core.files import read_bytes
from tronie.core.span import Span
from tronie.show import elan, textgrid

_LARGEST = 256 << 20  # bytes of a coder's file
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_COLUMNS = {
    "tier": ("tier", "person", "name", "participant", "track"),
    "start": ("start", "begin", "onset", "begin time", "start time"),
    "end": ("end", "stop", "offset", "end time"),
    "duration": ("duration",),
    "label": ("label", "expression", "emotion", "code", "value", "annotation"),
}  # fmt: skip


def read_spans(path: str | Path) -> list[Span]:
    """The coder's labelled stretches of time, by suffix: ``.eaf``, ``.TextGrid``, or ``.csv``/``.tsv``/``.txt``.

    A CSV has a line of column names: start and end (or duration), in seconds or as hh:mm:ss.mmm, label, and a person
    (tier, person, name or track); separated by commas, semicolons or tabs. The segments that Tronie writes are such
    a CSV. Raises SourceError for a file that is missing, damaged or of another kind.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"There is no file {path}: check the path.")
    try:
        read = _READERS[path.suffix.lower()]
    except KeyError:
        raise SourceError(f"{path} is no coder's file: give an .eaf, a .TextGrid or a .csv.") from None
    try:
        return read(read_bytes(path, most=_LARGEST))
    except (ValueError, KeyError, csv.Error) as error:
        raise SourceError(f"{path} is damaged or not what its name says ({error}).") from error


def _read_csv(data: bytes) -> list[Span]:
    words = data.decode("utf-8-sig")
    first = words.partition("\n")[0]
    table = csv.reader(io.StringIO(words, newline=""), delimiter=max("\t;,", key=first.count), skipinitialspace=True)
    head = [cell.strip().lower() for cell in next(table, [])]
    place = {what: next((head.index(name) for name in known if name in head), None) for what, known in _COLUMNS.items()}
    for what in ("start", "label"):
        if place[what] is None:
            raise ValueError(f"it has no column '{what}'")
    if place["end"] is None and place["duration"] is None:
        raise ValueError("it has neither a column 'end' nor 'duration'")
    found = []
    for number, line in enumerate(table, 2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) < len(head):
            raise ValueError(f"line {number} is cut short")
        cell = {what: line[at].strip() for what, at in place.items() if at is not None}
        try:
            start = _time(cell["start"])
            end = _time(cell["end"]) if "end" in cell else start + _time(cell["duration"])
        except ValueError:
            raise ValueError(f"line {number} has no time where one should be") from None
        tier = cell.get("tier", "")
        if tier.isdigit():  # a track number: the name that the same track has in pictures and files
            tier = f"person {tier}"
        if cell["label"] and end > start:
            found.append(Span(tier, start, end, cell["label"]))
    return found


def _time(words: str) -> float:
    """Seconds from "12.5" or "hh:mm:ss.mmm"."""
    if match := _CLOCK.fullmatch(words):
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    return float(words)


_READERS: dict[str, Callable[[bytes], list[Span]]] = {
    ".eaf": elan.read, ".textgrid": textgrid.read, ".csv": _read_csv, ".tsv": _read_csv, ".txt": _read_csv,
}  # fmt: skip
