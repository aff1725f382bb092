"""Small films as cameras, phones and editors leave them: later pictures, earlier sound, edit lists, negative stamps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tronie.core.face import Face

WIDTH, HEIGHT, BITS, SQUARE = 160, 128, 10, 16
BOX = (56.0, 36.0, 48.0, 48.0)  # of the face
_COLOURS = {"h": (220, 90, 80), "s": (90, 125, 240), "n": (60, 175, 60)}


def picture(number: int, letter: str) -> np.ndarray:
    """A grey picture with a face of the letter's colour, and ``number`` in light and dark squares at the bottom."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    x, y, side, _ = (int(v) for v in BOX)
    noise = np.random.default_rng(number).integers(-40, 40, (side // 4, side // 4, 1)).repeat(4, 0).repeat(4, 1)
    image[y : y + side, x : x + side] = np.clip(np.array(_COLOURS[letter]) + noise, 0, 255)
    for bit in range(BITS):
        image[-SQUARE:, bit * SQUARE : (bit + 1) * SQUARE] = 160 if number >> bit & 1 else 96  # pale: no camera cuts
    return image


def number_of(image: np.ndarray) -> int:
    """The number that :func:`picture` wrote."""
    return sum(int(value > 127) << bit for bit, value in enumerate(image[-SQUARE // 2, SQUARE // 2 :: SQUARE, 1]))


class Detector:
    """Finds the one face of :func:`picture`."""

    def detect(self, image):
        x, y, w, _ = BOX
        points = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
        return [Face(BOX, 0.95, points * w + np.float32([x, y]))]

    def near(self, image, faces):
        return self.detect(image)


def film(
    path: Path,
    letters: str,
    times: Sequence[float] | None = None,
    *,
    rate: int = 10,
    sound: float | None = None,
    sound_ends: float | None = None,
    codec: str | None = None,
    shift: float = 0.0,
    options: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
) -> Path:
    """A picture per letter at ``times`` (default: ``rate`` a second from 0), and a tone from second ``sound`` on.

    Everything, sound too, is moved by ``shift`` seconds when it is written. H.264 with B-frames and AAC, in WebM VP8
    and Opus. ``options`` are the muxer's.
    """
    webm = path.suffix == ".webm"
    times = [k / rate for k in range(len(letters))] if times is None else list(times)
    codec = codec or ("libvpx" if webm else "libx264")
    usual = {
        "libvpx": {"g": "6", "deadline": "realtime", "cpu-used": "8", "b": "2000000"},
        "libx264": {"bf": "3", "g": "6", "crf": "10"},
    }
    negative = {"avoid_negative_ts": "disabled"} if shift < 0 else {}
    with av.open(str(path), "w", options={**negative, **(options or {})}) as out:
        video = out.add_stream(codec, rate=rate, options=encoder or usual.get(codec, {}))
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        tone = (
            out.add_stream("libopus" if webm else "wmav2" if path.suffix == ".asf" else "aac", rate=48000)
            if (sound is not None)
            else None
        )
        if tone is not None and path.suffix == ".asf":
            tone.bit_rate = 64_000
        packets = []
        for number, (time, letter) in enumerate(zip(times, letters, strict=True)):
            frame = av.VideoFrame.from_ndarray(picture(number, letter), "rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode(None)
        if tone is not None:
            seconds = (times[-1] + 1 / rate if sound_ends is None else sound_ends) - sound
            wave = (np.sin(np.arange(int(48000 * seconds)) / 20) * 9000).astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(wave, "s16", "mono")
            heard.sample_rate, heard.pts, heard.time_base = 48000, round(sound * 48000), Fraction(1, 48000)
            resampler = av.AudioResampler(tone.format.name, "mono", 48000, frame_size=tone.frame_size or None)
            for part in [*resampler.resample(heard), *resampler.resample(None)]:
                packets += tone.encode(part)
            packets += tone.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            moved = round(shift / packet.time_base)
            packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
            out.mux(packet)
    return path
