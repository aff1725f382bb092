"""Make faces harder to read, in steps, to see how far a model holds: size, blur, noise, occlusion, rotation.

Each works on one aligned face and is repeatable: what it draws depends on the seed and the row alone. They show what
the classifier can stand, not whether a detector would still have found the face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Pixels

Change = Callable[[Pixels, float, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Corruption:
    """One way to make faces harder: ``levels`` from mild to severe, in ``unit``."""

    change: Change
    levels: tuple[float, ...]
    unit: str


def face_size(face: Pixels, side: float, rng: np.random.Generator) -> Pixels:
    """The face as one of ``side`` pixels would look: averaged down to that, then brought back to its own size."""
    size = face.shape[0]
    if side >= size:
        return face
    small = cv2.resize(face, (int(side), int(side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def blur(face: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Gaussian blur; ``sigma`` in hundredths of the face's side, so that it means the same at any size."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma * face.shape[0] / 100), np.uint8)


def noise(face: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    """Gaussian noise on every pixel and channel, of this standard deviation in steps of 0..255."""
    return (face + rng.normal(0, deviation, face.shape)).round().clip(0, 255).astype(np.uint8)


def occlusion(face: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """A grey square of this share of the area, somewhere on the face."""
    size = face.shape[0]
    side = max(round(np.sqrt(share) * size), 1)
    y, x = rng.integers(0, size - side + 1, 2)
    covered = face.copy()
    covered[y : y + side, x : x + side] = 127
    return covered


def rotation(face: Pixels, degrees: float, rng: np.random.Generator) -> Pixels:
    """Turned by ``degrees`` about its middle, to a side that is drawn: an aligner that errs, or none."""
    size = face.shape[0]
    turn = degrees if rng.random() < 0.5 else -degrees
    move = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), turn, 1.0)
    turned = cv2.warpAffine(face, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


CORRUPTIONS: dict[str, Corruption] = {
    "face size": Corruption(face_size, (100, 64, 48, 32, 24, 16, 12, 8), "pixels"),
    "blur": Corruption(blur, (0.5, 1, 2, 3, 4), "% of the side"),
    "noise": Corruption(noise, (5, 10, 20, 40), "of 255"),
    "occlusion": Corruption(occlusion, (0.05, 0.1, 0.2, 0.3), "of the area"),
    "rotation": Corruption(rotation, (5, 10, 20, 30, 45), "degrees"),
}
"""Every corruption with the levels that are reported."""


def corrupted(faces: NDArray[np.uint8], name: str, level: float, rows: NDArray[np.integer], seed: int = 0) -> Pixels:
    """``(n, s, s, 3)`` faces changed by ``CORRUPTIONS[name]``; ``rows`` ``(n,)`` number them, whatever the batch."""
    change = CORRUPTIONS[name].change
    number = list(CORRUPTIONS).index(name)
    draws = [np.random.default_rng((seed, number, int(row))) for row in rows]
    return np.stack([change(face, level, rng) for face, rng in zip(faces, draws, strict=True)])
