"""Draw on a picture what was read in it: box, person, expression and confidence. And make faces unrecognisable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from tronie.core.face import Pixels
from tronie.core.labels import UNCERTAIN
from tronie.output.palette import GREY, Look

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""
Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels; right and bottom are outside."""

CELLS = 5
"""Cells across a blurred face. 5 x 5 mean colours are all that is left of it."""
GROW = 0.25
"""A blurred region reaches this share of the box further on every side: hair line, chin and ears are outside boxes."""
_PLATE, _PAPER = (24, 24, 24), (255, 255, 255)


@dataclass(frozen=True)
class Mark:
    """What is drawn at one face. ``usable`` is False where the face was too poor to read: its box is dashed."""

    box: Box
    person: str
    label: str
    confidence: float
    usable: bool = True


def draw(image: Pixels, marks: Sequence[Mark], looks: Mapping[str, Look]) -> Pixels:
    """A copy of ``image`` with a box and a plate per face. ``looks`` comes from :func:`tronie.output.palette.looks`.

    Lines and letters grow with the picture and shrink for small faces. "uncertain" is grey, dashed and without a
    number; a face too poor to read is dashed too. Plates avoid each other and other faces. In a picture narrower than
    a plate only initials are written.
    """
    image = np.ascontiguousarray(image).copy()
    height, width = image.shape[:2]
    faces = [_corners(mark.box) for mark in marks]
    for mark, face in zip(marks, faces, strict=True):
        colour = _rgb(GREY) if mark.label == UNCERTAIN else looks[mark.label].rgb
        _outline(image, face, colour, _line(face, image), dashed=mark.label == UNCERTAIN or not mark.usable)
    placed: list[Rectangle] = []
    for i, (mark, face) in enumerate(zip(marks, faces, strict=True)):
        plate = _plate_for(mark, looks[mark.label], face, (height, width))
        others = [other for j, other in enumerate(faces) if j != i]
        spot = _place(face, plate.shape[1], plate.shape[0], (height, width), placed, others, _line(face, image))
        placed.append(spot)
        _paste(image, plate, spot)
    return image


def blur_faces(image: Pixels, boxes: Iterable[Box]) -> Pixels:
    """A copy of ``image`` in which nothing of the faces is left but 5 x 5 mean colours each, blurred into another.

    Every box is enlarged by a quarter on each side. It cannot be undone: pictures that differ within the cells, but
    not in their means, give the same result.
    """
    image = np.ascontiguousarray(image).copy()
    height, width = image.shape[:2]
    for x, y, w, h in boxes:
        left, top = max(round(x - GROW * w), 0), max(round(y - GROW * h), 0)
        right, bottom = min(round(x + (1 + GROW) * w), width), min(round(y + (1 + GROW) * h), height)
        if right <= left or bottom <= top:
            continue
        region = image[top:bottom, left:right]
        size = (right - left, bottom - top)
        means = cv2.resize(region, (min(CELLS, size[0]), min(CELLS, size[1])), interpolation=cv2.INTER_AREA)
        # Smooth between the cells' centres: the pixelation and its blur in one, a function of the means alone.
        image[top:bottom, left:right] = cv2.resize(means, size, interpolation=cv2.INTER_LINEAR)
    return image


