"""Looks at clips for an audit: the whole clip, its mirror image, and random parts of it. Works without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.audit.probe import Matrix
from tronie.audit.views import BATCH, Progress, Reader, kept_views
from tronie.clips import statistics
from tronie.clips.sampling import uniform, window
from tronie.data.prepared import Opened
from tronie.metrics.scores import Floats

FRAMES = 256
"""Frames of a clip that one look takes at most, evenly spread."""
SEEN = 16
"""Frames of a clip of faces that a net looks at, evenly spread."""
_LEAST = 0.5  # share of a clip that a part of it holds at least


def clip_components(
    opened: Opened, folder: Path, *, views: int = 4, seed: int = 0, progress: Progress = lambda done, total: None
) -> Matrix:
    """Views ``(views, n, d)`` of clips of points or features, kept in ``folder``.

    Of features the mean and deviation over frames, of points :func:`tronie.clips.statistics.of_points`. The first view
    is the whole clip, of points that have a mirror image the second is that; the others are random parts of at least
    half the clip (every other one mirrored), as :func:`spans` names them.
    """
    read = _points(opened) if opened.kind == "points" else _features(opened)
    return kept_views(opened, folder, read, f"statistics of {opened.kind}", views, seed, progress)


def spans(opened: Opened, views: int, seed: int) -> Floats:
    """Where each look at each clip begins and ends ``(views, n, 2)``, as shares of the clip in [0, 1]."""
    assert opened.starts is not None
    lengths = np.diff(sparse(opened.starts) if opened.kind == "pixels" else opened.starts)
    found = np.empty((views, len(lengths), 2))
    for view in range(views):
        for row, length in enumerate(lengths.tolist()):
            first, held = _part(opened, length, view, row, seed)
            found[view, row] = first / length, (first + held) / length
    return found


def sparse(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(n + 1,)``: where each clip begins of which at most :data:`SEEN` frames are kept."""
    return np.concatenate([[0], np.minimum(np.diff(starts), SEEN).cumsum()]).astype(np.int64)


def _part(opened: Opened, length: int, view: int, row: int, seed: int) -> tuple[int, int]:
    """First frame and number of frames of a look at a clip of ``length`` frames."""
    if view == 0 or (view == 1 and opened.mirror is not None):
        return 0, length
    return window(length, _LEAST, np.random.default_rng((seed, view, row)))


def _frames(opened: Opened, row: int, view: int, seed: int) -> NDArray[np.int64]:
    """Positions in ``opened.faces`` that a look takes."""
    assert opened.starts is not None
    start = int(opened.starts[row])
    first, held = _part(opened, int(opened.starts[row + 1]) - start, view, row, seed)
    return np.asarray(start + first + uniform(held, min(held, FRAMES)))


def _features(opened: Opened) -> Reader:
    def read(rows: NDArray[np.int64], view: int, seed: int) -> Iterator[Matrix]:
        for begin in range(0, len(rows), BATCH):
            yield np.stack(
                [
                    statistics.of_features(opened.faces[_frames(opened, row, view, seed)])
                    for row in rows[begin : begin + BATCH].tolist()
                ]
            )

    return read


def _points(opened: Opened) -> Reader:
    step = max(len(opened.faces) // 4096, 1)
    reference = np.asarray(opened.faces[::step], np.float64).mean(0)

    def clip(row: int, view: int, seed: int) -> Matrix:
        points = np.asarray(opened.faces[_frames(opened, row, view, seed)])
        if view % 2 and opened.mirror is not None:
            points = points[:, opened.mirror] * np.array([-1, 1], np.float32)
        return statistics.of_points(points if len(points) > 1 else np.repeat(points, 2, 0), reference)

    def read(rows: NDArray[np.int64], view: int, seed: int) -> Iterator[Matrix]:
        for begin in range(0, len(rows), BATCH):
            yield np.stack([clip(row, view, seed) for row in rows[begin : begin + BATCH].tolist()])

    return read
