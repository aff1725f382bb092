"""Sound is copied packet by packet and stays in step with the pictures."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from tronie.core.errors import SourceError
from tronie.video.audio import with_sound
from tronie.video.reader import VideoReader
from tronie.video.write import VideoWriter

TIMES = [0.0, 0.04, 0.1, 0.3, 0.34, 0.6, 0.64, 1.0]


def film(path, *, codec="aac", delay=0.0, tracks=1, seconds=1.5) -> None:
    """Grey pictures at TIMES, and tones that begin ``delay`` seconds after the first picture (before, if negative)."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        heard = [out.add_stream(codec, rate=48000) for _ in range(tracks)]
        for i, time in enumerate(TIMES):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * i, np.uint8), "rgb24")
            frame.pts, frame.time_base = round((time + max(-delay, 0)) * 1000), Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for number, track in enumerate(heard):
            tone = np.sin(np.arange(int(48000 * seconds)) / 48000 * 2 * np.pi * 440 * (number + 1)) * 9000
            sound = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, round(max(delay, 0) * 48000), Fraction(1, 48000)
            resampler = av.AudioResampler(track.format.name, "mono", 48000, frame_size=track.frame_size or None)
            for part in [*resampler.resample(sound), *resampler.resample(None)]:
                out.mux(track.encode(part))
            out.mux(track.encode(None))


def packets(path) -> list:
    """The bytes of every sound packet, and its time after the first picture."""
    with av.open(str(path)) as container:
        first = min(p.pts * p.time_base for p in container.demux(video=0) if p.pts is not None)
    with av.open(str(path)) as container:
        tracks = container.streams.audio
        if not tracks:
            return []
        heard = [packet for packet in container.demux(*tracks) if packet.size]
        return [(p.stream.index, bytes(p), float(p.pts * p.time_base - first)) for p in heard]


def pictures(path, later=0.0) -> None:
    with VideoWriter(path) as writer:
        for time in TIMES:
            writer.write(np.zeros((48, 64, 3), np.uint8), time + later)


@pytest.mark.parametrize(
    ("ending", "codec", "delay", "tracks"),
    [
        (".mp4", "aac", 0.0, 1),
        (".mp4", "aac", 0.25, 1),
        (".mp4", "aac", -0.25, 2),
        (".mkv", "aac", 0.0, 1),
        (".mkv", "pcm_s16le", 0.1, 1),
        (".mp4", "libmp3lame", 0.0, 1),
        (".mov", "aac", 0.0, 1),
    ],
)
def test_sound_is_the_same_to_the_bit_and_in_step(tmp_path, ending, codec, delay, tracks) -> None:
    source, drawn, out = tmp_path / "source.mkv", tmp_path / "drawn.mp4", tmp_path / f"out{ending}"
    film(source, codec=codec, delay=delay, tracks=tracks)
    pictures(drawn, max(-delay, 0))
    assert with_sound(drawn, source, out) == []
    before, after = packets(source), packets(out)
    assert [data for _, data, _ in sorted(after, key=lambda p: (p[0], p[2]))] == [
        data for _, data, _ in sorted(before, key=lambda p: (p[0], p[2]))
    ]
    apart = np.array(sorted(t for *_, t in after)) - np.array(sorted(t for *_, t in before))
    assert np.abs(apart).max() <= 0.001 + 1e-9  # Matroska counts milliseconds
    with VideoReader(out) as reader:
        wanted = np.array(TIMES) + max(-delay, 0)
        assert [frame.time for frame in reader] == pytest.approx(wanted, abs=0.00051 if ending == ".mkv" else 2e-5)


def test_a_silent_film_stays_silent(tmp_path) -> None:
    drawn, out = tmp_path / "drawn.mp4", tmp_path / "out.mp4"
    pictures(drawn)
    with_sound(drawn, drawn, out)
    assert packets(out) == []
    with VideoReader(out) as reader:
        assert [frame.time for frame in reader] == pytest.approx(TIMES, abs=2e-5)


def test_sound_can_end_with_the_pictures(tmp_path) -> None:
    source, drawn, out = tmp_path / "source.mp4", tmp_path / "drawn.mp4", tmp_path / "out.mp4"
    film(source, seconds=3.0)
    pictures(drawn)
    with_sound(drawn, source, out, until=1.2)
    assert 1.1 < max(time for *_, time in packets(out)) < 1.2


def loudness(path) -> np.ndarray:
    """Root mean square per 0.1 s after the first picture, of the first sound track decoded."""
    with av.open(str(path)) as container:
        start = float(min(p.pts * p.time_base for p in container.demux(video=0) if p.pts is not None))
    with av.open(str(path)) as container:
        bins = np.zeros((40, 2))
        for frame in container.decode(audio=0):
            values = frame.to_ndarray()[0] / (1 if frame.format.name == "fltp" else 32768)
            at = ((frame.time - start + np.arange(len(values)) / frame.rate) * 10).astype(int)
            inside = (at >= 0) & (at < 40)
            np.add.at(bins, at[inside], np.stack([values**2, np.ones_like(values)], 1)[inside])
    return np.sqrt(bins[:, 0] / np.maximum(bins[:, 1], 1))


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_sound_that_does_not_fit_becomes_aac_in_step(tmp_path, delay) -> None:
    source, drawn, out = tmp_path / "source.mkv", tmp_path / "drawn.mp4", tmp_path / "out.mp4"
    film(source, codec="pcm_s16le", delay=delay)
    pictures(drawn)
    assert with_sound(drawn, source, out) == [
        "The sound of source.mkv (pcm_s16le) does not fit into .mp4 and was coded anew as AAC."
    ]
    with av.open(str(out)) as container:
        assert [track.codec_context.name for track in container.streams.audio] == ["aac"]
    before, after = loudness(source), loudness(out)
    first = round(delay * 10)
    inner = slice(first + 1, first + 14)
    assert before[inner].min() > 0.1 and after[inner] == pytest.approx(before[inner], rel=0.05)
    assert (after[: max(first - 1, 0)] < 0.01).all() and (after[first + 16 :] < 0.01).all()  # AAC rings for a moment


def test_no_film_at_all(tmp_path) -> None:
    (tmp_path / "a.mp4").write_text("hello")
    pictures(tmp_path / "drawn.mp4")
    with pytest.raises(SourceError):
        with_sound(tmp_path / "drawn.mp4", tmp_path / "a.mp4", tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
