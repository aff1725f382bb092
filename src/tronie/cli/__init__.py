"""The command line. Each command calls the verb of its name and prints; nothing is computed here."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from tronie import __version__
from tronie.cli import audit, corrupt, export, library, outputs, predict, research, selfcheck, watch
from tronie.cli.common import STOPPED, say
from tronie.core.errors import OutputError, TronieError

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

for command in (
    predict.predict, outputs.annotate, outputs.segments, outputs.plot, outputs.report, outputs.compare,
    watch.watch, selfcheck.selfcheck,
    library.models, library.datasets,
    research.prepare, research.features, research.train, research.evaluate, research.compare_models, export.export,
    audit.audit, corrupt.corrupt,
):  # fmt: skip
    app.command(command)


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
        say("Stopped.")
        return STOPPED
    except BrokenPipeError:  # `tronie predict ... | head`: nobody is there to be told
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # the interpreter flushes it on its way out
        return _PIPE
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # files of ours raise OutputError
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # as above
            say("What was to be printed cannot be written: the disk is full. Free some space or print elsewhere.")
            return OutputError.exit_code
        if isinstance(error, CycloptsError):
            say(f"{' '.join(str(error).split())} See 'tronie --help'.")
            return USAGE
        if isinstance(error, TronieError):
            say(str(error))
            return error.exit_code
        say(f"This is a bug in Tronie ({type(error).__name__}: {error}). Please report it with what "
             "'--debug' prints.")  # fmt: skip
        return BUG
