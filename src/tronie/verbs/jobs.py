"""An archive instead of a film: thousands of sources into one folder, by several processes, and nothing lost.

The folder holds a table per film, ``photos.csv`` for all pictures, ``segments.csv`` for everything, and ``jobs.jsonl``,
the ledger. What is done is not done again; what is half done goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from tronie import __version__
from tronie.core.atomic import ensure_writable
from tronie.core.errors import OutputError, SettingError, SourceError, TronieError
from tronie.core.lock import Taken, locked
from tronie.core.registry import resolve
from tronie.media.source import Source, expand
from tronie.pipeline.analyser import Analyser, Progress, Report, printable
from tronie.pipeline.resumable import stamp_of
from tronie.pipeline.tasks import HIDDEN, Outcome, Place, Task, absolute, forget, key_of, perform
from tronie.verbs.engines import ENGINES, Answer, How, here
from tronie.verbs.joined import join_segments, join_tables
from tronie.verbs.ledger import NAME, Entry, Ledger

BLOCK = 64
"""Pictures in one task: about two seconds of work, which is what a crash may cost."""

_RESERVED = ("photos", "segments")
Heard = Callable[[Outcome, Path | None], None]
"""Hears of each source as it ends, with the table of a film that was read."""


@dataclass(frozen=True)
class Job:
    """What became of a job: ``done`` and ``failed`` by this run, ``before`` by an earlier one; ``total`` sources.

    ``tables`` maps the sources named, as far as they were films that could be read, to their tables. ``stopped`` says
    that it was ended early.
    """

    total: int
    before: int
    done: int = 0
    failed: tuple[Outcome, ...] = ()
    tables: Mapping[str, Path] = field(default_factory=dict)
    written: tuple[Path, ...] = ()
    stopped: bool = False


def predict_to(sources: Sequence[str | os.PathLike[str]], out: str | Path, analyser: Analyser, *,
               model: str | Path = "default", jobs: int = 1, engine: str = "local", resume: bool = True,
               heard: Heard | None = None, report: Report | None = None,
               stop: Callable[[], bool] | None = None) -> Job:  # fmt: skip
    """Read pictures and films into the folder ``out``, each exactly once, and go on with what an earlier run left.

    ``jobs`` processes share the work (1: this one does it); ``model`` is what they load, and ``analyser`` the same,
    loaded here. ``engine`` is "local" or "ray". A source that fails is tried three times, then noted; the next run
    tries it again. ``resume=False`` forgets what the folder holds. ``heard`` is told of each source, ``report`` of
    progress, and ``stop`` asked between frames.

    Raises SourceError where nothing at all could be read, OutputError where ``out`` cannot be written or, as Taken,
    where another job writes there, SettingError where its results were made with another model or other settings.
    """
    if jobs < 1:
        raise SettingError(f"--jobs is {jobs}: give 1 or more.")
    chosen = resolve(ENGINES, engine, "engine")
    out, asked = Path(out), stop or (lambda: False)
    ensure_writable(out / HIDDEN / "lock")
    try:
        with locked(out / HIDDEN / "lock"):
            ledger = _ledger(out, analyser, resume)
            found, missing = _sources(sources)
            tasks, before = plan(found, ledger, out)
            run = _Run(out, ledger, len(found) + len(missing), before, heard, report)
            if jobs == 1 and engine == "local":
                once = partial(perform, analyser=analyser, out=out, report=run.within, stop=asked)
                answers = here(tasks, once, out, ledger, asked)
            else:
                answers = chosen(tasks, How(str(model), analyser.settings), out, ledger, asked, jobs)
            return run.through(chain(missing, answers), found, asked)
    except Taken as taken:
        raise Taken(f"{out} is being written by another job: wait until it has ended, or choose another folder. "
                    f"({taken})") from None  # fmt: skip


class _Run:
    """The bookkeeping of one run."""

    def __init__(self, out: Path, ledger: Ledger, total: int, before: int, heard: Heard | None,
                 report: Report | None) -> None:  # fmt: skip
        self._out, self._ledger, self._total, self._before = out, ledger, total, before
        self._heard, self._report = heard, report
        self._done: list[Outcome] = []
        self._failed: list[Outcome] = []

    def through(self, answers: Iterable[Answer], found: Sequence[Source], stop: Callable[[], bool]) -> Job:
        """Take every answer, and join what belongs together whatever comes in between."""
        try:
            for task, answer in answers:
                if answer is not None:
                    self._take(task, answer)
        except TronieError:
            with suppress(OutputError):
                join(self._out, self._ledger, found)
            raise
        written = join(self._out, self._ledger, found)
        if self._failed and not self._done and not self._before and not stop():
            last = self._failed[-1].error
            if self._total == 1:
                raise SourceError(last)
            raise SourceError(f"None of the {self._total} sources could be read. The last one: {last}")
        tables = {
            source.name: self._out / f"{entry['table']}.csv"
            for source in found
            if (entry := self._ledger.done(absolute(source))) is not None and entry.get("table")
        }
        return Job(self._total, self._before, len(self._done), tuple(self._failed), tables, tuple(written), stop())

    @property
    def within(self) -> Report | None:
        """Hears of progress within a source, and says which of how many it is."""
        report = self._report
        if report is None:
            return None
        return lambda progress: report(replace(progress, place=self._place, count=self._total))

    @property
    def _place(self) -> int:
        return min(self._before + len(self._done) + len(self._failed), self._total - 1)

    def _take(self, task: Task, outcomes: list[Outcome]) -> None:
        """Note the answer, and only then forget what it was made from."""
        self._ledger.ended(task, outcomes)
        forget(self._out, task.key, results=all(one.error for one in outcomes))
        for outcome in outcomes:
            (self._failed if outcome.error else self._done).append(outcome)
            if self._heard is not None:
                table = self._out / f"{task.table}.csv" if task.table and not outcome.error else None
                self._heard(outcome, table)
            if self._report is not None:
                self._report(Progress(outcome.source, place=self._place, count=self._total))


def plan(found: Sequence[Source], ledger: Ledger, out: Path) -> tuple[list[Task], int]:
    """What is left to do, in the order of the sources, and how many of them are done.

    Films keep the name that the ledger knows for their table; new ones get the first that is free.
    """
    taken = {str(e["table"]).lower() for e in ledger.entries.values() if e.get("table")} | set(_RESERVED)
    tasks: list[Task] = []
    pictures: list[Source] = []
    numbers: dict[str, int] = {}
    before = 0
    for source in found:
        path = absolute(source)
        if _is_done(ledger.done(path), source, out):
            before += 1
        elif source.kind == "image":
            pictures.append(source)
            if len(pictures) == BLOCK:
                tasks.append(_block(pictures))
                pictures = []
        else:
            known = ledger.entries.get(path)
            name = str(known["table"]) if known and known.get("table") else _name(source.name, taken, numbers)
            tasks.append(Task(key_of([path]), "video", (source,), name))
    return [*tasks, *([_block(pictures)] if pictures else [])], before


def join(out: Path, ledger: Ledger, found: Sequence[Source]) -> list[Path]:
    """``photos.csv`` and ``segments.csv`` from the pieces that lie finished, in the order of the sources."""
    order = {absolute(source): place for place, source in enumerate(found)}
    last = len(order)
    done = [(path, e) for path, e in ledger.entries.items() if e["state"] == "done"]
    done.sort(key=lambda item: order.get(item[0], last))  # stable: what is not asked for now keeps the ledger's order
    pieces = {str(entry["task"]): Place(out, str(entry["task"])) for _, entry in done}
    owners = {str(entry["source"]): str(entry["task"]) for _, entry in done}
    photos = [(key, place.photos) for key, place in pieces.items() if place.photos.is_file()]
    written = [out / f"{entry['table']}.csv" for _, entry in done if entry.get("table")]
    if photos:
        written.append(join_tables(photos, owners, out / "photos.csv"))
    segments = [(key, place.segments) for key, place in pieces.items() if place.segments.is_file()]
    if segments:
        written.append(join_segments(segments, owners, out / "segments.csv"))
    return written


def _ledger(out: Path, analyser: Analyser, resume: bool) -> Ledger:
    if not resume:
        for path in (out / NAME, *(p for p in (out / HIDDEN).iterdir() if p.name != "lock")):
            path.unlink(missing_ok=True)
    made = {"model": analyser.model.hash, "settings": analyser.settings.hash, "version": __version__}
    return Ledger(out / NAME, made)


def _sources(given: Sequence[str | os.PathLike[str]]) -> tuple[list[Source], list[Answer]]:
    """Every file named, once; and what is named and not there, as failures."""
    if not given:
        raise SourceError("No source was given: name a picture, a film, a folder or a pattern such as 'photos/*.jpg'.")
    found: dict[Path, Source] = {}
    missing: list[Answer] = []
    for item in given:
        try:
            for source in expand([item]):
                named = Source(source.path, source.kind, printable(source.name))
                found.setdefault(source.path.resolve(), named)
        except SourceError as error:
            name, path = printable(os.fspath(item)), os.path.abspath(item)
            task = Task(key_of([path]), "video", (Source(Path(item), "video", name),))
            missing.append((task, [Outcome(name, path, "video", error=str(error))]))
    return list(found.values()), missing


def _is_done(entry: Entry | None, source: Source, out: Path) -> bool:
    """Whether the very file was read and its result is still there."""
    if entry is None:
        return False
    with suppress(SourceError):
        if entry.get("stamp") != stamp_of(source.path):
            return False
        place = Place(out, str(entry["task"]))
        table = out / f"{entry['table']}.csv" if entry.get("table") else place.photos
        return table.is_file() and place.segments.is_file()
    return False


def _block(pictures: Sequence[Source]) -> Task:
    return Task(key_of([absolute(one) for one in pictures]), "image", tuple(pictures))


def _name(source: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The film's own name, with a number behind it where another film has it. Short enough for any file system."""
    stem = name = Path(source).stem.encode()[:180].decode(errors="ignore")
    while name.lower() in taken:
        numbers[stem] = numbers.get(stem, 1) + 1
        name = f"{stem}_{numbers[stem]}"
    taken.add(name.lower())
    return name

