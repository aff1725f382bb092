"""Films at the level of the decoder: open, seek, skip what is damaged, give upright RGB."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.video.clock import Clock, zero_of
from tronie.video.container import open_container
from tronie.video.files import NoPictures
from tronie.video.sidedata import Type

Opened = tuple[InputContainer, VideoStream]

_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: the cover of a sound file is not a film
_DEFAULT = 0x1  # AV_DISPOSITION_DEFAULT
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_NO_TIMES_OF_SHOWING = frozenset({"avi", "asf"})  # a packet says only when it is decoded; the library makes up the rest
_NO_TIMES = frozenset({"mjpeg", "h264", "hevc", "m4v", "obu"})  # bare streams, for which the library takes 25 a second
_UPRIGHT = np.array([1, 0, 0, 0, 1, 0, 0, 0, 1], np.int32)


class Decoder:
    """The film in one file: ``(ticks, frame)`` in order, ``ticks`` strictly rising; ``clock`` makes seconds of them.

    By its header: ``codec`` (such as ``h264``), ``rate`` (frames per second on average), ``count`` of frames and
    ``length``, the second of the clock at which it ends; 0 where it does not say. ``tracks`` are the sizes of its
    picture tracks, ``track`` the number of the one read. ``timeless``: it holds no times, so ``rate`` is a guess.
    ``damaged`` counts packets and frames that could not be decoded and were skipped; ``broken`` says that the file
    stopped making sense before its end. ``irregular`` is set once anything was met (damage, times that run backwards,
    are missing or tell only when to decode, other colours) after which only a run from the start is sure to come to the
    same frames again.
    ``threads``: one decoder thread costs the least CPU time (two: 10 to 20 % more), and runs one process per core best.
    ``opens`` opens what is no file, such as an address. ``track``: see :func:`choose`.
    """

    def __init__(
        self, path: Path, *, threads: int = 1, opens: Callable[[], Opened] | None = None, track: int | None = None
    ) -> None:
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
        self.broken = False
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate
        self.rate = float(rate) if rate else 0.0
        base = stream.time_base or Fraction(0)
        self.tick = float(base)
        self._zero = zero_of(self._container)
        self._others = 0.0  # the second of the clock that sound or subtitles have reached
        usual = round(1 / (self.rate * self.tick)) if self.rate and self.tick else 0
        self.clock = Clock(self.tick, round(self._zero / base) if base else 0, usual)
        self.codec = str(stream.codec_context.name)
        self.tracks = [(s.width, s.height) if s.codec_context else (0, 0) for s in picture_tracks(self._container)]
        self.track = picture_tracks(self._container).index(stream)
        self.count = stream.frames
        self._begins = stream.start_time or 0
        self.timeless = self._container.format.name in _NO_TIMES
        # There a picture is due when it comes out of the decoder, which depends on all packets before.
        self._by_decoding = self._container.format.name in _NO_TIMES_OF_SHOWING and stream.codec_context.has_b_frames
        self.irregular = bool(self._by_decoding)
        # A header that counts a track's frames knows how long this track is; others tell of the whole file, or repeat
        # the file's length for each track.
        self._exact = bool(stream.duration and stream.frames)
        self.length = max(self._container.duration or 0, 0) / av.time_base
        if self._exact:
            self.length = self.clock.time(self._begins + (stream.duration or 0))
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

    def cut_short(self, end: float) -> bool:
        """Whether the file stops before it should, its pictures having ended at ``end`` seconds of the clock.

        Where the header tells of the whole file only, sound or subtitles may rightly go on after the last picture.
        """
        if self.broken:
            return True
        # some lengths count from stamp 0
        reached = end if self._exact else max(end, self._others) + max(float(self._zero), 0.0)
        return reached < self.length - max(1.0, 0.05 * self.length)

    def frames(self) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from where the decoder stands."""
        last: int | None = None
        step = max(round(1 / (self.rate * self.tick)), 1) if self.rate and self.tick else 1
        shift = 0
        for frame in self._decoded():
            stamp = frame.dts if self._by_decoding else frame.pts
            if stamp is None:  # a bare stream without times, or the last frames: count them at its rate
                self.irregular = True
                ticks = self._begins if last is None else last + step
            else:
                ticks = stamp + shift
            if last is not None and ticks <= last:
                self.irregular = True
                if (last - ticks) * self.tick < 1:  # a doubled or misplaced frame
                    continue
                shift += last + step - ticks  # the clock starts anew: films that were joined
                ticks = last + step
            last = ticks
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
        packets: Iterator[Packet[Any]] = self._container.demux()  # sound, too, tells how far the file goes
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
            except (av.error.FFmpegError, OSError):
                self.broken = self.irregular = True
                return
            if packet.stream is not self._stream:
                if packet.pts is not None and packet.time_base is not None:
                    self._others = max(self._others, float(packet.pts * packet.time_base - self._zero))
                continue
            if not packet.size and packet.dts is not None:  # the picture stays; without a time it is the film's end
                continue
            try:
                decoded: list[Any] = packet.decode()
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
        sound = len(container.streams.audio) > 0  # a film so damaged that nothing is found has none either
        container.close()
        if sound:
            raise NoPictures(f"{name} holds no moving pictures, only sound: name a film with a video track.")
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
