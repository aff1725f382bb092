"""An archive instead of a film: thousands of sources into one folder, by several processes, and nothing lost.

The folder holds a table per film, ``photos.csv`` for all pictures, ``segments.csv`` for everything, and ``jobs.jsonl``,
the ledger. What is done is not done again; what is half done goes on where it was.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from tronie.core.atomic import ensure_writable
from tronie.core.errors import OutputError, SettingError, SourceError, TronieError
from tronie.core.lock import Taken, locked
from tronie.core.registry import resolve
from tronie.core.stamp import ensure_own
from tronie.faces.detect import DETECTORS
from tronie.pipeline.analyser import Analyser, Progress, Report, printable
from tronie.pipeline.archive_engines import ENGINES, Answer, How, here
from tronie.pipeline.archive_folder import (
    damaged_lines,
    ensure_places,
    is_as_read,
    is_whole,
    join,
    open_ledger,
    set_aside,
)
from tronie.pipeline.archive_ledger import RESERVED, Entry, Ledger
from tronie.pipeline.archive_tasks import HIDDEN, Outcome, Task, absolute, forget, key_of, perform
from tronie.pipeline.resumable import begun
from tronie.video.sources import Source, expand, passed_over, place_of

BLOCK = 64
"""Pictures in one task: about two seconds of work, which is what a crash may cost."""

_LOOK = 5.0  # seconds between two looks at how far other processes have come
Heard = Callable[[Outcome, Path | None], None]
"""Hears of each source as it ends, with the table of a film that was read."""


@dataclass(frozen=True)
class Job:
    """What became of a job: ``done`` and ``failed`` by this run, ``before`` by an earlier one; ``total`` sources.

    ``tables`` maps the sources named, as far as they were films that could be read, to their tables. ``passed`` names
    what was found beside them and holds no pictures. ``stopped`` says that it was ended early.
    """

    total: int
    before: int
    done: int = 0
    failed: tuple[Outcome, ...] = ()
    tables: Mapping[str, Path] = field(default_factory=dict)
    written: tuple[Path, ...] = ()
    passed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stopped: bool = False


def predict_to(
    sources: Sequence[str | os.PathLike[str]],
    out: str | Path,
    analyser: Analyser,
    *,
    model: str | Path = "default",
    jobs: int = 1,
    engine: str = "local",
    resume: bool = True,
    heard: Heard | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Job:
    """Read pictures and films into the folder ``out``, each exactly once, and go on with what an earlier run left.

    ``jobs`` processes share the work (1: this one does it); ``model`` is what they load, and ``analyser`` the same,
    loaded here. ``engine`` is "local" or "ray". A source that fails is tried three times, then noted; the next run
    tries it again, and reads again what has changed since, source or table. ``resume=False`` forgets what the folder
    holds. ``heard`` is told of each source, ``report`` of progress, and ``stop`` asked between frames.

    Raises SourceError where nothing at all could be read, OutputError where ``out`` cannot be written or, as Taken,
    where another job writes there, SettingError where its results were made with another model or other settings.
    """
    if jobs < 1:
        raise SettingError(f"--jobs is {jobs}: give 1 or more.")
    chosen = resolve(ENGINES, engine, "engine")
    out, asked = Path(out), stop or (lambda: False)
    lock = out / HIDDEN / "lock"
    if lock.parent.is_symlink():
        raise OutputError(f"{lock.parent} is a link to another folder: remove it, or choose another folder.")
    ensure_own(lock)
    ensure_writable(lock)
    try:
        with locked(lock):
            ledger = open_ledger(out, analyser, resume)
            found, missing = _sources(sources)
            planned = plan(found, ledger, out)
            ensure_places(planned.tasks, out)
            warnings = [*damaged_lines(ledger), *set_aside(planned.changed, out)]
            run = _Run(out, ledger, planned, missing, heard, report, warnings)
            how = How(str(model), analyser.settings, analyser.model.hash)
            if jobs == 1 and engine == "local":
                once = partial(perform, analyser=analyser, out=out, report=run.within, stop=asked)
                named = analyser.settings.detector in DETECTORS  # another process cannot make a caller's own
                answers = here(planned.tasks, once, out, ledger, asked, how if named else None)
                return run.through(chain(missing, answers), found, asked)
            answers = chosen(planned.tasks, how, out, ledger, asked, jobs)
            with run.looking():
                return run.through(chain(missing, answers), found, asked)
    except Taken as taken:
        raise Taken(
            f"{out} is being written by another job: wait until it has ended, or choose another folder. ({taken})"
        ) from None


@dataclass(frozen=True)
class Plan:
    """What is left to do, in the order of the sources; how many were read ``before``; what was ``passed`` over.

    ``changed`` are entries whose results are not what was written: their sources are among the tasks.
    """

    tasks: list[Task]
    before: int
    passed: tuple[str, ...] = ()
    changed: tuple[Entry, ...] = ()


class _Run:
    """The bookkeeping of one run."""

    def __init__(
        self,
        out: Path,
        ledger: Ledger,
        planned: Plan,
        missing: Sequence[Answer],
        heard: Heard | None,
        report: Report | None,
        warnings: list[str],
    ) -> None:
        self._out, self._ledger, self._before, self._warnings = out, ledger, planned.before, warnings
        self._heard, self._report = heard, report
        sources = [source for task in planned.tasks for source in task.sources]
        self._left = {absolute(source): _size(source) for source in sources}  # bytes of what is not done
        self._all = sum(self._left.values())
        self._paths = {source.name: absolute(source) for source in sources}
        self._films = {task.key: task.name for task in planned.tasks if task.kind == "video"}
        self._total = planned.before + sum(len(task.sources) for task in planned.tasks) + len(missing)
        self._done: list[Outcome] = []
        self._failed: list[Outcome] = []
        self._passed = list(planned.passed)

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
        written, lost = join(self._out, self._ledger, found)
        if not self._done and not self._before and not stop():
            self._nothing()
        tables = {
            source.name: self._out / f"{entry['table']}.csv"
            for source in found
            if (entry := self._ledger.done(absolute(source))) is not None and entry.get("table")
        }
        over = set(self._passed)
        passed = tuple(source.name for source in found if source.name in over)  # in their order
        return Job(
            self._total,
            self._before,
            len(self._done),
            tuple(self._failed),
            tables,
            tuple(written),
            passed,
            (*self._warnings, *lost),
            stop(),
        )

    def _nothing(self) -> None:
        """Raise the sentence for a run in which nothing could be read, if something was tried."""
        if self._failed:
            last = self._failed[-1].error
            if self._total == 1:
                raise SourceError(last)
            raise SourceError(f"None of the {self._total} sources could be read. The last one: {last}")
        if self._passed:
            raise SourceError(f"Nothing to read was found. {passed_over(self._passed)}")

    @property
    def within(self) -> Report | None:
        """Hears of progress within a source, and says which of how many it is."""
        return None if self._report is None else self._tell

    def _tell(self, progress: Progress) -> None:
        if self._report is None:
            return
        left = self._left.get(self._paths.get(progress.source, ""), 0)
        inside = left * progress.done / progress.length if progress.length else 0.0
        self._report(replace(progress, place=self._place, count=self._total, share=self._share(inside)))

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Say within the block how far the films have come that other processes read: their marks tell."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(_LOOK):
                if self._report is not None:
                    self._report(self._far())

        if self._report is None:
            yield
            return
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _far(self) -> Progress:
        """How far the films have come that are half read; the first of them by its name."""
        inside, first = 0.0, Progress("")
        for mark in sorted((self._out / HIDDEN).glob("*.mark")):
            name = self._films.get(mark.stem, "")
            left = self._left.get(self._paths.get(name, ""), 0)
            film = begun(mark) if left else None
            if film is not None and film.length:
                inside += left * film.reached / film.length
                first = first if first.source else Progress(name, film.reached, film.length)
        return replace(first, place=self._place, count=self._total, share=self._share(inside))

    def _share(self, inside: float) -> float | None:
        """How much of this run's work is done, by the size of its files; ``inside``: bytes of those half done."""
        return min(1 - (sum(self._left.values()) - inside) / self._all, 1.0) if self._all else None

    @property
    def _place(self) -> int:
        return max(min(self._before + len(self._done) + len(self._failed), self._total - 1), 0)

    def _take(self, task: Task, outcomes: list[Outcome]) -> None:
        """Note the answer, and only then forget what it was made from."""
        self._ledger.ended(task, outcomes)
        forget(self._out, task.key, results=not any(one.seals for one in outcomes))
        for outcome in outcomes:
            self._left.pop(outcome.path, None)
            if outcome.passed:
                self._passed.append(outcome.source)
                self._total -= 1
                continue
            (self._failed if outcome.error else self._done).append(outcome)
            if self._heard is not None:
                table = self._out / f"{task.table}.csv" if task.table and not outcome.error else None
                self._heard(outcome, table)
            if self._report is not None:
                self._report(Progress(outcome.source, place=self._place, count=self._total, share=self._share(0.0)))


