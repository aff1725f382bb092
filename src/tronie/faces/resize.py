"""Change the size of a picture fast, without skipping pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from tronie.core.face import Pixels


def halvings(scale: float) -> int:
    """How often a picture is halved on the way to ``scale`` times its size."""
    return max(math.floor(math.log2(1 / scale) + 1e-9), 0)


def resized(image: Pixels, size: tuple[int, int]) -> Pixels:
    """``image`` at ``size`` (width, height): halved by averaging while twice too large, the rest bilinear.

    Area averaging straight to an odd size gives the same to the eye and takes ten times as long (1080p to 730 x 411:
    9.8 against 1.1 CPU-ms). Halving is only fast, and exact, for sides that are multiples of ``2 ** halvings(scale)``;
    callers trim to that.
    """
    for _ in range(halvings(max(size[0] / image.shape[1], size[1] / image.shape[0]))):
        half = (max(image.shape[1] // 2, 1), max(image.shape[0] // 2, 1))
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    if size != (image.shape[1], image.shape[0]):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image
