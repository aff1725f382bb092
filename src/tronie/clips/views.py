"""How a clip is cut from a video: the same description serves training, evaluation and prediction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tronie.core.face import Pixels


@dataclass(frozen=True)
class View:
    """One way to look at a sample.

    ``size`` is the side of the square crop in pixels, ``frames`` the length of the clip (1: a photo), ``augment``
    whether pixels are varied (training only), ``mirror`` whether the clip is the mirror image of the view before it.
    """

    size: int = 112
    frames: int = 1
    augment: bool = False
    mirror: bool = False


def resize(face: Pixels, size: int) -> Pixels:
    """An aligned face as ``(size, size, 3)``, unchanged where it is that size already."""
    if face.shape[0] == size:
        return face
    return np.asarray(cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
