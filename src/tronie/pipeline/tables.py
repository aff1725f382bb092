"""What a verb is given to show: a timeline, its file, or a film or picture that is read first; and its people."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError
from tronie.core.people import Names, who_is_who
from tronie.core.segment_io import holds_segments, load_segments
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES
from tronie.faces.detect import Detector
from tronie.output.export import film as film_of
from tronie.pipeline.analyser import Report, printable
from tronie.pipeline.predict import predict
from tronie.pipeline.reading import Model
from tronie.video.sources import Source

Given = Timeline | str | os.PathLike[str]
"""A timeline, a table's or segments' file (.csv, .json, .parquet), or a picture or film to read."""


@dataclass(frozen=True)
class Shown:
    """A timeline with its tracks joined, people's names by (source, track), and the film where a film was given."""

    timeline: Timeline
    names: Names
    film: Path | None = None


@dataclass(frozen=True)
class Made:
    """The file written, the timeline it shows, and what a person should know about it."""

    path: Path
    timeline: Timeline
    warnings: tuple[str, ...] = ()


def shown(
    given: Given,
    *,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    names: str | Path | None = None,
    seats: int | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Shown:
    """Load or make the timeline, then join and name its tracks. Raises SourceError, SettingError, ModelError."""
    film: Path | None = None
    known: Names = {}
    if isinstance(given, Timeline):
        timeline = given
    elif Path(given).suffix.lower() in SUFFIXES:
        timeline, known = _loaded(Path(given))
    else:
        film = Path(given)
        timeline = predict(
            given,
            model=model,
            detector=detector,
            fps=fps,
            provider=provider,
            video_track=video_track,
            report=report,
            stop=stop,
        )
    timeline, called = who_is_who(timeline, names=Path(names) if names else None, seats=seats)
    return Shown(timeline, {**known, **called}, film)


def _loaded(path: Path) -> tuple[Timeline, Names]:
    """A table, and the names of people where it is a file of segments that has them."""
    if path.suffix.lower() == ".csv" and holds_segments(path):
        return load_segments(path)
    return Timeline.load(path), {}


def film_place(given: Given, read: Shown, use: str) -> Path | None:
    """Where the film of a table lies: the one read, or where its name leads from here or from the table's folder.

    ``use`` ("A report") begins the sentence of the SettingError for several films or photos.
    """
    if read.film is not None and read.film.is_file():
        return read.film
    source = film_of(read.timeline, use)
    places = [Path(source)]
    if not isinstance(given, Timeline):
        places += [Path(given).parent / source, Path(given).parent / Path(source).name]
    return next((place for place in places if place.is_file()), None)


def about(timeline: Timeline, source: Source) -> Timeline:
    """The rows about this source: by its name, or by its file name where the table was made from another folder.

    Raises SettingError where there are none.
    """
    known = list(dict.fromkeys([*(one.source for one in timeline.looked), *timeline["source"].tolist()]))
    name = printable(source.name)
    same = [one for one in known if one == name] or [one for one in known if Path(one).name == source.path.name]
    if len(same) != 1:
        told = ", ".join(known[:3]) + (", …" if len(known) > 3 else "") or "nothing"
        raise SettingError(f"The table is about {told}, not about {name}: give the table of this file.")
    if np.isnan(timeline["x"]).any():  # nothing would be drawn, and no face blurred
        raise SettingError(
            "To draw faces, it must be known where they are, which segments do not say: give the table of rows."
        )
    return timeline.select(source=same[0])
