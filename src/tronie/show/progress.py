"""A progress bar on standard error, for people only: work that is short or not watched shows nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tronie.core.words import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 0.7  # seconds of work before a bar is worth showing (and its 0.1 s of imports worth paying)


@contextmanager
def bar(*, hidden: bool = False) -> Iterator[Callable[[Any], None] | None]:
    """Give a function that takes ``tronie.pipeline.analyser.Progress`` and draws it; None where nobody watches."""
    if hidden or not sys.stderr.isatty():
        yield None
        return
    drawn = _Bar()
    try:
        yield drawn.update
    finally:
        drawn.stop()


class _Bar:
    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._source_begun = self._begun
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._source: str | None = None

    def update(self, report: Any) -> None:
        """Draw one report: place among the sources, share of the film, times film speed, time left."""
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
