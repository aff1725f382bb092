"""``tronie annotate``: a film or picture with what was read written into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tronie.core.atomic import replacing
from tronie.core.errors import OutputError, SettingError
from tronie.core.face import Frame, Pixels
from tronie.core.people import Names, who_is_who
from tronie.core.timeline import Timeline
from tronie.media.image import read_image
from tronie.media.sound import with_sound
from tronie.media.source import Source, expand
from tronie.media.video import VideoReader, probe
from tronie.media.write import ENDINGS, VideoWriter
from tronie.pipeline.analyser import Progress, Report, printable
from tronie.pipeline.find import Detector
from tronie.pipeline.reading import Model
from tronie.show.moving import Moving
from tronie.show.overlay import blur_faces, draw
from tronie.show.palette import Look, looks
from tronie.verbs.predict import predict

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
QUALITY = 20
"""x264's constant rate factor: losses that are hard to see, at about half the size of 18's."""


@dataclass(frozen=True)
class Annotated:
    """The file written, the timeline it shows, and what a person should know about it."""

    path: Path
    timeline: Timeline
    warnings: tuple[str, ...] = ()


def annotate(source: str | os.PathLike[str], out: str | Path, *, timeline: Timeline | None = None,
             model: str | Path | Model = "default", detector: str | Detector | None = None, fps: float | None = None,
             names: str | Path | None = None, seats: int | None = None,
             anonymise: bool = False, report: Report | None = None,
             stop: Callable[[], bool] | None = None) -> Annotated:  # fmt: skip
    """Draw box, person, expression shown and confidence at every face of one picture or film.

    A film becomes H.264 (yuv420p) in .mp4, .mov or .mkv: every frame keeps its own time, also at a changing rate,
    and the original sound is copied (or coded anew, with a warning, where the container cannot hold it). A picture
    becomes .png, .jpg or .webp. ``timeline`` is what to draw; without one the source is read first, with ``model``,
    ``detector`` and ``fps`` as in :func:`tronie.predict`. ``names`` (a table) and ``seats`` join and name tracks, see :mod:`tronie.core.people`. With ``anonymise`` faces
    are blurred beyond recovery and the labels stay; faces that were not found cannot be blurred, and the sound stays:
    look at the result before giving it away.

    ``report`` hears of progress (of reading, then of drawing); when ``stop`` says true, what is done is kept.
    Raises SourceError, SettingError (several sources, a timeline of something else), OutputError, ModelError.
    """
    out = Path(out)
    found = expand([source])
    if len(found) != 1:
        raise SettingError(f"{os.fspath(source)} holds {len(found)} files: annotate one picture or film at a time.")
    _check(found[0], out)
    if timeline is None:
        timeline = predict(source, model=model, detector=detector, fps=fps, report=report, stop=stop)
    shown, called = who_is_who(_of(timeline, found[0]), names=Path(names) if names else None, seats=seats)
    draws = _Drawing(shown, called, anonymise)
    write = _film if found[0].kind == "video" else _picture
    warnings = [*shown.warnings, *write(found[0], out, draws, report, stop)]
    if anonymise:
        warnings.append(_ADVICE)
    return Annotated(out, shown, tuple(dict.fromkeys(warnings)))


_ADVICE = "Faces that were not found are not blurred, and voices are not changed: check it before giving it away."


class _Drawing:
    """What to do with one frame."""

    def __init__(self, timeline: Timeline, names: Names, anonymise: bool) -> None:
        self._faces = Moving(timeline, names=names)
        self._looks: Mapping[str, Look] = looks(timeline.labels.names)
        self._anonymise = anonymise

    def frame(self, frame: Frame) -> Pixels:
        image = frame.image
        if self._anonymise:
            image = blur_faces(image, self._faces.hidden(frame.time))
        return draw(image, self._faces.at(frame.time), self._looks)


def _check(source: Source, out: Path) -> None:
    endings = ENDINGS if source.kind == "video" else PICTURES
    kind = "film" if source.kind == "video" else "picture"
    if out.suffix.lower() not in endings:
        raise SettingError(f"An annotated {kind} ends in {', '.join(endings)}; '{out.name}' does not. Rename it.")
    if out.exists() and out.samefile(source.path):
        raise OutputError(f"{out} is the {kind} itself: give the annotated one another name.")


def _of(timeline: Timeline, source: Source) -> Timeline:
    """The rows about this source: by its name, or by its file name where the table was made from another folder."""
    known = list(dict.fromkeys([*(one.source for one in timeline.looked), *timeline["source"].tolist()]))
    name = printable(source.name)
    same = [one for one in known if one == name] or [one for one in known if Path(one).name == source.path.name]
    if len(same) != 1:
        told = ", ".join(known[:3]) + (", …" if len(known) > 3 else "") or "nothing"
        raise SettingError(f"The table is about {told}, not about {name}: give the table of this file.")
    return timeline.select(source=same[0])


def _picture(source: Source, out: Path, draws: _Drawing, report: Report | None,
             stop: Callable[[], bool] | None) -> list[str]:  # fmt: skip
    image = Image.fromarray(draws.frame(Frame(read_image(source.path))))
    with replacing(out) as temporary:
        image.save(temporary, quality=92)
    return []


def _film(source: Source, out: Path, draws: _Drawing, report: Report | None,
          stop: Callable[[], bool] | None) -> list[str]:  # fmt: skip
    length = probe(source.path).duration or None
    warnings: list[str] = []
    until: float | None = None
    with replacing(out) as whole:
        pictures = whole.with_name(f".{whole.stem}.pictures{out.suffix}")
        try:
            with VideoReader(source.path) as reader, VideoWriter(pictures, quality=QUALITY) as writer:
                for frame in reader:
                    if frame.index and stop is not None and stop():  # one frame at least: a film without any is none
                        until = frame.time
                        warnings.append(f"{out.name} was stopped at {frame.time:.2f} s.")
                        break
                    writer.write(draws.frame(frame), frame.time)
                    if report is not None:
                        report(Progress(out.name, frame.time + frame.duration, length))
                warnings += reader.warnings
            warnings += with_sound(pictures, source.path, whole, until=until)
        finally:
            pictures.unlink(missing_ok=True)
    return warnings
