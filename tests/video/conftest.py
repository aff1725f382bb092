"""Films whose frames carry their own number, so that a test can see which one it was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tronie.core.face import Pixels
from tronie.video.write import VideoWriter

BITS, SQUARE = 10, 16


def numbered(number: int) -> Pixels:
    """A picture of 64 x 160 that shows ``number`` in black and white squares, above a pattern that moves."""
    image = np.full((64, BITS * SQUARE, 3), 40, np.uint8)
    for bit in range(BITS):
        image[:SQUARE, bit * SQUARE : (bit + 1) * SQUARE] = 255 * (number >> bit & 1)
    image[SQUARE:, (7 * number) % 140 :][:, :20] = (200, 90, 30)
    return image


def number_of(image: Pixels) -> int:
    """What :func:`numbered` drew."""
    middles = image[SQUARE // 2, SQUARE // 2 :: SQUARE, 1]
    return sum(int(v > 127) << bit for bit, v in enumerate(middles))


@pytest.fixture(scope="session")
def read_number() -> Callable[[Pixels], int]:
    """The number a frame carries."""
    return number_of


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """A maker of films: one numbered frame at each of ``times``, by the package's own writer."""

    def make(times: Sequence[float], name: str = "film.mp4", keyframes: int = 8) -> Path:
        with VideoWriter(tmp_path / name, keyframes=keyframes) as writer:
            for number, time in enumerate(times):
                writer.write(numbered(number), time)
        return tmp_path / name

    return make


@pytest.fixture
def foreign(tmp_path: Path) -> Callable[..., Path]:
    """A maker of films by the library alone, with B-frames or a codec of choice; 25 frames a second."""

    def make(
        count: int = 60,
        name: str = "foreign.mp4",
        codec: str = "libx264",
        *,
        options: dict[str, str] | None = None,
        aspect: Fraction | None = None,
        start: int = 0,
    ) -> Path:
        options = {"bf": "3", "g": "12", "crf": "10"} if options is None else options
        with av.open(
            str(tmp_path / name), "w", options={"movflags": "faststart"} if name.endswith("mp4") else {}
        ) as out:
            stream = out.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = BITS * SQUARE, 64, "yuv420p"
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
                frame.pts, frame.time_base = start + number, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return tmp_path / name

    return make
