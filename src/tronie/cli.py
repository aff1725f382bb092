"""The command line. Each command calls the verb of its name and prints; nothing is computed here."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from tronie import __version__
from tronie.core.errors import SourceError, TronieError

if TYPE_CHECKING:
    from tronie.core.timeline import Timeline
    from tronie.pipeline.analyser import Analyser
    from tronie.verbs.results import Results

STOPPED = 130  # what a shell expects of a command ended by ctrl-C
BUG = 70  # EX_SOFTWARE of sysexits.h
USAGE = 2
_PIPE = 141  # what a shell reports where the reader of a pipe has gone

app = App(
    name="tronie",
    help="Read the facial expressions shown in photos and videos, and say how sure that is.",
    help_epilogue="`--debug` shows where an error came from. Exit codes: 0 done, 2 wrong option, 3 unreadable source, "
    "4 model, 5 output, 6 missing extra, 70 a bug, 130 stopped.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)


@app.command
def predict(
    *sources: str,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    model: str = "default",
    detector: str = "retinaface",
    fps: float | None = None,
    json: bool = False,
    quiet: Annotated[bool, Parameter(alias="-q")] = False,
) -> int:
    """Read pictures and films: who shows which expression, from when to when.

    Parameters
    ----------
    sources
        Pictures, films, folders, or patterns such as 'photos/*.jpg'.
    out
        Where to write: a table (.csv, .json, .parquet), or a folder for a table per film and one of all segments.
    model
        A model's name (see `tronie models`) or its folder.
    detector
        "retinaface", or "whole" for pictures that are cropped faces.
    fps
        Look at so many frames per second of film (default: every frame).
    json
        Print one JSON document instead of a table.
    quiet
        Print nothing but errors.
    """
    from tronie.core.timeline import Timeline
    from tronie.core.timeline_io import write_json
    from tronie.pipeline.analyser import Analyser
    from tronie.pipeline.settings import Settings
    from tronie.verbs.results import Results

    results = Results(out) if out is not None else None
    printer = _Printer(json=json, quiet=quiet)
    with _interruptible() as stopped:
        analyser = Analyser(model, settings=Settings(detector=detector, fps=fps))
        written = _work(sources, analyser, results, printer, stopped)
    if json:
        write_json(Timeline.concat(printer.kept or [Timeline.empty(analyser.labels, analyser.provenance)]), sys.stdout)
    if stopped.is_set():
        _say("Stopped. " + ("What was done is saved." if written else "What was done is above."))
        return STOPPED
    return SourceError.exit_code if printer.failed else 0


def _work(
    sources: Sequence[str], analyser: Analyser, results: Results | None, printer: _Printer, stopped: threading.Event
) -> list[Path]:
    """Do source after source; what is done is printed and saved, whatever comes in between. Returns the files."""
    from tronie.show.progress import bar
    from tronie.verbs.predict import predict_each

    written: list[Path] = []
    try:
        with bar(hidden=printer.quiet) as report:
            for name, timeline in predict_each(sources, analyser, report=report, stop=stopped.is_set):
                printer.add(name, timeline)
                if results is not None:
                    results.add(timeline)
    finally:
        try:
            written = results.close() if results is not None else []
        finally:
            printer.close(written)
    return written


@app.command
def models() -> int:
    """List the models that ship."""
    from tronie.show.text import grid
    from tronie.verbs.models import models as listed

    rows = [("model", "hash", "MB", "labels", "licence")]
    rows += [(m.name, m.hash, f"{m.megabytes:.1f}", ", ".join(m.info.labels), m.info.licence) for m in listed()]
    print(grid(rows, frozenset({2})) if len(rows) > 1 else "No model ships with this copy of Tronie.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. A person's mistake is one sentence on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [one for one in arguments if one != "--debug"]
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        _say("Stopped.")
        return STOPPED
    except BrokenPipeError:  # `tronie predict ... | head`: nobody is there to be told
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # the interpreter flushes it on its way out
        return _PIPE
    except Exception as error:
        if debug:
            raise
        if isinstance(error, CycloptsError):
            _say(f"{' '.join(str(error).split())} See 'tronie --help'.")
            return USAGE
        if isinstance(error, TronieError):
            _say(str(error))
            return error.exit_code
        _say(f"This is a bug in Tronie ({type(error).__name__}: {error}). Please report it with what "
             "'--debug' prints.")  # fmt: skip
        return BUG


class _Printer:
    """Prints films as they are done and pictures together at the end; warnings go to standard error."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.kept: list[Timeline] = []  # for the JSON document, or the pictures
        self.failed = 0
        self._json, self.quiet = json, quiet

    def add(self, name: str, timeline: Timeline) -> None:
        """Print one source's film, or keep its pictures for the end."""
        from tronie.show.text import film_text

        for warning in timeline.warnings:
            _say(f"Warning: {warning}")
        self.failed += not timeline.looked
        if self._json or (timeline.looked and timeline.looked[0].kind == "image"):
            self.kept.append(timeline)
        elif timeline.looked and not self.quiet:
            print(film_text(timeline), end="\n\n", flush=True)

    def close(self, written: Sequence[Path]) -> None:
        """Print the pictures, and say which files were written."""
        from tronie.show.text import pictures_text

        if self.quiet:
            return
        if self.kept and not self._json:
            print(pictures_text(self.kept))
        if written:
            _say("Written: " + ", ".join(map(str, written)))


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first ctrl-C sets; the second one interrupts at once."""
    stopped = threading.Event()

    def ask(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _say("Stopping; what is done is kept. Press ctrl-C again to leave at once.")

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _say(text: str) -> None:
    print(f"tronie: {text}", file=sys.stderr)
