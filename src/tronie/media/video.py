"""Read a film frame by frame with its true times, stop anywhere, and go on exactly there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.video.frame import VideoFrame

from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Frame
from tronie.media.decode import Decoder


@dataclass(frozen=True)
class VideoInfo:
    """What a film's header and first frame say.

    ``width`` and ``height`` are in pixels as shown (turned, square pixels). ``duration`` is in seconds and ``frames``
    a count; both are 0 where the header does not say. ``rate`` is the average number of frames per second: for
    progress only, never for times.
    """

    width: int
    height: int
    duration: float
    frames: int
    rate: float
    codec: str


def probe(path: Path) -> VideoInfo:
    """Open a film, decode its first frame, and say what it is. Raises SourceError as :class:`VideoReader` does."""
    decoder = Decoder(path)
    try:
        _, frame = next(decoder.frames(), (0, None))
        if frame is None:
            raise _undecodable(path)
        height, width = decoder.pixels(frame).shape[:2]
        return VideoInfo(width, height, decoder.length, decoder.count, decoder.rate, decoder.codec)
    finally:
        decoder.close()


@dataclass(frozen=True, eq=False)
class _Shot:
    """A decoded frame that was not turned into pixels yet, with its place in the film; ``raw`` is None at its end."""

    raw: VideoFrame | None
    ticks: int
    time: float
    index: int


class VideoReader:
    """An iterator of :class:`Frame` over the film at ``path``; use it in a ``with`` block, or close it.

    Times are the frames' own presentation times, in seconds after the film's first frame; ``duration`` is the time
    until the next frame delivered (for the last one, until the film ends). ``fps`` thins the film to at most that many
    frames a second: the first frame in each slot of ``1 / fps`` seconds, still with its own time and index.

    A film that breaks in the middle gives what can be decoded; ``warnings`` then holds a sentence about it.
    Raises SourceError, on opening, if the file is missing, empty, no film, without pictures or not decodable at all,
    and SettingError if ``fps`` is not positive. Memory does not grow with the film. Not for two threads at once.
    """

    def __init__(self, path: Path, *, fps: float | None = None, threads: int = 1) -> None:
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise SettingError(f"fps is {fps}: give a number of frames per second greater than 0, or leave it out.")
        self.path = path
        self.fps = fps
        self._decoder = Decoder(path, threads=threads)
        self._bytes = _size(path)  # of the file that is open: the one of this name may go or change meanwhile
        self._origin: int | None = None  # ticks of the film's first frame
        self._delivered: tuple[int, int] | None = None  # ticks and index of the last frame given out
        self._next: _Shot
        self._start(self._decoder.frames())
        if self._next.raw is None:
            self.close()
            raise _undecodable(path)
        self._origin = self._next.ticks

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the file and the decoder. May be called twice."""
        self._decoder.close()

    def __iter__(self) -> VideoReader:
        return self

    def __next__(self) -> Frame:
        shot = self._next
        if shot.raw is None:
            raise StopIteration
        image = self._decoder.pixels(shot.raw)
        self._next = next(self._shots)
        self._delivered = shot.ticks, shot.index
        return Frame(image, shot.time, shot.index, self._next.time - shot.time)

    def _start(self, frames: Iterator[tuple[int, VideoFrame]]) -> None:
        tick, rate = self._decoder.tick, self._decoder.rate
        self._shots = _thinned(frames, self.fps, tick, rate, self._origin, self._delivered)
        self._next = next(self._shots)

    @property
    def length(self) -> float:
        """How many seconds the film lasts by its header; 0 where it does not say. For progress only."""
        return float(self._decoder.length)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each thing that went wrong with the film so far."""
        told = []
        decoder = self._decoder
        if decoder.damaged:
            told.append(f"Film {self.path}: damaged pieces were skipped ({decoder.damaged}); the rest was read.")
        elif decoder.holes:
            start = (decoder.holes[0][0] - (self._origin or 0)) * decoder.tick
            lost = sum(b - a for a, b in decoder.holes) * decoder.tick
            told.append(f"Film {self.path} lacks pictures for {lost:.1f} s in all, first at {start:.1f} s: it may be "
                        "damaged; the rest was read.")  # fmt: skip
        end = self._next.time
        missing = decoder.length - decoder.late(self._origin or 0) - end if decoder.length else 0.0
        if self._next.raw is None and (decoder.broken or missing > max(1.0, 0.05 * decoder.length)):
            should = f" of {decoder.length:.1f} s" if missing > 0 else ""
            told.append(f"Film {self.path} breaks off at {end:.1f} s{should}: only what comes before was read.")
        return told

    def state(self) -> dict[str, Any]:
        """Where the reader stands, as JSON-able values: after the last frame delivered."""
        return {
            "fps": self.fps,
            "bytes": self._bytes,
            "origin": self._origin,
            "delivered": None if self._delivered is None else list(self._delivered),
            "replay": self._decoder.irregular,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with exactly the frame after the last one delivered before ``state`` was taken.

        Raises SettingError if ``fps`` differs from what the state was taken with, and SourceError if the file does.
        """
        if state["fps"] != self.fps:
            raise SettingError(
                f"The saved state of {self.path} was taken with fps={state['fps']}, not {self.fps}: give the same."
            )
        if state["bytes"] != self._bytes:
            raise SourceError(f"Film {self.path} has changed since its state was saved: start from the beginning.")
        self._origin = state["origin"]
        if state["delivered"] is None:
            self._delivered = None
            self._start(self._decoder.frames_after(-(2**62), replay=True))
        else:
            ticks, index = state["delivered"]
            self._delivered = ticks, index
            self._start(self._decoder.frames_after(ticks, replay=state["replay"]))


def _thinned(
    frames: Iterator[tuple[int, VideoFrame]],
    fps: float | None,
    tick: float,
    rate: float,
    origin: int | None,
    delivered: tuple[int, int] | None,
) -> Iterator[_Shot]:
    """Frames with their times, at most one per slot, going on after the one ``delivered`` last; then the film's end.

    A function without the reader, so that the two do not keep each other (and the decoder's memory) alive.
    """
    index, slot, end = -1, -1, 0.0
    if delivered is not None and origin is not None:
        index = delivered[1]
        end = (delivered[0] - origin) * tick
        slot = _slot(end, fps)
    for ticks, raw in frames:
        index += 1
        origin = ticks if origin is None else origin
        time = (ticks - origin) * tick
        end = time + ((raw.duration or 0) * tick or 1 / (rate or math.inf))
        if fps is None or _slot(time, fps) > slot:
            slot = _slot(time, fps)
            yield _Shot(raw, ticks, time, index)
    yield _Shot(None, 0, end, index)


def _slot(time: float, fps: float | None) -> int:
    # A hair is added so that frames at multiples of 1 / fps do not fall into the slot before by rounding.
    return 0 if fps is None else math.floor(time * fps + 1e-6)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SourceError(f"Film {path} cannot be opened ({error.strerror}): check the path.") from None


def _undecodable(path: Path) -> SourceError:
    return SourceError(f"Film {path} holds no frame that can be decoded: it is damaged or cut short; copy it again.")
