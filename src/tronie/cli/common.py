"""What the commands share: options that mean the same everywhere, ctrl-C, and words on standard error."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tronie.core.words import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from tronie.pipeline.tables import Made

STOPPED = 130  # what a shell expects of a command ended by ctrl-C

Out = Annotated[Path, Parameter(alias="-o")]
Quiet = Annotated[bool, Parameter(alias="-q")]
Changes = Annotated[list[str] | None, Parameter(name="--set", negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How a source that has not been read yet is read."""

    model: str = "default"
    """A model's name (see `tronie models`) or its folder."""
    detector: str = "retinaface"
    """"retinaface", or "whole" for pictures that are cropped faces."""
    fps: float | None = None
    """Analyse this many frames per second of film (default: every frame)."""
    video_track: int | None = None
    """Read this picture track of films that hold several, counted from 0 (default: the one that players show)."""
    provider: str = "cpu"
    """The hardware to compute on: cpu, cuda, openvino or coreml."""


@Parameter(name="*")
@dataclass(frozen=True)
class People:
    """Who is who."""

    names: Path | None = None
    """A table with the columns track and name (and source, for several films); tracks of one name are one person."""
    seats: int | None = None
    """How many people keep their places: tracks are joined by position, person 1 is the leftmost."""


def make(
    run: Callable[..., Made],
    source: str,
    out: Path,
    quiet: bool,
    reading: Reading,
    people: People | None = None,
    **more: object,
) -> int:
    """Run a verb that makes one file, with a bar and ctrl-C, and say what it warns of and where the file is."""
    from tronie.cli.options import refuse_reading
    from tronie.cli.progress import bar
    from tronie.core.timeline_io import SUFFIXES

    if Path(source).suffix.lower() in SUFFIXES:
        refuse_reading(reading, source)
    options = vars(reading) | (vars(people) if people else {}) | more
    with interruptible() as stopped, bar(hidden=quiet) as heard:
        made = run(source, out, report=heard, stop=stopped.is_set, **options)
    for warning in made.warnings:
        say(f"Warning: {warning}")
    if not quiet:
        say(f"Written: {made.path}")
    return STOPPED if stopped.is_set() else 0


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that the first ctrl-C sets; the second one interrupts at once."""
    stopped = threading.Event()

    def ask(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        say("Stopping; what is done is kept. Press ctrl-C again to leave at once.")

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def say(text: str) -> None:
    """One line for the person, beside whatever the command prints. Names of others in it do nothing to a terminal."""
    print(f"tronie: {printable(text)}", file=sys.stderr)


def tell(text: str = "", end: str = "\n", *, flush: bool = False) -> None:
    """Print what the command is asked for: text that it laid out in lines, in which names of others do nothing."""
    print(printable_lines(text), end=end, flush=flush)


def tell_json(text: str) -> None:
    """Print a JSON document."""
    print(printable_json(text))


class JsonOut:
    """Standard output as a file that takes a JSON document piece by piece."""

    def write(self, text: str) -> int:
        """Write a piece; returns its length."""
        sys.stdout.write(printable_json(text))
        return len(text)
