"""Clips of many frames written one after the other into one array on disk, so that an interruption costs one clip.

While it grows, a folder holds ``frames.part`` (the array to be, with room for its header) and ``progress.jsonl``: a
line that names what is being made, then one line per clip that is finished. A clip counts once its line is whole and
its frames are there. At the end stand ``frames.npy`` ``(total, …)``, ``starts.npy`` ``(clips + 1,)``, ``manifest.csv``
and ``prepared.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import ensure_writable, replacing, unwritable
from tronie.core.errors import SettingError
from tronie.core.files import parse_json
from tronie.core.manifest import Manifest

PART, JOURNAL = "frames.part", "progress.jsonl"
FRAMES, STARTS, MANIFEST, NOTE = "frames.npy", "starts.npy", "manifest.csv", "prepared.json"


class ClipStore:
    """Frames of ``shape`` and ``dtype``, clip by clip, into ``folder``; use it in a ``with`` block.

    ``making`` says what is made, as JSON-able values: a folder that holds the beginnings of something else is refused.
    ``done`` maps the ids of clips that are finished, perhaps by an earlier run, to what was noted about them, with the
    number of their ``frames``, 0 for a clip that was left out.

    Raises SettingError for the beginnings of something else, OutputError where the folder cannot be written.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, ...], dtype: type[np.generic], making: Mapping[str, Any]
    ) -> None:
        self.folder, self._shape, self._dtype = folder, shape, np.dtype(dtype)
        self._size = int(np.prod(shape)) * self._dtype.itemsize
        self.done: dict[str, dict[str, Any]] = {}
        ensure_writable(folder / FRAMES)
        try:
            self._open(json.dumps(making, sort_keys=True))
        except OSError as error:
            raise unwritable(folder / PART, error) from error

    def __enter__(self) -> ClipStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._journal.close()

    @property
    def total(self) -> int:
        """Frames written so far."""
        return sum(note["frames"] for note in self.done.values())

    def add(self, id_: str, frames: Iterable[NDArray[Any]], note: Mapping[str, Any] | None = None) -> int:
        """Append a clip, frame by frame; returns how many there were. Where ``frames`` breaks, nothing of it stays.

        ``note`` is kept in ``done``. Raises OutputError, and what ``frames`` raises.
        """
        number, begin = 0, self._file.tell()
        try:
            for frame in frames:
                self._file.write(np.ascontiguousarray(frame, self._dtype).reshape(self._shape).tobytes())
                number += 1
            self._file.flush()
            self._write(id_, {**(note or {}), "frames": number})
        except OSError as error:
            raise unwritable(self.folder / PART, error) from error
        except BaseException:
            self._file.seek(begin)
            self._file.truncate()
            raise
        return number

    def leave_out(self, id_: str, reason: str) -> None:
        """Note that a clip has no frames, and why. Raises OutputError."""
        try:
            self._write(id_, {"frames": 0, "left_out": reason})
        except OSError as error:
            raise unwritable(self.folder / JOURNAL, error) from error

    def finish(self, manifest: Manifest, note: Mapping[str, Any]) -> Manifest:
        """Turn what was written into a prepared folder; returns its manifest: the rows that have frames.

        They stand in the order in which their clips were written. Raises OutputError.
        """
        row = {i: n for n, i in enumerate(manifest.id.tolist())}
        kept = [id_ for id_, told in self.done.items() if told["frames"]]
        counts = [self.done[id_]["frames"] for id_ in kept]
        try:
            self._header(sum(counts))
            self._file.close()
            # An older manifest must never meet these frames, should the work end between two files.
            (self.folder / MANIFEST).unlink(missing_ok=True)
            os.replace(self.folder / PART, self.folder / FRAMES)
        except OSError as error:
            raise unwritable(self.folder / FRAMES, error) from error
        with replacing(self.folder / STARTS) as temporary:
            np.save(temporary, np.cumsum([0, *counts], dtype=np.int64))
        paths = np.array([f"{FRAMES}::{i}" for i in range(len(kept))], np.str_)
        chosen = replace(manifest.select([row[id_] for id_ in kept]), path=paths, root=self.folder)
        with replacing(self.folder / NOTE) as temporary:
            temporary.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        chosen.save(self.folder / MANIFEST)
        self._journal.close()
        (self.folder / JOURNAL).unlink(missing_ok=True)
        return chosen

    def forget(self) -> None:
        """Remove what was begun."""
        self._file.close()
        self._journal.close()
        for name in (PART, JOURNAL):
            (self.folder / name).unlink(missing_ok=True)

    def _open(self, making: str) -> None:
        """Take up what an earlier run finished, cut off what it did not, and stand at the end of both files."""
        part, journal = self.folder / PART, self.folder / JOURNAL
        begun = journal.is_file() and part.is_file()
        # "r+b": unbuffered reads and writes at a place of our own, without losing what is there.
        self._file = part.open("r+b" if begun else "w+b")
        self._journal = journal.open("r+b" if begun else "w+b")
        self._header(0)
        self._begin = self._file.tell()
        if begun:
            self._take_up(making)
        else:
            self._journal.write(f"{making}\n".encode())
            self._journal.flush()

    def _take_up(self, making: str) -> None:
        there = (os.fstat(self._file.fileno()).st_size - self._begin) // self._size
        first = self._journal.readline().decode("utf-8", "replace")
        if first.rstrip("\n") != making and first.endswith("\n"):
            self._file.close()
            self._journal.close()
            raise SettingError(
                f"{self.folder} holds the beginnings of other clips: go on with the data and settings "
                f"of {self.folder / JOURNAL}, remove it, or write elsewhere."
            )
        end = self._journal.tell()
        for line in self._journal:
            told = _whole(line)
            if told is None or self.total + told[1]["frames"] > there:
                break
            self.done[told[0]] = told[1]
            end += len(line)
        self._journal.seek(end)
        self._journal.truncate()
        if not first.endswith("\n"):  # ended while the very first line was written
            self._journal.seek(0)
            self._journal.truncate()
            self._journal.write(f"{making}\n".encode())
        self._file.seek(self._begin + self.total * self._size)
        self._file.truncate()

    def _write(self, id_: str, note: dict[str, Any]) -> None:
        self._journal.write(f"{json.dumps([id_, note])}\n".encode())
        self._journal.flush()
        self.done[id_] = note

    def _header(self, frames: int) -> None:
        """Write the array's header for so many frames; NumPy leaves room for any count, so it fits in its own place."""
        self._file.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (frames, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


def _whole(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """A line of the journal, None where it was torn."""
    try:
        id_, note = parse_json(line)
        return (str(id_), dict(note)) if line.endswith(b"\n") else None
    except (ValueError, TypeError):
        return None
