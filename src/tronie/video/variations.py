"""The same picture or film, shown otherwise: moved, rescaled, mirrored, stored again, thinned, cut open.

None of these changes the expression shown, so none should change what is read: ``tronie selfcheck`` counts how often
it does all the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tronie.core.errors import SourceError
from tronie.core.face import Frame, Pixels
from tronie.video.image import read_image
from tronie.video.reader import VideoReader
from tronie.video.write import VideoWriter

Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """A picture shown otherwise: its ``pixels`` and ``back``, which brings boxes ``(n, 4)`` to the original's place."""

    pixels: Pixels
    back: Callable[[Boxes], Boxes]


def moved(image: Pixels, right: int, down: int) -> Shown:
    """With a border at the left and top, of the edge's own pixels: everything lies further right and down."""
    pixels = cv2.copyMakeBorder(image, down, 0, right, 0, cv2.BORDER_REPLICATE)
    return Shown(np.asarray(pixels, np.uint8), lambda box: box - np.array([right, down, 0, 0], np.float64))


def trimmed(image: Pixels, left: int, top: int) -> Shown:
    """Without its first columns and rows."""
    kept = np.ascontiguousarray(image[top:, left:])
    return Shown(kept, lambda box: box + np.array([left, top, 0, 0], np.float64))


def rescaled(image: Pixels, factor: float) -> Shown:
    """At another size: averaged where smaller, interpolated where larger."""
    height, width = image.shape[:2]
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    pixels = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    ratio = np.array([width / size[0], height / size[1]] * 2)
    return Shown(np.asarray(pixels, np.uint8), lambda box: box * ratio)


def mirrored(image: Pixels) -> Shown:
    """Left and right exchanged."""
    width = image.shape[1]

    def back(box: Boxes) -> Boxes:
        turned = box.copy()
        turned[:, 0] = width - box[:, 0] - box[:, 2]
        return turned

    return Shown(np.ascontiguousarray(image[:, ::-1]), back)


def stored(image: Pixels, form: str, quality: int) -> Shown:
    """Written as ``form`` (Pillow's name, such as "JPEG") with a ``quality`` of 1..100, and read again."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, quality=quality)
    return Shown(read_image(file.getvalue()), lambda box: box)


PICTURES: dict[str, Callable[[Pixels], Shown]] = {
    "moved 13, 29 px": lambda image: moved(image, 13, 29),
    "moved 64, 5 px": lambda image: moved(image, 64, 5),
    "trimmed 5, 3 px": lambda image: trimmed(image, 5, 3),
    "rescaled x 0.75": lambda image: rescaled(image, 0.75),
    "rescaled x 0.9": lambda image: rescaled(image, 0.9),
    "rescaled x 1.5": lambda image: rescaled(image, 1.5),
    "mirrored": mirrored,
    "JPEG quality 90": lambda image: stored(image, "JPEG", 90),
    "JPEG quality 60": lambda image: stored(image, "JPEG", 60),
    "WebP quality 80": lambda image: stored(image, "WEBP", 80),
}
"""What is done to a photo, by name."""


@dataclass(frozen=True)
class Reel:
    """A film shown otherwise: its frames, and the second of the original at which it begins."""

    frames: Iterable[Frame]
    start: float = 0.0


def halved(film: Path, folder: Path, track: int | None = None) -> Reel:
    """Every second frame, each shown for as long as the two were; not over a hole between them."""

    def frames() -> Iterator[Frame]:
        kept: Frame | None = None
        with VideoReader(film, track=track) as reader:
            for number, frame in enumerate(reader):
                if number % 2 == 0:
                    if kept is not None:
                        yield kept
                    kept = frame
                elif kept is not None and frame.time - (kept.time + kept.duration) < 1e-6:
                    kept = replace(kept, duration=frame.time + frame.duration - kept.time)
        if kept is not None:
            yield kept

    return Reel(frames())


CUT = 1.37
"""Seconds that :func:`begun_later` cuts off: no multiple of the grids on which films are searched and worked off."""


def begun_later(film: Path, folder: Path, track: int | None = None) -> Reel:
    """Without its first ``CUT`` seconds (of a film shorter than four times that, without its first quarter)."""
    with VideoReader(film, track=track) as reader:
        times = np.array([frame.time for frame in reader])
    first = int(np.searchsorted(times - times[0], min(CUT, (times[-1] - times[0]) / 4)))
    start = float(times[first])

    def frames() -> Iterator[Frame]:
        with VideoReader(film, track=track) as reader:
            for number, frame in enumerate(reader):
                if number >= first:
                    yield replace(frame, time=frame.time - start, index=number - first)

    return Reel(frames(), start)


def stored_as(film: Path, folder: Path, track: int | None = None, *, name: str, quality: float, keyframes: int) -> Reel:
    """Coded again to ``name`` in ``folder`` (H.264 at a constant rate factor of ``quality``), and read from there."""
    path = folder / name
    with VideoReader(film, track=track) as reader, VideoWriter(path, quality=quality, keyframes=keyframes) as writer:
        size: tuple[int, ...] | None = None
        for frame in reader:
            if size not in (None, frame.image.shape):
                raise SourceError(
                    f"Film {film} changes its size at {frame.time:.2f} s, so it cannot be stored again: "
                    "it is not checked."
                )
            size = frame.image.shape
            writer.write(frame.image, frame.time)

    def frames() -> Iterator[Frame]:
        with VideoReader(path) as reader:
            yield from reader

    return Reel(frames())


FILMS: dict[str, Callable[..., Reel]] = {
    "half frame rate": halved,
    "start cut off": begun_later,
    "Matroska, rate factor 23": partial(stored_as, name="again.mkv", quality=23, keyframes=250),
    "MP4, rate factor 32, many keyframes": partial(stored_as, name="small.mp4", quality=32, keyframes=12),
}
"""What is done to a film, by name; each takes the film, a folder for what it writes, and the film's picture track."""
