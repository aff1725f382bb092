"""How fit a face is to be read in its picture: what the face itself says, the light, and the picture's edge."""

from __future__ import annotations

import cv2

from tronie.core.face import Face, Pixels
from tronie.faces.quality import quality as face_quality

# Standard deviation of the crop's grey values. Below 6 (an unlit audience) there is nothing but the noise of the
# camera, which detail measured relative to contrast takes for detail; from 20 on the light does not matter.
_CONTRAST = (6.0, 20.0)
# Share of the box within the picture: a face cut through the eyes or the mouth has lost half of what there is to read.
_INSIDE = (0.4, 0.8)


def quality(face: Face, crop: Pixels, shape: tuple[int, ...]) -> float:
    """Quality 0..1 of a face cut to ``crop`` out of a picture of ``shape`` (height, width, ...): its worst aspect."""
    contrast = float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).std())
    return min(face_quality(crop, face), _ramp(contrast, _CONTRAST), _ramp(inside(face, shape), _INSIDE))


def inside(face: Face, shape: tuple[int, ...]) -> float:
    """Share 0..1 of the face box that lies within a picture of ``shape`` (height, width, ...)."""
    x, y, w, h = face.box
    wide = min(x + w, shape[1]) - max(x, 0.0)
    high = min(y + h, shape[0]) - max(y, 0.0)
    return max(wide, 0.0) * max(high, 0.0) / max(w * h, 1e-6)


def _ramp(value: float, ends: tuple[float, float]) -> float:
    return min(max((value - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)
