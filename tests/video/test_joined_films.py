"""Films joined of parts that differ in their tags: gone on with anywhere, they give what an uninterrupted run gives.

A decoder keeps what a part does not say from the part before it. Whoever jumps into the film has not seen that part.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tronie.video.reader import VideoReader

LASTS = 16  # frames of each part, see tests/joined_films.py
BT709, BT601, LIMITED, FULL = 1, 6, 1, 2
TURNED = "h264_metadata=display_orientation=insert:rotate=90"
MIRRORED = "h264_metadata=display_orientation=insert:flip=horizontal"

JOINED = {
    "unknown, BT.709, unknown": [{}, {"matrix": BT709}, {}],
    "BT.709, BT.601, unknown": [{"matrix": BT709}, {"matrix": BT601}, {}],
    "limited, full, unknown range": [{"range": LIMITED}, {"range": FULL, "format": "yuvj420p"}, {}],
    "full, unknown range": [{"range": FULL, "format": "yuvj420p"}, {}],
    "upright, turned, upright": [{}, {"filter": TURNED, "g": LASTS}, {}],
    "turned, mirrored, upright": [{"filter": TURNED, "g": LASTS}, {"filter": MIRRORED, "g": LASTS}, {}],
    "square, wide, unknown pixels": [{"aspect": Fraction(1)}, {"aspect": Fraction(4, 3)}, {}],
    "progressive, interlaced, progressive": [{}, {"x264": "aud=1:tff=1"}, {}],
    "large, small, large": [{}, {"size": (32, 24)}, {}],
    "small, large, small, with colours": [{"size": (32, 24)}, {"matrix": BT709}, {"size": (32, 24)}],
}


@pytest.fixture
def joined(joined_films, tmp_path):
    def make(name: str) -> Path:
        joined_films.write_joined(tmp_path / "joined.ts", JOINED[name])
        return tmp_path / "joined.ts"

    return make


@pytest.mark.parametrize("name", JOINED)
def test_gone_on_with_after_any_frame_it_is_the_same_film(joined, name) -> None:
    path = joined(name)
    with VideoReader(path) as reader:
        whole, states = [], []
        for frame in reader:
            whole.append(frame)
            states.append(json.dumps(reader.state()))
        assert reader.warnings == []
    assert len(whole) == LASTS * len(JOINED[name])
    for index in [*range(0, len(whole) - 1, 5), len(whole) - 2]:
        with VideoReader(path) as again:
            again.restore(json.loads(states[index]))
            rest = list(again)
        assert [frame.time for frame in rest] == [frame.time for frame in whole[index + 1 :]]
        for one, other in zip(rest, whole[index + 1 :], strict=True):
            assert one.image.shape == other.image.shape
            assert np.array_equal(one.image, other.image), f"gone on after frame {index}: {other.index} differs"


def test_a_part_is_turned_as_that_part_says(joined) -> None:
    """A telephone that is turned while it sends: every part is shown upright."""
    with VideoReader(joined("upright, turned, upright")) as reader:
        shapes = [frame.image.shape[:2] for frame in reader]
    assert shapes == [(48, 64)] * LASTS + [(64, 48)] * LASTS + [(48, 64)] * LASTS
