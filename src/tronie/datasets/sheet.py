"""The first sheet of an ``.xlsx`` file as rows of text: data sets bring annotations in them. No library is needed."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from tronie.core.errors import SourceError
from tronie.core.markup import parse_xml

_NAMES = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LARGEST = 256 << 20  # bytes of a sheet, unpacked
_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")


def read_sheet(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Row number and cells by the first row's names, for every further row; empty cells are left out.

    Raises SourceError for a file that is no such table.
    """
    try:
        with zipfile.ZipFile(path) as book:
            inside = sorted((int(m[1]), m[0]) for n in book.namelist() if (m := _SHEET.fullmatch(n)))
            words = _words(parse_xml(_read(book, "xl/sharedStrings.xml"))) if _shared(book) else []
            rows = parse_xml(_read(book, inside[0][1])).iter(f"{_NAMES}row")
            table = [(int(row.get("r", 0)), _cells(row, words)) for row in rows]
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        KeyError,
        IndexError,
        ValueError,
    ) as error:
        raise SourceError(f"{path} cannot be read as an .xlsx table ({error}): download it again.") from error
    names = table[0][1] if table else {}
    for number, cells in table[1:]:
        yield number, {names[column]: text for column, text in cells.items() if column in names}


def _read(book: zipfile.ZipFile, name: str) -> bytes:
    if book.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} unpacks to {book.getinfo(name).file_size:,} bytes")
    return book.read(name)


def _shared(book: zipfile.ZipFile) -> bool:
    return "xl/sharedStrings.xml" in book.namelist()


def _words(root: Element) -> list[str]:
    return ["".join(t.text or "" for t in item.iter(f"{_NAMES}t")) for item in root.iter(f"{_NAMES}si")]


def _cells(row: Element, words: list[str]) -> dict[str, str]:
    """Text by column letters; columns that are not written are empty."""
    found = {}
    for cell in row.iter(f"{_NAMES}c"):
        value = cell.find(f"{_NAMES}v")
        text = "".join(t.text or "" for t in cell.iter(f"{_NAMES}t"))  # written in place
        if value is not None and value.text is not None:
            text = words[int(value.text)] if cell.get("t") == "s" else value.text
        if text.strip():
            found[cell.get("r", "").rstrip("0123456789")] = text.strip()
    return found
