"""Find faces: RetinaFace with a MobileNet-0.25 trunk, boxes and five points (Deng et al., CVPR 2020)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face, Floats, Pixels
from tronie.faces.mosaic import Cell, mosaic
from tronie.runtime.session import Session

WEIGHTS = Path(__file__).parent / "weights" / "retinaface_mobilenet025.onnx"
SHA256 = "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5"

DETECTORS: dict[str, str] = {
    "retinaface": "tronie.faces.detect:RetinaFace",
    "whole": "tronie.faces.detect:WholePicture",
}
"""Name → where the detector is: called without arguments, it gives a :class:`Detector`."""

_MEAN_BGR = (104.0, 117.0, 123.0)
_STEPS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
_VARIANCE = (0.1, 0.2)

_COARSE, _MIDDLE, _FINE = 0.08e6, 0.3e6, 1.2e6
# Pixels a picture is scanned at, about 5, 21 and 84 CPU-ms. The network sees faces from 12 to 300 pixels well: at 1080p
# the coarse scan those that fill the frame, the middle one those from 31 pixels on, the fine one those from 16 on.
_SMALL = 16.0  # a face of fewer pixels in the middle scan says that there may be smaller ones that it missed
_UNSURE = 0.25  # candidates from this score on are looked at again at full size


class Detector(Protocol):
    """What finds faces. ``near`` looks again, cheaply, for faces known from a frame shortly before."""

    def detect(self, image: Pixels) -> list[Face]: ...

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]: ...


@lru_cache(maxsize=32)
def anchors(height: int, width: int) -> Floats:
    """Prior boxes ``(n, 4)`` as centre x, centre y, width, height in pixels, in the network's output order."""
    rows = []
    for step, sizes in _STEPS:
        y, x = np.meshgrid(np.arange(-(-height // step)), np.arange(-(-width // step)), indexing="ij")
        centres = (np.stack([x, y], -1).reshape(-1, 1, 2) + 0.5) * step
        sides = np.array(sizes, np.float64).reshape(1, -1, 1).repeat(2, 2)
        rows.append(np.concatenate(np.broadcast_arrays(centres, sides), -1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


class RetinaFace:
    """Face detector. Deterministic, without state after construction, safe to share between threads.

    ``score`` is the least detection score in [0, 1] at which a face counts as found; ``threads`` is ONNX Runtime's.
    Raises ModelError if its weights are missing or changed.
    """

    def __init__(self, *, score: float = 0.6, threads: int = 1) -> None:
        self.score = score
        self._session = Session(WEIGHTS, expect=SHA256, threads=threads)

    def detect(self, image: Pixels) -> list[Face]:
        """All faces of one picture ``(H, W, 3)`` uint8 RGB, best first.

        The picture is scanned at two sizes, and at a third where that promises more. What is found there is looked at
        again by :meth:`near`, so that a face is measured alike in a photo, at a key moment and between two of them,
        and so that what only looks like a face from afar is dropped.
        """
        pixels = image.shape[0] * image.shape[1]
        found = self._scan_at(image, _COARSE) + self._scan_at(image, _MIDDLE)
        faces = self._confirm(image, found)
        shrink = min((_MIDDLE / pixels) ** 0.5, 1.0)
        small = min((face.size for face in faces), default=0.0) * shrink < _SMALL
        if pixels > _MIDDLE and (small or 2 * len(faces) <= len(distinct(found))):
            faces = self._confirm(image, found + self._scan_at(image, _FINE))
        return faces

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]:
        """Faces known from shortly before, found again where they were; those not found again are left out.

        A face may have moved by a third of its size. Costs about 1.5 CPU-ms a face.
        """
        # Below the score for new faces: one that was seen a moment ago may be seen a little worse.
        return self._again(image, faces, self.score - 0.1)

    def scan(self, image: Pixels, scale: float = 1.0, least: float | None = None) -> list[Face]:
        """Faces of one picture looked at once, at ``scale`` times its size, with a score above ``least``."""
        h, w = image.shape[:2]
        size = (max(round(w * scale), 32), max(round(h * scale), 32))
        if size != (w, h):
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        blob = cv2.dnn.blobFromImage(image, 1.0, None, _MEAN_BGR, swapRB=True)
        answer = list(self._session.run(input=blob).values())
        prior = anchors(size[1], size[0])
        boxes, scores, points = _decode(answer[0], answer[1], answer[2], prior, self.score if least is None else least)
        ratio = np.array([w / size[0], h / size[1]], np.float32)
        boxes *= np.tile(ratio, 2)
        points *= ratio
        return [_face(b, float(s), p) for b, s, p in zip(boxes, scores, points, strict=True)]

    def _scan_at(self, image: Pixels, pixels: float) -> list[Face]:
        # Small pictures are enlarged, up to twice: a face of 48 pixels is found much more surely at 96.
        scale = min((pixels / (image.shape[0] * image.shape[1])) ** 0.5, 2.0)
        return self.scan(image, scale, _UNSURE)

    def _confirm(self, image: Pixels, found: list[Face]) -> list[Face]:
        return distinct(self._again(image, distinct(found), self.score))

    def _again(self, image: Pixels, faces: list[Face], least: float) -> list[Face]:
        """Each face measured again in a cell of its own, in the order given."""
        if not faces:
            return []
        canvas, cells = mosaic(image, faces)
        seen = [_moved(face, cell) for face in self.scan(canvas, 1.0, least) for cell in [_cell_of(face, cells)]]
        return distinct([best for face in faces if (best := _match(face, seen)) is not None], keep_order=True)


class WholePicture:
    """For pictures that are one cropped face each: the box is the picture, there are no points, the score is 1."""

    def detect(self, image: Pixels) -> list[Face]:
        """One face: the whole of ``image`` ``(H, W, 3)``."""
        return [Face((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0)]

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]:
        """The same; ``faces`` say nothing new."""
        return self.detect(image)
