"""Faces in a film: search the whole frame now and then, follow what is known in between."""

from __future__ import annotations

from typing import Any

import numpy as np

from tronie.core.face import Face, Frame
from tronie.faces.detect import Detector
from tronie.faces.track import Tracker
from tronie.pipeline.settings import Settings
from tronie.pipeline.windows import cell_of


class Finder:
    """Finds and follows faces frame by frame.

    The whole frame is searched once in every ``settings.scan`` seconds of film, when the camera cuts, and whenever a
    known face is lost.
    """

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._detector, self._settings = detector, settings
        self._tracker = Tracker()
        self._known: list[Face] = []
        self._scanned: int | None = None  # cell of the scan grid in which the whole frame was last searched

    def step(self, frame: Frame) -> list[Face]:
        """The faces of a frame, each with its track."""
        cell = cell_of(frame.time, self._settings.scan)
        if cell != self._scanned or self._tracker.cuts(frame):
            faces = self._detector.detect(frame.image)
            self._scanned = cell
        else:
            faces = self._detector.near(frame.image, self._known) if self._known else []
            if len(faces) < len(self._known):
                faces = self._detector.detect(frame.image)
        self._known = self._tracker.update(frame, faces)
        return self._known

    def state(self) -> dict[str, Any]:
        """Plain values from which :meth:`restore` goes on exactly."""
        return {
            "known": [_face_state(face) for face in self._known],
            "scanned": self._scanned,
            "tracker": self._tracker.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self._known = [_face(face) for face in state["known"]]
        self._scanned = state["scanned"]
        self._tracker.restore(state["tracker"])


def _face_state(face: Face) -> list[Any]:
    points = None if face.points is None else face.points.tolist()
    return [list(face.box), face.score, points, face.track, face.quality]


def _face(state: list[Any]) -> Face:
    (x, y, w, h), score, points, track, quality = state
    return Face((x, y, w, h), score, None if points is None else np.array(points, np.float32), track, quality)
