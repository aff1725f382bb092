"""``tronie selfcheck`` at the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tronie.cli.common import STOPPED, Quiet, Reading, interruptible, say, tell
from tronie.cli.options import refuse_for_photos
from tronie.core.atomic import ensure_place
from tronie.core.sheet import ensure_csv

DEFAULT = Reading()


def selfcheck(
    *sources: str,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    worst: int = 10,
    reading: Reading = DEFAULT,
    csv_safe: bool = False,
    quiet: Quiet = False,
) -> int:
    """Test how robust the labels are: change pictures and films slightly, and count the labels that stay.

    Photos are moved, rescaled, mirrored and re-compressed; films are thinned to half their frame rate, begun later
    and re-compressed. A label should not change by that; where it does, do not rely on it.

    Parameters
    ----------
    sources
        Pictures, films, folders, or patterns such as 'photos/*.jpg'.
    out
        Also write every share and every change: .json, or .csv for the shares.
    worst
        How many of the changes to print.
    csv_safe
        Write an apostrophe before text that a spreadsheet would run as a formula (.csv only).
    quiet
        Print nothing but errors.
    """
    from tronie.cli.progress import bar
    from tronie.pipeline.selfcheck import ENDINGS, save_selfcheck, selfcheck_text
    from tronie.pipeline.selfcheck import selfcheck as run

    refuse_for_photos(sources, reading)
    if out is not None:
        ensure_place(out, ENDINGS, "A self-check")
        ensure_csv(out, csv_safe=csv_safe)
    with interruptible() as stopped, bar(hidden=quiet) as heard:
        checked = run(sources, report=heard, stop=stopped.is_set, **vars(reading))
    for warning in checked.warnings:
        say(f"Warning: {warning}")
    if not quiet:
        tell(selfcheck_text(checked, worst))
    if out is not None:
        written = save_selfcheck(checked, out, csv_safe=csv_safe)
        if not quiet:
            say(f"Written: {written}")
    return STOPPED if stopped.is_set() else 0
