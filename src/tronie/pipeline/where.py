"""``tronie plot --where``: where a video model looked closely, beside the face it looked at (extra 'plot')."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tronie.clips.views import resize
from tronie.core.atomic import ensure_writable
from tronie.core.errors import SettingError
from tronie.core.face import Pixels
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES
from tronie.faces.detect import Detector
from tronie.output.paper import checked, needed, telling_letters
from tronie.output.where import Close, plot_where
from tronie.pipeline.analyser import Analyser, Progress, Report, printable
from tronie.pipeline.chain import Chain
from tronie.pipeline.clipwise import Window
from tronie.pipeline.predict import settings_with
from tronie.pipeline.reading import Model, clip_reader
from tronie.pipeline.tables import Made
from tronie.video.reader import VideoReader, probe
from tronie.video.sources import expand

_FACES = 12  # in the strip
_SIDE = 112  # of each, pixels


def where(
    film: str | Path,
    out: str | Path,
    *,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    track: int | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Made:
    """Read a film with a video model and draw, for one person, which moments each look at it saw closely.

    ``model`` is one of the method RDFER; ``track`` the person (default: the one seen longest). ``out`` is a .png, .pdf
    or .svg with faces of the film in it. Raises SettingError (another model, no film), SourceError, ModelError,
    OutputError, MissingExtraError.
    """
    needed()
    ensure_writable(checked(out))
    path = _film(film)
    analyser = Analyser(model, detector=detector, settings=settings_with(None, fps, provider, video_track=video_track))
    reader = clip_reader(analyser.model)
    if reader is None or not reader.info.each:
        raise SettingError(
            f"Model '{analyser.model.name}' does not choose moments to look at closely: give a video "
            "model of the method rdfer."
        )
    heard: list[Window] = []
    timeline = _read(path, analyser, heard, report, stop)
    chosen = _track(timeline, track)
    mine, name = timeline.select(track=chosen), printable(path.name)
    names = analyser.labels.names
    close = [
        Close(
            w.number,
            w.start,
            w.end,
            w.heard.where.reshape(len(w.heard.says), -1, reader.info.each),
            tuple(names[i] for i in w.heard.says),
        )
        for w in heard
        if w.track == chosen and w.heard.where is not None
    ]
    reach = math.ceil(reader.info.window / reader.info.hop - 1e-9)
    title = f"{name}: where the looks at person {chosen} were close"
    with telling_letters(out) as told:
        made = plot_where(mine, close, _strip(path, mine, fps, video_track), out, title=title, reach=reach)
    return Made(made, timeline, (*timeline.warnings, *told))


def _film(given: str | Path) -> Path:
    if not isinstance(given, (str, Path)) or Path(given).suffix.lower() in SUFFIXES:
        raise SettingError(f"{given} is a table, which has no pictures: give the film itself.")
    found = expand([given])
    if len(found) != 1 or found[0].kind != "video":
        raise SettingError(f"{given} is no single film: looks at moments need one.")
    return found[0].path


def _read(
    path: Path, analyser: Analyser, heard: list[Window], report: Report | None, stop: Callable[[], bool] | None
) -> Timeline:
    chain = Chain(analyser.model, analyser.detector, analyser.settings, printable(path.name), heard.append)
    track = analyser.settings.video_track
    length, parts = probe(path, track=track).duration or None, []
    with VideoReader(path, fps=analyser.settings.fps, track=track) as frames:
        for part in chain.run(frames, stop):
            parts.append(part)
            if report is not None:
                report(Progress(chain.looked.source, chain.looked.end, length))
        return replace(Timeline.concat(parts), looked=(chain.looked,), warnings=tuple(frames.warnings))


def _track(timeline: Timeline, asked: int | None) -> int:
    """The track asked for, or the one with most rows. Raises SettingError where there is none."""
    tracks, rows = np.unique(timeline["track"], return_counts=True)
    if not len(tracks):
        raise SettingError("No face was found in this film: there is nothing to look at.")
    if asked is None:
        return int(tracks[rows.argmax()])
    if asked not in tracks:
        raise SettingError(f"There is no track {asked} in this film; there are {', '.join(map(str, tracks))}.")
    return asked


def _strip(path: Path, timeline: Timeline, fps: float | None, track: int | None) -> Sequence[tuple[float, Pixels]]:
    """Faces ``(s, s, 3)`` of one track with their times, evenly spread over the film where it was seen."""
    end = max(one.end for one in timeline.looked)
    places = (np.arange(_FACES) + 0.5) * end / _FACES
    near = [int(np.abs(timeline["time"] - place).argmin()) for place in places]
    rows = {
        int(timeline["frame"][i]): i
        for i, place in zip(near, places, strict=True)
        if abs(timeline["time"][i] - place) <= end / _FACES
    }
    found: list[tuple[float, Pixels]] = []
    with VideoReader(path, fps=fps, track=track) as frames:
        for frame in frames:
            if frame.index in rows:
                row = rows.pop(frame.index)
                found.append((frame.time, _square(frame.image, [float(timeline[n][row]) for n in _BOX])))
            if not rows:
                break
    return found


_BOX = ("x", "y", "width", "height")


def _square(image: Pixels, box: Sequence[float]) -> Pixels:
    """The face with a little around it, held within the picture."""
    x, y, w, h = box
    side = int(min(1.3 * max(w, h), *image.shape[:2]))
    left = int(np.clip(x + w / 2 - side / 2, 0, image.shape[1] - side))
    top = int(np.clip(y + h / 2 - side / 2, 0, image.shape[0] - side))
    return resize(np.ascontiguousarray(image[top : top + side, left : left + side]), _SIDE)
