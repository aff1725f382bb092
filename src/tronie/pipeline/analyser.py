"""The warm heart of prediction: a model and a detector, loaded once, for pictures, films and streams."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError, TronieError
from tronie.core.face import Face, Frame, Pixels
from tronie.core.labels import LabelSet
from tronie.core.stamp import is_same, stamp_of
from tronie.core.timeline import Looked, Provenance, Timeline
from tronie.faces.detect import Detector, make_detector
from tronie.models.catalog import load_model
from tronie.pipeline.chain import Chain, provenance
from tronie.pipeline.live import Reading
from tronie.pipeline.person import expected_of
from tronie.pipeline.reading import Model, Reader
from tronie.pipeline.rows import to_timeline
from tronie.pipeline.settings import Settings
from tronie.pipeline.smooth import Smoother
from tronie.pipeline.stream import Stream, check_picture
from tronie.video.animation import moves
from tronie.video.clock import is_hole
from tronie.video.image import read_pages
from tronie.video.reader import VideoReader
from tronie.video.sources import Source, expand


@dataclass(frozen=True)
class Progress:
    """How far the work has come.

    ``done`` and ``length`` are seconds of this source's film (None: not known); ``place`` from 0 and ``count`` say
    which of how many sources it is. ``share`` of all the work is done, from 0 to 1; None where only these say it.
    """

    source: str
    done: float = 0.0
    length: float | None = None
    place: int = 0
    count: int = 1
    share: float | None = None


Report = Callable[[Progress], None]

PHOTO = "Photos are read as they are: a person's own neutral is learnt from a film of them (baseline 'person')."
"""What a photo's timeline warns of where films are measured against the person."""
MOVES = "The picture given as bytes is animated, and its first frame was read: save it as a file to read it as a film."


