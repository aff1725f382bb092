"""A CSV table that a person, a spreadsheet or Tronie wrote: one reader for all of them.

Read are commas, semicolons and tabs; UTF-8 and UTF-16, with and without a byte order mark; any line ends; blank lines;
columns nobody asked for; names of columns in any case; decimal commas. What has two meanings is refused by line and
column. Cells that a spreadsheet would run are written with an apostrophe before them, and read without it.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from tronie.core.errors import SettingError, SourceError
from tronie.core.words import shortened

LONGEST_LINE = 1_000_000  # letters; a longer line is no table, and would only fill the memory
MOST_COLUMNS = 10_000
_DELIMITERS = "\t;,"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"([+-]?[0-9]+)(?:\.|\.0{1,2}|\.0{4,})?")  # 1.000 may be a thousand
_SIGNS = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"  # with the wide forms of East Asian keyboards
_CUT = "(^|[;\t\r\n])"  # where a spreadsheet begins a cell; where decimals have a comma, also behind a semicolon
_RUN = re.compile(f"{_CUT}(?='*{_SIGNS})")
_QUOTED = re.compile(f"{_CUT}'(?='*{_SIGNS})")


@dataclass
class Sheet:
    """A table that is open for reading: its columns' names as they are written, and the line ``meta`` before them."""

    path: Path
    names: tuple[str, ...]
    delimiter: str
    _rows: Iterator[tuple[int, list[str]]] = field(repr=False)
    meta: str = ""

    def place(self, *known: str) -> int | None:
        """Where the column called one of ``known`` stands, the first of them that is there; None without one.

        Case and doubled spaces do not count. Raises SourceError where two columns have that name.
        """
        here = [folded(name) for name in self.names]
        for name in map(folded, known):
            if here.count(name) > 1:
                raise SourceError(f"{self.path} has {here.count(name)} columns called '{name}': rename all but one.")
            if name in here:
                return here.index(name)
        return None

    def need(self, *wanted: str) -> list[int]:
        """Where the columns ``wanted`` stand. Raises SourceError that names those that are missing."""
        places = [self.place(name) for name in wanted]
        if missing := [name for name, at in zip(wanted, places, strict=True) if at is None]:
            there = ", ".join(self.names)
            raise SourceError(
                f"{self.path} lacks the column {', '.join(missing)}: its first line must name the columns "
                f"{', '.join(wanted)}; it names {shortened(there, 300) or 'nothing'}."
            )
        return [at for at in places if at is not None]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Number of the line and its cells, one per column, for every line that holds something.

        Raises SourceError for a line of another length and for what is no text.
        """
        count = len(self.names)
        for line, cells in self._rows:
            if len(cells) > count and not any(cell.strip() for cell in cells[count:]):
                del cells[count:]
            if len(cells) != count:
                short = " (cut short?)" if len(cells) < count else ""
                raise SourceError(
                    f"{self.path}, line {line}: {len(cells):,} cells for {count} columns{short}: mend that line, or "
                    "export the table again."
                )
            yield line, cells

    def wrong(self, line: int, column: str, cell: str, reason: str = "") -> SourceError:
        """The error for a cell that cannot stand where it stands."""
        return SourceError(
            f"{self.path}, line {line}: '{shortened(cell)}' cannot stand in column '{column}'"
            f"{': ' if reason else ''}{reason}."
        )

    def number(self, line: int, column: str, cell: str) -> float:
        """A number, with a point or, where that is clear, a decimal comma. Raises SourceError, also for infinity."""
        words = cell.strip()
        if words.count(",") == 1 and "." not in words:
            if self.delimiter == "," and re.search(r",\d{3}$", words):
                raise self.wrong(line, column, cell, "the comma may part decimals or thousands, write a point")
            words = words.replace(",", ".")
        value = float(words) if _NUMBER.fullmatch(words) else math.nan
        if not math.isfinite(value):
            raise self.wrong(line, column, cell, "a number is needed")
        return value

    def optional(self, line: int, column: str, cell: str) -> float:
        """:meth:`number`, and NaN for an empty cell or "nan"."""
        return math.nan if cell.strip().lower() in ("", "nan") else self.number(line, column, cell)

    def whole(self, line: int, column: str, cell: str) -> int:
        """A whole number, which a spreadsheet may write as ``3.0`` or ``3,0``. Raises SourceError."""
        found = _WHOLE.fullmatch(cell.strip().replace(",", "."))
        if found is None or len(found[1]) > 19 or not -(2**63) <= int(found[1]) < 2**63:
            raise self.wrong(line, column, cell, "a whole number is needed")
        return int(found[1])


def folded(name: str) -> str:
    """The name of a column as it is compared."""
    return " ".join(name.split()).casefold()


@contextmanager
def opened(
    path: Path, what: str = "table", *, names: Sequence[str] | None = None, exact: bool = False, meta: str = ""
) -> Iterator[Sheet]:
    """Open the table at ``path``; ``what`` it is goes into errors.

    ``names`` names the columns of a file that does not. ``exact`` keeps spaces around cells. A first line that
    begins with ``meta``, such as "# {", is kept apart. Raises SourceError for a file that is missing or no such table.
    """
    try:
        if not path.is_file() and path.exists():  # a pipe would never end
            raise SourceError(f"{path} is no regular file: give the file of the {what}.")
        with path.open("rb") as file:
            sample = file.read(4096)
            file.seek(0)
            text = TextIOWrapper(file, _encoding(sample), newline="")
            lines = _lines(path, text)
            about, first, before = _beginning(lines, meta)
            delimiter = max(_DELIMITERS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
            if re.fullmatch(r"sep=.", first.strip()):  # Excel's own line about the delimiter
                delimiter, first, before = first.strip()[4], "", before + 1
            rows = _rows(path, chain([first] if first else [], lines), delimiter, exact, before)
            head = list(names) if names is not None else [cell.strip() for cell in next(rows, (0, []))[1]]
            while head and not head[-1]:
                head.pop()
            if len(head) > MOST_COLUMNS:
                raise SourceError(f"{path} has {len(head):,} columns: that is no {what}.")
            yield Sheet(path, tuple(head), delimiter, rows, about)
    except FileNotFoundError:
        raise SourceError(f"There is no file {path}: check the path of the {what}.") from None
    except UnicodeError as error:
        raise SourceError(
            f"{path} is not a {what}: it is neither UTF-8 nor UTF-16 ({error}). Save it as 'CSV UTF-8'."
        ) from error
    except csv.Error as error:
        raise SourceError(f"{path} is not a CSV table: {error}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def _encoding(sample: bytes) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = sample[::2].count(0), sample[1::2].count(0)  # letters of Latin script have one zero byte in UTF-16
    if len(sample) >= 4 and max(even, odd) > 0.4 * len(sample):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8-sig"


def _lines(path: Path, file: TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise SourceError(f"{path}, line {number}: it is longer than {LONGEST_LINE:,} letters: that is no table.")
        yield line


def _beginning(lines: Iterator[str], meta: str) -> tuple[str, str, int]:
    """The line that begins with ``meta``, the first line of the table, and how many lines stand before that."""
    about = ""
    for before, line in enumerate(lines):
        bare = line.strip()
        if meta and not about and bare.lstrip('"').startswith(meta):
            about = bare
        elif bare:
            return about, line, before
    return about, "", 0


def _rows(
    path: Path, lines: Iterator[str], delimiter: str, exact: bool, before: int
) -> Iterator[tuple[int, list[str]]]:
    quoted = False  # whether a line since the last row holds an apostrophe: few do, and tables are long

    def watched() -> Iterator[str]:
        nonlocal quoted
        for line in lines:
            quoted = quoted or "'" in line
            yield line

    reader = csv.reader(watched(), delimiter=delimiter, skipinitialspace=not exact)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                cells = row if exact else [cell.strip() for cell in row]
                yield reader.line_num + before, [read_cell(cell) for cell in cells] if quoted else cells
            quoted = False
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num + before}: {error}.") from error


class _LfEnds:
    """Where :mod:`csv` writes whole rows that end in CR LF: their ends become LF."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> None:
        self._file.write(row[:-2] + "\n")