def plan(found: Sequence[Source], ledger: Ledger, out: Path) -> Plan:
    """What is left to do. Films keep the name that the ledger knows for their table; new ones get the first free."""
    taken = {str(e["table"]).lower() for e in ledger.entries.values() if e.get("table")} | set(RESERVED)
    tasks: list[Task] = []
    pictures: list[Source] = []
    numbers: dict[str, int] = {}
    before = 0
    passed: list[str] = []
    changed: list[Entry] = []
    for source in found:
        path = absolute(source)
        entry = ledger.done(path)
        if (skipped := ledger.passed(path)) is not None and not source.named and is_as_read(skipped, source):
            passed.append(source.name)
            continue
        if entry is not None and not is_whole(entry, out):
            changed.append(entry)
        elif entry is not None and is_as_read(entry, source):
            before += 1
            continue
        if source.kind == "image":
            pictures.append(source)
            if len(pictures) == BLOCK:
                tasks.append(_block(pictures))
                pictures = []
        else:
            known = ledger.entries.get(path)
            name = str(known["table"]) if known and known.get("table") else _name(source.name, taken, numbers)
            tasks.append(Task(key_of([path]), "video", (source,), name))
    return Plan([*tasks, *([_block(pictures)] if pictures else [])], before, tuple(passed), tuple(changed))


def _size(source: Source) -> int:
    """Bytes of a file, at least 1."""
    try:
        return max(source.path.stat().st_size, 1)
    except OSError:
        return 1


def _sources(given: Sequence[str | os.PathLike[str]]) -> tuple[list[Source], list[Answer]]:
    """Every file named, once; and what is named and not there, as failures."""
    if not given:
        raise SourceError("No source was given: name a picture, a film, a folder or a pattern such as 'photos/*.jpg'.")
    found: dict[str, Source] = {}
    missing: list[Answer] = []
    for item in given:
        try:
            for source in expand([item]):
                named = replace(source, name=printable(source.name))
                found.setdefault(place_of(source.path), named)
        except SourceError as error:
            name, path = printable(os.fspath(item)), printable(os.path.abspath(item))
            task = Task(key_of([path]), "video", (Source(Path(item), "video", name),))
            missing.append((task, [Outcome(name, path, "video", error=str(error))]))
    return list(found.values()), missing


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
