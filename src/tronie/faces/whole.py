"""Pictures that are one cropped face each: no search, but the face is set straight where its points can be found."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from tronie.core.face import Face, Floats, Pixels
from tronie.faces import align
from tronie.faces.detect import RetinaFace

_BORDER = 0.4  # share of the side added all around, since published crops cut foreheads and chins off
_LOOK = 100  # least side in pixels a face is looked for at
_FAR = 0.12  # mean distance of the points from the template, as a share of the side, above which they are no face's
_SCALE = (0.6, 3.0)  # how many times larger than an aligned crop shows it the picture may be, over the template's


class Finder(Protocol):
    """Finds faces in a picture."""

    def detect(self, image: Pixels, /) -> list[Face]: ...


class WholePicture:
    """The picture is one face: its box is the picture, its score 1.

    Its points are looked for, so that a loose or tilted crop is read like an aligned one (on FERPlus' valid part that
    is 1.3 points of accuracy and 2.3 of mean recall over reading the crop as it is, and nothing on RAF-DB's own crops:
    ``benchmarks/accuracy/fold0.py``); where none lie like a face's,
    there are none, and the picture is read as it is. ``align=False`` never looks: for faces that are aligned already.
    """

    def __init__(self, *, align: bool = True, threads: int = 1, provider: str = "cpu") -> None:
        self._finder = RetinaFace(threads=threads, provider=provider) if align else None

    def detect(self, image: Pixels) -> list[Face]:
        """One face: the whole of ``image`` ``(H, W, 3)`` uint8 RGB."""
        points = find_points(image, self._finder) if self._finder is not None else None
        if points is not None and not plausible(points, image):
            points = None
        return [Face((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0, points)]

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]:
        """The same; ``faces`` say nothing new."""
        return self.detect(image)


def find_points(face: Pixels, detector: Finder) -> Floats | None:
    """Five points ``(5, 2)``, in pixels, of the one face that fills a published crop; None if it is not found."""
    height, width = face.shape[:2]
    zoom = max(_LOOK / min(height, width), 1.0)
    image = cv2.resize(face, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR) if zoom > 1 else face
    edge = int(_BORDER * min(image.shape[:2]))
    border = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(123, 117, 104))
    framed = np.asarray(border, np.uint8)
    middle = np.array(framed.shape[1::-1]) / 2
    found = [f for f in detector.detect(framed) if f.points is not None]
    if not found:
        return None

    def central(f: Face) -> float:
        centre = np.array(f.box[:2]) + np.array(f.box[2:]) / 2
        return f.score - 2 * float(np.abs((centre - middle) / image.shape[1::-1]).max())

    points = max(found, key=central).points
    assert points is not None
    return np.asarray((points - edge) / zoom, np.float32)


def plausible(points: Floats, face: Pixels) -> bool:
    """Whether points ``(5, 2)`` lie like a face's, at the scale of one that fills the crop or a good part of it."""
    move = align.similarity(points, align.TEMPLATE)
    off = np.hypot(*(points @ move[:, :2].T + move[:, 2] - align.TEMPLATE).T).mean()
    zoom = float(np.sqrt(np.linalg.det(move[:, :2]))) * min(face.shape[:2])
    upright = move[0, 0] > 0  # eyes and mouth of a face upside down lie well on the template, too
    return bool(off < _FAR and _SCALE[0] < zoom < _SCALE[1] and upright)
