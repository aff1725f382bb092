"""``tronie segments``: who shows what from when to when, as files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tronie.core.atomic import ensure_writable
from tronie.faces.detect import Detector
from tronie.output.export import checked, export
from tronie.pipeline.analyser import Report
from tronie.pipeline.reading import Model
from tronie.pipeline.tables import Given, Made, film_place, shown


def segments(
    given: Given,
    out: str | Path,
    *,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    names: str | Path | None = None,
    seats: int | None = None,
    csv_safe: bool = False,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Made:
    """Write the segments to ``out``: .csv, .vtt (subtitles), .eaf (ELAN) or .TextGrid (Praat).

    ``given`` is a timeline, its table, or a film, which is then read first; ``names`` (a table) and ``seats`` join
    and name tracks; ``csv_safe`` keeps a spreadsheet from running text of a CSV as a formula. See
    :func:`tronie.output.export.export`. Raises SettingError, SourceError, ModelError, OutputError.
    """
    ensure_writable(checked(out))  # before a long reading, not after it
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
    place = film_place(given, read, "ELAN") if Path(out).suffix.lower() == ".eaf" else None
    made = export(read.timeline, out, names=read.names, film=place, csv_safe=csv_safe)
    return Made(made, read.timeline, read.timeline.warnings)
