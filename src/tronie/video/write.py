"""Write a film: H.264 in MP4, MOV or MKV, every frame at its own time."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from tronie.core.errors import OutputError
from tronie.core.face import Pixels
from tronie.video.files import address

ENDINGS = (".mp4", ".m4v", ".mov", ".mkv")
"""Containers that keep times of their own for every frame."""

_CLOCK = 90_000  # ticks a second: 24, 25, 30, 50, 60 and their 1000/1001 relatives come out to 0.01 ms

MOVIE = {"movie_timescale": str(_CLOCK)}
"""For the muxer of MP4 and MOV: how exactly it keeps at what time a track begins, which is to 1 ms without it."""


class VideoWriter:
    """A film at ``path``, for a ``with`` block: ``writer.write(image, time)``; the file is whole after it.

    Pictures are ``(H, W, 3)`` uint8 RGB, all of the first one's size; an odd height or width is made even by repeating
    the last row or column, because H.264 halves the colours. ``time`` is in seconds and rises; any rate, also a
    changing one, is kept to 1/90,000 s. ``quality`` is x264's constant rate factor, from 0 (lossless) to 51; 18 looks
    lossless. ``keyframes`` is the greatest distance between keyframes, in frames. ``end``, if it is set before the
    film is closed, is the second at which the last picture ends. ``called`` is what sentences name instead of ``path``,
    where that is a temporary file.
    Raises OutputError if the file cannot be written, or a picture or time does not fit the one before.
    """

    def __init__(self, path: Path, *, quality: float = 18, keyframes: int = 100, called: Path | None = None) -> None:
        if path.suffix.lower() not in ENDINGS:
            raise OutputError(f"Film {path} has an ending that is not written: use one of {', '.join(ENDINGS)}.")
        self.path = called or path
        # Without B-frames a container's durations follow the order of showing, so that the last frame keeps its own.
        self._options = {"crf": str(quality), "g": str(keyframes), "bf": "0"}
        self._stream: VideoStream | None = None
        self._reformatter = VideoReformatter()
        self._size = (0, 0)
        self._ticks: deque[int] = deque()  # when the frames that the encoder still holds, and the last given, are shown
        self._gap = _CLOCK // 25  # between the last two frames
        self.end: float | None = None
        try:
            path.open("wb").close()  # the library itself opens it with the first frame only
            self._container = av.open(address(path), "w", options={} if path.suffix.lower() == ".mkv" else MOVIE)
        except (av.error.FFmpegError, OSError) as error:
            raise OutputError(f"Film {self.path} cannot be written ({error.strerror}): check the folder.") from None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write(self, image: Pixels, time: float) -> None:
        """Add one picture, shown from ``time`` until the next one's; the last one stays as long as the one before."""
        ticks = round(time * _CLOCK)
        if self._stream is None:
            self._size = image.shape[:2]
            self._stream = self._begin()
        elif image.shape[:2] != self._size:
            raise OutputError(f"Film {self.path} is {self._size[::-1]} and a picture {image.shape[1::-1]}: resize it.")
        elif ticks <= self._ticks[-1]:
            raise OutputError(f"Film {self.path}: time {time} s is not after the frame before: give rising times.")
        height, width = self._size
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        frame = VideoFrame.from_ndarray(even, "rgb24")
        frame = self._reformatter.reformat(frame, format="yuv420p", dst_colorspace=Colorspace.ITU709, threads=1)
        frame.pts, frame.time_base = ticks, Fraction(1, _CLOCK)
        if self._ticks:
            self._gap = ticks - self._ticks[-1]
        self._ticks.append(ticks)
        self._encode(frame)

    def close(self) -> None:
        """Finish the file. May be called twice."""
        if self._stream is not None:
            if self.end is not None:
                self._gap = max(round(self.end * _CLOCK) - self._ticks[-1], 1)
            self._encode(None)
            self._stream = None
        self._container.close()

    def _begin(self) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=30, options=self._options)
        assert isinstance(stream, VideoStream)
        height, width = self._size
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, _CLOCK)
        stream.codec_context.colorspace = 1  # AVCOL_SPC_BT709, so that readers need not guess
        stream.codec_context.color_range = 1  # AVCOL_RANGE_MPEG
        return stream

    def _encode(self, frame: VideoFrame | None) -> None:
        assert self._stream is not None
        for packet in self._stream.encode(frame):
            packet.duration = self._ticks[1] - self._ticks[0] if len(self._ticks) > 1 else self._gap
            if len(self._ticks) > 1:
                self._ticks.popleft()
            try:
                self._container.mux(packet)
            except (av.error.FFmpegError, OSError) as error:
                raise OutputError(f"Film {self.path} cannot be written on ({error.strerror}): free the disk.") from None
