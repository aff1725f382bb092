"""``tronie predict``: expressions in pictures and films, person by person."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.core.timeline import Timeline
from tronie.faces.detect import Detector
from tronie.pipeline.analyser import Analyser, Progress, Report, printable
from tronie.pipeline.reading import Model
from tronie.pipeline.settings import Settings
from tronie.video.files import NoPictures
from tronie.video.sources import Source, expand, passed_over, place_of

One = str | os.PathLike[str] | bytes | Pixels
"""A path, folder or pattern; the bytes of a picture; a picture ``(H, W, 3)`` or a film ``(T, H, W, 3)``, uint8 RGB."""


def predict(
    sources: One | Iterable[One],
    *,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    times: Sequence[float] | NDArray[np.float64] | None = None,
    settings: Settings | None = None,
    provider: str | None = None,
    baseline: Literal["model", "person"] | None = None,
    video_track: int | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Timeline:
    """Read the expressions shown in one or many pictures and films.

    ``sources`` is one source or several (see :data:`One`). ``model`` is a name, a model folder or a loaded model;
    ``detector`` a name ("retinaface"; "whole" for cropped faces) or an object. ``fps`` thins a film to so many frames
    per second, and is the rate of a film given as an array without ``times`` (T,) in seconds. ``provider`` says what
    the graphs run on ("cpu", "cuda", "openvino", "coreml"). ``baseline`` "person" measures every face of a film against
    the person's own neutral, see :mod:`tronie.pipeline.person`. ``video_track`` is the picture track of films that hold
    several, counted from 0 (None: the one that players show). ``report`` hears of progress; ``stop`` is asked between
    frames: when it says true, what is done comes back with a warning.

    Returns one :class:`Timeline` with a row per face and time; ``.segments()`` tells who shows what from when to when.
    A single source that cannot be read raises SourceError; among several it becomes a warning of the timeline, unless
    all fail. What a folder holds and has no pictures (sound) is passed over with a warning.
    Raises ModelError and SettingError too.
    """
    single = isinstance(sources, (str, os.PathLike, bytes, np.ndarray))
    if not single and not isinstance(sources, Iterable):
        raise SourceError(f"{sources!r} is no source: give a path, a picture's bytes, an array, or a list of them.")
    given: list[One] = [sources] if single else list(sources)  # type: ignore[list-item,arg-type]  # just told apart
    settings = settings_with(settings, fps, provider, baseline, video_track)
    analyser = Analyser(model, detector=detector, settings=settings)
    passed: list[str] = []
    each = predict_each(given, analyser, times=times, report=report, stop=stop, passed=passed.append)
    parts = [part for _, part in each]
    timeline = Timeline.concat(parts or [Timeline.empty(analyser.labels, analyser.provenance)])
    return replace(timeline, warnings=(*timeline.warnings, passed_over(passed))) if passed else timeline


def settings_with(
    settings: Settings | None,
    fps: float | None,
    provider: str | None = None,
    baseline: Literal["model", "person"] | None = None,
    video_track: int | None = None,
) -> Settings:
    """The settings with another ``fps``, ``provider``, ``baseline`` and ``video_track``; None leaves what there is."""
    settings = settings or Settings()
    return replace(
        settings,
        fps=settings.fps if fps is None else fps,
        provider=provider or settings.provider,
        baseline=baseline or settings.baseline,
        video_track=settings.video_track if video_track is None else video_track,
    )


def predict_each(
    given: Sequence[One],
    analyser: Analyser,
    *,
    times: Sequence[float] | NDArray[np.float64] | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
    passed: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, Timeline]]:
    """:func:`predict` file by file: the name of each source and its timeline, as soon as it is done.

    A source that cannot be read gives an empty timeline with its warning. Raises SourceError where no source is given,
    where the only one cannot be read, and, at the last one, where none could be. Ends early where ``stop`` says true.
    ``passed`` hears the names of files that were found in a folder and hold no pictures.
    """
    items = list(_expanded(given))
    alone = len(items) == 1
    failures, read, silent = 0, 0, list[str]()
    for place, (name, item) in enumerate(items):
        if stop is not None and stop():
            return
        heard = _placed(report, name, place, len(items))
        try:
            if isinstance(item, SourceError):
                raise item
            timeline = analyser.analyse(item, times=times, name=name, report=heard, stop=stop)
            read += 1
            yield name, timeline
        except SourceError as error:
            if isinstance(error, NoPictures) and isinstance(item, Source) and not item.named:
                silent.append(name)
                if passed is not None:
                    passed(name)
                continue
            failures += 1
            if alone:
                raise
            if failures == len(items):
                raise SourceError(f"None of the {len(items)} sources could be read. The last one: {error}") from error
            yield name, replace(Timeline.empty(analyser.labels, analyser.provenance), warnings=(str(error),))
    if silent and not failures and not read:
        raise SourceError(f"Nothing to read was found. {passed_over(silent)}")


def _placed(report: Report | None, name: str, place: int, count: int) -> Report | None:
    """A report that also says which of how many sources it is about; its first word comes now."""
    if report is None:
        return None
    report(Progress(name, place=place, count=count))
    return lambda progress: report(replace(progress, place=place, count=count))


def _expanded(given: Sequence[One]) -> Iterator[tuple[str, Source | bytes | Pixels | SourceError]]:
    """Every single source with its name, each file once; in the place of what cannot be found, the error."""
    if not given:
        raise SourceError("No source was given: name a picture, a film, a folder or a pattern such as 'photos/*.jpg'.")
    seen: set[str] = set()
    for place, item in enumerate(given):
        if isinstance(item, (bytes, np.ndarray)):
            kind = "bytes" if isinstance(item, bytes) else "array"
            yield kind if len(given) == 1 else f"{kind} {place}", item
            continue
        try:
            found = expand([item])
        except SourceError as error:
            yield printable(os.fspath(item)), error
            continue
        for source in found:
            if (place_on_disk := place_of(source.path)) not in seen:
                seen.add(place_on_disk)
                yield printable(source.name), source
