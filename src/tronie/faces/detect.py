"""Find faces: RetinaFace with a MobileNet-0.25 trunk, boxes and five points (Deng et al., CVPR 2020)."""

from __future__ import annotations

import inspect
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face, Floats, Pixels
from tronie.core.registry import resolve
from tronie.faces.boxes import distinct, overlap
from tronie.faces.mosaic import Cell, cell_at, mosaic
from tronie.faces.resize import halvings, resized
from tronie.models.session import Session

WEIGHTS = Path(__file__).parent / "weights" / "retinaface_mobilenet025.onnx"
SHA256 = "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5"

DETECTORS: dict[str, str] = {
    "retinaface": "tronie.faces.detect:RetinaFace",
    "whole": "tronie.faces.whole:WholePicture",
}
"""Name → where the detector is: called without arguments, it gives a :class:`Detector`. See :func:`make_detector`."""

_MEAN_BGR = (104.0, 117.0, 123.0)
_STEPS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
_VARIANCE = (0.1, 0.2)

_COARSE, _MIDDLE, _FINE = 0.08e6, 0.3e6, 2.0e6
# Pixels a picture is scanned at: 5, 18 and 140 CPU-ms. The network sees faces of 12 to 400 pixels well, so at 1080p the
# coarse scan finds those that fill the frame, the middle one those of 31 pixels and more.
_CANDIDATE = 0.4  # scan score from which on a place is looked at again at full size
_FAINT = 0.1  # scan score that small faces reach even where they cannot be told, and that empty scenes reach nowhere
_SMALL = 16.0, 48.0  # sizes in the middle scan up to which sure and faint candidates call for the fine one
_PLAIN = 32.0  # a face of so many pixels in a scan is seen there, so one found at another scale only is none
_SAME = 0.3  # overlap with where a face was, from which on it is taken for the same


Scan = tuple[float, list[Face]]
"""The scale at which a picture was scanned, and what was found there."""


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


def make_detector(name: str, provider: str = "cpu") -> Detector:
    """The detector of this name, to run on ``provider`` where it has an argument of that name.

    Raises SettingError for an unknown name or a provider that cannot be had.
    """
    made = resolve(DETECTORS, name, "detector")
    takes = provider != "cpu" and "provider" in inspect.signature(made).parameters
    detector: Detector = made(provider=provider) if takes else made()
    return detector


