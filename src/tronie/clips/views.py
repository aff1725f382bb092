"""How a clip is cut from a video: the same description serves training, evaluation and prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from tronie.core.face import Pixels

Kind = Literal["pixels", "points", "features"]
"""What a clip is made of: faces, tracked points, or what an encoder answered to each frame."""


@dataclass(frozen=True)
class View:
    """One way to look at a sample.

    ``size`` is the side of the square crop in pixels, ``frames`` the length T of the clip (1: a photo), ``augment``
    whether the clip is varied (training only), ``mirror`` whether it is the mirror image of the view before it.
    ``kind`` is what the clip is made of: pixels ``(T, 3, size, size)`` uint8, points ``(T, P, 2)`` float32 or features
    ``(T, D)`` float32. ``jitter``: frames at random places, one in each of T equal parts, instead of evenly spaced.
    """

    size: int = 112
    frames: int = 1
    augment: bool = False
    mirror: bool = False
    kind: Kind = "pixels"
    jitter: bool = False

    @property
    def varied(self) -> bool:
        """Whether chance has a say in it, as in training."""
        return self.augment or self.jitter


def resize(face: Pixels, size: int) -> Pixels:
    """An aligned face as ``(size, size, 3)``, unchanged where it is that size already."""
    if face.shape[0] == size:
        return face
    return np.asarray(cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
