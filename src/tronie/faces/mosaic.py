"""Many small looks in one: the surroundings of known faces, each brought to one size, side by side in one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tronie.core.face import Face, Pixels
from tronie.faces.resize import halvings, resized

CELL = 128
"""Side of a cell in pixels; a multiple of the network's coarsest step (32), so that all cells are seen alike."""
FACE = 104
"""Longer side of a face's box in its cell.

Of 800 tight RAF-DB crops that the scan finds, 99 % are found again at 104 pixels, 97 % at 88, 85 % at 64; a face that
moved by 0.3 of its size, still 99 %. Under random shifts (10 %) and scales (8 %) its five points scatter by 1.4 % of
the face's size, at 64 pixels by 2.3 %. A cell of 160 pixels gains a third of what is left for 1.6 times the time.
"""

_FILL = (123, 117, 104)  # the network's mean colour: zero after its normalisation


@dataclass(frozen=True)
class Cell:
    """Where a cell lies: mosaic ``= (picture - origin) * scale + offset``, for x and y."""

    origin: tuple[float, float]
    scale: tuple[float, float]
    offset: tuple[float, float]


def mosaic(image: Pixels, faces: list[Face]) -> tuple[Pixels, list[Cell]]:
    """One picture with a cell of ``CELL`` pixels per face, in rows, and where each cell comes from.

    A face's box is centred in its cell with its longer side at ``FACE`` pixels; what lies outside ``image`` is filled.
    """
    columns = math.ceil(math.sqrt(len(faces)))
    rows = -(-len(faces) // columns)
    canvas: Pixels = np.empty((rows * CELL, columns * CELL, 3), np.uint8)
    canvas[:] = _FILL
    cells = []
    for k, face in enumerate(faces):
        row, column = divmod(k, columns)
        cells.append(_fill(canvas, image, face, (column * CELL, row * CELL)))
    return canvas, cells


def cell_at(canvas: Pixels, face: Face) -> int:
    """Number of the cell of ``canvas`` in which the middle of ``face`` lies."""
    x, y, width, height = face.box
    columns, rows = int(canvas.shape[1] // CELL), int(canvas.shape[0] // CELL)
    column = min(max(int((x + width / 2) // CELL), 0), columns - 1)
    row = min(max(int((y + height / 2) // CELL), 0), rows - 1)
    return row * columns + column


def _fill(canvas: Pixels, image: Pixels, face: Face, corner: tuple[int, int]) -> Cell:
    """Draw one cell with its upper left ``corner`` on the canvas."""
    x, y, width, height = face.box
    scale = FACE / max(width, height, 1.0)
    step = 2 ** halvings(scale)
    across = _part(x + width / 2, image.shape[1], scale, step)
    down = _part(y + height / 2, image.shape[0], scale, step)
    (left, right, to_left, to_right), (top, bottom, to_top, to_bottom) = across, down
    size = to_right - to_left, to_bottom - to_top
    place = canvas[corner[1] + to_top : corner[1] + to_bottom, corner[0] + to_left : corner[0] + to_right]
    place[:] = resized(image[top:bottom, left:right], size)
    scales = size[0] / (right - left), size[1] / (bottom - top)
    return Cell((left, top), scales, (corner[0] + to_left, corner[1] + to_top))


def _part(middle: float, limit: int, scale: float, step: int) -> tuple[int, int, int, int]:
    """Along one side: from where to where the picture covers the cell, in its pixels, and in pixels of the cell.

    Both are whole numbers, the picture's a multiple of ``step``; the exact scale follows from them.
    """
    low = min(max(round(middle - CELL / 2 / scale), 0), max(limit - step, 0))
    high = max(min(round(middle + CELL / 2 / scale), limit), low + 1)
    high = low + max((high - low) // step * step, 1)
    to_low = min(max(round((low - middle) * scale + CELL / 2), 0), CELL - 1)
    to_high = max(min(round((high - middle) * scale + CELL / 2), CELL), to_low + 1)
    return low, high, to_low, to_high
