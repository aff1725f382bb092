from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.face import Face
from tronie.faces.mosaic import CELL, FACE, cell_at, mosaic

WIDTH, HEIGHT = 500, 380
# A picture that says where each of its pixels lies: red is x / 2, green is y / 2; blue tells it from filling.
Y, X = np.mgrid[:HEIGHT, :WIDTH]
MAP = np.dstack([X / 2, Y / 2, np.full_like(X, 255)]).astype(np.uint8)

boxes = st.builds(
    lambda x, y, size, tall: Face((x, y, size, size * tall), 0.9),
    st.floats(-60, 450),
    st.floats(-60, 340),
    st.floats(8, 400),
    st.floats(0.7, 1.4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=5))
def test_cells_show_what_they_say(faces) -> None:
    canvas, cells = mosaic(MAP, faces)
    assert canvas.shape[0] % CELL == canvas.shape[1] % CELL == 0
    columns = canvas.shape[1] // CELL
    for k, (face, cell) in enumerate(zip(faces, cells, strict=True)):
        row, column = divmod(k, columns)
        part = canvas[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        shown = np.argwhere(part[:, :, 2] > 250)
        for y, x in shown[:: max(len(shown) // 50, 1)]:
            # Middles of pixels lie half a pixel in, on both sides.
            there = (np.array([x + column * CELL, y + row * CELL]) + 0.5 - cell.offset) / cell.scale + cell.origin
            # Off by rounding of the two colours, and at the edges by what enlarging repeats.
            slack = 2.5 + 1 / min(cell.scale) + max(0.5 / np.array(cell.scale))
            assert np.abs(part[y, x, :2].astype(float) * 2 - (there - 0.5)).max() <= slack
        x, y, width, height = face.box
        if 0 < x < WIDTH - width and 0 < y < HEIGHT - height:
            longer = max(width, height)
            # The picture's part is rounded to whole pixels at both ends.
            assert np.abs(longer * np.array(cell.scale) - FACE).max() < 3 + 2 * FACE**2 / CELL / longer


def test_a_face_fills_the_middle_of_its_cell() -> None:
    canvas, (cell,) = mosaic(MAP, [Face((200, 120, 80, 100), 1)])
    assert canvas.shape == (CELL, CELL, 3)
    middle = (np.array([240, 170]) - cell.origin) * cell.scale + cell.offset
    assert np.abs(middle - CELL / 2).max() <= 1


def test_cells_lie_in_rows_and_are_told_by_where_a_face_is() -> None:
    canvas, cells = mosaic(MAP, [Face((100, 100, 60, 60), 1)] * 7)
    assert canvas.shape == (3 * CELL, 3 * CELL, 3)
    for k, cell in enumerate(cells):
        x, y = cell.offset
        assert cell_at(canvas, Face((x + 20, y + 20, 88, 88), 1)) == k
    assert cell_at(canvas, Face((-90, -90, 10, 10), 1)) == 0
    assert cell_at(canvas, Face((900, 900, 10, 10), 1)) == 8
