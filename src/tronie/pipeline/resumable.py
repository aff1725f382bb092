"""One film read so that nothing is lost: rows are appended to a file, and the chain is laid down every few seconds.

Two files per film. ``rows``: the finished rows as CSV, the table in the making. ``mark``: a JSON document that is
replaced whole, with the chain's state, how many bytes of ``rows`` belong to it, and what the film's file looked like.
After a crash at any moment, ``rows`` is cut back to the mark and the chain goes on from there; the chain is exact, so
the table is that of the uninterrupted run, to the byte. The mark also says when the film is finished, so that a crash
between the last row and whoever is told of it costs nothing either.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from tronie import __version__
from tronie.core.atomic import replacing, unwritable
from tronie.core.errors import OutputError, SourceError, TronieError
from tronie.core.timeline import Looked, Timeline
from tronie.core.timeline_io import about_of, write_rows
from tronie.media.video import VideoReader, probe
from tronie.pipeline.analyser import Analyser, Progress, Report
from tronie.pipeline.chain import Chain, Stop

EVERY = 5.0
"""Seconds of film between two marks: with the grid's cell of one second, at most six are read twice."""

_FORMAT = 3


@dataclass(frozen=True)
class Files:
    """Where a film in the making lies."""

    rows: Path
    mark: Path


@dataclass(frozen=True)
class Finished:
    """A film whose rows are all in its file: ``rows`` of them in ``size`` bytes; ``seconds`` of film were looked at.

    ``about`` is the sidecar of its table, as ``timeline_io.about_of`` gives it; ``stamp`` is :func:`stamp_of` the file
    that was read.
    """

    rows: int
    size: int
    seconds: float
    about: dict[str, Any]
    stamp: list[int]


def read_film(path: Path, name: str, analyser: Analyser, files: Files, *, report: Report | None = None,
              stop: Stop | None = None) -> Finished | None:  # fmt: skip
    """Read the film at ``path``, going on from ``files`` where they hold a part of it. None if ``stop`` ended it.

    A film that breaks after it has given frames keeps its rows and gets a warning. A film that has changed since its
    mark is begun anew. Raises SourceError, and OutputError where ``files`` cannot be written.
    """
    file = stamp_of(path)
    stamp = [*file, analyser.model.hash, analyser.settings.hash, __version__, name]
    saved = _saved(files, stamp)
    if saved is not None and "finished" in saved:
        return Finished(**saved["finished"])
    length = (probe(path, track=analyser.settings.video_track).duration or None) if report is not None else None
    chain = Chain(analyser.model, analyser.detector, analyser.settings, name)
    with VideoReader(path, fps=analyser.settings.fps, track=analyser.settings.video_track) as reader:
        if saved is not None:
            chain.restore(saved["state"])
        with _Rows(files.rows, 0 if saved is None else saved["size"], saved["rows"] if saved else 0) as rows:
            if saved is None:
                rows.add(Timeline.empty(analyser.labels, analyser.provenance), heading=True)
            told = _run(chain, reader, rows, files.mark, stamp, report, length, stop)
            if chain.stopped:
                return None
            rows.settle()
            whole = replace(Timeline.empty(analyser.labels, analyser.provenance), looked=(chain.looked,),
                            warnings=(*told, *reader.warnings))  # fmt: skip
            finished = Finished(rows.count, rows.size, _span(chain.looked), about_of(whole), file)
    _write(files.mark, {"format": _FORMAT, "stamp": stamp, "finished": asdict(finished)})
    return finished


def stamp_of(path: Path) -> list[int]:
    """What tells that a file is still the same: its size and when it was last written. Raises SourceError."""
    try:
        there = path.stat()
    except OSError as error:
        raise SourceError(f"{path} cannot be opened ({error.strerror}): check the path.") from None
    return [there.st_size, there.st_mtime_ns]


def reached(mark: Path) -> float:
    """Seconds of film behind the last mark; 0 where there is none."""
    saved = _load(mark)
    return 0.0 if saved is None else float(saved.get("reached", 0.0))


def _run(chain: Chain, reader: VideoReader, rows: _Rows, mark: Path, stamp: list[Any], report: Report | None,
         length: float | None, stop: Stop | None) -> tuple[str, ...]:  # fmt: skip
    """Append what the chain gives and mark it now and then; returns what is to be said of a film that broke."""
    marked = chain.looked.end
    try:
        for part in chain.run(reader, stop):
            if chain.stopped:  # these rows lack what follows: the mark before them is gone back to
                return ()
            rows.add(part)
            end = chain.looked.end
            if end - marked >= EVERY:
                rows.settle()
                _write(mark, {"format": _FORMAT, "stamp": stamp, "size": rows.size, "rows": rows.count,
                              "reached": end, "state": chain.state()})  # fmt: skip
                marked = end
            if report is not None:
                report(Progress(chain.looked.source, end, length))
    except OutputError:  # what cannot be written is no fault of the film
        raise
    except TronieError as error:
        if not chain.looked.frames:
            raise
        return (f"{chain.looked.source} was read up to {chain.looked.end:.2f} s only: {error}",)
    return ()


def _span(looked: Looked) -> float:
    return round(looked.end - looked.start - sum(end - start for start, end in looked.unseen), 6)


class _Rows:
    """A file of rows that grows: cut back to ``size`` bytes when it is opened, written without a buffer."""

    def __init__(self, path: Path, size: int, count: int) -> None:
        self.path, self.size, self.count = path, size, count

    def __enter__(self) -> _Rows:
        with self._told():
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._file = cast(BinaryIO, io.FileIO(handle, "r+"))
            self._file.truncate(self.size)
            self._file.seek(self.size)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, part: Timeline, *, heading: bool = False) -> None:
        """Append the rows of a part."""
        text = io.StringIO(newline="")
        write_rows(part, text, heading=heading)
        left = memoryview(text.getvalue().encode())
        self.size += len(left)
        self.count += len(part)
        with self._told():
            while len(left):
                left = left[self._file.write(left) :]

    def settle(self) -> None:
        """Come back when what was written is on the disk: a mark must not outlive its rows."""
        with self._told():
            os.fsync(self._file.fileno())

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self.path, error) from error


def _saved(files: Files, stamp: list[Any]) -> dict[str, Any] | None:
    """The mark, if it speaks of this very film, read in this very way, and its rows are there."""
    saved = _load(files.mark)
    if saved is None or saved.get("stamp") != stamp:
        return None
    if "finished" in saved:
        return saved
    try:
        whole = files.rows.stat().st_size >= saved["size"]
    except OSError:
        return None
    return saved if whole else None


def _load(mark: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        saved = json.loads(mark.read_text(encoding="utf-8"))
        if isinstance(saved, dict) and saved.get("format") == _FORMAT:
            return saved
    return None


def _write(mark: Path, document: dict[str, Any]) -> None:
    with replacing(mark) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
