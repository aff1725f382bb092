"""Films at the level of the decoder: open, seek, skip what is damaged, give upright RGB."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.media.container import open_container

Opened = tuple[InputContainer, VideoStream]

_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: the cover of a sound file is not a film
_DEFAULT = 0x1  # AV_DISPOSITION_DEFAULT
_STEPS = 10  # even steps after which a film is held to be even
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_UPRIGHT = np.array([1, 0, 0, 0, 1, 0, 0, 0, 1], np.int32)


class Decoder:
    """The film in one file: ``(ticks, frame)`` in order, ``ticks`` strictly rising, in units of ``tick`` seconds.

    By its header: ``codec`` (such as ``h264``), ``rate`` (frames per second on average), ``count`` of frames and
    ``length`` in seconds; 0 where it does not say. ``tracks`` are the sizes of its picture tracks, ``track`` the number
    of the one read.
    ``damaged`` counts packets and frames that could not be decoded and were skipped; ``broken`` says that the file
    stopped making sense before its end. ``irregular`` is set once anything was met (damage, times that run backwards,
    times that are missing, other colours) after which only a run from the start is sure to come to the same frames
    again.
    ``holes`` are ``(start, end)`` in ticks where a film of even steps lacks pictures: some containers pass over damage
    without a word.
    ``threads``: one decoder thread costs the least CPU time (two: 10 to 20 % more), and runs one process per core best.
    ``opens`` opens what is no file, such as an address. ``track``: see :func:`choose`.
    """

    def __init__(self, path: Path, *, threads: int = 1, opens: Callable[[], Opened] | None = None,
                 track: int | None = None) -> None:  # fmt: skip
        self.path = path
        self._threads = threads
        self._opens = opens or partial(_open, path, track)
        # One reformatter on one thread for all frames: the one inside each frame is set up anew and spins threads.
        self._reformatter = VideoReformatter()
        self._matrix: NDArray[np.int32] = _UPRIGHT  # of the frame given last, see _learn
        self._tags: tuple[object, ...] | None = None  # of the film's first frame
        self._open()

    def _open(self) -> None:
        self._container, self._stream = self._opens()
        self._closed = False
        self._stream.thread_type = "NONE" if self._threads == 1 else "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self.damaged = 0
        self.holes: list[tuple[int, int]] = []
        self.broken = self.irregular = False
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate
        self.rate = float(rate) if rate else 0.0
        self.tick = float(stream.time_base or 0)
        self.codec = str(stream.codec_context.name)
        self.tracks = [(s.width, s.height) if s.codec_context else (0, 0) for s in picture_tracks(self._container)]
        self.track = picture_tracks(self._container).index(stream)
        self.count = stream.frames
        whole = max(self._container.duration or 0, 0) / av.time_base
        self.length = stream.duration * self.tick if stream.duration else whole
        self._begins = stream.start_time
        stretch = float(stream.sample_aspect_ratio or 1)  # width of a stored pixel over its height
        self._stretch = stretch if 0.1 <= stretch <= 10 else 1.0  # real ones lie between 0.5 and 3

    def close(self) -> None:
        """Free the file and the decoder. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._container.close()
        del self._container, self._stream
        # The library's objects refer to each other, and the decoder's pictures (10 MB for 1080p) stay until they are
        # collected; Python sees five small objects and no hurry. 10 ms.
        gc.collect()

    def late(self, ticks: int) -> float:
        """Seconds from the stream's first packet to ``ticks``: what a film cut open lost before its first keyframe."""
        return 0.0 if self._begins is None else (ticks - self._begins) * self.tick

    def frames(self) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from where the decoder stands."""
        last: int | None = None
        step = max(round(1 / (self.rate * self.tick)), 1) if self.rate and self.tick else 1
        shift = lasts = 0
        steps: list[int] = []  # how far apart the first frames are
        for frame in self._decoded():
            if frame.pts is None:  # a bare stream without times: count frames at its rate
                self.irregular = True
                ticks = 0 if last is None else last + step
            else:
                ticks = frame.pts + shift
            if last is not None and ticks <= last:
                self.irregular = True
                if (last - ticks) * self.tick < 1:  # a doubled or misplaced frame
                    continue
                shift += last + step - ticks  # the clock starts anew: films that were joined
                ticks = last + step
            if last is not None:
                if len(steps) < _STEPS:
                    steps.append(ticks - last)
                elif max(steps) < 1.25 * min(steps) and ticks - last > 1.75 * max(steps[0], lasts):
                    self.holes.append((last + steps[0], ticks))
                    self.irregular = True
            last, lasts = ticks, frame.duration or 0
            self._learn(frame)
            yield ticks, frame

    def _learn(self, frame: VideoFrame) -> None:
        """What holds from this frame on.

        A decoder keeps the colours of the part before where a part of a joined film does not say its own: once they
        have changed, only a run from the start is sure to see the same. The display matrix is asked of keyframes (20
        microseconds), where every jump into the film lands.
        """
        if frame.key_frame:
            sides: Any = frame.side_data
            data = sides.get(Type.DISPLAYMATRIX)
            self._matrix = np.frombuffer(bytes(data), np.int32) if data is not None else _UPRIGHT
        tags = (frame.colorspace, frame.color_range, frame.format.name)
        self._tags = self._tags or tags
        if tags != self._tags:
            self.irregular = True

    def _decoded(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
            except (av.error.FFmpegError, OSError):
                self.broken = self.irregular = True
                return
            try:
                decoded = packet.decode()
            except (av.error.FFmpegError, OSError):
                self._skip()
                continue
            for frame in decoded:
                if frame.is_corrupt:
                    self._skip()
                else:
                    yield frame

    def _skip(self) -> None:
        self.damaged += 1
        self.irregular = True

    def frames_after(self, ticks: int, *, replay: bool) -> Iterator[tuple[int, VideoFrame]]:
        """Frames later than ``ticks``, as a run from the start would give them.

        Decoding begins at a keyframe at or before ``ticks``, or at the start of the film with ``replay``. Containers
        without an index land where they can, so the landing is checked, and tried further back until it is right.
        """
        if not replay:
            second = round(1 / self.tick)
            for back in (0, 2, 10, 60):
                self.close()  # the decoder must not remember what was met in later parts of the film
                self._open()
                if (landed := self._seek(ticks - back * second, ticks)) is not None:
                    return (pair for pair in landed if pair[0] > ticks)
        self.close()
        self._open()
        return (pair for pair in self.frames() if pair[0] > ticks)

    def _seek(self, target: int, ticks: int) -> Iterator[tuple[int, VideoFrame]] | None:
        """Frames from a keyframe near ``target``, or None if that keyframe is not at or before ``ticks``."""
        try:
            self._container.seek(target, stream=self._stream)
        except (av.error.FFmpegError, OSError):
            return None
        frames = self.frames()
        for at, frame in frames:
            if frame.key_frame:
                return frames if at <= ticks and not self.irregular else None
        return None

    def pixels(self, frame: VideoFrame) -> Pixels:
        """The frame as ``(H, W, 3)`` uint8 RGB: square pixels, turned and mirrored as its display matrix says.

        Raises SourceError for pixels in a format that cannot be converted.
        """
        # Untagged high-definition film is BT.709 in practice; the library would take it for BT.601.
        guess = frame.colorspace == _UNSPECIFIED and frame.height >= 720
        try:
            rgb = self._reformatter.reformat(
                frame,
                width=round(frame.width * self._stretch),
                format="rgb24",
                src_colorspace=Colorspace.ITU709 if guess else None,
                threads=1,
            )
        except (av.error.FFmpegError, OSError) as error:  # damage that made up a format which nothing converts
            reason = str(error.strerror or error).lower()
            raise SourceError(
                f"Film {self.path} holds a picture that cannot be shown ({reason}): copy it again."
            ) from None
        return turned(np.asarray(rgb.to_ndarray(), np.uint8), self._matrix)


def turned(image: Pixels, matrix: NDArray[np.int32]) -> Pixels:
    """``image`` as its display matrix shows it (nine numbers, ISO/IEC 14496-12: x' = a x + c y, y' = b x + d y).

    Quarter turns and mirrorings are applied; an angle between them is taken to the nearest quarter.
    """
    a, b, c, d = (int(matrix[k]) for k in (0, 1, 3, 4))
    across, down = a, d
    if abs(b) > abs(a):
        image = image.transpose(1, 0, 2)
        across, down = c, b
    return np.ascontiguousarray(image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


def _open(path: Path, track: int | None) -> Opened:
    """Open a file and choose its film. Raises SourceError with the reason where there is none."""
    return choose(open_container(path), f"Film {path}", track)


def picture_tracks(container: InputContainer) -> list[VideoStream]:
    """The tracks of moving pictures, without the covers of sound files."""
    return [s for s in container.streams.video if not int(s.disposition) & _ATTACHED_PICTURE]


def choose(container: InputContainer, name: str, track: int | None = None) -> Opened:
    """The picture track number ``track`` from 0, or the one that players show: the first that is marked as default.

    Where none is marked, as in transport streams, it is the largest. Closes the container and raises SourceError, about
    ``name``, where there is no such track or it cannot be decoded.
    """
    films = picture_tracks(container)
    if not films:
        container.close()
        raise SourceError(f"{name} holds no moving pictures: name a film with a video track.")
    if track is not None and track >= len(films):
        container.close()
        raise SourceError(f"{name} has no picture track {track}: it has {len(films)}, counted from 0.")
    # A stream in an unknown code has no context, and then no size to be asked for.
    known = [s for s in (films if track is None else films[track : track + 1]) if s.codec_context and s.time_base]
    marked = [s for s in known if int(s.disposition) & _DEFAULT]
    stream = marked[0] if marked else max(known, key=lambda s: s.width * s.height, default=None)
    if stream is None:
        container.close()
        raise SourceError(f"{name} is coded in a way that cannot be decoded here: convert it to H.264 in MP4.")
    return container, stream
