"""One film read so that nothing is lost: rows are appended to a file, and the chain is laid down every few seconds.

Two files per film. ``rows``: the finished rows as CSV, the table in the making. ``mark``: a JSON document that is
replaced whole, with the chain's state, how many bytes of ``rows`` belong to it, their hash, and the stamp of the film's
file. After a crash at any moment, ``rows`` is cut back to the mark and the chain goes on from there; the chain is
exact, so the table is that of the uninterrupted run, to the byte. The mark also says when the film is finished, so that
a crash between the last row and whoever is told of it costs nothing either.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from tronie import __version__
from tronie.core.atomic import unwritable
from tronie.core.errors import OutputError, SourceError, TronieError
from tronie.core.mark import load_mark, save_mark
from tronie.core.stamp import Stamp, digesting, ensure_own, is_same, stamp_of
from tronie.core.timeline import Looked, Timeline
from tronie.core.timeline_io import about_of, write_rows
from tronie.pipeline.analyser import Analyser, Progress, Report
from tronie.pipeline.chain import Chain, Stop
from tronie.video.reader import VideoReader

if TYPE_CHECKING:
    from hashlib import _Hash

EVERY = 5.0
"""Seconds of film between two marks: with the grid's cell of one second, at most six are read twice."""

PACE = 2.0
"""Seconds of the clock after which a slow machine lays a mark earlier: one that is often stopped gets on, too."""


@dataclass(frozen=True)
class Files:
    """Where a film in the making lies."""

    rows: Path
    mark: Path


@dataclass(frozen=True)
class Finished:
    """A film whose rows are all in its file: ``rows`` of them in ``size`` bytes; ``seconds`` of film were looked at.

    ``digest`` is the rows' SHA-256, ``about`` the sidecar of their table, as ``timeline_io.about_of`` gives it, and
    ``stamp`` that of the film that was read.
    """

    rows: int
    size: int
    digest: str
    seconds: float
    about: dict[str, Any]
    stamp: Stamp


@dataclass(frozen=True)
class Begun:
    """How far a film had been read when its last mark was laid: seconds, of ``length`` (0: not known)."""

    reached: float = 0.0
    length: float = 0.0


def read_film(
    path: Path, name: str, analyser: Analyser, files: Files, *, report: Report | None = None, stop: Stop | None = None
) -> Finished | None:
    """Read the film at ``path``, going on from ``files`` where they hold a part of it. None if ``stop`` ended it.

    A film that breaks after it has given frames keeps its rows and gets a warning. A film that has changed since its
    mark is begun anew. Raises SourceError, also for a film that was changed or replaced meanwhile, and OutputError
    where ``files`` cannot be written.
    """
    stamp = stamp_of(path)
    made = [analyser.model.hash, analyser.settings.hash, __version__, name]
    saved = _saved(path, made, files)
    if saved is not None and "finished" in saved:
        return Finished(**saved["finished"])
    chain = Chain(analyser.model, analyser.detector, analyser.settings, name)
    with VideoReader(path, fps=analyser.settings.fps, track=analyser.settings.video_track) as reader:
        if saved is not None:
            chain.restore(saved["state"])
        with _Rows(files.rows, saved) as rows:
            if saved is None:
                rows.add(Timeline.empty(analyser.labels, analyser.provenance), heading=True)
            marks = _Marks(files.mark, {"film": stamp, "made": made, "length": reader.length}, rows, chain)
            told = _run(chain, reader, rows, marks, report, stop)
            if chain.stopped:
                return None
            rows.settle()
            whole = replace(
                Timeline.empty(analyser.labels, analyser.provenance),
                looked=(chain.looked,),
                warnings=(*told, *reader.warnings),
            )
            finished = Finished(rows.count, rows.size, rows.digest, _span(chain.looked), about_of(whole), stamp)
    if path.exists() and not is_same(path, stamp):  # one that was taken away meanwhile has been read to its end
        raise SourceError(f"{name} was changed or replaced while it was read: read it again when nobody writes to it.")
    save_mark(files.mark, {"film": stamp, "made": made, "finished": asdict(finished)})
    return finished


def begun(mark: Path) -> Begun:
    """How far a film has come by its mark; nothing where there is none."""
    saved = load_mark(mark) or {}
    reached, length = saved.get("reached"), saved.get("length")
    return Begun(reached if isinstance(reached, float) else 0.0, length if isinstance(length, float) else 0.0)


class _Marks:
    """Lays a mark every few seconds of film, on a slow machine of the clock. ``about`` says what is read, and how."""

    def __init__(self, path: Path, about: dict[str, Any], rows: _Rows, chain: Chain) -> None:
        self._path, self._about, self._rows, self._chain = path, about, rows, chain
        self._marked, self._clock = chain.looked.end, time.monotonic()

    def lay(self) -> None:
        """Lay one, if it is time."""
        end, now = self._chain.looked.end, time.monotonic()
        if end - self._marked < EVERY and (end <= self._marked or now - self._clock < PACE):
            return
        self._rows.settle()
        save_mark(
            self._path,
            {
                **self._about,
                "size": self._rows.size,
                "rows": self._rows.count,
                "digest": self._rows.digest,
                "reached": end,
                "state": self._chain.state(),
            },
        )
        self._marked, self._clock = end, time.monotonic()


def _run(
    chain: Chain, reader: VideoReader, rows: _Rows, marks: _Marks, report: Report | None, stop: Stop | None
) -> tuple[str, ...]:
    """Append what the chain gives and mark it now and then; returns what is to be said of a film that broke."""
    try:
        for part in chain.run(reader, stop):
            if chain.stopped:  # these rows lack what follows: the mark before them is gone back to
                return ()
            rows.add(part)
            marks.lay()
            if report is not None:
                report(Progress(chain.looked.source, chain.looked.end, reader.length or None))
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
    """A file of rows that grows: cut back to what ``saved`` says of it when it is opened, written without a buffer."""

    def __init__(self, path: Path, saved: dict[str, Any] | None) -> None:
        self.path = path
        self.size: int = 0 if saved is None else saved["size"]
        self.count: int = 0 if saved is None else saved["rows"]

    def __enter__(self) -> _Rows:
        ensure_own(self.path)
        with self._told():
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._file = cast(BinaryIO, io.FileIO(handle, "r+"))
            self._file.truncate(self.size)
            self._file.seek(self.size)
            self._hash: _Hash = digesting(self.path, self.size)
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of the rows so far."""
        return self._hash.hexdigest()

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, part: Timeline, *, heading: bool = False) -> None:
        """Append the rows of a part."""
        text = io.StringIO(newline="")
        write_rows(part, text, heading=heading)
        left = memoryview(text.getvalue().encode())
        self._hash.update(left)
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


def _saved(path: Path, made: list[str], files: Files) -> dict[str, Any] | None:
    """The mark, if it speaks of this very film, read in this very way, and its rows are there as they were."""
    saved = load_mark(files.mark)
    if saved is None or saved.get("made") != made or not is_same(path, saved.get("film", ())):
        return None
    if "finished" in saved:
        return saved
    ensure_own(files.rows)
    try:
        return saved if digesting(files.rows, saved["size"]).hexdigest() == saved["digest"] else None
    except OSError:
        return None
