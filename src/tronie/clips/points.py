"""Tracked face points: the 68 points of iBUG, their mirror image, tracks freed of place and scale, or of the person.

A person's resting face differs from another's by more than an expression changes it. Where there are several clips of
each person, :func:`person_shapes` and :func:`refaced` give everyone the same face: no label is needed, but all clips of
the person are, so a single film of a stranger cannot be treated so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Floats

SMOOTH = 5
"""Frames over which tracks are averaged before they are learnt from: a sixth of a second at 30 frames a second."""
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


def smoothed(track: Floats, frames: int = SMOOTH) -> Floats:
    """A track ``(T, P, 2)`` averaged over ``frames`` around each (an odd number), the ends' own frames repeated.

    A tracker's error is new in every frame, a face's movement is not. Raises SettingError for an even number.
    """
    if frames < 1 or frames % 2 == 0:
        raise SettingError(f"Tracks are averaged over an odd number of frames, not {frames}.")
    half = frames // 2
    padded = np.pad(np.asarray(track, np.float64), ((half, half), (0, 0), (0, 0)), "edge")
    sums = np.concatenate([np.zeros_like(padded[:1]), padded.cumsum(0)])
    return np.asarray((sums[frames:] - sums[:-frames]) / frames, np.float32)


def person_shapes(tracks: Sequence[Floats], subject: Sequence[str]) -> tuple[Floats, dict[str, Floats]]:
    """The mean face ``(P, 2)`` of all people, and each person's own, of tracks ``(T, P, 2)`` and who they show.

    A mean counts every person, and every clip of a person, alike. Faces are turned, scaled and moved onto the mean
    face; its points lie around 0, at a mean distance of 1.
    """
    reference = _mean_shape(np.concatenate([track[:: max(len(track) // 4, 1)] for track in tracks]))
    own: dict[str, list[Floats]] = {}
    for track, who in zip(tracks, subject, strict=True):
        onto = _onto(track, reference)[0].mean(0)
        own.setdefault(who, []).append(np.stack([onto.real, onto.imag], -1).astype(np.float32))
    return reference, {who: np.asarray(np.mean(each, 0), np.float32) for who, each in own.items()}


def refaced(track: Floats, own: Floats, reference: Floats) -> Floats:
    """A track ``(T, P, 2)`` with the person's ``own`` face replaced by ``reference``, both ``(P, 2)``, in every frame.

    What differs from the own face, and the head's place, turn and scale, stay: each frame is laid onto ``reference``,
    the difference between the two faces is taken away there, and it is laid back.
    """
    onto, factor = _onto(track, reference)
    changed = (onto - _complex(own) + _complex(reference)) / factor[:, None]
    return np.asarray(np.stack([changed.real, changed.imag], -1) + track.mean(1, keepdims=True), np.float32)


def _complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1], np.complex128)


def _onto(points: Floats, reference: Floats) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Points ``(n, P, 2)`` laid onto a shape around 0 by the similarity of least squares ``(n, P)``; its factor."""
    z, r = _complex(points), _complex(reference)
    z = z - z.mean(1, keepdims=True)
    factor = (z.conj() * r).sum(1) / np.maximum((np.abs(z) ** 2).sum(1), 1e-12)
    return z * factor[:, None], factor


def _mean_shape(points: Floats) -> Floats:
    """Of ``(n, P, 2)``, by a few rounds of Procrustes analysis: around 0, points at a mean distance of 1 from there."""
    shape = np.asarray(points[0] - points[0].mean(0), np.float64)
    for _ in range(5):
        mean = _onto(points, np.asarray(shape / np.hypot(*shape.T).mean(), np.float32))[0].mean(0)
        shape = np.stack([mean.real, mean.imag], -1)
    return np.asarray(shape / np.hypot(*shape.T).mean(), np.float32)
