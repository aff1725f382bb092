"""``tronie watch`` at the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tronie.cli.common import STOPPED, Quiet, Reading, interruptible, say
from tronie.cli.streams import nobody_reads

DEFAULT = Reading()


def watch(
    source: str = "0",
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    display: Literal["auto", "window", "bars", "lines"] = "auto",
    realtime: bool = False,
    reading: Reading = DEFAULT,
    quiet: Quiet = False,
) -> int:
    """Read expressions while they are shown. Ctrl-C ends it and saves what was read.

    Parameters
    ----------
    source
        A camera's number, an address such as rtsp://…, or a film that plays the camera.
    out
        Where the table goes at the end (.csv, .json, .parquet).
    display
        A window (needs opencv-python), bars in the terminal, or a line per change. auto: the first that works here.
    realtime
        Play a film at its own speed, and leave out what comes too fast, as a camera does.
    quiet
        Show nothing.
    """
    from tronie.output.live import display as shown
    from tronie.pipeline.watch import watch as run

    screen = None if quiet else shown(display)
    with interruptible() as stopped:
        try:
            found = run(
                source,
                out,
                model=reading.model,
                detector=reading.detector,
                fps=reading.fps,
                provider=reading.provider,
                video_track=reading.video_track,
                realtime=realtime,
                show=screen.show if screen else None,
                stop=lambda: stopped.is_set() or nobody_reads() or (screen is not None and screen.closed),
            )
        finally:
            if screen is not None:
                screen.close()
    for warning in found.warnings:
        say(f"Warning: {warning}")
    saved = out is not None and bool(found.looked)
    if saved and not quiet:
        say(f"Written: {out}")
    if stopped.is_set():
        say("Stopped. " + ("What was read is saved." if saved else "Nothing was saved: give --out for a table."))
        return STOPPED
    return 0
