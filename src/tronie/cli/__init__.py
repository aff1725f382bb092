"""The command line. Each command parses, calls the function of its feature and prints; nothing is computed here."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import App, CycloptsError, Parameter

from tronie import __version__
from tronie.cli import audit, corrupt, export, library, outputs, predict, research, selfcheck, usage, watch
from tronie.cli.common import STOPPED, say
from tronie.cli.options import refuse_idle
from tronie.cli.streams import Stream, guarded
from tronie.core.errors import OutputError, TronieError

BUG = 70  # EX_SOFTWARE of sysexits.h
USAGE = 2
_PIPE = 141  # what a shell reports where the reader of a pipe has gone

app = App(
    name="tronie",
    help="Read the facial expressions shown in photos and videos, and say how sure that is.",
    help_epilogue="`--debug` shows where an error came from. Exit codes: 0 done, 2 wrong option, 3 unreadable source, "
    "4 model, 5 output, 6 missing extra, 70 a bug, 130 stopped, 141 the reader of what was printed has left.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)

for command in (
    predict.predict,
    outputs.annotate,
    outputs.segments,
    outputs.plot,
    outputs.report,
    outputs.compare,
    watch.watch,
    selfcheck.selfcheck,
    library.models,
    library.datasets,
    research.prepare,
    research.features,
    research.train,
    research.evaluate,
    research.compare_models,
    export.export,
    audit.audit,
    corrupt.corrupt,
):
    app.command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. A person's mistake is one sentence on standard error.

    Args:
        argv: The words behind ``tronie``; None for those of this process, which is then about to end.
    """
    code = _guarded(list(sys.argv[1:] if argv is None else argv))
    if argv is None:
        with suppress(ValueError):  # not the main thread
            # Another ctrl-C while workers are waited for ends the process, without Python's traceback.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


def _guarded(arguments: list[str]) -> int:
    """Run one command; what goes wrong becomes a sentence and an exit code."""
    debug = "--debug" in arguments
    arguments = [one for one in arguments if one != "--debug"]
    with guarded() as printed:
        try:
            code = _run(arguments, printed)
            printed.flush()
        except KeyboardInterrupt:
            say("Stopped.")
            return STOPPED
        except SystemExit:
            if printed.reader_left:  # the printer of the help texts ends the program with its own code there
                return _PIPE
            raise
        except Exception as error:
            if error is printed.lost:
                return _unprinted(printed)
            if debug:
                raise
            return _told(error)
        if code or printed.lost is None or printed.reader_left or printed.was_closed:
            return code
        return _unprinted(printed)


def _run(arguments: Sequence[str], printed: Stream) -> int:
    """Find the command and run it. Where its results go into files, it outlives what it prints."""
    command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    refuse_idle(getattr(command, "__name__", "").replace("_", "-"), bound.arguments)
    bound.apply_defaults()
    printed.optional = bound.arguments.get("out") is not None
    code = command(*bound.args, **bound.kwargs)
    return code if isinstance(code, int) else 0


def _unprinted(printed: Stream) -> int:
    """The exit code where words could not be printed, which is said unless the reader has left."""
    if printed.reader_left:
        return _PIPE
    say(f"What was to be printed cannot be written: {printed.reason}")
    return OutputError.exit_code


def _told(error: Exception) -> int:
    """Say what went wrong; returns the exit code."""
    if isinstance(error, CycloptsError):
        say(usage.sentence(error))
        return USAGE
    if isinstance(error, TronieError):
        say(str(error))
        return error.exit_code
    if isinstance(error, OSError) and error.errno is not None:  # the machine's trouble, not the program's
        say(f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}.")
        return OutputError.exit_code
    say(f"This is a bug in Tronie ({type(error).__name__}: {error}). Please report it with what '--debug' prints.")
    return BUG
