"""Which frames of a clip are looked at: positions ``(frames,)``, the same rule in training, evaluation and prediction.

A clip shorter than what is asked for shows frames again; positions never fall.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError

Times = NDArray[np.float64]


def uniform(n: int, frames: int) -> NDArray[np.int64]:
    """Positions ``floor(n·i / frames)``, i = 0..frames-1, in a clip of ``n`` frames: evenly spread, from the first on.

    Raises SettingError for a clip or a view without frames.
    """
    _check(n, frames)
    return np.arange(frames, dtype=np.int64) * n // frames


def jittered(n: int, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions ``floor(n·(i + u_i) / frames)`` with ``u_i`` drawn from [0, 1): one in each of ``frames`` equal parts.

    Temporal segment sampling (Wang et al., ECCV 2016). Where ``frames`` equals ``n`` there is nothing to vary.
    Raises SettingError for a clip or a view without frames.
    """
    _check(n, frames)
    place = (np.arange(frames) + rng.random(frames)) * n / frames
    return np.minimum(place.astype(np.int64), n - 1)


def timed(time: Times, end: float, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
    """Positions ``(frames,)`` in a clip whose frames come at ``time`` ``(n,)`` seconds and which ends at ``end``.

    The same rules by true time: of each of ``frames`` equal parts of the clip the frame that is shown at its beginning,
    or with ``rng`` at a random moment in it. Frames that come evenly give :func:`uniform` and :func:`jittered`. Raises
    SettingError for a clip or a view without frames.
    """
    _check(len(time), frames)
    part = np.arange(frames) + (0.0 if rng is None else rng.random(frames))
    moment = time[0] + part * (end - time[0]) / frames
    return np.asarray(np.searchsorted(time, moment, side="right") - 1).clip(0, len(time) - 1)


def window(n: int, least: float, rng: np.random.Generator) -> tuple[int, int]:
    """Start and length of a random part of a clip of ``n`` frames that holds at least the share ``least`` of it.

    Sampled at a fixed number of frames, a shorter part is cropped in time and slowed down at once. ``least`` lies in
    0..1; the part has at least one frame. Raises SettingError for a clip without frames.
    """
    _check(n, 1)
    length = int(rng.integers(min(max(int(np.ceil(least * n)), 1), n), n + 1))
    return int(rng.integers(0, n - length + 1)), length


def _check(n: int, frames: int) -> None:
    if n < 1 or frames < 1:
        raise SettingError(f"{frames} frames of a clip of {n} cannot be chosen: both must be 1 or more.")
