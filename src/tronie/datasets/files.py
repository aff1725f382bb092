"""What every reader needs: find the files, say where was looked, name the line that is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.sheet import folded, opened
from tronie.core.words import shortened
from tronie.datasets.about import About
from tronie.video.files import ensure_file
from tronie.video.sources import walk

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
    return SourceError(
        f"{about.title} was not found below {root}.{there} Looked for: {paths}. "
        f"Get it from {about.source} and give the folder that holds {layouts}."
    )


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


def table(
    path: Path, needed: Sequence[str], header: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the line and cells by column name, stripped, for every row of a CSV file.

    ``header`` names the columns of a file that does not (a first row that is one all the same is skipped). Columns are
    found in any case; a needed one is called as in ``needed``, another as the file spells it. Raises SourceError for a
    missing column, a row of another length, or a file that is no CSV (:mod:`tronie.core.sheet`).
    """
    ensure_file(path)
    with opened(path, names=header) as sheet:
        names = list(sheet.names)
        for name, at in zip(needed, sheet.need(*needed), strict=True):
            names[at] = name
        for line, cells in sheet.rows():
            if header is None or folded(cells[0]) != folded(names[0]):
                yield line, dict(zip(names, cells, strict=True))


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
        raise SourceError(
            f"{path}, line {line}: {column} {number} is not one of {min(codes)} to {max(codes)}: "
            "is this the file of another data set?"
        )
    return codes[number]


def present(
    root: Path, paths: Sequence[str], listed_in: Path, skip_missing: bool, kind: str = "pictures"
) -> NDArray[np.bool_]:
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
        first = shortened(str(root / paths[int(np.flatnonzero(~found)[0])]), 300)
        lost = f"{np.sum(~found):,} of" if found.any() else "none of"
        verb = "do not exist" if found.any() else "exists"
        raise SourceError(
            f"Of the {kind} listed in {listed_in}, {lost} the {len(paths):,} {verb} (the first missing: {first}). "
            "Unpack them again, or leave those rows out: --set skip_missing=true (in Python, skip_missing=True)."
        )
    return found


def as_on_disk(root: Path, paths: Sequence[str]) -> list[str]:
    """The paths, with the case of letters that files have below ``root``; those that fit none, or two, stay.

    A table written on Windows may say ``img/1.JPG`` of ``img/1.jpg``.
    """
    folders: dict[Path, dict[str, list[str]]] = {}

    def spelled(folder: Path, name: str) -> str:
        if folder not in folders:
            here: dict[str, list[str]] = {}
            for entry in os.listdir(folder) if folder.is_dir() else ():
                here.setdefault(entry.casefold(), []).append(entry)
            folders[folder] = here
        fits = folders[folder].get(name.casefold(), [])
        return name if name in fits or len(fits) != 1 else fits[0]

    found = []
    for path in paths:
        at, parts = root, []
        for name in path.split("/"):
            parts.append(name if name in ("", ".", "..") else spelled(at, name))
            at = at / parts[-1]
        found.append("/".join(parts))
    return found


def pictures_in(folder: Path, deep: bool = True) -> list[str]:
    """Paths of the pictures below ``folder``, relative to it, sorted; hidden files and folders are passed over."""
    found = []
    for here, below, names in walk(folder, links=True):
        below[:] = sorted(n for n in below if deep and not n.startswith("."))
        relative = Path(here).relative_to(folder)
        found += [(relative / n).as_posix() for n in names if n.lower().endswith(PICTURES) and not n.startswith(".")]
    return sorted(found)
