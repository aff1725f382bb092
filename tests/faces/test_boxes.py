from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.face import Face
from tronie.faces.boxes import distinct, overlap, shared

whole_boxes = st.tuples(st.integers(-5, 20), st.integers(-5, 20), st.integers(1, 12), st.integers(1, 12))
faces = st.lists(st.builds(Face, whole_boxes, st.floats(0, 1)), max_size=6)


def painted(face: Face) -> np.ndarray:
    """A box with whole coordinates as pixels."""
    canvas = np.zeros((50, 50), bool)
    x, y, w, h = (int(v) for v in face.box)
    canvas[y + 10 : y + h + 10, x + 10 : x + w + 10] = True
    return canvas


@given(faces, faces)
def test_overlap_counts_pixels(ours, theirs) -> None:
    for i, a in enumerate(ours):
        for j, b in enumerate(theirs):
            both, either = painted(a) & painted(b), painted(a) | painted(b)
            assert shared(ours, theirs)[i, j] == both.sum()
            assert overlap(ours, theirs)[i, j] == pytest.approx(both.sum() / either.sum())


@given(faces)
def test_no_two_that_stay_are_doubles_and_none_is_lost_without_one(some) -> None:
    kept = distinct(some)
    assert [f for f in some if any(f is k for k in kept)] == kept  # in the order given
    alike = overlap(kept, kept)
    assert (alike[~np.eye(len(kept), dtype=bool)] <= 0.4).all()
    for face in some:
        if not any(face is k for k in kept):
            inside = shared([face], kept)[0] / np.minimum(
                face.box[2] * face.box[3], [k.box[2] * k.box[3] for k in kept]
            )
            double = (overlap([face], kept)[0] > 0.4) | (inside > 0.7)
            assert any(k.score >= face.score for k, d in zip(kept, double, strict=True) if d)


@given(faces, st.randoms())
def test_the_order_given_does_not_choose(some, shuffle) -> None:
    other = list(some)
    shuffle.shuffle(other)
    as_values = [sorted((f.box, f.score) for f in distinct(list(fs))) for fs in (some, other)]
    assert as_values[0] == as_values[1]


def test_a_mouth_is_no_second_face() -> None:
    face, mouth = Face((0, 0, 100, 120), 0.9), Face((30, 80, 40, 30), 0.7)
    assert distinct([mouth, face]) == [face]