class Analyser:
    """Reads expressions with one model and one detector. Silent: prints nothing, writes nothing.

    ``model`` is a name, a model folder or a loaded model; ``detector`` a name in ``DETECTORS`` or an object with
    ``detect`` and ``near``. An Analyser serves one stream: threads that push to it wait for one another, and a frame
    whose time is not later than the last one's is refused, so none is lost unseen. Models and detectors hold no state
    between calls, so several Analysers in several threads may share them. Raises ModelError, SettingError.
    """

    def __init__(
        self,
        model: str | Path | Model = "default",
        *,
        detector: str | Detector | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        if isinstance(detector, str):
            self.settings = replace(self.settings, detector=detector)
        elif detector is not None:
            self.settings = replace(self.settings, detector=type(detector).__name__)
        loaded = load_model(model, provider=self.settings.provider) if isinstance(model, (str, Path)) else model
        self.model: Model = loaded
        if self.settings.baseline == "person":
            expected_of(loaded)  # a model that lacks it is better refused before the work
        chosen = detector if detector is not None and not isinstance(detector, str) else None
        self.detector: Detector = chosen or make_detector(self.settings.detector, self.settings.provider)
        self._stream: Stream | None = None
        self._pushing = threading.Lock()

    @property
    def labels(self) -> LabelSet:
        """The model's labels."""
        return self.model.labels

    @property
    def provenance(self) -> Provenance:
        """What its timelines say of their making."""
        return provenance(self.model, self.settings)

    def push(self, image: Pixels, time: float, duration: float | None = None) -> list[Reading]:
        """Answer one frame ``(H, W, 3)`` uint8 RGB of a stream at ``time`` seconds: one Reading per face, at once.

        ``duration`` is for how many seconds the frame counts as seen, where that is known; None: until the next one,
        but not through a stretch without pictures. Times must rise. Raises SourceError for a wrong array, SettingError
        for a time that does not rise and for a negative duration.
        """
        with self._pushing:
            if self._stream is None:
                self._stream = Stream(self.model, self.detector, self.settings)
            return self._stream.push(image, time, duration)

    def finish(self) -> Timeline:
        """End the stream: all its rows, smoothed with what followed. The next ``push`` begins a new one."""
        with self._pushing:
            stream = self._stream or Stream(self.model, self.detector, self.settings)
            self._stream = None
            return stream.finish()

    def analyse(
        self,
        source: Source | str | os.PathLike[str] | bytes | Pixels,
        *,
        times: Sequence[float] | NDArray[np.float64] | None = None,
        name: str | None = None,
        report: Report | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Timeline:
        """One picture or film, start to end. Does not touch the stream of ``push``.

        ``source`` is a path, the bytes of a picture, a picture ``(H, W, 3)`` or a film ``(T, H, W, 3)`` as uint8 RGB;
        ``times`` (T,) are the film's seconds (without them ``settings.fps`` is its rate). ``name`` is what the
        timeline calls it. ``report`` hears of progress; ``stop`` is asked between frames and ends the work early.
        A film that breaks after it has given frames keeps its rows and gets a warning. Raises SourceError.
        """
        if isinstance(source, np.ndarray):
            if source.ndim == 4:
                return self._film(_frames(source, times, self.settings.fps), name or "array", None, report, stop)
            check_picture(source)
            return self._picture(source, name or "array")
        if isinstance(source, bytes):
            timeline = self._pages(read_pages(source), name or "bytes")
            return replace(timeline, warnings=(*timeline.warnings, *([MOVES] if moves(source) else [])))
        if not isinstance(source, Source):
            found = expand([source])
            if len(found) != 1:
                raise SourceError(f"{source} holds {len(found)} files: use tronie.predict for several.")
            source = found[0]
        title = name or printable(source.name)
        if source.kind == "image":
            return self._pages(read_pages(source.path), title)
        stamp = stamp_of(source.path)
        with VideoReader(source.path, fps=self.settings.fps, track=self.settings.video_track) as reader:
            timeline = self._film(reader, title, reader.length or None, report, stop)
            told = [*timeline.warnings, *reader.warnings]
        if source.path.exists() and not is_same(source.path, stamp):
            told.append(f"{title} was changed or replaced while it was read: read it again.")
        return replace(timeline, warnings=tuple(told))

    def _pages(self, pages: Iterable[Pixels], name: str) -> Timeline:
        """Every page as a photo of its own: ``frame`` is its number from 0, and nobody is the same on two pages."""
        parts: list[Timeline] = []
        for page in pages:
            parts.append(self._picture(page, name, len(parts), sum(map(len, parts))))
        looked = Looked(name, "image", len(parts), 0.0, 0.0, () if any(map(len, parts)) else ((0.0, 0.0),))
        return replace(Timeline.concat(parts), looked=(looked,))

    def _picture(self, image: Pixels, name: str, page: int = 0, track: int = 0) -> Timeline:
        """One photo; people are numbered from ``track`` on."""
        frame = Frame(image, index=page)
        faces = [replace(face, track=i) for i, face in enumerate(reading_order(self.detector.detect(image)), track)]
        reader, smoother = Reader(self.model, self.settings, mirrored=True), Smoother(self.settings)
        smoother.add(reader.take(frame, faces) + reader.flush())
        timeline = to_timeline(smoother.settle(np.inf), name, self.labels, self.provenance)
        looked = Looked(name, "image", 1, 0.0, 0.0, () if faces else ((0.0, 0.0),))
        return replace(timeline, looked=(looked,), warnings=() if self.settings.baseline == "model" else (PHOTO,))

    def _film(
        self,
        frames: Iterable[Frame],
        name: str,
        length: float | None,
        report: Report | None,
        stop: Callable[[], bool] | None,
    ) -> Timeline:
        chain = Chain(self.model, self.detector, self.settings, name)
        parts, warnings = [], []
        try:
            for part in chain.run(frames, stop):
                parts.append(part)
                if report is not None:
                    report(Progress(name, chain.looked.end, length))
        except TronieError as error:
            if not chain.looked.frames:
                raise
            warnings.append(f"{name} was read up to {chain.looked.end:.2f} s only: {error}")
        if chain.stopped:
            warnings.append(f"{name} was stopped at {chain.looked.end:.2f} s.")
        timeline = Timeline.concat(parts)
        return replace(timeline, looked=(chain.looked,), warnings=tuple(warnings))


def reading_order(faces: list[Face]) -> list[Face]:
    """Faces of one picture row by row from the top, each row from the left, so that person 0 is easy to find."""
    rest = sorted(faces, key=lambda face: face.box[1] + face.box[3] / 2)
    ordered: list[Face] = []
    while rest:
        _, y, _, h = rest[0].box
        row = [face for face in rest if face.box[1] + face.box[3] / 2 <= y + h]
        ordered += sorted(row, key=lambda face: face.box[0] + face.box[2] / 2)
        rest = [face for face in rest if all(face is not one for one in row)]
    return ordered


def printable(name: str) -> str:
    """A file name as text that any table can hold: bytes that are no UTF-8 become escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _frames(film: Pixels, times: Sequence[float] | NDArray[np.float64] | None, fps: float | None) -> Iterable[Frame]:
    """Frames of an array ``(T, H, W, 3)``; the last, and one before a hole, lasts as long as the one before it."""
    check_picture(film[0] if len(film) else film)
    if times is None and fps is None:
        raise SettingError("An array of frames has no times: give times= (one per frame, in seconds) or fps=.")
    at = np.arange(len(film)) / fps if times is None and fps else np.asarray(times, np.float64)
    if at.shape != (len(film),) or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise SettingError(f"times must be {len(film)} rising numbers of seconds, one per frame.")
    lasts = np.append(np.diff(at), np.inf) if len(at) > 1 else np.array([1 / fps if fps else 0.0])
    for i in range(1, len(lasts)):
        if is_hole(lasts[i], lasts[i - 1]):
            lasts[i] = lasts[i - 1]
    return [
        Frame(image, float(time), i, float(last))
        for i, (image, time, last) in enumerate(zip(film, at, lasts, strict=True))
    ]
