"""Frames and faces: what moves through the practitioner's chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""``(H, W, 3)`` uint8 RGB."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture with its true time.

    ``time`` is in seconds from the start of the film (its own presentation time, never index / rate); ``duration``
    is the time until the next frame, 0 for a photo. ``index`` counts decoded frames from 0.
    """

    image: Pixels
    time: float = 0.0
    index: int = 0
    duration: float = 0.0


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    ``box`` is ``(x, y, width, height)`` in pixels of the frame and may reach over its edge. ``points`` is ``(5, 2)``:
    the eyes (left in the picture first), the nose tip, the mouth corners; None when the whole picture is the face.
    ``score`` and ``quality`` lie in [0, 1]. ``track`` is -1 before tracking.
    """

    box: tuple[float, float, float, float]
    score: float
    points: Floats | None = None
    track: int = -1
    quality: float = 1.0

    @property
    def size(self) -> float:
        """Face size in pixels: the shorter side of the box."""
        return min(self.box[2], self.box[3])
