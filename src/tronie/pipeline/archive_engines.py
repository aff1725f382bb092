"""Who does the tasks of an archive: this process, some processes beside it, or a Ray cluster.

None of them plans anything: tasks are handed out in their order to whoever is free. What makes a task safe to hand out
again (marks, locks, results that are replaced whole) is its own, see ``pipeline.tasks``.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from tronie.core.atomic import unwritable
from tronie.core.errors import MissingExtraError, ModelError, OutputError, SourceError, TronieError
from tronie.core.stamp import ensure_own
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.archive_ledger import Ledger
from tronie.pipeline.archive_tasks import ATTEMPTS, Outcome, Place, Task, absolute, key_of, perform
from tronie.pipeline.resumable import begun
from tronie.pipeline.settings import Settings

Stop = Callable[[], bool]
Answer = tuple[Task, list[Outcome] | None]
"""A task with what became of its sources; None where the work was stopped before its end."""

Once = Callable[[Task], list[Outcome] | None]


KILLED = 10
"""How often in a row a process may be killed while it reads a source, and not get on, before the source is given up."""

SUSPECT = 2
"""Runs that ended with their process at one place of a source, from which on it is read in a process of its own."""


@dataclass(frozen=True)
class How:
    """What another process needs to read as this one does; ``hash`` is that of the model which it must find."""

    model: str
    settings: Settings
    hash: str = ""


class Died(SourceError):
    """The process that read a task ended without a word. ``crashed``: by its own fault, it was not killed."""

    crashed = False

    @classmethod
    def while_reading(cls, task: Task, out: Path, why: str = "") -> Died:
        """The error for a task whose results go into ``out``; ``why`` is half a sentence, where it is known."""
        crash = _crash(Place(out, task.key).crash)
        said = why or crash or "it was killed, or there was not enough memory"
        died = cls(f"The process that read {task.name} ended without a word: {said}.")
        died.crashed = bool(crash)
        return died


def insist(task: Task, once: Once, out: Path, ledger: Ledger) -> list[Answer]:
    """Try a task until it is done or must be given up; the ledger hears of every try.

    What cannot be read, and what crashes the process that reads it at one place, is tried ``ATTEMPTS`` times. A process
    that is killed need not be the fault of what it read: up to ``KILLED`` times in a row, counted anew whenever the
    film got on in between. A block of pictures on which a process ends is taken apart.
    """
    mark = Place(out, task.key).mark
    at, attempt, failures, crashes, kills = begun(mark).reached, 0, 0, 0, 0
    while True:
        attempt += 1
        try:
            ledger.started(task, attempt, at)
            outcomes = once(task)
        except SourceError as failure:
            error = str(failure)
            before, at = at, begun(mark).reached
            if not isinstance(failure, Died):
                failures += 1
            elif len(task.sources) > 1:
                return [answer for one in singly(task) for answer in insist(one, once, out, ledger)]
            else:
                crashes, kills = (0, 0) if at > before else (crashes, kills)
                crashes, kills = crashes + failure.crashed, kills + 1
            if failures >= ATTEMPTS or crashes >= ATTEMPTS or kills >= KILLED:
                break
            ledger.again(task, attempt, error)
        except BaseException:
            with suppress(OutputError):  # it may be the very disk that is full
                ledger.stopped(task)
            raise
        else:
            if outcomes is None:
                ledger.stopped(task)
            return [(task, outcomes and [replace(one, attempts=max(one.attempts, attempt)) for one in outcomes])]
    if kills:
        error = f"{error} That happened {kills} times at {at:g} s, and nothing was read in between."
    return [(task, failed(task, error, attempt))]


def singly(task: Task) -> list[Task]:
    """A block of pictures as tasks of one picture each."""
    return [Task(key_of([absolute(one)]), task.kind, (one,)) for one in task.sources]


def failed(task: Task, error: str, attempts: int) -> list[Outcome]:
    """The outcome of a task that came to nothing."""
    return [Outcome(one.name, absolute(one), one.kind, attempts=attempts, error=error) for one in task.sources]


def pieces(tasks: Sequence[Task], ledger: Ledger) -> list[Task]:
    """The tasks; a block of pictures in which a run ended with its process, picture by picture."""
    return [
        one for task in tasks for one in (singly(task) if len(task.sources) > 1 and ledger.tries(task, 0.0) else [task])
    ]


def here(
    tasks: Sequence[Task], once: Once, out: Path, ledger: Ledger, stop: Stop, how: How | None = None
) -> Iterator[Answer]:
    """One after the other, in this process.

    A run that ended with its process is not held against the film at which it was: the machine may have been stopped.
    Where it happened ``SUSPECT`` times at one place, the film is read in a process of its own (as ``how`` says), so
    that one which kills whoever reads it does not end this run, too. Without ``how`` it is given up after ``KILLED``.
    """
    for task in pieces(tasks, ledger):
        if stop():
            return
        at = begun(Place(out, task.key).mark).reached
        tries = ledger.tries(task, at)
        if tries >= SUSPECT and how is not None:
            yield from beside([task], how, out, ledger, stop, 1)
        elif tries >= KILLED:
            error = f"{task.name}: {tries} runs in a row ended without a word while they read this, at {at:g} s."
            yield task, failed(task, error, tries)
        else:
            yield from insist(task, once, out, ledger)


def beside(tasks: Sequence[Task], how: How, out: Path, ledger: Ledger, stop: Stop, jobs: int) -> Iterator[Answer]:
    """In ``jobs`` processes of one thread each; answers as they come.

    Each is a pool of its own, so that one that dies takes nobody with it: its task is tried again in a fresh one. All
    end when this process does, whatever ends it.
    """
    context = get_context("spawn")
    leave, gone = context.Event(), context.Event()
    slots: list[_Slot] = []
    mine = threading.local()

    def once(task: Task) -> list[Outcome] | None:
        if not hasattr(mine, "slot"):
            mine.slot = _Slot(partial(ProcessPoolExecutor, 1, context, _begin, (leave, gone)))
            slots.append(mine.slot)
        slot: _Slot = mine.slot
        return None if leave.is_set() or stop() else slot(task, how, out, gone)

    def work(task: Task) -> list[Answer]:
        return [] if leave.is_set() or stop() else insist(task, once, out, ledger)

    with ThreadPoolExecutor(jobs) as threads:
        waiting = [threads.submit(work, task) for task in pieces(tasks, ledger)]
        try:
            for future in _completed(waiting, stop, leave):
                yield from future.result()
        except BaseException:
            leave.set()
            gone.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            leave.set()
            for slot in slots:
                slot.pool.shutdown(wait=False, cancel_futures=True)


def _completed(waiting: list[Future[list[Answer]]], stop: Stop, leave: Any) -> Iterator[Future[list[Answer]]]:
    """Futures as they end; hands a stop on to the workers meanwhile."""
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.2):
            if stop():
                leave.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield from as_completed(waiting)
    finally:
        watching.set()


class _Slot:
    """A pool of one process, made anew whenever it breaks."""

    def __init__(self, make: Callable[[], ProcessPoolExecutor]) -> None:
        self._make = make
        self.pool = make()

    def __call__(self, task: Task, how: How, out: Path, gone: Any) -> list[Outcome] | None:
        try:
            with _deaf():
                answer = self.pool.submit(_work, task, how, out)
            return answer.result()
        except BrokenProcessPool:
            self.pool.shutdown(wait=False)
            if gone.is_set():
                return None
            self.pool = self._make()
            raise Died.while_reading(task, out) from None


@contextmanager
def _deaf() -> Iterator[None]:
    """A process that is begun within the block hears of no ctrl-C, which is its parent's, from its first moment on.

    While it starts it could not yet ignore it, and would end with a traceback. Windows has nothing alike.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_leave: Any = None  # in a worker: set when it is to end its task early


