"""Read one picture, whatever its mode, as upright RGB."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.media.source import ensure_file

MEGAPIXELS = 100
"""Largest picture read, in millions of pixels: it takes 300 MB as RGB. A small file can claim to be far larger."""

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
    with _open(source, name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF, and about sizes that are checked here
        return _decode(file, name)


def _open(source: Path | bytes, name: str) -> BinaryIO:
    if isinstance(source, Path):
        ensure_file(source)
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    except FileNotFoundError:
        raise SourceError(f"{name} does not exist: check the path.") from None
    except OSError as error:
        raise SourceError(f"{name} cannot be opened ({error.strerror}): check the path and its permissions.") from None
    if file.seek(0, io.SEEK_END) == 0:
        file.close()
        raise SourceError(f"{name} is empty (0 bytes): copy or download it again.")
    file.seek(0)
    return file


def _decode(file: BinaryIO, name: str) -> Pixels:
    try:
        picture = Image.open(file)
    except UnidentifiedImageError:
        raise SourceError(f"{name} is not in a picture format that can be read: convert it to JPEG or PNG.") from None
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
