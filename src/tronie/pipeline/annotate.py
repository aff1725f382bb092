"""``tronie annotate``: a film or picture with what was read written into it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from tronie.core.atomic import ensure_writable, replacing
from tronie.core.errors import OutputError, SettingError
from tronie.core.face import Frame, Pixels
from tronie.core.people import Names
from tronie.core.timeline import Timeline
from tronie.faces.detect import Detector
from tronie.output.canvas import Canvas
from tronie.output.moving import Moving
from tronie.output.overlay import blur_faces, draw
from tronie.output.palette import Look, looks
from tronie.pipeline.analyser import Progress, Report
from tronie.pipeline.reading import Model
from tronie.pipeline.survey import Survey, survey
from tronie.pipeline.tables import Given, Made, about, shown
from tronie.video.audio import with_sound
from tronie.video.image import count_pages, read_pages
from tronie.video.reader import VideoReader, probe
from tronie.video.sources import Source, expand
from tronie.video.write import ENDINGS, VideoWriter

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
PAGES = (".tif", ".tiff")
"""Pictures that may hold several pages."""
QUALITY = 20
"""x264's constant rate factor: losses that are hard to see, at about half the size of 18's."""


def annotate(
    source: str | os.PathLike[str],
    out: str | Path,
    *,
    timeline: Given | None = None,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    names: str | Path | None = None,
    seats: int | None = None,
    anonymise: bool = False,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Made:
    """Draw box, person, expression shown and confidence at every face of one picture or film.

    A film or animated picture becomes H.264 (yuv420p) in .mp4, .mov or .mkv: every frame keeps its own time, also at a
    changing rate and where the picture begins later than the sound, so that the new film has the length and the clock
    of the original. The original sound is copied (or coded anew, with a warning, where the container cannot hold it). A
    picture becomes .png, .jpg, .webp or .tif, one of several pages .tif. ``timeline`` (or its file) is what to draw;
    without one the source is read first, with ``model``, ``detector`` and ``fps`` as in :func:`tronie.predict`.
    ``video_track`` is the picture track (None: the one that players show); of a ``timeline`` that says which one it was
    read from, that one is drawn on. ``names`` (a table) and ``seats`` join and name tracks, see
    :mod:`tronie.core.people`.

    With ``anonymise`` faces are blurred beyond recovery and the labels stay. What lies after the last look is left out,
    and a shot between two looks is blurred as a whole. Faces that were not found cannot be blurred, and the sound
    stays: check the result before giving it away.

    ``report`` hears of progress (of reading, then of drawing); when ``stop`` says true, what is done is kept.
    Raises SourceError, SettingError (several sources, a timeline of something else), OutputError, ModelError.
    """
    out = Path(out)
    found = expand([source])
    if len(found) != 1:
        raise SettingError(f"{os.fspath(source)} holds {len(found)} files: annotate one picture or film at a time.")
    _check(found[0], out)
    read = shown(
        source if timeline is None else timeline,
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
    rows = about(read.timeline, found[0])
    drawing = _Drawing(rows, read.names, anonymise)
    if found[0].kind == "video":
        told = _film(found[0], out, drawing, _track_of(rows, video_track), report, stop)
    else:
        told = _picture(found[0], out, drawing)
    warnings = [*rows.warnings, *told]
    if anonymise:
        warnings.append(_ADVICE)
    return Made(out, rows, tuple(dict.fromkeys(warnings)))


_ADVICE = "Faces that were not found are not blurred, and voices are not changed: check it before giving it away."


_BLIND = "Shots of {1} that are blurred as a whole, as no picture of them was looked at: {0}. Look more often (--fps)."


class _Drawing:
    """What to do with one frame: of any film, or of the one that was surveyed."""

    def __init__(self, timeline: Timeline, names: Names, anonymise: bool, found: Survey | None = None) -> None:
        self._timeline, self._names, self.anonymise = timeline, names, anonymise
        self.canvas = Canvas(found.sizes) if found is not None and len(found.sizes) > 1 else None
        rows = self.canvas.moved(timeline) if self.canvas is not None else timeline
        self._faces = Moving(rows, names=names, cuts=found.cuts if found is not None else ())
        self._blind = found.blind if found is not None else frozenset[int]()
        self._looks: Mapping[str, Look] = looks(timeline.labels.names)
        # No face may come through from where nobody looked.
        self.until = max((one.end for one in timeline.looked), default=0.0) if anonymise else math.inf

    @property
    def fps(self) -> float | None:
        """How many frames a second were looked at; None for every one."""
        fps = self._timeline.provenance.settings.get("fps")
        return float(fps) if isinstance(fps, (int, float)) and 0 < fps < math.inf else None

    def over(self, found: Survey | None) -> _Drawing:
        """The same for a film of which this is known."""
        return _Drawing(self._timeline, self._names, self.anonymise, found)

    def on_page(self, page: int) -> _Drawing:
        """The same for the faces of one page of a picture."""
        there = self._timeline["frame"] == page
        columns = {name: column[there] for name, column in self._timeline.columns.items()}
        return _Drawing(replace(self._timeline, columns=columns), self._names, self.anonymise)

    def frame(self, frame: Frame) -> Pixels:
        image = frame.image if self.canvas is None else self.canvas.place(frame.image)
        if self.anonymise:
            blind = self._faces.shot(frame.time) in self._blind
            whole = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
            image = blur_faces(image, [whole] if blind else self._faces.hidden(frame.time))
        return draw(image, self._faces.at(frame.time), self._looks)


def _track_of(timeline: Timeline, otherwise: int | None) -> int | None:
    """The picture track that a timeline was read from; ``otherwise`` where it does not say so."""
    track = timeline.provenance.settings.get("video_track")
    return track if isinstance(track, int) and track >= 0 else otherwise


def _check(source: Source, out: Path) -> None:
    endings = ENDINGS if source.kind == "video" else PICTURES
    kind = "film" if source.kind == "video" else "picture"
    if out.suffix.lower() not in endings:
        raise SettingError(f"An annotated {kind} ends in {', '.join(endings)}; '{out.name}' does not. Rename it.")
    if source.kind == "image" and out.suffix.lower() not in PAGES and (pages := count_pages(source.path)) > 1:
        raise SettingError(f"{source.path} holds {pages} pages: give the annotated one a name that ends in .tif.")
    if out.exists() and out.samefile(source.path):
        raise OutputError(f"{out} is the {kind} itself: give the annotated one another name.")
    ensure_writable(out)


def _picture(source: Source, out: Path, draws: _Drawing) -> list[str]:
    drawn = [
        Image.fromarray(draws.on_page(page).frame(Frame(image))) for page, image in enumerate(read_pages(source.path))
    ]
    with replacing(out) as temporary:
        options: Any = {"subsampling": 0} if out.suffix.lower() in (".jpg", ".jpeg") else {}
        if len(drawn) > 1:
            options = {"save_all": True, "append_images": drawn[1:]}
        drawn[0].save(temporary, quality=92, **options)  # full colour resolution: thin lines keep their colour
    return []


class _OtherSize(Exception):
    """A film's pictures are not all of the first one's size."""


def _film(
    source: Source,
    out: Path,
    draws: _Drawing,
    track: int | None,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> list[str]:
    """Draw a film. It is gone through beforehand where that is needed: for its cuts, or as its pictures change size."""
    length = probe(source.path, track=track).duration or None

    def heard(name: str, seconds: float) -> None:
        if report is not None:
            report(Progress(name, seconds, length))

    def surveyed() -> Survey:
        return survey(source.path, track, draws.fps, partial(heard, f"{out.name}: cuts"), stop or (lambda: False))

    found = surveyed() if draws.anonymise else None
    told = [_BLIND.format(len(found.blind), source.name)] if found is not None and found.blind else []
    try:
        return told + _drawn(source, out, draws.over(found), track, partial(heard, out.name), stop)
    except _OtherSize:
        return _drawn(source, out, draws.over(surveyed()), track, partial(heard, out.name), stop)


def _drawn(
    source: Source,
    out: Path,
    draws: _Drawing,
    track: int | None,
    heard: Callable[[float], None],
    stop: Callable[[], bool] | None,
) -> list[str]:
    warnings: list[str] = []
    until: float | None = None
    with replacing(out) as whole:
        pictures = whole.with_name(f".{whole.stem}.pictures{out.suffix}")
        try:
            with (
                VideoReader(source.path, track=track) as reader,
                VideoWriter(pictures, quality=QUALITY, called=out) as writer,
            ):
                size: tuple[int, ...] | None = None
                for frame in reader:
                    if frame.time > draws.until - 1e-6:
                        until = frame.time
                        warnings.append(f"{out.name} ends at {frame.time:.2f} s: faces were not looked for after that.")
                        break
                    if frame.index and stop is not None and stop():  # one frame at least: a film without any is none
                        until = frame.time
                        warnings.append(f"{out.name} was stopped at {frame.time:.2f} s.")
                        break
                    image = draws.frame(frame)
                    if size not in (None, image.shape):
                        raise _OtherSize
                    size = image.shape
                    writer.write(image, frame.time)
                    heard(frame.time + frame.duration)
                else:
                    writer.end = reader.end
                warnings += reader.warnings
            warnings += with_sound(pictures, source.path, whole, until=until, called=out)
        finally:
            pictures.unlink(missing_ok=True)
    return warnings
