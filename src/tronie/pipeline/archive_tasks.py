"""The pieces into which an archive is cut: a film, or a block of pictures. Each leaves exactly one result.

A piece may be begun again in any process after any end: what is finished is answered from its mark, what is half done
goes on, and a lock on each piece keeps a process that was left behind from writing beside the one that follows it.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tronie import __version__
from tronie.core.atomic import unwritable
from tronie.core.errors import SourceError, TronieError
from tronie.core.lock import locked
from tronie.core.mark import load_mark, save_mark
from tronie.core.stamp import Stamp, digest_of, is_same, is_sealed, seal_of, stamp_of
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import read_columns, save_segments, sidecar, write_about
from tronie.pipeline.analyser import Analyser, Report, printable
from tronie.pipeline.chain import Stop
from tronie.pipeline.resumable import Files, Finished, read_film
from tronie.video.files import NoPictures
from tronie.video.sources import Kind, Source, place_of

HIDDEN = ".tronie"
"""Folder inside the results that holds what is in the making."""

ATTEMPTS = 3
"""How often a source is tried in one run before it counts as failed; the next run tries it again."""

_PATIENCE = 10.0  # seconds in which a process that lost its parent has ended, and its locks are free


@dataclass(frozen=True)
class Task:
    """One film, or some pictures. ``table`` is the name of the film's table, without its ending."""

    key: str
    kind: Kind
    sources: tuple[Source, ...]
    table: str = ""

    @property
    def name(self) -> str:
        """What a person calls it."""
        first = self.sources[0].name
        return first if len(self.sources) == 1 else f"{first} and {len(self.sources) - 1} more"


@dataclass(frozen=True)
class Outcome:
    """What became of one source. ``seconds`` of film, ``spent`` seconds of clock.

    ``error`` is "" where it was read; ``passed`` says why a healthy file without pictures was passed over. ``stamp`` is
    that of the file read, ``seals`` are those of :meth:`Place.results`.
    """

    source: str
    path: str
    kind: Kind
    rows: int = 0
    seconds: float = 0.0
    spent: float = 0.0
    attempts: int = 1
    error: str = ""
    warnings: tuple[str, ...] = ()
    stamp: Stamp | tuple[()] = ()
    passed: str = ""
    seals: tuple[Stamp, ...] = ()


def key_of(paths: list[str]) -> str:
    """16 hex digits that name a task by the files it reads."""
    return hashlib.sha256(b"\0".join(os.fsencode(path) for path in paths)).hexdigest()[:16]


def absolute(source: Source) -> str:
    """The one path by which a file is known, however it was named, as text that any file can hold."""
    return printable(place_of(source.path))


class Place:
    """Where one task's files lie below the folder of results."""

    def __init__(self, out: Path, key: str) -> None:
        hidden = out / HIDDEN
        self._out = out
        self.lock = hidden / f"{key}.lock"
        self.film = Files(hidden / f"{key}.rows", hidden / f"{key}.mark")
        self.mark = self.film.mark
        self.photos = hidden / f"{key}.photos.csv"
        self.segments = hidden / f"{key}.segments.csv"
        self.crash = hidden / f"{key}.crash"

    def results(self, table: str) -> tuple[Path, Path, Path]:
        """The table (called ``table``; "" for pictures), its sidecar, and the segments."""
        rows = self._out / f"{table}.csv" if table else self.photos
        return rows, sidecar(rows), self.segments


def perform(
    task: Task, analyser: Analyser, out: Path, *, report: Report | None = None, stop: Stop | None = None
) -> list[Outcome] | None:
    """Do a task, or what is left of it; its results are in ``out`` when this returns. None if ``stop`` ended it.

    One outcome per source. Raises SourceError for a film that cannot be read, OutputError where nothing can be written.
    """
    place = Place(out, task.key)
    with locked(place.lock, _PATIENCE):
        try:
            if task.kind == "video":
                return _film(task, analyser, out, place, report, stop)
            return _pictures(task, analyser, place, stop)
        except (TronieError, KeyboardInterrupt):
            raise
        except MemoryError as error:
            raise SourceError(f"{task.name} needs more memory than there is: run fewer jobs at once.") from error
        except Exception as error:  # one file must not end the work on thousands of others
            with suppress(OSError):  # if it came from a mark that does not fit, the next try does without
                place.mark.unlink(missing_ok=True)
            raise SourceError(
                f"{task.name} could not be read: this is a bug in Tronie ({type(error).__name__}: "
                f"{error}). Please report it."
            ) from error