def writer(file: TextIO) -> Any:
    """A ``csv.writer`` with LF at the end of rows, which quotes every cell that holds CR or LF.

    Python's own, before 3.13, quotes only what its line end holds, and a lone CR cuts a row in two.
    """
    return csv.writer(_LfEnds(file), lineterminator="\r\n")


def read_cell(cell: str) -> str:
    """What :func:`text_cell` was given."""
    return _QUOTED.sub(r"\1", cell) if "'" in cell else cell


def text_cell(text: str, *, csv_safe: bool = False) -> str:
    """A cell of text for a CSV.

    With ``csv_safe`` text that a spreadsheet would run as a formula gets an apostrophe before it, also where it would
    begin a cell for a spreadsheet that cuts at semicolons; numbers stay as they are. Text that looks as if it had got
    one already gets another in any case, so that :func:`read_cell` is exact.
    """
    if csv_safe and not _NUMBER.fullmatch(text):
        return _RUN.sub(r"\1'", text)
    return _QUOTED.sub(r"\1''", text) if "'" in text else text


def text_cells(row: Iterable[Any], *, csv_safe: bool = False) -> list[Any]:
    """A row for a CSV: its texts as :func:`text_cell` has them, its numbers as they are."""
    return [text_cell(cell, csv_safe=csv_safe) if isinstance(cell, str) else cell for cell in row]


def ensure_csv(path: Path, *, csv_safe: bool) -> None:
    """Raise SettingError where ``csv_safe`` is asked for a file that is no CSV."""
    if csv_safe and path.suffix.lower() != ".csv":
        raise SettingError(f"csv-safe is about CSV files, and {path.name} is none: leave it out.")
