"""What every reader needs: find the files, say where was looked, name the line that is wrong."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.data.datasets.about import About
from tronie.media.files import ensure_file
from tronie.media.source import walk

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")
"""Endings that count as a picture, in lower case."""

T = TypeVar("T")


def one_of(option: str, value: object, allowed: Sequence[object]) -> None:
    """Raise SettingError unless ``value`` is allowed: options also come from recipe files, which check no types."""
    if value not in allowed:
        raise SettingError(f"Option {option} is {value!r}; it must be {' or '.join(repr(a) for a in allowed)}.")


def first_of(root: Path, candidates: Iterable[str]) -> Path | None:
    """The first of ``root / candidate`` that exists; a candidate ending in ``/`` must be a folder."""
    for candidate in candidates:
        path = root / candidate
        if path.is_dir() if candidate.endswith("/") else path.is_file():
            return path
    return None


def not_found(about: About, root: Path, tried: Iterable[str]) -> SourceError:
    """The error for a data set that is not below ``root``: every path tried, where to get it, how it must lie."""
    paths = ", ".join(str(root / name) for name in dict.fromkeys(tried))
    there = "" if root.exists() else " That folder does not exist."
    layouts = "; or ".join(about.layouts)
    return SourceError(f"{about.title} was not found below {root}.{there} Looked for: {paths}. "
                       f"Get it from {about.source} and give the folder that holds {layouts}.")  # fmt: skip


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line that is not empty. Raises SourceError for a file that is not text."""
    ensure_file(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.strip()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not a text file ({error.reason}): download or unpack it again.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error


def table(path: Path, needed: Sequence[str],
          header: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:  # fmt: skip
    """Number of the line and cells by column name, stripped, for every row of a CSV file.

    ``header`` names the columns of a file that does not (a first row that is one all the same is skipped).
    Raises SourceError for a missing column, a row of another length, or a file that is no CSV.
    """
    ensure_file(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            names = [n.strip() for n in header or next(reader, [])]
            missing = [n for n in needed if n not in names]
            if missing:
                raise SourceError(f"{path} lacks the column {', '.join(missing)}: its first line must name the columns "
                                  f"{', '.join(needed)}; it names {', '.join(names) or 'nothing'}.")  # fmt: skip
            for row in reader:
                if not any(cell.strip() for cell in row) or (header and row[0].strip() == names[0]):
                    continue
                if len(row) != len(names):
                    raise SourceError(f"{path}, line {reader.line_num}: {len(row)} cells for {len(names)} columns: "
                                      "mend that line, or export the table again.")  # fmt: skip
                yield reader.line_num, {n: cell.strip() for n, cell in zip(names, row, strict=True)}
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is not a CSV table: {error}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error


def cell(path: Path, line: int, text: str, kind: Callable[[str], T], column: str) -> T:
    """``kind(text)``, or a SourceError that names the cell."""
    try:
        return kind(text)
    except (ValueError, KeyError, OverflowError) as error:
        raise SourceError(f"{path}, line {line}: '{text}' cannot stand in column '{column}'.") from error


def coded(path: Path, line: int, text: str, codes: Mapping[int, T], column: str = "label") -> T:
    """What a number stands for. Raises SourceError that names the cell and the numbers that are allowed."""
    number = cell(path, line, text, lambda t: int(float(t)), column)
    if number not in codes:
        raise SourceError(f"{path}, line {line}: {column} {number} is not one of {min(codes)} to {max(codes)}: "
                          "is this the file of another data set?")  # fmt: skip
    return codes[number]


def present(root: Path, paths: Sequence[str], listed_in: Path, skip_missing: bool,
            kind: str = "pictures") -> NDArray[np.bool_]:  # fmt: skip
    """Mask ``(n,)`` of the pictures (or clips) that exist below ``root``; folders are listed once, so it is quick.

    Raises SourceError if some are missing, unless ``skip_missing``, or if all are.
    """
    folders: dict[str, set[str]] = {}
    found = np.zeros(len(paths), bool)
    for i, path in enumerate(paths):
        folder, name = os.path.split(path)
        if folder not in folders:
            here = root / folder
            folders[folder] = set(os.listdir(here)) if here.is_dir() else set()
        found[i] = name in folders[folder]
    if len(paths) and not found.all() and (not skip_missing or not found.any()):
        first = root / paths[int(np.flatnonzero(~found)[0])]
        lost = f"{np.sum(~found):,} of" if found.any() else "none of"
        verb = "do not exist" if found.any() else "exists"
        raise SourceError(
            f"Of the {kind} listed in {listed_in}, {lost} the {len(paths):,} {verb} (the first missing: {first}). "
            "Unpack them again, or leave those rows out: --set skip_missing=true (in Python, skip_missing=True)."
        )
    return found


def pictures_in(folder: Path, deep: bool = True) -> list[str]:
    """Paths of the pictures below ``folder``, relative to it, sorted; hidden files and folders are passed over."""
    found = []
    for here, below, names in walk(folder, links=True):
        below[:] = sorted(n for n in below if deep and not n.startswith("."))
        relative = Path(here).relative_to(folder)
        found += [(relative / n).as_posix() for n in names
                  if n.lower().endswith(PICTURES) and not n.startswith(".")]  # fmt: skip
    return sorted(found)
