"""A clip as one row of numbers: how its points or features lie and move, for classifiers that see no order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Floats

_PARTS = 4  # of a clip, each with its own means


def of_points(points: NDArray[np.floating], reference: NDArray[np.floating]) -> Floats:
    """Statistics ``(34 P + 56,)`` of a clip of tracked points ``(T, P, 2)``, T 2 or more.

    Each frame is laid on the ``reference`` ``(P, 2)`` by the similarity that fits best in least squares (for points in
    the plane one complex factor: Kendall 1984); what is left is the face's shape, and the factor and the place, both
    against the clip's mean, are the head's pose ``(T, 4)``. Of both, of their changes from frame to frame, and of the
    shape against that of the first eighth: mean, deviation and mean size; of both and of the size of their changes the
    means in quarters of the clip.
    """
    shape, pose = _shape_and_pose(points, reference)
    change, turn = np.gradient(shape, axis=0), np.gradient(pose, axis=0)
    moved = shape - shape[: max(len(shape) // 8, 1)].mean(0)
    parts = [f(x) for x in (shape, pose, change, turn, moved) for f in (_mean, _deviation, _size)]
    parts += [_quarters(x) for x in (shape, pose, np.abs(change), np.abs(turn))]
    return np.concatenate(parts).astype(np.float32)


def of_features(features: NDArray[np.floating]) -> Floats:
    """Mean and deviation ``(2 D,)`` of a clip of features ``(T, D)``."""
    frames = np.asarray(features, np.float32)
    return np.concatenate([frames.mean(0), frames.std(0)])


def _shape_and_pose(points: NDArray[np.floating], reference: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Shape ``(T, 2 P)`` in the size and direction of the reference, and pose ``(T, 4)``."""
    plane = points[..., 0] + 1j * points[..., 1]
    target = reference[:, 0] + 1j * reference[:, 1]
    target = target - target.mean()
    place = plane.mean(1, keepdims=True)
    centred = plane - place
    factor = (centred.conj() * target).sum(1, keepdims=True) / np.maximum((np.abs(centred) ** 2).sum(1), 1e-12)[:, None]
    shape, turned = centred * factor, np.log(np.where(np.abs(factor) > 1e-12, factor, 1e-12))
    pose = np.concatenate([(place - place.mean(0)) * factor.mean(), turned - turned.mean(0)], 1)
    return _real(shape), _real(pose)


def _real(values: NDArray[np.complexfloating]) -> Floats:
    return np.concatenate([values.real, values.imag], 1).astype(np.float32)


def _mean(x: Floats) -> Floats:
    return np.asarray(x.mean(0))


def _deviation(x: Floats) -> Floats:
    return np.asarray(x.std(0))


def _size(x: Floats) -> Floats:
    return np.asarray(np.abs(x).mean(0))


def _quarters(x: Floats) -> Floats:
    """Means of equal parts; a part of a clip with fewer frames than parts shows its nearest frame."""
    edges = np.linspace(0, len(x), _PARTS + 1)
    spans = [(int(a), max(int(b), int(a) + 1)) for a, b in pairwise(edges.tolist())]
    return np.concatenate([x[min(a, len(x) - 1) : b].mean(0) for a, b in spans])
