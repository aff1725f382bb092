"""``tronie report``: one film as one HTML page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tronie.core.atomic import ensure_writable
from tronie.core.errors import SettingError
from tronie.faces.detect import Detector
from tronie.output.report import write_report
from tronie.pipeline.analyser import Report
from tronie.pipeline.reading import Model
from tronie.pipeline.tables import Given, Made, film_place, shown


def report(
    given: Given,
    out: str | Path,
    *,
    film: str | Path | None = None,
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
    """Write a self-contained .html: plot, segments that seek the film beside it, tables, how it was made.

    ``given`` is a timeline, its table, or a film, which is then read first; ``names`` (a table) and ``seats`` join
    and name tracks. The film (``film``, or the one read, or the table's, where it is found from here or beside the
    table) is referred to by its path from the report, so keep both together; the report works without it.
    Raises SettingError, SourceError, ModelError, OutputError.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise SettingError(f"A report ends in .html; '{out.name}' does not. Rename it.")
    if film is not None and not Path(film).is_file():
        raise SettingError(f"There is no film {film}: check the path, or leave it out.")
    ensure_writable(out)
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
    where = Path(film) if film is not None else film_place(given, read, "A report")
    path = write_report(read.timeline, out, video=_seen_from(out, where), names=read.names)
    return Made(path, read.timeline, read.timeline.warnings)


def _seen_from(out: Path, film: Path | None) -> str | None:
    if film is None:
        return None
    try:
        return Path(os.path.relpath(film.resolve(), out.parent.resolve())).as_posix()
    except ValueError:  # another drive: a browser cannot be led there by a relative path
        return film.name
