"""Read one picture, whatever its mode, as upright RGB."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.video.files import ensure_file

MEGAPIXELS = 100
"""Largest picture read, in millions of pixels: it takes 300 MB as RGB. A small file can claim to be far larger."""

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP", "PPM", "JPEG2000", "ICO")
"""Formats that are opened, by Pillow's names: each is a raster of pixels that Pillow decodes itself. Others that it
knows are page descriptions or wrappers; for PostScript (EPS) it starts Ghostscript, which runs the file as a
program."""

TIME_LIMIT_S = 60.0
"""Most processor time that one picture may take. 100 megapixels of JPEG take about a second."""

_DEPTHS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))  # white, of grey pictures that do not say their depth

# What Pillow's parsers raise for broken bytes: mostly OSError, the rest from single formats (PNG: SyntaxError, AVIF:
# RuntimeError); collected by reading 20,000 pictures in eleven formats with bytes changed at random.
DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_image(source: Path | bytes) -> Pixels:
    """The picture as ``(H, W, 3)`` uint8 RGB, turned upright by its EXIF orientation.

    Grey, palette, CMYK and deep pictures become 8-bit RGB (deep grey by its own range, see :func:`_deep_grey`),
    transparency is laid over white; an animation gives its first frame and a document its first page (see
    :mod:`tronie.video.animation` and :func:`read_pages`). Raises SourceError if the source is missing, empty,
    truncated, no picture, or larger than ``MEGAPIXELS``.
    """
    return next(read_pages(source))


def read_pages(source: Path | bytes) -> Iterator[Pixels]:
    """:func:`read_image` every page of a TIFF, one after the other; any other picture is its only page.

    What a TIFF holds besides its pages, smaller copies and masks, is passed over. Raises SourceError.
    """
    name = "The picture given as bytes" if isinstance(source, bytes) else f"Picture {source}"
    with open_file(source, name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF, and about sizes that are checked here
        picture = _identified(file, name)
        pages = _pages(picture)
        for page, number in enumerate(pages, 1):
            try:
                file.start_clock()
                picture.seek(number)
                check_size(picture, name)
                image = upright_rgb(picture)
            except DAMAGED as error:
                where = f" on page {page} of {len(pages)}" if len(pages) > 1 else ""
                raise SourceError(
                    f"{name} is damaged or cut short{where} ({_said(error)}): copy or download it again."
                ) from None
            yield image


def count_pages(source: Path) -> int:
    """How many pictures :func:`read_pages` gives. Raises SourceError."""
    name = f"Picture {source}"
    with open_file(source, name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return len(_pages(_identified(file, name)))


def _pages(picture: Image.Image) -> list[int]:
    """The numbers of a TIFF's images that are pages: not smaller copies (bit 0 of their type) and not masks (bit 2)."""
    if picture.format != "TIFF":
        return [0]
    pages = [0]
    with suppress(*DAMAGED):  # where the list of images is torn, those before it are all there is
        for number in range(1, int(getattr(picture, "n_frames", 1))):
            picture.seek(number)
            tags = getattr(picture, "tag_v2", {})
            if not int(tags.get(254, 0)) & 0b101 and int(tags.get(255, 1)) != 2:
                pages.append(number)
    return pages


def open_picture(file: BinaryIO) -> Image.Image:
    """Pillow's picture in ``file``, not decoded yet. The only place where Pillow opens anything.

    Raises what Pillow raises: UnidentifiedImageError for a format that is not among ``FORMATS``.
    """
    Image.init()  # so that formats which this build of Pillow lacks are known not to be there
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


class PictureFile(io.BufferedReader):
    """A picture's bytes, which run dry with a SourceError once a picture has cost ``TIME_LIMIT_S`` of processor time.

    Pillow asks for them piece by piece, at most 64 KiB each, while it decodes JPEG, PNG and GIF: the limit may be
    passed by what one such piece costs (a JPEG of thousands of scans: 10 s). The other formats are read at once, and
    what bounds them is ``MEGAPIXELS`` alone.
    """

    def __init__(self, raw: io.RawIOBase, name: str) -> None:
        super().__init__(raw)
        self._name = name
        self.start_clock()

    def start_clock(self) -> None:
        """Count from now on: for the next picture of a file that holds several."""
        self._until = time.thread_time() + TIME_LIMIT_S

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises SourceError when the time is over."""
        if time.thread_time() > self._until:
            raise SourceError(
                f"{self._name} takes more than {TIME_LIMIT_S:g} s to decode: store it anew, or leave it out."
            )
        return super().read(size)


def open_file(source: Path | bytes, name: str) -> PictureFile:
    """The file of a picture; ``name`` is what sentences about it begin with. Raises SourceError, also if empty."""
    if isinstance(source, Path):
        ensure_file(source)
    try:
        raw = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb", buffering=0)
    except FileNotFoundError:
        raise SourceError(f"{name} does not exist: check the path.") from None
    except OSError as error:
        raise SourceError(f"{name} cannot be opened ({error.strerror}): check the path and its permissions.") from None
    file = PictureFile(cast(io.RawIOBase, raw), name)
    if file.seek(0, io.SEEK_END) == 0:
        file.close()
        raise SourceError(f"{name} is empty (0 bytes): copy or download it again.")
    file.seek(0)
    return file


def _identified(file: BinaryIO, name: str) -> Image.Image:
    try:
        return open_picture(file)
    except UnidentifiedImageError:
        raise SourceError(f"{name} is not in a picture format that is read: convert it to JPEG or PNG.") from None
    except Image.DecompressionBombError:
        raise SourceError(f"{name} has more than {MEGAPIXELS} megapixels: reduce it first.") from None
    except DAMAGED as error:
        raise SourceError(f"{name} is damaged ({_said(error)}): copy or download it again.") from None


def check_size(picture: Image.Image, name: str) -> None:
    """Raise SourceError if a picture that is not decoded yet says that it has more than ``MEGAPIXELS``."""
    width, height = picture.size
    if width * height > MEGAPIXELS * 1e6:
        raise SourceError(
            f"{name} is {width} x {height} pixels, more than the limit of {MEGAPIXELS} megapixels: reduce it first."
        )


def _said(error: Exception) -> str:
    """The parser's own words, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def upright_rgb(picture: Image.Image) -> Pixels:
    """Decode the frame or page at which ``picture`` stands, turn it upright, and bring any mode to RGB."""
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        return _deep_grey(upright)
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        upright = Image.alpha_composite(white, layer)
    return np.array(upright.convert("RGB"))


def _deep_grey(picture: Image.Image) -> Pixels:
    """Grey of more than 8 bits, scaled to 8 by its own range.

    Cameras for machines, infrared and depth give 10, 12 or 14 bits in a file of 16, which does not say so: taken for 16
    bits they are black. White is the largest value of the smallest depth among ``_DEPTHS`` that holds every value.
    Floats up to 2 are 0 to 1 (resizing leaves values a little above), larger ones as if they were integers. Where
    values are negative or larger than 16 bits there is no such rule, and the smallest becomes black, the largest white.
    What is no number is black.
    """
    values = np.asarray(picture).astype(np.float32)
    there = values[np.isfinite(values)]
    low, high = (float(there.min()), float(there.max())) if there.size else (0.0, 0.0)
    if low < 0 or high > _DEPTHS[-1]:
        values = (values - np.float32(low)) / np.float32((high - low) / 255 or 1)
    elif picture.mode == "F" and high <= 2:
        values = values * np.float32(255)
    else:
        values = values / np.float32(next(white for white in _DEPTHS if high <= white) / 255)
    grey = np.clip(np.rint(np.where(np.isfinite(values), values, 0)), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
