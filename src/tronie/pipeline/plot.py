"""``tronie plot``: a film's expressions on paper (extra 'plot')."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tronie.core.atomic import ensure_writable
from tronie.faces.detect import Detector
from tronie.output.page import plot_summary
from tronie.output.paper import checked, needed, telling_letters
from tronie.output.plot import plot_timeline
from tronie.pipeline.analyser import Report
from tronie.pipeline.reading import Model
from tronie.pipeline.tables import Given, Made, shown


def plot(
    given: Given,
    out: str | Path,
    *,
    summary: bool = False,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    names: str | Path | None = None,
    seats: int | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Made:
    """Draw probabilities over time with the segments under them, or with ``summary`` one page of figures.

    ``given`` is a timeline, its table, or a film, which is then read first; ``names`` (a table) and ``seats`` join
    and name tracks. ``out`` is a .png, .pdf or .svg. Raises SettingError, SourceError, ModelError, OutputError,
    MissingExtraError.
    """
    needed()
    ensure_writable(checked(out))
    read = shown(
        given,
        model=model,
        detector=detector,
        fps=fps,
        provider=provider,
        video_track=video_track,
        names=names,
        seats=seats,
        report=report,
        stop=stop,
    )
    with telling_letters(out) as told:
        path = (plot_summary if summary else plot_timeline)(read.timeline, out, names=read.names)
    return Made(path, read.timeline, (*read.timeline.warnings, *told))