class RetinaFace:
    """Face detector. Deterministic, without state after construction, safe to share between threads.

    ``score`` is the least detection score in [0, 1] at which a face counts as found; ``threads`` and ``provider`` are
    :class:`tronie.models.session.Session`'s. Raises ModelError if its weights are missing or changed, SettingError.
    """

    def __init__(self, *, score: float = 0.6, threads: int = 1, provider: str = "cpu") -> None:
        self.score = score
        self._session = Session(WEIGHTS, expect=SHA256, threads=threads, provider=provider)

    def detect(self, image: Pixels) -> list[Face]:
        """All faces of one picture ``(H, W, 3)`` uint8 RGB, best first.

        The picture is scanned at two sizes, and at a third where these show hints of smaller faces. What is found is
        looked at again by :meth:`near`, so that a face is measured alike in a photo, at a key moment and in between,
        and what looks like a face from one distance only is dropped.
        """
        scans = [self._scan_at(image, _COARSE), self._scan_at(image, _MIDDLE)]
        if _worth_a_closer_look(scans, image.shape[0] * image.shape[1], self.score):
            scans.append(self._scan_at(image, _FINE))
        faces = self._again(image, distinct(_agreed(scans)), self.score)
        return sorted(faces, key=lambda face: (-face.score, face.box))

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]:
        """Faces known from shortly before, found again where they were; those not found again are left out.

        A face may have moved by a third of its size. Costs about 1.5 CPU-ms a face.
        """
        # Below the score for new faces: one that was seen a moment ago may be seen a little worse.
        return self._again(image, faces, self.score - 0.1)

    def scan(self, image: Pixels, scale: float = 1.0, least: float | None = None) -> list[Face]:
        """Faces of one picture looked at once, at ``scale`` times its size, with a score above ``least``."""
        step = 2 ** halvings(scale)
        w, h = (max(side // step, 1) * step for side in image.shape[1::-1])
        size = (max(round(w * scale), 32), max(round(h * scale), 32))
        image = resized(image[:h, :w], size)
        blob = cv2.dnn.blobFromImage(image, 1.0, size, _MEAN_BGR, swapRB=True)
        answer = list(self._session.run(input=blob).values())
        prior = anchors(size[1], size[0])
        boxes, scores, points = _decode(answer[0], answer[1], answer[2], prior, self.score if least is None else least)
        ratio = np.array([w / size[0], h / size[1]], np.float32)
        boxes *= np.tile(ratio, 2)
        points *= ratio
        return [_face(b, float(s), p) for b, s, p in zip(boxes, scores, points, strict=True)]

    def _scan_at(self, image: Pixels, pixels: float) -> Scan:
        # Small pictures are enlarged, up to twice: a face of 48 pixels is found much more surely at 96.
        most = 1.0 if pixels == _FINE else 2.0
        scale = min((pixels / (image.shape[0] * image.shape[1])) ** 0.5, most)
        return scale, self.scan(image, scale, _FAINT)

    def _again(self, image: Pixels, faces: list[Face], least: float) -> list[Face]:
        """Each face measured anew in a cell of its own, in the order given, if it is still there."""
        if not faces:
            return []
        canvas, cells = mosaic(image, faces)
        best: dict[int, tuple[float, Face]] = {}
        for seen in self.scan(canvas, 1.0, least):
            k = cell_at(canvas, seen)
            if k < len(faces):
                face = _out_of(cells[k], seen)
                fit = float(overlap([face], [faces[k]])[0, 0])
                if fit > best.get(k, (_SAME, face))[0]:
                    best[k] = fit, face
        return distinct([best[k][1] for k in sorted(best)])


def _worth_a_closer_look(scans: list[Scan], pixels: int, sure: float) -> bool:
    """Whether the scans show hints of faces too small for them, in a picture that has more to show."""
    scale = scans[-1][0]
    found = distinct([face for _, faces in scans for face in faces])
    return pixels > 1.2 * _MIDDLE and any(face.size * scale < _SMALL[face.score < sure] for face in found)


def _agreed(scans: list[Scan]) -> list[Face]:
    """Candidates of all scans, from coarse to fine, that every coarser scan saw too where they were large enough."""
    kept: list[Face] = []
    for k, (_, faces) in enumerate(scans):
        for face in (f for f in faces if f.score > _CANDIDATE):
            witnesses = [seen for at, seen in scans[:k] if face.size * at >= _PLAIN]
            sure = [[f for f in seen if f.score > _CANDIDATE] for seen in witnesses]
            if all((overlap([face], seen) > _SAME).any() for seen in sure):
                kept.append(face)
    return kept


def _out_of(cell: Cell, seen: Face) -> Face:
    """A face seen in a cell, in the coordinates of the picture."""
    scale, shift = np.array(cell.scale), np.array(cell.origin) - np.array(cell.offset) / np.array(cell.scale)
    box = np.array(seen.box) / np.tile(scale, 2)
    box[:2] += shift
    assert seen.points is not None
    return _face(box, seen.score, (seen.points / scale + shift).astype(np.float32))


def _face(box: NDArray[np.floating], score: float, points: Floats) -> Face:
    x, y, width, height = (float(v) for v in box)
    return Face((x, y, width, height), score, points)


def _decode(
    loc: Floats, conf: Floats, marks: Floats, prior: Floats, least: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The network's answers as boxes ``(n, 4)``, scores ``(n,)`` and points ``(n, 5, 2)``, doubles left out."""
    keep = np.flatnonzero(conf[0, :, 1] > least)
    loc, score, marks, prior = loc[0, keep], conf[0, keep, 1], marks[0, keep], prior[keep]
    centre = prior[:, :2] + loc[:, :2] * _VARIANCE[0] * prior[:, 2:]
    size = prior[:, 2:] * np.exp(loc[:, 2:] * _VARIANCE[1])
    boxes = np.hstack([centre - size / 2, size])
    points = prior[:, None, :2] + marks.reshape(-1, 5, 2) * _VARIANCE[0] * prior[:, None, 2:]
    if len(boxes):
        chosen = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), score.tolist(), least, 0.4)).reshape(-1)
        boxes, score, points = boxes[chosen], score[chosen], points[chosen]
    return boxes, score, points
