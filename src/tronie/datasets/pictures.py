"""The pixels of a manifest's rows, from files and from packs. A pack is opened once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.core.manifest import Manifest
from tronie.datasets.clipfiles import frames_in, is_film
from tronie.datasets.pack import load
from tronie.video.image import read_image
from tronie.video.reader import VideoReader

_SIDE = 48  # FER2013's pictures


def read_picture(manifest: Manifest, row: int) -> Pixels:
    """The picture of a row as ``(H, W, 3)`` uint8 RGB; of a folder or a span of frames the last, of a film the first.

    Raises SourceError.
    """
    named, mark, last = str(manifest.path[row]).rpartition("-")
    if mark and last.isdecimal() and "::" in named:  # the span of a clip
        return read_numbered(manifest, row, (manifest.root or Path()) / named.partition("::")[0], int(last) - 1)
    path, number = manifest.locate(row)
    if number is None and is_film(path):
        with VideoReader(path) as reader:
            return next(reader).image
    if number is None:
        return read_image(clip_files(manifest, row)[-1] if path.is_dir() else path)
    return read_numbered(manifest, row, path, number)


def read_numbered(manifest: Manifest, row: int, path: Path, number: int) -> Pixels:
    """Picture ``number`` of the pack ``path``; the row is only named where that fails. Raises SourceError."""
    try:
        kept = path.stat()
        if path.suffix == ".csv":
            return _table(str(path), kept.st_mtime_ns).picture(number)
        return read_image(_pack(str(path), kept.st_mtime_ns).encoded(number))
    except OSError as error:
        raise SourceError(f"The pack {path} of row '{manifest.id[row]}' cannot be opened: {error.strerror}.") from error
    except SourceError as error:
        raise SourceError(f"Row '{manifest.id[row]}' ({path}, picture {number}): {error}") from error


def clip_files(manifest: Manifest, row: int) -> list[Path]:
    """Frames of a clip whose path is a folder, numbers in names by value. Raises SourceError for any other row."""
    path, number = manifest.locate(row)
    if number is not None or not path.is_dir():
        raise SourceError(f"Row '{manifest.id[row]}' ({path}) is not a folder of frames: read it as a picture.")
    names = frames_in(path)
    if not names:
        raise SourceError(f"The clip {path} of row '{manifest.id[row]}' holds no frames: unpack it again.")
    return [path / name for name in names]


@dataclass(frozen=True, eq=False)
class _Pack:
    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def encoded(self, number: int) -> bytes:
        if number >= len(self.offsets) - 1:
            raise SourceError(f"the pack holds {len(self.offsets) - 1:,} pictures, so read the manifest again.")
        return self.blob[self.offsets[number] : self.offsets[number + 1]].tobytes()


@lru_cache(maxsize=4)
def _pack(path: str, changed: int) -> _Pack:
    """``changed`` is the file's time, so that a replaced pack is opened anew."""
    z = load(Path(path), ("blob", "offsets"))
    return _Pack(z["blob"], z["offsets"])


@dataclass(frozen=True, eq=False)
class _Table:
    """FER2013's CSV: where each line begins, and which of its columns holds the pixels."""

    path: Path
    starts: NDArray[np.int64]
    column: int

    def picture(self, number: int) -> Pixels:
        if number >= len(self.starts) - 1:
            raise SourceError(f"the table holds {len(self.starts) - 1:,} pictures, so read the manifest again.")
        with self.path.open("rb") as file:
            file.seek(int(self.starts[number]))
            line = file.read(int(self.starts[number + 1] - self.starts[number])).decode("ascii", "replace")
        try:
            grey = np.array(line.split(",")[self.column].strip(' "\r\n').split(), np.uint8).reshape(_SIDE, _SIDE)
        except (ValueError, IndexError, OverflowError) as error:
            raise SourceError(f"line {number + 2} holds no {_SIDE} x {_SIDE} grey values: get it again.") from error
        return np.repeat(grey[:, :, None], 3, axis=2)


@lru_cache(maxsize=2)
def _table(path: str, changed: int) -> _Table:
    data = np.memmap(path, np.uint8, "r")
    ends = np.flatnonzero(data == ord("\n")).astype(np.int64) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    header = bytes(data[: ends[0]]).decode("utf-8-sig", "replace").strip()
    names = [name.strip() for name in header.split(",")]
    if "pixels" not in names:
        raise SourceError("the table has no column 'pixels', so it is not FER2013's.")
    return _Table(Path(path), ends, names.index("pixels"))
