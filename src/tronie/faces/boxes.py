"""How boxes lie to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face


def shared(faces: list[Face], others: list[Face]) -> NDArray[np.float64]:
    """Area common to each pair of boxes, ``(len(faces), len(others))``, in square pixels."""
    a = np.array([f.box for f in faces], np.float64).reshape(-1, 1, 4)
    b = np.array([f.box for f in others], np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common: NDArray[np.float64] = np.maximum(sides, 0).prod(-1)
    return common


def overlap(faces: list[Face], others: list[Face]) -> NDArray[np.float64]:
    """Intersection over union of each pair of boxes, ``(len(faces), len(others))``, in [0, 1]."""
    common = shared(faces, others)
    area = np.array([f.box[2] * f.box[3] for f in faces], np.float64)[:, None]
    other = np.array([f.box[2] * f.box[3] for f in others], np.float64)[None]
    result: NDArray[np.float64] = common / np.maximum(area + other - common, 1e-9)
    return result


def distinct(faces: list[Face], *, least: float = 0.4, inside: float = 0.7) -> list[Face]:
    """``faces`` without doubles, in the order given; of doubles the one with the highest score stays.

    Two boxes are doubles if their intersection over union exceeds ``least``, or if more than ``inside`` of the smaller
    one lies in the other: a part of a face is now and then taken for a face.
    """
    if len(faces) < 2:
        return list(faces)
    area = np.array([f.box[2] * f.box[3] for f in faces], np.float64)
    smaller = np.maximum(np.minimum(area[:, None], area[None]), 1e-9)
    double = (overlap(faces, faces) > least) | (shared(faces, faces) / smaller > inside)
    # Ties in score go to the larger face, then to the one further left and up: never to the order given.
    ranked = sorted(range(len(faces)), key=lambda k: (-faces[k].score, -area[k], faces[k].box))
    kept: list[int] = []
    for k in ranked:
        if not double[k, kept].any():
            kept.append(k)
    return [faces[k] for k in sorted(kept)]
