"""The chain for frames that come one at a time and want an answer at once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Frame, Pixels
from tronie.core.timeline import Timeline
from tronie.faces.detect import Detector
from tronie.pipeline.chain import provenance
from tronie.pipeline.clipwise import Clips, Trailing
from tronie.pipeline.find import Finder
from tronie.pipeline.live import Live, Reading
from tronie.pipeline.looks import Look
from tronie.pipeline.person import Persons
from tronie.pipeline.reading import Model, Reader
from tronie.pipeline.rows import to_timeline
from tronie.pipeline.settings import Settings
from tronie.pipeline.smooth import Smoother, spoken
from tronie.pipeline.watched import Watched
from tronie.pipeline.windows import cell_of
from tronie.video.clock import is_hole


class Stream:
    """One stream of frames. Not to be shared between threads; its model and detector may be."""

    def __init__(self, model: Model, detector: Detector, settings: Settings, source: str = "stream") -> None:
        self._model, self._settings, self._source = model, settings, source
        self._provenance = provenance(model, settings)
        self._finder, self._reader = Finder(detector, settings), Reader(model, settings)
        self._persons = Persons(model, settings)
        self._clips, self._trailing = Clips(model, settings), Trailing(model, settings)
        self._live, self._smoother = Live(model.labels, settings), Smoother(settings, spoken(model.labels))
        self._watched = Watched()
        self._frames = 0
        # The last frame: its time, its looks, and its duration, which is mostly known only when the next one comes.
        self._held: tuple[float, list[Look], float | None] | None = None
        self._step = 0.0
        self._parts: list[Timeline] = []

    def push(self, image: Pixels, time: float, duration: float | None = None) -> list[Reading]:
        """Answer one frame ``(H, W, 3)`` uint8 RGB at ``time`` seconds, from it and what came before.

        ``duration`` is for how many seconds it counts as seen; None: until the next one, but not through a hole.
        Raises SourceError for another shape or type, SettingError for a time that is not later than the last and for a
        negative duration.
        """
        check_picture(image)
        if not math.isfinite(time) or (self._held is not None and time <= self._held[0]):
            raise SettingError(
                f"A frame at {time} s cannot follow one at {self._held[0] if self._held else '-'} s: "
                "push frames in order of time."
            )
        if duration is not None and not 0 <= duration < math.inf:
            raise SettingError(f"A frame that lasts {duration} s is none: give 0 or more, or leave it out.")
        self._release(time)
        frame = Frame(image, time, self._frames)
        faces = self._finder.step(frame)
        looks = self._reader.take(frame, faces) + self._reader.flush()
        if not self._clips.on:
            looks = self._persons.measure(looks)
        self._frames += 1
        self._held = (time, looks, duration)
        return self._live.answer(self._trailing.read(looks, time), time)

    def finish(self) -> Timeline:
        """Every row of the stream, smoothed with what followed.

        A last frame whose duration is not known lasts as long as the one before it.
        """
        if self._held is not None:
            start, _, duration = self._held
            self._release(start + (self._step if duration is None else duration))
        self._parts.append(self._rows([], math.inf))
        looked = (self._watched.looked(self._source, "video"),) if self._frames else ()
        return replace(Timeline.concat(self._parts), looked=looked)

    def _release(self, time: float) -> None:
        """Hand on the held frame, which lasts until ``time`` at most; before a hole as long as the frame before it."""
        if self._held is None:
            return
        start, looks, duration = self._held
        if duration is not None:
            self._step = min(duration, time - start)
        elif not (self._step and is_hole(time - start, self._step)):
            self._step = time - start
        lasting = [replace(look, duration=self._step) for look in looks]
        self._watched.note(start, self._step, len(looks))
        if cell_of(start, self._settings.cell) != cell_of(time, self._settings.cell):
            self._parts.append(self._rows(lasting, time))
        else:
            self._take(lasting, time)

    def _take(self, looks: list[Look], clock: float) -> float:
        """Hand looks to the smoother, those of a video model when their clips are read; up to when all are there."""
        ready, clock = self._clips.take(looks, clock)
        self._smoother.add(self._persons.measure(ready) if self._clips.on else ready)
        return clock

    def _rows(self, looks: list[Look], clock: float) -> Timeline:
        clock = self._take(looks, clock)
        return to_timeline(self._smoother.settle(clock), self._source, self._model.labels, self._provenance)


def check_picture(image: object) -> None:
    """Raises SourceError unless ``image`` is an ``(H, W, 3)`` uint8 array."""
    if not isinstance(image, np.ndarray):
        raise SourceError(f"A picture is an array (height, width, 3) of uint8 RGB, not {type(image).__name__}.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise SourceError(f"A picture is an array (height, width, 3) of uint8 RGB, not {image.shape} of {image.dtype}.")
