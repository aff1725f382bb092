"""How far counted work is, on standard error, for people only: nothing is shown where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tronie.core.words import printable

Counter = Callable[[str, int, int], None]
"""What is being done, how many are done, how many there are."""
_EVERY = 0.2  # seconds between two looks
_PATIENCE = 1.0  # seconds of work before there is anything to say


@contextmanager
def counting(*, hidden: bool = False) -> Iterator[Counter]:
    """Give a function that shows one line, ``cutting faces: 1,200 of 12,271 (3 min left)``, over and over."""
    if hidden or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    line = _Line()
    try:
        yield line.show
    finally:
        line.clear()


class _Line:
    def __init__(self) -> None:
        self._what, self._begun, self._shown, self._wide = "", time.monotonic(), 0.0, 0

    def show(self, what: str, done: int, total: int) -> None:
        """Draw the line anew, a few times a second."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._begun = what, now
        if now - self._begun < _PATIENCE or now - self._shown < _EVERY:
            return
        left = (now - self._begun) / max(done, 1) * (total - done)
        text = f"{printable(what)}: {done:,} of {total:,} ({_span(left)} left)"
        sys.stderr.write("\r" + text.ljust(self._wide))
        sys.stderr.flush()
        self._shown, self._wide = now, len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._wide:
            sys.stderr.write("\r" + " " * self._wide + "\r")
            sys.stderr.flush()


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
