"""How far the work is, on standard error: a bar for people, lines for logs; work that is short shows nothing."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tronie.core.words import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 0.7  # seconds of work before a bar is worth showing (and its 0.1 s of imports worth paying)


EVERY = 10.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


@contextmanager
def bar(*, hidden: bool = False) -> Iterator[Callable[[Any], None] | None]:
    """Give a function that takes ``tronie.pipeline.analyser.Progress`` and shows it; None where nothing is wanted.

    On a terminal that is a bar; elsewhere (a log, a batch system) a line every ten seconds.
    """
    if hidden:
        yield None
        return
    drawn: _Bar | _Lines = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        yield drawn.update
    finally:
        drawn.stop()


class _Lines:
    """Says on standard error every ten seconds how far the work has come, and how long it will still take."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._last: Any = None
        self._first: float | None = None  # share of the work that was done when the first report came
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._say, daemon=True)
        self._thread.start()

    def update(self, report: Any) -> None:
        """Take one report, from any thread."""
        self._last = report
        if self._first is None:
            self._begun, self._first = time.monotonic(), _share(report)

    def stop(self) -> None:
        """Say nothing more."""
        self._ended.set()
        self._thread.join()

    def _say(self) -> None:
        while not self._ended.wait(EVERY):
            if self._last is not None:
                with suppress(OSError, ValueError):  # nobody reads it any more: no reason to end the work
                    sys.stderr.write(f"tronie: {self._line(self._last)}\n")
                    sys.stderr.flush()

    def _line(self, report: Any) -> str:
        said = []
        if report.count > 1:
            said.append(f"{report.place} of {report.count} sources")
        if report.source and (report.done > 0 or report.count == 1):
            of = f" of {_clock(report.length)}" if report.length else ""
            said.append(f"{printable(report.source)} at {_clock(report.done)}{of}")
        share, first = _share(report), self._first or 0.0
        if share is not None:
            said.append(f"{math.floor(100 * share)} % done")
            if share > first:
                left = (time.monotonic() - self._begun) * (1 - share) / (share - first)
                said.append(f"about {_roughly(left)} left")
        return ", ".join(said or ["at work"]) + "."


def _share(report: Any) -> float | None:
    """How much of all the work is done, from 0 to 1; None where nothing says it."""
    if report.share is not None:
        return float(report.share)
    inside = min(report.done / report.length, 1.0) if report.length else 0.0
    return (report.place + inside) / report.count if report.count > 1 or report.length else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def _roughly(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Bar:
    def __init__(self) -> None:
        self._guard = threading.Lock()  # reports may come from two threads
        self._begun = time.monotonic()
        self._source_begun = self._begun
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._source: str | None = None

    def update(self, report: Any) -> None:
        """Draw one report: place among the sources, share of the film, times film speed, time left."""
        with self._guard:
            self._draw(report)

    def _draw(self, report: Any) -> None:
        now = time.monotonic()
        new = report.source != self._source
        if new:
            self._source, self._source_begun = report.source, now
        if now - self._begun < _PATIENCE:
            return
        if self._progress is None:
            self._progress = _columns()
            self._progress.start()
        if new and self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        if self._task is None:
            name = printable(report.source)
            name = name if len(name) <= 40 else "..." + name[-37:]
            place = f"[{report.place + 1}/{report.count}] " if report.count > 1 else ""
            self._task = self._progress.add_task(place + name, total=report.length, rate="")
        spent = now - self._source_begun
        rate = f"{report.done / spent:.1f}x film speed" if report.done > 0 and spent > 0 else ""
        self._progress.update(self._task, completed=report.done, rate=rate)

    def stop(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()


def _columns() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