def forget(out: Path, key: str, *, results: bool = False) -> None:
    """Take away what a task needed in the making; with ``results`` also what its results are joined from."""
    place = Place(out, key)
    for path in (place.mark, place.film.rows, place.crash, *(place.results("") if results else ())):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _film(
    task: Task, analyser: Analyser, out: Path, place: Place, report: Report | None, stop: Stop | None
) -> list[Outcome] | None:
    (source,) = task.sources
    begin = time.monotonic()
    for _ in range(2):
        try:
            finished = read_film(source.path, source.name, analyser, place.film, report=report, stop=stop)
        except NoPictures as error:
            if source.named:
                raise
            return [Outcome(source.name, absolute(source), "video", passed=str(error), stamp=stamp_of(source.path))]
        if finished is None:
            return None
        if _publish(finished, analyser, place, task.table):
            table, *others = place.results(task.table)
            seals = (seal_of(table, finished.digest), *map(seal_of, others))
            return [
                Outcome(
                    source.name,
                    absolute(source),
                    "video",
                    finished.rows,
                    finished.seconds,
                    round(time.monotonic() - begin, 3),
                    warnings=tuple(finished.about["warnings"]),
                    stamp=finished.stamp,
                    seals=seals,
                )
            ]
        place.mark.unlink(missing_ok=True)  # somebody took the rows away: once more, from the beginning
    raise SourceError(f"{source.name}: its rows vanish from {place.film.rows.parent} while they are written.")


def _publish(finished: Finished, analyser: Analyser, place: Place, name: str) -> bool:
    """Give a finished film its table, sidecar and segments; False if its rows are nowhere. May be done again."""
    rows, (table, _, segments) = place.film.rows, place.results(name)
    lies = rows if rows.exists() else table
    if not lies.is_file() or digest_of(lies) != finished.digest:
        return False
    write_about(finished.about, table, lies)
    timeline = Timeline(read_columns(lies), analyser.labels, analyser.provenance)
    save_segments(timeline.segments(), segments)
    if lies is rows:
        try:
            os.replace(rows, table)
        except OSError as error:
            raise unwritable(table, error) from error
    return True


def _pictures(task: Task, analyser: Analyser, place: Place, stop: Stop | None) -> list[Outcome] | None:
    made = [analyser.model.hash, analyser.settings.hash, __version__]
    if marked := _marked(task, place, made):
        return marked
    parts, outcomes = [], []
    for source in task.sources:
        if stop is not None and stop():
            return None
        timeline, outcome = _picture(source, analyser)
        parts.append(timeline)
        outcomes.append(outcome)
    whole = Timeline.concat(parts)
    whole.save(place.photos)
    save_segments(whole.segments(), place.segments)
    seals = tuple(map(seal_of, place.results("")))
    outcomes = [replace(one, seals=seals) for one in outcomes]
    save_mark(place.mark, {"made": made, "outcomes": [asdict(one) for one in outcomes]})
    return outcomes


def _picture(source: Source, analyser: Analyser) -> tuple[Timeline, Outcome]:
    begin = time.monotonic()
    timeline = Timeline.empty(analyser.labels, analyser.provenance)
    for attempt in range(1, ATTEMPTS + 1):
        outcome = Outcome(source.name, absolute(source), "image", attempts=attempt)
        try:
            stamp = stamp_of(source.path)
            timeline = analyser.analyse(source, name=source.name)
            if not is_same(source.path, stamp):
                raise SourceError(f"{source.name} was changed or replaced while it was read: read it again.")
            outcome = replace(outcome, rows=len(timeline), stamp=stamp, warnings=timeline.warnings)
            break
        except SourceError as error:
            outcome = replace(outcome, error=str(error))
    return timeline, replace(outcome, spent=round(time.monotonic() - begin, 3))


def _marked(task: Task, place: Place, made: list[str]) -> list[Outcome]:
    """The outcomes of a block that is finished, if it was read in this very way and is all still there."""
    saved = load_mark(place.mark)
    if saved is None or saved.get("made") != made:
        return []
    outcomes = [
        Outcome(
            **{
                **one,
                "warnings": tuple(one["warnings"]),
                "stamp": tuple(one["stamp"]),
                "seals": tuple(map(tuple, one["seals"])),
            }
        )
        for one in saved["outcomes"]
    ]
    read = all(one.error or is_same(source.path, one.stamp) for source, one in zip(task.sources, outcomes, strict=True))
    there = all(is_sealed(path, seal) for path, seal in zip(place.results(""), outcomes[0].seals, strict=True))
    return outcomes if read and there else []
