"""Tracked face points: the 68 points of iBUG, their mirror image, and tracks that do not depend on place or scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Floats

_EYES = (slice(36, 42), slice(42, 48))  # the one on the left of the picture first


def _mirror() -> NDArray[np.int64]:
    """Jaw, brows, nose wings, eyes (each eye's own order runs the other way), outer and inner lip."""
    runs = [(0, 16), (17, 26), (31, 35), (48, 54), (55, 59), (60, 64), (65, 67)]
    other = np.arange(68)
    for first, last in runs:
        other[first : last + 1] = np.arange(last, first - 1, -1)
    for a, b in ((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)):
        other[a], other[b] = b, a
    return other


IBUG68_MIRROR: NDArray[np.int64] = _mirror()
"""``(68,)``: point ``IBUG68_MIRROR[i]`` lies where point i lies in the mirror image (Sagonas et al., ICCVW 2013)."""


def normalised(points: NDArray[np.floating] | NDArray[np.integer]) -> Floats:
    """A clip's 68 points ``(T, 68, 2)`` in pixels → float32, around 0, in distances between the eyes' centres.

    One origin (the mean point between the eyes) and one unit (their mean distance) for the whole clip, so that place
    and scale are gone and the head's own movement stays. Raises SourceError for points without a distance between the
    eyes, or of another layout.
    """
    if points.ndim != 3 or points.shape[1:] != (68, 2) or not len(points):
        raise SourceError(f"Tracks of shape {points.shape} are no clip of iBUG's 68 points (frames, 68, 2).")
    track = np.asarray(points, np.float64)
    left, right = (track[:, eye].mean(1) for eye in _EYES)
    unit = float(np.hypot(*(right - left).T).mean())
    if not np.isfinite(track).all() or unit <= 0:
        raise SourceError("The eyes of a tracked face lie on one point, or a point is no number: leave this clip out.")
    return np.asarray((track - (left + right).mean(0) / 2) / unit, np.float32)
