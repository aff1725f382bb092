"""Put a film's original sound beside new pictures. Sound is copied bit by bit wherever the new file can hold it."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from tronie.core.errors import OutputError
from tronie.video.animation import moves
from tronie.video.clock import zero_of
from tronie.video.container import open_container
from tronie.video.files import address
from tronie.video.write import MOVIE

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_WEB = {"movflags": "+faststart", **MOVIE}  # the index in front: browsers can play and seek before all is loaded
_AS_THEY_ARE = {"avoid_negative_ts": "disabled"}  # sound that begins before 0 (its coder's run-up) moves nothing
_FALLBACK = "aac"


def with_sound(
    pictures: Path, film: Path, out: Path, *, until: float | None = None, called: Path | None = None
) -> list[str]:
    """Write ``out``: the pictures of one film with the sound tracks of another, in step as they were in ``film``.

    ``pictures`` have the times of ``film``'s clock (:func:`tronie.video.clock.zero_of`), also where its picture begins
    later than its sound, and are not coded again; neither is sound that the new container takes (and that players
    expect in it: uncompressed sound in MP4 few can play). Other sound becomes AAC, and a sentence about it is returned.
    Sound that goes on after the last picture is kept, unless ``until`` says after how many seconds it ends; where it
    breaks off, what comes before is kept. Sentences name ``called`` instead of ``out``. Raises SourceError,
    OutputError.
    """
    told: list[str] = []
    with ExitStack() as stack:
        seen = stack.enter_context(open_container(pictures))
        new = stack.enter_context(_new(out, called or out))
        picture = seen.streams.video[0]
        streams: dict[Stream, Stream | _Recoder] = {picture: new.add_stream_from_template(picture)}
        heard = None if moves(film) else stack.enter_context(open_container(film))  # animated pictures are silent
        tracks = _tracks(heard) if heard else []
        for track in tracks:
            if _fits(track, out.suffix.lower()):
                streams[track] = copied = new.add_stream_from_template(track)
                copied.metadata.update(track.metadata)
            else:
                streams[track] = _Recoder(track, new)
                told.append(
                    f"The sound of {film.name} ({track.codec_context.name}) does not fit into {out.suffix} "
                    "and was coded anew as AAC."
                )
        flows = [_timed(seen.demux(picture), zero_of(seen), streams)]
        if heard and tracks:
            flows.append(_timed(_unbroken(heard.demux(tracks)), zero_of(heard), streams))
        for time, packet in heapq.merge(*flows, key=lambda pair: pair[0]):
            if until is not None and time >= until:
                break
            new.mux(packet)
    return told


class _Recoder:
    """One sound track, decoded and coded anew as AAC, with its times."""

    def __init__(self, track: AudioStream, new: OutputContainer) -> None:
        rate = track.rate if track.rate in (8000, 16000, 22050, 24000, 32000, 44100, 48000) else 48000
        stream = new.add_stream(_FALLBACK, rate=rate)
        assert isinstance(stream, AudioStream)
        self.stream = stream
        self.stream.layout = "mono" if track.channels == 1 else "stereo"
        self.stream.metadata.update(track.metadata)
        self._resampler = AudioResampler("fltp", self.stream.layout, rate, frame_size=1024)

    def packets(self, packet: Packet[Any], start: Fraction) -> Iterator[Packet[Any]]:
        """What the encoder gives for one packet; an empty packet ends the track."""
        try:
            frames: list[Any] = packet.decode()
        except (av.error.FFmpegError, OSError):
            return
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(start / frame.time_base)
            for part in self._resampler.resample(frame):
                yield from self.stream.encode(part)
        if not packet.size:
            for part in self._resampler.resample(None):
                yield from self.stream.encode(part)
            yield from self.stream.encode(None)


def _new(out: Path, called: Path) -> OutputContainer:
    form = _FORMATS[out.suffix.lower()]
    try:
        return av.open(address(out), "w", format=form, options=_WEB if form != "matroska" else _AS_THEY_ARE)
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(f"Film {called} cannot be written ({error.strerror}): check the folder.") from error


def _tracks(container: InputContainer) -> list[AudioStream]:
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def _fits(track: AudioStream, ending: str) -> bool:
    if ending in (".mp4", ".m4v") and track.codec_context.name.startswith("pcm_"):
        return False
    with av.open(io.BytesIO(), "w", format=_FORMATS[ending]) as trial:
        try:
            trial.add_stream_from_template(track)
            trial.start_encoding()
        except (av.error.FFmpegError, ValueError):
            return False
    return True


def _unbroken(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
    """Packets up to where the file stops making sense."""
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError):
            return
        if packet is None:
            return
        yield packet


def _timed(
    packets: Iterable[Packet[Any]], start: Fraction, streams: dict[Stream, Stream | _Recoder]
) -> Iterator[tuple[Fraction, Packet[Any]]]:
    """Packets for the new file with their decoding times in seconds after ``start``."""
    for packet in packets:
        target = streams[packet.stream]
        if isinstance(target, _Recoder):
            for coded in target.packets(packet, start):
                yield (coded.dts or 0) * (coded.time_base or Fraction(0)), coded
        elif packet.dts is not None and packet.pts is not None and packet.time_base is not None:  # else: end of track
            shift = round(start / packet.time_base)
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = target
            yield packet.dts * packet.time_base, packet
