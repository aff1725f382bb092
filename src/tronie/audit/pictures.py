"""What the page of an audit shows of a row: a face, or a contact sheet of a clip. Works without PyTorch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Pixels
from tronie.data.prepared import Opened
from tronie.metrics.scores import Floats

_SIDE = 72  # pixels of a face in the page
_KEYS = 5  # frames of a contact sheet
_MOST = 200  # frames among which key frames are sought


def picture(opened: Opened, row: int, apart: Floats | None = None) -> bytes:
    """A JPEG: of a photo the face; of a clip its key frames, and below them those of the part ``apart``.

    ``apart`` ``(2,)``: beginning and end, as shares of the clip, of the part that is read otherwise than the rest.
    Points are drawn. Nothing for clips of features.
    """
    if opened.starts is None:
        return _jpeg(_small(opened.faces[row, -1]))
    if opened.kind == "features":
        return b""
    start, end = int(opened.starts[row]), int(opened.starts[row + 1])
    sheets = [_sheet(opened, start, end, (start, end))]
    if apart is not None:
        first, last = (start + share * (end - start) for share in apart.tolist())
        sheets.append(_sheet(opened, int(first), max(int(last), int(first) + 1), (start, end)))
    return _jpeg(np.vstack(sheets))


def key_frames(frames: NDArray[np.floating], count: int = _KEYS) -> NDArray[np.int64]:
    """Positions ``(count,)``, rising, of frames ``(T, D)`` that differ most: each next one is farthest from all before.

    The first is the middle one (Gonzalez 1985: farthest-first traversal). Fewer frames than that are shown again.
    """
    if len(frames) <= count:
        return np.arange(count, dtype=np.int64) * len(frames) // count
    chosen = [len(frames) // 2]
    apart = np.linalg.norm(frames - frames[chosen[0]], axis=1)
    while len(chosen) < count:
        apart[chosen] = -1  # equal frames are not taken twice
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(frames - frames[chosen[-1]], axis=1))
    return np.sort(np.array(chosen, np.int64))


def _sheet(opened: Opened, start: int, end: int, clip: tuple[int, int]) -> Pixels:
    """Key frames of ``start`` to ``end`` side by side; points in the frame that the whole ``clip`` fills."""
    at = np.unique(np.linspace(start, end - 1, _MOST).astype(np.int64))
    frames = np.asarray(opened.faces[at])
    if opened.kind == "points":
        span = np.asarray(opened.faces[clip[0] : clip[1]])
        low, size = span.min((0, 1)), max(float(np.ptp(span, axis=(0, 1)).max()), 1e-6)
        keys = key_frames(frames.reshape(len(frames), -1))
        return np.hstack([_drawn((frames[k] - low) / size) for k in keys.tolist()])
    tiny = np.stack([cv2.resize(f, (12, 12), interpolation=cv2.INTER_AREA).ravel() for f in frames]).astype(np.float32)
    return np.hstack([_small(frames[k]) for k in key_frames(tiny).tolist()])


def _drawn(points: Floats) -> Pixels:
    """Points ``(P, 2)`` in [0, 1] as dots."""
    canvas = np.full((_SIDE * 2, _SIDE * 2, 3), 255, np.uint8)
    for x, y in np.rint(points * (_SIDE * 2 - 16) + 8).astype(int).tolist():
        cv2.circle(canvas, (x, y), 2, (40, 60, 90), -1, cv2.LINE_AA)
    return _small(canvas)


def _small(face: NDArray[np.uint8]) -> Pixels:
    return np.asarray(cv2.resize(np.asarray(face), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(shown: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(shown[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return data.tobytes() if done else b""
