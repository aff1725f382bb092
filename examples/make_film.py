"""Make the sample film: two public-domain portraits, a slow zoom, two cuts; 8 seconds, 640x360, 25 frames a second.

    python examples/make_film.py OUT.mp4

The people in it do not move; only the camera does. So whatever Tronie says about a shot should stay the same in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tronie.core.errors import TronieError
from tronie.video.write import VideoWriter

SAMPLES = Path(__file__).resolve().parent / "samples"
WIDTH, HEIGHT, RATE = 640, 360, 25

Pixels = NDArray[np.uint8]
Place = tuple[float, float, float]
"""What the camera sees of a portrait: centre x, centre y and width, in its pixels."""


def portrait(name: str) -> Pixels:
    """A sample as ``(H, W, 3)`` uint8 RGB."""
    with Image.open(SAMPLES / name) as picture:
        return np.asarray(picture.convert("RGB"))


def look(picture: Pixels, place: Place, width: int, height: int) -> Pixels:
    """The part of a picture that the camera sees, ``(height, width, 3)``."""
    x, y, seen = place
    scale = width / seen
    move = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height / 2 - scale * y]])
    return np.asarray(cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def shot(picture: Pixels, start: Place, end: Place, seconds: float, width: int = WIDTH) -> Iterator[Pixels]:
    """Frames of one camera move, eased at both ends."""
    count = round(seconds * RATE)
    for i in range(count):
        share = 0.5 - 0.5 * np.cos(np.pi * i / (count - 1))
        x, y, seen = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        yield look(picture, (x, y, seen), width, HEIGHT)


def frames() -> Iterator[Pixels]:
    """All 200 frames: Eileen Collins for 3 s, Grace Hopper for 2.6 s, then both side by side for 2.4 s."""
    collins, hopper = portrait("astronaut.jpg"), portrait("grace_hopper.jpg")
    half = WIDTH // 2
    yield from shot(collins, (256, 144, 512), (226, 130, 300), 3.0)
    yield from shot(hopper, (256, 250, 512), (266, 222, 470), 2.6)
    left = shot(collins, (225, 150, 250), (225, 140, 230), 2.4, half)
    right = shot(hopper, (266, 240, 380), (266, 230, 360), 2.4, half)
    yield from (np.hstack(pair) for pair in zip(left, right, strict=True))


def write(path: Path) -> int:
    """Write the film; returns the number of frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with VideoWriter(path, quality=20) as film:
        for count, pixels in enumerate(frames(), 1):
            film.write(pixels, (count - 1) / RATE)
    return count


def main() -> int:
    """Write the film to the path given."""
    if len(sys.argv) != 2:
        print("Usage: python examples/make_film.py OUT.mp4")
        return 2
    path = Path(sys.argv[1])
    try:
        count = write(path)
    except TronieError as error:
        print(error)
        return error.exit_code
    print(f"{path}: {count} frames, {count / RATE:g} s, {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
