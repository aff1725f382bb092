"""Faces to looks: crop, judge, and let the model read them in batches.

Of a video model these looks hold the frame's feature alone; :mod:`tronie.pipeline.clipwise` makes answers of them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face, Frame, Pixels
from tronie.core.labels import LabelSet
from tronie.faces.align import crop
from tronie.models.clip import ClipReader
from tronie.models.folder import mirrored, together
from tronie.pipeline.looks import Look
from tronie.pipeline.quality import quality
from tronie.pipeline.settings import Settings

Array = NDArray[np.float64]
_UNREAD = np.zeros(0)


class Model(Protocol):
    """What the chain needs of a model: ``predict`` takes ``(n, size, size, 3)`` uint8 RGB, gives ``(n, labels)``."""

    @property
    def name(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def labels(self) -> LabelSet: ...
    @property
    def size(self) -> int: ...
    def predict(self, crops: Pixels, /) -> Any: ...


def says_affect(model: Model) -> bool:
    """Whether the model says valence and arousal; one of single faces then has ``read`` beside ``predict``."""
    return bool(getattr(model, "affect", False))


def clip_reader(model: Model) -> ClipReader | None:
    """What reads stretches of frames in a video model, which then has ``features`` too; None for other models."""
    found: ClipReader | None = getattr(model, "clip", None)
    return found


class Reader:
    """Reads faces batch by batch; those that do not fill a batch wait for :meth:`flush`. Keeps crops, never frames.

    ``mirrored``: each face is read together with its mirror image, which costs twice as much and errs less. That is
    for photos; in a film the neighbouring frames do this work. To a video model a photo is a clip that stands still.
    """

    def __init__(self, model: Model, settings: Settings, *, mirrored: bool = False) -> None:
        self._model, self._settings, self._mirrored = model, settings, mirrored
        self._clipwise = clip_reader(model) is not None and not mirrored
        self._waiting: list[tuple[dict[str, Any], Pixels]] = []

    def take(self, frame: Frame, faces: list[Face]) -> list[Look]:
        """Take the faces of a frame; returns the looks of every batch that became full by it."""
        for face in faces:
            pixels = crop(frame.image, face, self._model.size)
            good = quality(face, pixels, frame.image.shape)
            x, y, w, h = (float(value) for value in face.box)
            seen = {
                "frame": frame.index,
                "time": float(frame.time),
                "duration": float(frame.duration),
                "track": face.track,
                "box": (x, y, w, h),
                "detection": float(face.score),
                "quality": good,
                "usable": good >= self._settings.usable,
            }
            self._waiting.append((seen, pixels))
        looks: list[Look] = []
        while len(self._waiting) >= self._settings.batch:
            looks += self._read(self._settings.batch)
        return looks

    def flush(self) -> list[Look]:
        """The looks of all faces that still wait."""
        return self._read(len(self._waiting)) if self._waiting else []

    def _read(self, count: int) -> list[Look]:
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        crops = np.stack([pixels for _, pixels in batch])
        if self._clipwise:
            found: Any = self._model.features(crops)  # type: ignore[attr-defined]  # see clip_reader
            return [Look(**seen, probabilities=_UNREAD, feature=f) for (seen, _), f in zip(batch, found, strict=True)]
        answers, affect = self._mirrored_too(crops) if self._mirrored else self._answered(crops)
        answers /= answers.sum(1, keepdims=True)  # float32 sums to one only nearly
        each = [None] * count if affect is None else affect
        return [
            Look(**seen, probabilities=row, affect=one)
            for (seen, _), row, one in zip(batch, answers, each, strict=True)
        ]

    def _answered(self, crops: Pixels) -> tuple[Array, Array | None]:
        """Probabilities ``(n, labels)``; valence and arousal ``(n, 2)`` if the model says them."""
        if not says_affect(self._model):
            return np.array(self._model.predict(crops), np.float64), None
        probability, affect = self._model.read(crops)  # type: ignore[attr-defined]  # see says_affect
        return np.array(probability, np.float64), np.array(affect, np.float64)

    def _mirrored_too(self, crops: Pixels) -> tuple[Array, Array | None]:
        """The same of faces and their mirror images together: see ``tronie.models.folder.both_ways``."""
        (p, a), (q, b) = self._answered(crops), self._answered(mirrored(crops))
        return together(p, q), None if a is None or b is None else (a + b) / 2
