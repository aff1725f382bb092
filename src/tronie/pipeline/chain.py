"""The practitioner's chain: frames in, rows out, one grid cell of film at a time.

decode -> find (detect, track) -> read (align, judge, model) -> clips (of a video model) -> measure (against the person,
if asked to) -> smooth -> rows. Each stage is a generator over the one before it, so a film of any length needs the
memory of a few cells. Behind every cell the whole chain can be laid down as plain values and taken up again; the rows
are then those of the uninterrupted run, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from tronie import __version__
from tronie.core.errors import SettingError, TronieError
from tronie.core.face import Face, Frame
from tronie.core.timeline import Looked, Provenance, Timeline
from tronie.faces.detect import Detector
from tronie.models.info import SegmentFit
from tronie.pipeline.clipwise import Clips, Hear
from tronie.pipeline.find import Finder
from tronie.pipeline.looks import Look
from tronie.pipeline.person import Persons
from tronie.pipeline.reading import Model, Reader, clip_reader, says_affect
from tronie.pipeline.rows import to_timeline
from tronie.pipeline.settings import Settings
from tronie.pipeline.smooth import Smoother, spoken
from tronie.pipeline.watched import Watched
from tronie.pipeline.windows import cell_of, on_grid

Stop = Callable[[], bool]


class Resumable(Protocol):
    """Frames that know their place, as ``tronie.video.reader.VideoReader`` does."""

    def __iter__(self) -> Iterator[Frame]: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any], /) -> None: ...


def provenance(model: Model, settings: Settings) -> Provenance:
    """What a timeline says of its making. A segment calibration fitted with other settings does not hold: left out."""
    fit: SegmentFit | None = getattr(model, "segments", None)  # not every reader of faces was measured on films
    holds = fit is not None and fit.settings == settings.segmenting()
    reader = clip_reader(model)
    return Provenance(
        model.name,
        model.hash,
        settings.as_dict(),
        settings.hash,
        __version__,
        segments=fit.calibration if fit is not None and holds else None,
        clips=0 if reader is None else reader.info.looks,
        affect=says_affect(model),
    )


class Chain:
    """The chain for one film. Not to be shared between threads; its model and detector may be.

    ``hear`` is told of every window that a video model has read.
    """

    def __init__(
        self, model: Model, detector: Detector, settings: Settings, source: str = "film", hear: Hear | None = None
    ) -> None:
        self._model, self._settings, self._source = model, settings, source
        self._provenance = provenance(model, settings)
        self._finder = Finder(detector, settings)
        self._reader, self._persons = Reader(model, settings), Persons(model, settings)
        self._clips = Clips(model, settings, hear)
        self._smoother = Smoother(settings, spoken(model.labels))
        self._watched = Watched()
        self._position: dict[str, Any] | None = None  # where the film goes on behind the last closed cell
        self.stopped = False
        """Whether the last run was ended by its ``stop``."""

    def run(self, frames: Resumable | Iterable[Frame], stop: Stop | None = None) -> Iterator[Timeline]:
        """Rows as they become final: a (perhaps empty) timeline per grid cell, then the rest. Together: every row.

        After :meth:`restore`, ``frames`` must be the same film again. ``stop`` is asked before every frame; when it
        says true, the film ends there. If the film breaks with a TronieError, the rows up to there come first.
        """
        if self._position is not None:
            if not _resumable(frames):
                raise SettingError("These frames cannot go on from a position: restore with a film's own reader.")
            frames.restore(self._position)  # type: ignore[union-attr]  # just checked
        failure: TronieError | None = None
        try:
            for looks, clock in self._read(self._find(self._decode(frames, stop))):
                yield self._rows(looks, clock)
        except TronieError as error:
            failure = error
        yield self._rows([], math.inf)
        if failure is not None:
            raise failure

    @property
    def looked(self) -> Looked:
        """What was looked at so far."""
        return self._watched.looked(self._source, "video")

    def state(self) -> dict[str, Any]:
        """Plain values (JSON) from which :meth:`restore` goes on. Take them between two timelines of :meth:`run`."""
        return {
            "model": self._model.hash,
            "settings": self._settings.hash,
            "version": __version__,
            "position": self._position,
            "finder": self._finder.state(),
            "clips": self._clips.state(),
            "persons": self._persons.state(),
            "smoother": self._smoother.state(),
            "watched": self._watched.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave. Raises SettingError if model, settings or version are not the same."""
        ours = {"model": self._model.hash, "settings": self._settings.hash, "version": __version__}
        for name, value in ours.items():
            if state[name] != value:
                raise SettingError(f"The saved state was made with {name} {state[name]}, not {value}: start again.")
        self._position = state["position"]
        self._finder.restore(state["finder"])
        self._clips.restore(state["clips"])
        self._persons.restore(state["persons"])
        self._smoother.restore(state["smoother"])
        self._watched.restore(state["watched"])

    def _rows(self, looks: list[Look], clock: float) -> Timeline:
        """What can be said for good, now that all looks before ``clock`` are here, these being the last of them."""
        ready, clock = self._clips.take(looks, clock)
        self._smoother.add(self._persons.measure(ready))
        return to_timeline(self._smoother.settle(clock), self._source, self._model.labels, self._provenance)

    def _decode(self, frames: Resumable | Iterable[Frame], stop: Stop | None) -> Iterator[tuple[Frame, bool]]:
        mark = frames.state if _resumable(frames) else lambda: None  # type: ignore[union-attr]
        for frame, last, position in on_grid(frames, self._settings.cell, mark):
            if stop is not None and stop():
                self.stopped = True
                return
            if last:
                self._position = position
            yield frame, last

    def _find(self, frames: Iterable[tuple[Frame, bool]]) -> Iterator[tuple[Frame, list[Face], bool]]:
        for frame, last in frames:
            faces = self._finder.step(frame)
            self._watched.note(frame.time, frame.duration, len(faces))
            yield frame, faces, last

    def _read(self, found: Iterable[tuple[Frame, list[Face], bool]]) -> Iterator[tuple[list[Look], float]]:
        looks: list[Look] = []
        for frame, faces, last in found:
            looks += self._reader.take(frame, faces)
            if last:
                clock = (cell_of(frame.time, self._settings.cell) + 1) * self._settings.cell
                yield looks + self._reader.flush(), clock
                looks = []
        if rest := looks + self._reader.flush():  # stopped within a cell
            yield rest, rest[-1].time


def _resumable(frames: object) -> bool:
    return hasattr(frames, "state") and hasattr(frames, "restore")