def _corners(box: Box) -> Rectangle:
    x, y, w, h = box
    return round(x), round(y), round(x + w), round(y + h)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _outline(image: Pixels, face: Rectangle, colour: tuple[int, int, int], line: int, *, dashed: bool) -> None:
    """The box in its colour between two dark lines, so that it stands out on any ground."""
    left, top, right, bottom = face
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    dash = 0
    if dashed:
        dash = max(3 * line, min(right - left, bottom - top) // 12)
    for width, paint in ((line + 2, _PLATE), (line, colour)):
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            for start, end in _dashes(a, b, dash):
                cv2.line(image, start, end, paint, width, cv2.LINE_8)


def _dashes(a: tuple[int, int], b: tuple[int, int], dash: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    if not dash:
        return [(a, b)]
    along = np.subtract(b, a)
    length = float(np.abs(along).sum())
    count = max(int(length / (2 * dash)), 1)
    cuts = np.linspace(0, 1, 2 * count + 1)[:-1].reshape(-1, 2)
    points = np.rint(np.array(a) + cuts[..., None] * along).astype(int)
    return [((int(p[0][0]), int(p[0][1])), (int(p[1][0]), int(p[1][1]))) for p in points]


def _line(face: Rectangle, image: Pixels) -> int:
    """Thickness of a box in pixels: by the picture, but no more than a small face can bear."""
    longest = int(max(image.shape[:2]))
    return max(1, min(round(longest / 400), (face[2] - face[0]) // 20))


def _plate_for(mark: Mark, look: Look, face: Rectangle, size: tuple[int, int]) -> Pixels:
    """The plate of a face: letters between 11 px and a share of the picture; in words, or brief in a tiny picture."""
    side = min(size)
    letters = int(np.clip((face[2] - face[0]) * 0.15, max(11, side * 0.018), max(12, side * 0.042)))
    number = "" if mark.label == UNCERTAIN else f"{100 * mark.confidence:.0f} %"
    full = _plate(mark.person, f"{mark.label} {number}".strip(), look, letters)
    if full.shape[1] <= size[1]:
        return full
    return _plate("", f"{mark.person.removeprefix('person ')[:4]} {number}".strip(), look, letters)


@lru_cache(maxsize=1024)
def _plate(above: str, below: str, look: Look, letters: int) -> Pixels:
    """A dark plate: at the left a patch in the label's colour with its initials, then one or two lines of text."""
    pad = max(2, letters // 4)
    lines = [words for words in (above, below) if words]
    step = round(letters * 1.35)
    height = step * len(lines) + 2 * pad
    patch = max(height, _wide(look.initials, letters, 700) + 2 * pad)
    width = patch + 3 * pad + max(_wide(words, letters, 500) for words in lines)
    plate = np.full((height, width, 3), _PLATE, np.uint8)
    plate[:, :patch] = look.rgb
    left = (patch - _wide(look.initials, letters, 700)) // 2
    _write(plate, look.initials, left, (height + round(letters * 0.72)) // 2, _rgb(look.ink), letters, 700)
    for i, words in enumerate(lines):
        _write(plate, words, patch + pad + pad // 2, pad + i * step + round(letters * 1.02), _PAPER, letters, 500)
    plate.setflags(write=False)
    return plate


@lru_cache(maxsize=1)
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")  # OpenCV 5 carries it: no font has to be installed, and it knows many scripts


def _wide(words: str, letters: int, weight: int) -> int:
    _, _, width, _ = cv2.getTextSize((0, 0), words, (0, 0), _font(), letters, weight)
    return int(width)


def _write(image: Pixels, words: str, x: int, y: int, colour: tuple[int, int, int], letters: int, weight: int) -> None:
    cv2.putText(image, words, (x, y), colour, _font(), letters, weight)


def _place(
    face: Rectangle,
    wide: int,
    high: int,
    size: tuple[int, int],
    placed: Sequence[Rectangle],
    others: Sequence[Rectangle],
    line: int,
) -> Rectangle:
    """Where the plate hides least: above the box, below, right, left, or inside at its upper edge."""
    left, top, right, bottom = face
    gap = line + 1
    spots = [
        (left - line, top - high - gap),
        (left - line, bottom + gap),
        (right + gap, top),
        (left - wide - gap, top),
        (left - line, top),
    ]
    best: tuple[float, Rectangle] | None = None
    for rank, (x, y) in enumerate(spots):
        x, y = max(min(x, size[1] - wide), 0), max(min(y, size[0] - high), 0)
        spot = (x, y, x + wide, y + high)
        hidden = 4 * sum(_common(spot, other) for other in placed) + sum(_common(spot, other) for other in others)
        cost = hidden + _common(spot, face) + 0.02 * rank * wide * high
        if best is None or cost < best[0]:
            best = (cost, spot)
    assert best is not None
    return best[1]


def _common(a: Rectangle, b: Rectangle) -> int:
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


def _paste(image: Pixels, plate: Pixels, spot: Rectangle) -> None:
    left, top, right, bottom = spot
    right, bottom = min(right, image.shape[1]), min(bottom, image.shape[0])
    image[top:bottom, left:right] = plate[: bottom - top, : right - left]
