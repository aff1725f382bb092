"""Read a film frame by frame with its true times, stop anywhere, and go on exactly there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Frame
from tronie.video.animation import Animation, moves
from tronie.video.clock import Clock, Pace
from tronie.video.decode import Decoder


@dataclass(frozen=True)
class VideoInfo:
    """What a film's header and first frame say.

    ``width`` and ``height`` are in pixels as shown (turned, square pixels). ``duration`` is the second of its clock at
    which it ends and ``frames`` a count; both are 0 where the header does not say. ``rate`` is the average number of
    frames per second: for progress only, never for times.
    """

    width: int
    height: int
    duration: float
    frames: int
    rate: float
    codec: str


def probe(path: Path, *, track: int | None = None) -> VideoInfo:
    """Open a film, decode its first frame, and say what it is. Raises SourceError as :class:`VideoReader` does."""
    decoder = _decoder(path, track=track)
    try:
        frame: Any = next((frame for _, frame in decoder.frames()), None)
        if frame is None:
            raise _undecodable(path)
        height, width = decoder.pixels(frame).shape[:2]
        return VideoInfo(width, height, decoder.length, decoder.count, decoder.rate, decoder.codec)
    finally:
        decoder.close()


@dataclass(frozen=True, eq=False)
class _Shot:
    """A frame of the decoder's, not turned into pixels yet, with its place in the film; ``raw`` is None at its end.

    ``unseen`` is where, in seconds, the first hole since the shot before begins, None without one; ``pace`` is the
    film's up to here.
    """

    raw: Any
    ticks: int
    time: float
    index: int
    unseen: float | None
    pace: Pace


class VideoReader:
    """An iterator of :class:`Frame` over the film at ``path``; use it in a ``with`` block, or close it.

    Times are the frames' own presentation times, in seconds of a player's clock (:func:`tronie.video.clock.zero_of`):
    a film whose picture begins later than its sound has a first frame later than 0. ``duration`` is the time until the
    next frame delivered (for the last one, until the film ends), but never reaches into a hole
    (:meth:`tronie.video.clock.Pace.seen`). ``fps`` thins the film to at most that many frames a second: the first frame
    in each slot of ``1 / fps`` seconds from the first frame on, still with its own time and index. ``track`` is the
    picture track, counted from 0 (None: the one that players show).

    A film that breaks in the middle gives what can be decoded; ``warnings`` then holds a sentence about it.
    Raises SourceError, on opening, if the file is missing, empty, no film, without pictures or not decodable at all,
    and SettingError if ``fps`` is not positive. Memory does not grow with the film. Not for two threads at once.
    """

    def __init__(self, path: Path, *, fps: float | None = None, threads: int = 1, track: int | None = None) -> None:
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise SettingError(f"fps is {fps}: give a number of frames per second greater than 0, or leave it out.")
        self.path = path
        self.fps = fps
        self._decoder = _decoder(path, threads, track)
        self._asked = track is not None
        self._bytes = _size(path)  # of the file that is open: the one of this name may go or change meanwhile
        self._origin: int | None = None  # ticks of the film's first frame
        self._delivered: tuple[int, int] | None = None  # ticks and index of the last frame given out
        self._pace = Pace()  # the film's up to that frame
        self._next: _Shot
        self._start(self._decoder.frames())
        if self._next.raw is None:
            self.close()
            raise _undecodable(path)
        self._origin = max(self._next.ticks, self._decoder.clock.zero)

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
        self._delivered, self._pace = (shot.ticks, shot.index), shot.pace
        until = self._next.time if self._next.unseen is None else self._next.unseen
        return Frame(image, shot.time, shot.index, until - shot.time)

    def _start(self, frames: Iterator[tuple[int, Any]]) -> None:
        clock, rate = self._decoder.clock, self._decoder.rate
        shots = _shots(frames, clock, rate, self._delivered, self._pace)
        self._shots = _thinned(shots, self.fps, clock, self._origin, self._delivered)
        self._next = next(self._shots)

    @property
    def end(self) -> float:
        """After the last frame: the second at which the film's pictures end, a last one that stays long included."""
        return self._next.time

    @property
    def length(self) -> float:
        """How many seconds the film lasts by its header; 0 where it does not say. For progress only."""
        return float(self._decoder.length)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each thing that went wrong with the film so far."""
        decoder, pace = self._decoder, self._next.pace
        told = [] if self._asked else _others(self.path, decoder)
        if isinstance(decoder, Decoder) and decoder.timeless:
            told.append(
                f"Film {self.path} is a bare stream without times: {decoder.rate:g} frames a second are "
                "assumed; put it into a container, such as .mkv, at the rate of the camera."
            )
        if decoder.damaged:
            told.append(f"Film {self.path}: damaged pieces were skipped ({decoder.damaged}); the rest was read.")
        elif pace.since is not None:
            start, lost = decoder.clock.time(pace.since), pace.lost * decoder.tick
            told.append(
                f"Film {self.path} lacks pictures for {lost:.1f} s in all, first at {start:.1f} s: this time "
                "counts as not seen; the rest was read."
            )
        end = self._next.time
        if self._next.raw is None and decoder.cut_short(end):
            should = f" of {decoder.length:.1f} s" if decoder.length > end else ""
            told.append(f"Film {self.path} breaks off at {end:.1f} s{should}: only what comes before was read.")
        return told

    def state(self) -> dict[str, Any]:
        """Where the reader stands, as JSON-able values: after the last frame delivered."""
        return {
            "fps": self.fps,
            "bytes": self._bytes,
            "origin": self._origin,
            "delivered": None if self._delivered is None else list(self._delivered),
            "pace": list(self._pace),
            "replay": self._decoder.irregular or self._pace.since is not None,
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
            self._delivered, self._pace = None, Pace()
            self._start(self._decoder.frames_after(-(2**62), replay=True))
        else:
            ticks, index = state["delivered"]
            self._delivered, self._pace = (ticks, index), Pace.restored(state["pace"])
            self._start(self._decoder.frames_after(ticks, replay=state["replay"]))


def _thinned(
    shots: Iterator[_Shot],
    fps: float | None,
    clock: Clock,
    origin: int | None,
    delivered: tuple[int, int] | None,
) -> Iterator[_Shot]:
    """At most one shot per slot of ``1 / fps`` seconds from ``origin`` on, behind the one ``delivered``; and the end.

    A function without the reader, so that the two do not keep each other (and the decoder's memory) alive.
    """
    place = -1
    unseen: float | None = None
    if delivered is not None and origin is not None:
        place = slot((max(delivered[0], clock.zero) - origin) * clock.tick, fps)
    for shot in shots:
        unseen = shot.unseen if unseen is None else unseen
        if shot.raw is not None:
            begin = max(shot.ticks, clock.zero)
            origin = begin if origin is None else origin
            here = slot((begin - origin) * clock.tick, fps)
            if fps is not None and here <= place:
                continue
            place = here
        yield replace(shot, unseen=unseen)
        unseen = None


def _shots(
    frames: Iterator[tuple[int, Any]],
    clock: Clock,
    rate: float,
    delivered: tuple[int, int] | None,
    pace: Pace,
) -> Iterator[_Shot]:
    """Every frame behind the one ``delivered``, with its time and the hole before it; then the film's end.

    Of frames stamped before the clock begins only the last comes, as a player shows it: from 0 on.
    """
    last, index = (None, -1) if delivered is None else delivered
    early: _Shot | None = None
    for ticks, raw in frames:
        index += 1
        unseen, pace = (None, pace) if last is None else _hole(last, ticks - last, pace, clock)
        last, pace = ticks, pace._replace(lasts=raw.duration or 0)
        shot = _Shot(raw, ticks, max(clock.time(ticks), 0.0), index, unseen, pace)
        if ticks < clock.zero:
            early = replace(shot, unseen=None)
            continue
        if early is not None and ticks > clock.zero:
            yield early
        early = None
        yield shot
    if early is not None:
        yield early
    if last is None:
        yield _Shot(None, 0, 0.0, index, None, pace)
        return
    end = clock.time(last) + (pace.lasts * clock.tick or 1 / (rate or math.inf))
    unseen, pace = _hole(last, pace.lasts or clock.usual, pace, clock)
    yield _Shot(None, 0, end, index, unseen, pace)


def _hole(last: int, gap: int, pace: Pace, clock: Clock) -> tuple[float | None, Pace]:
    """Where, in seconds, a hole within the ``gap`` ticks behind the picture at ``last`` begins; and the pace then."""
    seen = pace.seen(gap, clock)
    return max(clock.time(last + seen), 0.0) if seen < gap else None, pace.then(last, gap, seen)


def _decoder(path: Path, threads: int = 1, track: int | None = None) -> Decoder | Animation:
    if not moves(path):
        return Decoder(path, threads=threads, track=track)
    if track:
        raise SourceError(f"Picture {path} has no picture track {track}: it has one, counted from 0.")
    return Animation(path)


def _others(path: Path, decoder: Decoder | Animation) -> list[str]:
    """A sentence where a film has picture tracks besides the one that is read."""
    if isinstance(decoder, Animation) or len(decoder.tracks) == 1:
        return []
    sizes = ", ".join(f"{number} of {width} x {height}" for number, (width, height) in enumerate(decoder.tracks))
    return [
        f"Film {path} has several picture tracks ({sizes}): {decoder.track} was read, as players show it; "
        "--video-track N reads another."
    ]


def slot(time: float, fps: float | None) -> int:
    """In which slot of ``1 / fps`` seconds a picture lies, ``time`` seconds after the film's first one."""
    # A hair is added so that frames at multiples of 1 / fps do not fall into the slot before by rounding.
    return 0 if fps is None else math.floor(time * fps + 1e-6)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SourceError(f"Film {path} cannot be opened ({error.strerror}): check the path.") from None


def _undecodable(path: Path) -> SourceError:
    return SourceError(f"Film {path} holds no frame that can be decoded: it is damaged or cut short; copy it again.")
