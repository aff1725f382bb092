"""The frames of clips that are spans of a pack (``pack.npz::80-96``).

A span names frames by their numbers, the last excluded. A pack holds pictures (``blob``, ``offsets``) or the tracks of
face points (``delta``), of which a clip's cumulative sums are x0, y0, x1, y1, … in pixels.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.clips.sampling import uniform
from tronie.core.arrays import npz_names
from tronie.core.errors import SourceError
from tronie.core.face import Floats, Pixels
from tronie.core.manifest import Manifest
from tronie.datasets.pack import load
from tronie.datasets.pictures import read_numbered
from tronie.video.files import ensure_file

_SPAN = re.compile(r"(.+)::(\d+)-(\d+)")
_TRACKS = "delta"


def span(manifest: Manifest, row: int) -> tuple[Path, int, int] | None:
    """Pack, first frame and last (excluded) of a row that is a span of a pack; None for any other row."""
    match = _SPAN.fullmatch(str(manifest.path[row]))
    if match is None:
        return None
    return (manifest.root or Path()) / match[1], int(match[2]), int(match[3])


def holds_points(manifest: Manifest) -> bool:
    """Whether the rows of a manifest are tracks of points. Raises SourceError for a pack that cannot be opened."""
    held = span(manifest, 0) if len(manifest) else None
    if held is None:
        return False
    ensure_file(held[0])
    try:
        return _TRACKS in npz_names(held[0])
    except (OSError, ValueError) as error:
        raise SourceError(f"The pack {held[0]} cannot be read ({error}): copy or download it again.") from error


def read_frames(manifest: Manifest, row: int, most: int = 0) -> list[Pixels]:
    """The pictures of a span, ``(H, W, 3)`` uint8 RGB each; at most ``most`` of them, evenly spread, unless that is 0.

    Raises SourceError.
    """
    pack, first, last = _span(manifest, row)
    n = max(last - first, 1)
    return [read_numbered(manifest, row, pack, first + i) for i in uniform(n, min(n, most or n)).tolist()]


def _span(manifest: Manifest, row: int) -> tuple[Path, int, int]:
    held = span(manifest, row)
    if held is None:
        raise SourceError(
            f"Row '{manifest.id[row]}' ({manifest.path[row]}) is no clip of a pack, such as pack.npz::80-96."
        )
    return held


def read_points(manifest: Manifest, row: int) -> Floats:
    """The tracked points of a clip, ``(T, P, 2)`` float32 in pixels. Raises SourceError."""
    pack, first, last = _span(manifest, row)
    try:
        delta = _tracks(str(pack), pack.stat().st_mtime_ns)
    except OSError as error:
        raise SourceError(f"The pack {pack} of row '{manifest.id[row]}' cannot be opened: {error.strerror}.") from error
    if not 0 <= first < last <= delta.shape[1]:
        raise SourceError(
            f"Row '{manifest.id[row]}' wants frames {first} to {last} of {delta.shape[1]:,} in {pack}: "
            "read the manifest again."
        )
    flat = delta[:, first:last].astype(np.int64).cumsum(1).T
    return np.asarray(flat.reshape(len(flat), -1, 2), np.float32)


@lru_cache(maxsize=1)
def _tracks(path: str, changed: int) -> NDArray[np.int16]:
    """``changed`` is the file's time, so that a replaced pack is opened anew."""
    delta: NDArray[np.int16] = load(Path(path), (_TRACKS,))[_TRACKS]
    if delta.ndim != 2 or delta.shape[0] % 2:
        raise SourceError(f"The tracks in {path} have shape {delta.shape}, not (2 points, frames): get the pack again.")
    return delta
