"""``tronie watch``: expressions while they are shown, from a camera, a stream, or a film that plays the camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError, TronieError
from tronie.core.people import person
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES, ensure_savable
from tronie.faces.detect import Detector
from tronie.output.live import Seen
from tronie.output.overlay import Mark
from tronie.output.palette import looks
from tronie.pipeline.analyser import Analyser, printable
from tronie.pipeline.live import Reading
from tronie.pipeline.predict import settings_with
from tronie.pipeline.reading import Model
from tronie.pipeline.results import save
from tronie.video.camera import Shot, address_shots, camera_number, camera_shots, is_address, public
from tronie.video.newest import Newest
from tronie.video.reader import VideoReader
from tronie.video.sources import expand

Stop = Callable[[], bool]
_ASK = 0.2  # seconds: how long a stop may go unheard while nothing comes in


def watch(
    source: str = "0",
    out: str | Path | None = None,
    *,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    realtime: bool = False,
    show: Callable[[Seen], None] | None = None,
    stop: Stop | None = None,
) -> Timeline:
    """Read expressions from a live source until it ends or ``stop`` says true.

    ``source`` is a camera's number, an address (rtsp://…, http://…) or a film. ``show`` hears of every picture with
    what can be said of it at once; the timeline returned, and saved to ``out`` (.csv, .json, .parquet), is smoothed
    with what followed. Its frames are numbered as they were looked at. Whatever ends the work, what is done is saved.

    A live source does not wait: pictures that come while one is read are left out, and a warning says how many. A film
    is read whole at the speed that is possible, unless ``realtime`` makes it a live source. ``fps`` is the most
    pictures looked at per second. Raises SourceError, SettingError, ModelError, OutputError.
    """
    target = _checked(out)
    analyser = Analyser(model, detector=detector, settings=settings_with(None, fps, provider, video_track=video_track))
    warnings: list[str] = []
    seen = 0
    try:
        with ExitStack() as stack:
            feed = _feed(source, fps, video_track, realtime, stop or (lambda: False), stack)
            try:
                for picture in _pictures(feed, analyser):
                    seen += 1
                    if show is not None:
                        show(picture)
            except TronieError as error:
                if not seen:
                    raise
                warnings.append(str(error))
            warnings += feed.told(seen)
    finally:
        timeline = replace(analyser.finish(), warnings=tuple(warnings))
        if seen:
            timeline = _named(timeline, feed.name)
            if target is not None:
                save(timeline, target)
    return timeline


@dataclass(frozen=True)
class _Feed:
    """A source being watched: its shots, how many were missed, and what to say of it after ``seen`` shots."""

    name: str
    shots: Iterator[Shot]
    missed: Callable[[], int]
    told: Callable[[int], list[str]]


def _pictures(feed: _Feed, analyser: Analyser) -> Iterator[Seen]:
    """Every picture of a feed, with what can be said of it at once."""
    look, begun = looks(analyser.labels.names), time.monotonic()
    for number, shot in enumerate(feed.shots, 1):
        image = shot.pixels()
        marks = [_mark(one) for one in analyser.push(image, shot.time, shot.duration)]
        note = f"{number / max(time.monotonic() - begun, 1e-3):.1f} pictures/s, {feed.missed()} left out"
        yield Seen(image, shot.time, marks, look, note)


def _checked(out: str | Path | None) -> Path | None:
    """Where the table goes; what can be known of that place is said before the work."""
    if out is None:
        return None
    if Path(out).suffix.lower() not in SUFFIXES:
        raise SettingError(f"Tables end in {', '.join(SUFFIXES)}; '{Path(out).name}' does not. Rename it.")
    ensure_savable(Path(out))
    return Path(out)


def _feed(source: str, fps: float | None, track: int | None, realtime: bool, stop: Stop, stack: ExitStack) -> _Feed:
    number = None if Path(source).is_file() else camera_number(source)
    if track is not None and (number is not None or is_address(source)):
        raise SettingError("--video-track chooses among the picture tracks of a film: leave it out for a live source.")
    if realtime and (number is not None or is_address(source)):
        raise SettingError(f"realtime is for films, and {public(source)} is live already: leave it out.")
    if number is not None:
        return _live(f"camera {number}", camera_shots(number), fps, stop, stack, paced=False)
    if is_address(source):
        return _live(public(source), address_shots(source), fps, stop, stack)
    found = expand([source])
    if len(found) != 1 or found[0].kind != "video":
        raise SourceError(f"{source} is no single film: name a camera's number, an address or a film to watch.")
    reader = stack.enter_context(VideoReader(found[0].path, fps=fps, track=track))
    name, shots = printable(found[0].name), _film(reader, realtime)
    if realtime:
        feed = _live(name, shots, None, stop, stack)
        return replace(feed, told=lambda seen: [*_left_out(name, feed.missed(), seen), *reader.warnings])
    return _Feed(name, _until(shots, stop), lambda: 0, lambda seen: reader.warnings)


def _film(reader: VideoReader, realtime: bool) -> Generator[Shot, None, None]:
    for frame in reader:
        yield Shot(frame.time, partial(np.asarray, frame.image), None if realtime else frame.duration)


def _until(shots: Generator[Shot, None, None], stop: Stop) -> Iterator[Shot]:
    with closing(shots):
        for shot in shots:
            if stop():
                return
            yield shot


def _live(
    name: str,
    shots: Generator[Shot, None, None],
    fps: float | None,
    stop: Stop,
    stack: ExitStack,
    *,
    paced: bool = True,
) -> _Feed:
    newest = stack.enter_context(Newest(shots, fps=fps, paced=paced))

    def told(seen: int) -> list[str]:
        ended = [f"{name} stopped sending; what came before was read."] if newest.ended and not stop() else []
        return [*ended, *_left_out(name, newest.missed, seen)]

    return _Feed(name, _newest(newest, stop), lambda: newest.missed, told)


def _newest(newest: Newest, stop: Stop) -> Iterator[Shot]:
    while not (stop() or newest.ended):
        shot = newest.take(_ASK)
        if shot is not None:
            yield shot


def _left_out(name: str, missed: int, seen: int) -> list[str]:
    if not missed:
        return []
    return [f"{missed} of {missed + seen} pictures of {name} were left out: they came faster than they can be read."]


def _mark(reading: Reading) -> Mark:
    return Mark(reading.box, person(None, "", reading.track), reading.label, reading.confidence, reading.usable)


def _named(timeline: Timeline, name: str) -> Timeline:
    """The timeline of a stream, called by its source."""
    columns = {**timeline.columns, "source": np.full(len(timeline), name, object)}
    return replace(timeline, columns=columns, looked=tuple(replace(one, source=name) for one in timeline.looked))