def _begin(leave: Any, gone: Any) -> None:
    """Set a worker up: ctrl-C is its parent's, and when that has gone it goes too."""
    import cv2

    global _leave
    _leave = leave
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_watch, args=(gone,), daemon=True).start()


def _watch(gone: Any) -> None:
    parent = parent_process()
    while not gone.wait(0.5) and parent is not None and parent.is_alive():
        pass
    os._exit(1)


def _work(task: Task, how: How, out: Path) -> list[Outcome] | None:
    with _told_if_crashed(Place(out, task.key).crash):
        return perform(task, _analyser(how), out, stop=_leave.is_set)


@contextmanager
def _told_if_crashed(path: Path) -> Iterator[None]:
    """Leave a file that says how, if this process crashes within the block; one that is killed leaves an empty one."""
    ensure_own(path)
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        faulthandler.enable(file, all_threads=False)
        try:
            yield
        finally:
            faulthandler.disable()
    with suppress(OSError):
        path.unlink()


def _crash(path: Path) -> str:
    """What the file that a process left says of its crash; "" if it did not crash. Takes the file away."""
    line = ""
    with suppress(OSError):
        ensure_own(path)
        with path.open(encoding="utf-8", errors="replace") as file:
            line = file.readline(200).strip()
        path.unlink()
    return f"it crashed ({line.removeprefix('Fatal Python error: ')})" if line else ""


