"""Animated pictures (GIF, WebP, PNG, AVIF) as films: they answer as :class:`tronie.video.decode.Decoder` does."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.video.clock import Clock
from tronie.video.image import DAMAGED, PictureFile, check_size, open_file, open_picture, upright_rgb

_TICK_S = 1e-6
_SHORTEST_MS, _USUAL_MS = 11, 100  # browsers show a frame of 10 ms or less for 100 ms, as it hardly ever is meant


def moves(source: Path | bytes) -> bool:
    """Whether ``source`` is an animated picture of two frames or more. False for what cannot be opened."""
    try:
        with open_file(source, "") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head = file.peek(32)[:32]
            if not (head.startswith((b"GIF8", b"\x89PNG")) or head[8:12] == b"WEBP" or head[4:12] == b"ftypavis"):
                return False
            picture = open_picture(file)
            return bool(getattr(picture, "is_animated", False)) and _frames(picture) > 1
    except DAMAGED:
        return False
    except SourceError:
        return False


def _still(picture: Image.Image) -> int:
    """1 if the first frame is a still for programs that know no animated PNG, and not shown by others."""
    return int(bool(picture.info.get("default_image")))


def _frames(picture: Image.Image) -> int:
    return int(getattr(picture, "n_frames", 1)) - _still(picture)


@dataclass(frozen=True, eq=False)
class Still:
    """One frame, whole and upright; ``duration`` is in ticks."""

    image: Pixels
    duration: int


class Animation:
    """The frames of an animated picture: ``(ticks, frame)`` in order, in units of ``tick`` seconds, from 0.

    Each is the whole picture, laid together as the file says. How long it is shown is what browsers make of it. A file
    that breaks in the middle gives what comes before (``broken``). ``length`` is 0: only reading it all would tell.
    Raises SourceError where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tick = _TICK_S
        self.clock = Clock(self.tick, 0, 0, stills=True)
        self.damaged, self.length, self.rate = 0, 0.0, 0.0
        self.broken = self.irregular = False
        self._open()
        self.codec = str(self._picture.format).lower()

    def _open(self) -> None:
        name = f"Picture {self.path}"
        self._file: PictureFile = open_file(self.path, name)
        try:
            self._picture = open_picture(self._file)
            check_size(self._picture, name)
            self._first, self.count = _still(self._picture), _frames(self._picture)
        except DAMAGED as error:
            self.close()
            raise SourceError(f"{name} is damaged ({error}): copy or download it again.") from None

    def close(self) -> None:
        """Free the file. May be called twice."""
        self._file.close()

    def cut_short(self, end: float) -> bool:
        """Whether the file stops before it should."""
        return self.broken

    def frames(self) -> Iterator[tuple[int, Still]]:
        """All frames from the first on."""
        at = 0
        for number in range(self.count):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self._file.start_clock()
                    self._picture.seek(self._first + number)
                    image = upright_rgb(self._picture)
            except DAMAGED:
                self.broken = self.irregular = True
                return
            milliseconds = float(self._picture.info.get("duration") or 0)
            lasts = round(1000 * (milliseconds if milliseconds >= _SHORTEST_MS else _USUAL_MS))
            yield at, Still(image, lasts)
            at += lasts

    def frames_after(self, ticks: int, *, replay: bool) -> Iterator[tuple[int, Still]]:
        """Frames later than ``ticks``. Each frame is laid over those before it, so all are gone through."""
        self.close()
        self.broken = self.irregular = False
        self._open()
        return (pair for pair in self.frames() if pair[0] > ticks)

    def pixels(self, frame: Still) -> Pixels:
        """The frame as ``(H, W, 3)`` uint8 RGB."""
        return frame.image
