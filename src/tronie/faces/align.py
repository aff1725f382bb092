"""Cut a face out of a frame the way the models were trained: five points to one fixed template."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face, Floats, Pixels

# Where the five points lie in RAF-DB's own aligned faces, as shares of the crop's side: medians, made symmetric, over
# the faces of its train part in which this package's detector found them (benchmarks/accuracy/fit_template.py makes
# them again). With this template a face cut here looks like the faces the models were trained on.
TEMPLATE: Floats = np.array(
    [[0.2652, 0.3308], [0.7348, 0.3308], [0.5, 0.5723], [0.3046, 0.7419], [0.6954, 0.7419]], np.float32
)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares similarity ``(2, 3)`` from ``source`` ``(n, 2)`` to ``target``, never mirrored (Umeyama 1991)."""
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    ma, mb = a.mean(0), b.mean(0)
    a, b = a - ma, b - mb
    spread = max(float((a**2).sum()), 1e-12)
    cos = float((a * b).sum()) / spread
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([turn, (mb - turn @ ma)[:, None]])


def crop(image: Pixels, face: Face, size: int) -> Pixels:
    """The aligned face, ``(size, size, 3)`` uint8 RGB. Without points the box itself is stretched to the crop."""
    if face.points is None:
        x, y, w, h = face.box
        move = np.array([[size / w, 0, -x * size / w], [0, size / h, -y * size / h]])
        # Corner convention: pixel centres sit at +0.5, so that a whole picture maps exactly onto the crop.
        move[:, 2] += 0.5 * np.array([size / w, size / h]) - 0.5
    else:
        move = similarity(face.points, TEMPLATE * size)
    shrink = float(np.sqrt(abs(np.linalg.det(move[:, :2]))))
    if shrink < 0.5:  # a plain bilinear warp would skip pixels; average them first
        return _reduced(image, move, shrink, size)
    return _warp(image, move, size)


def _reduced(image: Pixels, move: NDArray[np.float64], shrink: float, size: int) -> Pixels:
    """Warp with area averaging: cut the region the crop needs, shrink it by a whole factor, then warp."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64)
    back = np.linalg.inv(move[:, :2])
    needed = (corners - move[:, 2]) @ back.T
    factor = int(1 / shrink)
    (left, top), (right, bottom) = np.floor(needed.min(0)) - 2, np.ceil(needed.max(0)) + 2
    x0, x1 = _multiple(int(left), int(right), image.shape[1], factor)
    y0, y1 = _multiple(int(top), int(bottom), image.shape[0], factor)
    part = image[y0:y1, x0:x1]
    w, h = max(part.shape[1] // factor, 1), max(part.shape[0] // factor, 1)
    small = cv2.resize(part, (w, h), interpolation=cv2.INTER_AREA)
    sx, sy = part.shape[1] / w, part.shape[0] / h
    turn = move[:, :2] @ np.diag([sx, sy])
    shift = move[:, :2] @ (np.array([x0, y0]) + 0.5 * np.array([sx, sy]) - 0.5) + move[:, 2]
    moved = np.hstack([turn, shift[:, None]])
    return _warp(np.asarray(small, np.uint8), moved, size)


def _warp(image: Pixels, move: NDArray[np.float64], size: int) -> Pixels:
    warped = cv2.warpAffine(image, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _multiple(low: int, high: int, side: int, factor: int) -> tuple[int, int]:
    """The part of ``0 <= i < side`` that covers ``low <= i < high``, of a length that ``factor`` divides if it can.

    Averaging by a whole factor is four times as fast as by one nearby. A part that would be empty is all of the side.
    """
    low, high = max(low, 0), min(high, side)
    if high - low < 2:
        low, high = 0, side
    longer = -(-(high - low) // factor) * factor
    if longer > side:
        return low, high
    low = min(low, side - longer)
    return low, low + longer