@lru_cache(maxsize=1)
def _analyser(how: How) -> Analyser:
    analyser = Analyser(how.model, settings=how.settings)
    if how.hash and analyser.model.hash != how.hash:
        raise ModelError(f"The model {how.model} was changed since this work began: begin it again.")
    return analyser


# Ray

_CUTS = 8  # shards per processor: enough that none waits long for the last one, few enough that starting them is cheap


def ray(tasks: Sequence[Task], how: How, out: Path, ledger: Ledger, stop: Stop, jobs: int) -> Iterator[Answer]:
    """On a Ray cluster: the one that runs, else one of ``jobs`` processors on this machine.

    A shard of the tasks in, its outcomes out; ``out`` lies where all of them can write. A shard whose worker dies is
    begun again by Ray: what is finished of it is answered from its marks. One that dies again and again is taken apart,
    and each of its tasks tried alone. Raises MissingExtraError without Ray.
    """
    try:
        cluster: Any = importlib.import_module("ray")  # only partly typed, and not installed everywhere
    except ImportError:
        raise MissingExtraError("Reading on a Ray cluster", "cluster") from None
    ours = _connect(cluster, jobs)
    try:
        run = cluster.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_shard)
        alone = cluster.remote(num_cpus=1, max_retries=0)(_shard)
        processors = max(int(cluster.cluster_resources().get("CPU", 1)), 1)
        tasks = pieces(tasks, ledger)
        size = -(-len(tasks) // (processors * _CUTS)) or 1
        shards = [tasks[i : i + size] for i in range(0, len(tasks), size)]
        waiting = {run.remote(shard, how, out): shard for shard in shards}
        while waiting and not stop():
            for reference in cluster.wait(list(waiting), timeout=0.5)[0]:
                shard = waiting.pop(reference)
                try:
                    answers = cluster.get(reference)
                except cluster.exceptions.RayError as error:
                    _pass_on(error)
                    once = partial(_alone, cluster, alone, how, out)
                    answers = [answer for task in shard for answer in insist(task, once, out, ledger)]
                yield from _checked(answers)
        for reference in waiting:
            cluster.cancel(reference)
    finally:
        if ours:
            cluster.shutdown()


def _connect(cluster: Any, jobs: int) -> bool:
    """Join the cluster; True if it was begun for this work and ends with it."""
    if cluster.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if os.environ.get("RAY_ADDRESS"):
        cluster.init(**quiet)
        return True
    try:
        cluster.init(address="auto", **quiet)
    except ConnectionError:
        cluster.init(address="local", num_cpus=jobs, include_dashboard=False, **quiet)
    return True


def _alone(cluster: Any, alone: Any, how: How, out: Path, task: Task) -> list[Outcome] | None:
    try:
        (answer,) = _checked(cluster.get(alone.remote([task], how, out)))
    except cluster.exceptions.RayError as error:
        _pass_on(error)
        raise Died.while_reading(task, out, f"its worker did ({type(error).__name__})") from None
    return answer[1]


def _pass_on(error: Exception) -> None:
    """Raise what a worker itself had to say, such as a model that cannot be loaded: no other try will mend that."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, TronieError):
        raise cause


def _checked(answers: list[Answer] | str) -> list[Answer]:
    if isinstance(answers, str):
        raise OutputError(answers)
    return answers


def _shard(tasks: Sequence[Task], how: How, out: Path) -> list[Answer] | str:
    """A worker's part: the outcomes of its tasks, or the sentence that says why nothing more can be written."""
    analyser, answers = _analyser(how), list[Answer]()
    for task in tasks:
        outcomes, error = None, ""
        for _ in range(ATTEMPTS):
            try:
                with _told_if_crashed(Place(out, task.key).crash):
                    outcomes = perform(task, analyser, out)
                break
            except SourceError as failure:
                error = str(failure)
                time.sleep(0.1)
            except OutputError as failure:
                return str(failure)
        answers.append((task, outcomes if outcomes is not None else failed(task, error, ATTEMPTS)))
    return answers


ENGINES: dict[str, str] = {
    "local": "tronie.pipeline.archive_engines:beside",
    "ray": "tronie.pipeline.archive_engines:ray",
}
"""Name -> who does the tasks where it is not this process alone; called as :func:`beside` is."""
