"""Read one picture, whatever its mode, as upright RGB."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tronie.core.errors import SourceError
from tronie.core.face import Pixels

MEGAPIXELS = 100
"""Largest picture read, in millions of pixels: it takes 300 MB as RGB. A small file can claim to be far larger."""

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP", "PPM", "JPEG2000", "ICO")
"""Formats that are opened, by Pillow's names: each is a raster of pixels that Pillow decodes itself. Others that it
knows are page descriptions or wrappers; for PostScript (EPS) it starts Ghostscript, which runs the file as a
program."""

TIME_LIMIT_S = 60.0
"""Most processor time that one picture may take. 100 megapixels of JPEG take about a second."""

# What Pillow's parsers raise for broken bytes: mostly OSError, the rest from single formats (PNG: SyntaxError, AVIF:
# RuntimeError); collected by reading 20,000 pictures in eleven formats with bytes changed at random.
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError,
    RuntimeError, struct.error, zlib.error,
)  # fmt: skip


def read_image(source: Path | bytes) -> Pixels:
    """The picture as ``(H, W, 3)`` uint8 RGB, turned upright by its EXIF orientation.

    Grey, palette, CMYK and deep pictures become 8-bit RGB (16-bit values are divided by 257), transparency is laid
    over white, and an animation gives its first frame. Raises SourceError if the source is missing, empty, truncated,
    no picture, or larger than ``MEGAPIXELS``.
    """
    name = "The picture given as bytes" if isinstance(source, bytes) else f"Picture {source}"
    with open_file(source, name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF, and about sizes that are checked here
        return _decode(file, name)


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


def _decode(file: BinaryIO, name: str) -> Pixels:
    try:
        picture = open_picture(file)
    except UnidentifiedImageError:
        raise SourceError(f"{name} is not in a picture format that is read: convert it to JPEG or PNG.") from None
    except Image.DecompressionBombError:
        raise SourceError(f"{name} has more than {MEGAPIXELS} megapixels: reduce it first.") from None
    except _DAMAGED as error:
        raise SourceError(f"{name} is damaged ({_said(error)}): copy or download it again.") from None
    width, height = picture.size
    if width * height > MEGAPIXELS * 1e6:
        raise SourceError(
            f"{name} is {width} x {height} pixels, more than the limit of {MEGAPIXELS} megapixels: reduce it first."
        )
    try:
        return _rgb(picture)
    except _DAMAGED as error:
        raise SourceError(f"{name} is damaged or cut short ({_said(error)}): copy or download it again.") from None


def _said(error: Exception) -> str:
    """The parser's own words, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _rgb(picture: Image.Image) -> Pixels:
    """Decode, turn upright, and bring any mode to RGB."""
    picture.seek(0)
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
    """Grey of more than 8 bits: 16-bit integers are scaled to 8; floats are taken as 0..1, or as 0..255 if larger."""
    values = np.asarray(picture).astype(np.float32)
    if picture.mode == "F":
        values = np.nan_to_num(values) * (255.0 if values.size and np.nanmax(values) <= 1.0 else 1.0)
    elif picture.mode != "I" or values.max(initial=0) > 255:  # mode I holds PNG's and TIFF's 16 bits as well as 8
        values = values / 257.0
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
