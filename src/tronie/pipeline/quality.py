"""How fit a face is to be read: size, pose, sharpness, light, and how much of it the picture holds."""

from __future__ import annotations

import cv2
import numpy as np

from tronie.core.face import Face, Pixels

# Each measure is a ramp from 0 (nothing to read) to 1 (as good as it gets). The ends come from looking at faces made
# smaller, turned, blurred and darkened: at the upper end a person still names the expression without effort, at the
# lower end not at all. The model was trained on faces of 48 and 100 pixels.
_SIZE = (12.0, 40.0)  # pixels, shorter side of the box
_TURN = (0.75, 0.35)  # nose tip off the middle of eyes and mouth, in eye distances: a profile, a half profile
_SHARP = (0.8, 4.0)  # mean absolute Laplacian in grey levels, of the crop at its own resolution
_CONTRAST = (6.0, 20.0)  # standard deviation in grey levels
_INSIDE = (0.4, 0.8)  # share of the box within the picture


def _ramp(value: float, ends: tuple[float, float]) -> float:
    return min(max((value - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)


def quality(face: Face, crop: Pixels, shape: tuple[int, ...]) -> float:
    """Quality 0..1 of a face cut to ``crop`` out of a picture of ``shape`` (height, width, ...).

    The product of the ramps: one bad property is enough to make a face unfit.
    """
    side = min(face.size, crop.shape[0])
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    if side < crop.shape[0]:  # an enlarged face is smooth at the crop's resolution, however sharp it was
        small = max(int(side), 8)
        grey = cv2.resize(grey, (small, small), interpolation=cv2.INTER_AREA)
    sharp = float(np.abs(cv2.Laplacian(grey, cv2.CV_16S)).mean())
    answer = _ramp(face.size, _SIZE) * _ramp(sharp, _SHARP) * _ramp(float(grey.std()), _CONTRAST)
    if face.points is None:  # the whole picture is the face: it has no box to leave and no pose to tell
        return answer
    return answer * _ramp(turn(face), _TURN) * _ramp(inside(face, shape), _INSIDE)


def turn(face: Face) -> float:
    """How far the head is turned aside: the nose tip's distance from the line through the middles of eyes and mouth.

    In eye distances; 0 seen from the front, about 0.35 at a half profile. 0 without points.
    """
    if face.points is None:
        return 0.0
    points = face.points.astype(np.float64)
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    along = mouth - eyes
    length = max(float(np.hypot(*along)), 1e-6)
    away = points[2] - eyes
    distance = abs(float(along[0] * away[1] - along[1] * away[0])) / length
    # In a profile the eyes fall together, so the height of the face measures what their distance no longer can.
    apart = max(float(np.hypot(*(points[1] - points[0]))), 0.5 * length)
    return distance / apart


def inside(face: Face, shape: tuple[int, ...]) -> float:
    """Share 0..1 of the face box that lies within a picture of ``shape`` (height, width, ...)."""
    x, y, w, h = face.box
    wide = min(x + w, shape[1]) - max(x, 0.0)
    high = min(y + h, shape[0]) - max(y, 0.0)
    return max(wide, 0.0) * max(high, 0.0) / max(w * h, 1e-6)
