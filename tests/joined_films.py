"""Transport streams joined of parts that differ in their tags, as broadcasts and telephone calls are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

RATE, LASTS = 25, 16  # frames a second, frames a part


def part(path: Path, number: int, tags: Mapping[str, object]) -> Path:
    """A transport stream of ``LASTS`` colourful frames that goes on where part ``number - 1`` ended."""
    width, height = tags.get("size", (64, 48))
    options = {
        "crf": "10",
        "g": str(tags.get("g", 8)),
        "bf": "0",
        "sc_threshold": "0",
        "x264-params": str(tags.get("x264", "aud=1")),
    }
    with av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, str(tags.get("format", "yuv420p"))
        if "matrix" in tags:
            stream.codec_context.colorspace = tags["matrix"]
        if "range" in tags:
            stream.codec_context.color_range = tags["range"]
        if "aspect" in tags:
            stream.codec_context.sample_aspect_ratio = tags["aspect"]
        turn = BitStreamFilterContext(str(tags["filter"]), stream) if "filter" in tags else None
        for index in range(LASTS):
            if "picture" in tags:
                picture = tags["picture"](index)
            else:
                picture = np.random.default_rng(100 * number + index).integers(0, 256, (6, 8, 3), np.uint8)
                picture = picture.repeat(height // 6, 0).repeat(width // 8, 1)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number * LASTS + index, Fraction(1, RATE)
            for packet in stream.encode(frame):
                out.mux(turn.filter(packet) if turn else packet)
        for packet in stream.encode(None):
            out.mux(turn.filter(packet) if turn else packet)
    return path


def write_joined(path: Path, parts: Sequence[Mapping[str, object]]) -> None:
    """One film of several parts, ``LASTS`` frames each, with the tags given for each."""
    with av.open(str(path), "w", format="mpegts") as out:
        stream = None
        for number, tags in enumerate(parts):
            piece = part(path.with_name(f"{path.stem}.{number}.ts"), number, tags)
            with av.open(str(piece)) as container:
                stream = stream or out.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        out.mux(packet)


TURNED = "h264_metadata=display_orientation=insert:rotate=90"
MIRRORED = "h264_metadata=display_orientation=insert:flip=horizontal"
"""A part's tag ``filter``: how its display matrix says it is to be shown."""
