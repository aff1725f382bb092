"""Put a film's original sound beside new pictures. The sound is copied bit by bit, not coded again."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from tronie.core.errors import OutputError, SourceError

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_WEB = {"movflags": "+faststart"}  # the index in front: browsers can play and seek before all is loaded


def sounds(film: Path) -> list[str]:
    """The codecs of the film's sound tracks, in their order; empty for a silent film."""
    with _open(film) as container:
        return [stream.codec_context.name for stream in _tracks(container)]


def check_sound(film: Path, ending: str) -> None:
    """Raises OutputError if a film with this ``ending`` (".mp4") cannot hold the sound of ``film`` as it is.

    To be asked before hours of work, not after.
    """
    with _open(film) as source:
        for track in _tracks(source):
            with av.open(io.BytesIO(), "w", format=_FORMATS[ending.lower()]) as trial:
                try:
                    trial.add_stream_from_template(track)
                    trial.start_encoding()
                except (av.error.FFmpegError, ValueError):
                    raise OutputError(f"The sound of {film} ({track.codec_context.name}) cannot be copied into a film "
                                      f"that ends in {ending}: let the name end in .mkv.") from None  # fmt: skip


def with_sound(pictures: Path, film: Path, out: Path, *, until: float | None = None) -> None:
    """Write ``out``: the pictures of one film with the sound tracks of another, in step as they were in ``film``.

    ``pictures`` begin with ``film``'s first picture. Nothing is coded again; sound that goes on after the last
    picture is kept, unless ``until`` says after how many seconds it ends. Where the sound breaks off, what comes
    before is kept. Raises SourceError, OutputError.
    """
    with ExitStack() as stack:
        seen = stack.enter_context(_open(pictures))
        heard = stack.enter_context(_open(film))
        first = _first_picture(film)
        new = stack.enter_context(_new(out))
        picture = seen.streams.video[0]
        streams: dict[Stream, Stream] = {picture: new.add_stream_from_template(picture)}
        tracks = _tracks(heard)
        for track in tracks:
            streams[track] = new.add_stream_from_template(track)
            streams[track].metadata.update(track.metadata)
        flows = [_timed(seen.demux(picture), Fraction(0))]
        if tracks:
            flows.append(_timed(_unbroken(heard.demux(tracks)), first))
        for time, packet in heapq.merge(*flows, key=lambda pair: pair[0]):
            if until is not None and time >= until:
                break
            packet.stream = streams[packet.stream]
            new.mux(packet)


def _open(film: Path) -> InputContainer:
    try:
        return av.open(str(film), metadata_errors="replace", container_options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"The sound of {film} cannot be read ({error}).") from error


def _new(out: Path) -> OutputContainer:
    form = _FORMATS[out.suffix.lower()]
    try:
        return av.open(str(out), "w", format=form, options=_WEB if form != "matroska" else {})
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(f"Film {out} cannot be written ({error.strerror}): check the folder.") from error


def _tracks(container: InputContainer) -> list[AudioStream]:
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def _first_picture(film: Path) -> Fraction:
    """When the first picture is shown, in seconds of the file's own clock."""
    from tronie.media.decode import Decoder

    decoder = Decoder(film)
    try:
        ticks = next((ticks for ticks, _ in decoder.frames()), 0)
        return Fraction(ticks) * Fraction(decoder.tick).limit_denominator(1_000_000_000)
    finally:
        decoder.close()


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


def _timed(packets: Iterable[Packet[Any]], start: Fraction) -> Iterator[tuple[Fraction, Any]]:
    """Packets with their decoding times in seconds after ``start``; packets without times, as at a flush, are left."""
    for packet in packets:
        base = packet.time_base
        if packet.dts is None or packet.pts is None or base is None:
            continue
        shift = round(start / base)
        packet.pts -= shift
        packet.dts -= shift
        yield packet.dts * base, packet
