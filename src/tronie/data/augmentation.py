"""Vary training faces: one affine warp, then colour, blur, resolution and erasing, on uint8 pixels; and point tracks.

All frames of a clip are varied alike, by one draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Floats, Pixels


@dataclass(frozen=True)
class Augment:
    """How much a face may change. Shares are probabilities; the warp stands in for an aligner that errs.

    ``rotate`` degrees, ``scale`` and ``shift`` relative to the crop (uniform, both ways); ``colour`` strength of
    brightness, contrast and saturation changes; ``low_resolution``: shrink to ``smallest``..crop pixels and back
    (MAFER, arXiv 2105.02481, with a continuous size); ``erase`` area 0.02..0.2 (Zhong et al., AAAI 2020).

    Of these, ``rotate``, ``scale``, ``shift`` and ``flip`` hold for points, too; their unit of length is the distance
    between the eyes. ``noise``: standard deviation of what is added to every point; ``window``: least share of a
    clip's length that is looked at (all the more slowly, as the number of frames stays). ``stretch`` is the same for
    clips of pixels and of features, which are seen whole unless it is below 1: films are read in windows shorter than
    the clips that were learnt from.
    """

    rotate: float = 12.0
    scale: float = 0.15
    shift: float = 0.06
    flip: float = 0.5
    colour: float = 0.3
    grey: float = 0.15
    blur: float = 0.1
    low_resolution: float = 0.2
    smallest: int = 20
    erase: float = 0.3
    noise: float = 0.01
    window: float = 0.7
    stretch: float = 1.0

    def __post_init__(self) -> None:
        shares = (self.flip, self.grey, self.blur, self.low_resolution, self.erase, self.window, self.stretch)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("flip, grey, blur, low_resolution, erase, window and stretch are shares in 0..1")
        if min(self.rotate, self.scale, self.shift, self.colour, self.noise) < 0 or self.smallest < 1:
            raise ValueError("rotate, scale, shift, colour and noise cannot be negative, smallest is at least 1")


def warp(face: Pixels, size: int, rng: np.random.Generator, how: Augment, mirror: bool) -> Pixels:
    """Rotate, scale, shift and perhaps mirror in one resampling, to ``(size, size, 3)``."""
    side = face.shape[0]
    angle = np.deg2rad(rng.uniform(-how.rotate, how.rotate))
    zoom = np.exp(rng.uniform(-how.scale, how.scale)) * size / side
    a, b = zoom * np.cos(angle), zoom * np.sin(angle)
    turn = np.array([[a, -b], [b, a]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
    centre = (size - 1) / 2 + rng.uniform(-how.shift, how.shift, 2) * size
    move = np.hstack([turn, (centre - turn @ np.full(2, (side - 1) / 2))[:, None]])
    moved = cv2.warpAffine(face, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def recolour(face: Pixels, rng: np.random.Generator, how: Augment) -> Pixels:
    """Brightness, contrast, saturation within ±``colour``; grey with probability ``grey``."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    keep = 0.0 if rng.random() < how.grey else 1 + rng.uniform(-how.colour, how.colour)
    gain, lift = 1 + rng.uniform(-how.colour, how.colour), rng.uniform(-how.colour, how.colour) * 80
    base = float(grey.mean()) * (1 - gain) + lift
    changed = cv2.addWeighted(face, gain * keep, cv2.merge([grey] * 3), gain * (1 - keep), base)
    return np.asarray(changed, np.uint8)


def coarsen(face: Pixels, rng: np.random.Generator, how: Augment) -> Pixels:
    """Low resolution or blur, each with its probability."""
    size = face.shape[0]
    if rng.random() < how.low_resolution:
        small = int(np.exp(rng.uniform(np.log(min(how.smallest, size)), np.log(size))))
        coarse = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
        face = np.asarray(cv2.resize(coarse, (size, size)), np.uint8)
    if rng.random() < how.blur:
        face = np.asarray(cv2.GaussianBlur(face, (0, 0), rng.uniform(0.5, 2.0)), np.uint8)
    return face


def erase(face: Pixels, rng: np.random.Generator, how: Augment) -> Pixels:
    """Replace a rectangle by noise, with probability ``erase``."""
    if rng.random() >= how.erase:
        return face
    size = face.shape[0]
    area, aspect = rng.uniform(0.02, 0.2) * size * size, np.exp(rng.uniform(-1.0, 1.0))
    h, w = int(min(np.sqrt(area * aspect), size - 1)), int(min(np.sqrt(area / aspect), size - 1))
    y, x = rng.integers(0, size - h), rng.integers(0, size - w)
    face = face.copy()
    face[y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3), np.uint8)
    return face


def augment(face: Pixels, size: int, rng: np.random.Generator, how: Augment, mirror: bool | None = None) -> Pixels:
    """One varied view ``(size, size, 3)`` of a face. ``mirror`` fixes whether it is mirrored; None draws it."""
    flipped = rng.random() < how.flip if mirror is None else mirror
    face = warp(face, size, rng, how, flipped)
    return erase(coarsen(recolour(face, rng, how), rng, how), rng, how)


def augment_clip(frames: NDArray[np.uint8], size: int, rng: np.random.Generator, how: Augment) -> NDArray[np.uint8]:
    """Frames ``(T, h, w, 3)`` → ``(T, size, size, 3)``: what is drawn for the first frame holds for all."""
    state, made = rng.bit_generator.state, []
    for frame in frames:
        rng.bit_generator.state = state
        made.append(augment(frame, size, rng, how))
    return np.stack(made)


def mirrored_points(points: Floats, mirror: NDArray[np.int64]) -> Floats:
    """The mirror image of points ``(…, P, 2)`` about x = 0; point ``mirror[i]`` becomes point i of the other side."""
    return points[..., mirror, :] * np.array([-1, 1], np.float32)


def augment_points(
    points: Floats, rng: np.random.Generator, how: Augment, mirror: NDArray[np.int64] | None = None
) -> Floats:
    """Points ``(T, P, 2)`` in distances between the eyes, around 0 → turned, scaled, shifted, perhaps mirrored; noisy.

    One draw for all frames, the noise aside. ``mirror`` ``(P,)`` see :func:`mirrored_points`; None: never mirrored.
    """
    angle = np.deg2rad(rng.uniform(-how.rotate, how.rotate))
    zoom, shift = np.exp(rng.uniform(-how.scale, how.scale)), rng.uniform(-how.shift, how.shift, 2)
    if mirror is not None and rng.random() < how.flip:
        points = mirrored_points(points, mirror)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points @ turn.T + shift
    return np.asarray(moved + rng.normal(0, how.noise, moved.shape), np.float32)
