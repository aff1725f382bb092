"""Holes, films that begin elsewhere, films whose sound goes on: what a reader says of them, also after a stop."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from tronie.video.reader import VideoReader, probe


def read(path, fps=None) -> tuple[list, list, list[str]]:
    """Frames as plain values, the state after each, and the warnings."""
    with VideoReader(path, fps=fps) as reader:
        frames, states = [], []
        for frame in reader:
            frames.append((frame.time, frame.index, frame.duration))
            states.append(json.loads(json.dumps(reader.state())))
        return frames, states, reader.warnings


def ends(frames) -> list[float]:
    return [time + duration for time, _, duration in frames]


HOLE = [*(k / 10 for k in range(10)), *(3 + k / 10 for k in range(10))]  # nothing from 1 s to 3 s


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts"])
@pytest.mark.parametrize("fps", [None, 5])
def test_a_hole_is_not_seen_and_said_once(films, tmp_path, name, fps) -> None:
    path = films.film(tmp_path / name, "h" * 20, HOLE)
    frames, states, warnings = read(path, fps)
    assert len(frames) == (20 if fps is None else 10)
    last = max(i for i, frame in enumerate(frames) if frame[0] < 2)
    assert ends(frames)[last] == pytest.approx(1.0, abs=0.011)  # as long as the picture before it
    assert frames[last + 1][0] == pytest.approx(3.0, abs=0.011)
    assert [b[0] for i, b in enumerate(frames[1:]) if i != last] == pytest.approx(
        [end for i, end in enumerate(ends(frames)[:-1]) if i != last]
    )
    assert warnings == [
        f"Film {path} lacks pictures for 2.0 s in all, first at 1.0 s: this time counts as not seen; the rest was read."
    ]
    for at in (0, last - 1, last, last + 1, len(frames) - 1):
        with VideoReader(path, fps=fps) as again:
            again.restore(states[at])
            assert [(f.time, f.index, f.duration) for f in again] == frames[at + 1 :]
            assert again.warnings == warnings


@pytest.mark.parametrize(
    "times",
    [
        [0, 5, 10, 15, 20],
        [0, 2, 4, 6],
        [0, 1, 2, 3, 4, 5],
        [0, 0.5, 1.0, 1.5],
        [0, 0.4, 0.8, 1.6, 2.0],
        [0, 3, 4, 7, 9],
    ],
)
def test_a_slow_film_has_no_holes(films, tmp_path, times) -> None:
    frames, _, warnings = read(films.film(tmp_path / "a.mp4", "h" * len(times), times))
    assert warnings == [] and ends(frames)[:-1] == pytest.approx(times[1:], abs=2e-3)


@pytest.mark.parametrize(("gap", "hole"), [(0.55, False), (0.65, True)])
def test_more_than_half_a_second_must_be_missing(films, tmp_path, gap, hole) -> None:
    times = [0, 0.1, 0.15, 0.25, 0.3, 0.4, 0.5, *(0.5 + gap + k / 10 for k in range(5))]  # not even
    frames, _, _ = read(films.film(tmp_path / "a.mp4", "h" * len(times), times))
    assert ends(frames)[6] == pytest.approx(0.6 if hole else 0.5 + gap, abs=2e-3)


def test_a_picture_that_stays_at_the_end_is_seen_for_one_step(films, tmp_path) -> None:
    from tronie.video.write import VideoWriter

    with VideoWriter(tmp_path / "a.mp4") as writer:
        for k in range(10):
            writer.write(films.picture(k, "h"), k / 10)
        writer.end = 6.0
    with VideoReader(tmp_path / "a.mp4") as reader:
        assert list(reader)[-1].duration == pytest.approx(0.1, abs=1e-4)
        assert reader.end == pytest.approx(6.0, abs=1e-4)
        assert "lacks pictures for 5.0 s in all, first at 1.0 s" in reader.warnings[0]
    assert probe(tmp_path / "a.mp4").duration == pytest.approx(6.0, abs=1e-3)


def test_pictures_before_the_clock_s_zero_are_over_when_it_begins(films, tmp_path) -> None:
    path = films.film(tmp_path / "a.webm", "h" * 20, sound=0.0, shift=-0.35)
    frames, states, warnings = read(path)
    assert warnings == [] and frames[0] == (0, 3, pytest.approx(0.05, abs=2e-3))
    assert [f[1] for f in frames] == list(range(3, 20))
    for at in (0, 1, 9):
        with VideoReader(path) as again:
            again.restore(states[at])
            assert [(f.time, f.index, f.duration) for f in again] == frames[at + 1 :]
    thin, _, _ = read(path, fps=5)
    assert [f[1] for f in thin] == [3, 6, 8, 10, 12, 14, 16, 18]


LATE = {"times": [2 + k / 10 for k in range(40)]}


@pytest.mark.parametrize(
    ("name", "codec", "more"),
    [
        ("a.mkv", None, {}),
        ("a.webm", None, {}),
        ("a.flv", None, {}),
        ("a.asf", "msmpeg4v3", {}),
        ("a.mp4", None, {}),
        ("a.mkv", None, LATE),
        ("a.webm", None, LATE),
    ],
)
def test_sound_that_goes_on_breaks_nothing_off_and_a_cut_file_does(films, tmp_path, name, codec, more) -> None:
    path = films.film(tmp_path / name, "h" * 40, sound=0.0, sound_ends=7.0, codec=codec, **more)
    frames, states, warnings = read(path)
    assert len(frames) == 40 and warnings == []
    with VideoReader(path) as again:
        again.restore(states[30])
        assert len(list(again)) == 9 and again.warnings == []
    if name not in ("a.mp4", "a.asf"):  # one has its index at its end, a cut one of the other tells no length
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        frames, _, warnings = read(path)
        assert 5 < len(frames) < 40 and len(warnings) == 1
        assert f"{path} breaks off at {ends(frames)[-1]:.1f} s of " in warnings[0]


def test_a_cut_film_breaks_off_also_where_its_sound_is_whole(films, tmp_path) -> None:
    path = films.film(tmp_path / "a.mp4", "h" * 40, sound=0.0, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, _, warnings = read(path)
    assert 5 < len(frames) < 35 and any("breaks off at" in words for words in warnings)


def test_where_no_player_has_a_clock_the_earliest_stream_is_zero(films, tmp_path) -> None:
    times = [9.84 + k / 10 for k in range(20)]
    for name, codec in (("a.ts", None), ("a.flv", None), ("a.asf", "msmpeg4v3")):
        frames, _, warnings = read(films.film(tmp_path / name, "h" * 20, times, sound=9.0, codec=codec))
        assert warnings == [] and len(frames) == 20
        assert frames[0][0] == pytest.approx(0.84, abs=0.05), name
        assert np.diff([f[0] for f in frames]) == pytest.approx(0.1, abs=2e-3)


def test_a_still_in_an_animated_picture_is_meant(films, tmp_path) -> None:
    from PIL import Image

    first, *rest = (Image.fromarray(films.picture(k, "h")) for k in range(14))
    lasts = [100] * 12 + [3000, 100]
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=lasts)
    frames, _, warnings = read(tmp_path / "a.gif")
    assert warnings == [] and [f[2] for f in frames] == pytest.approx([one / 1000 for one in lasts])


def test_a_whole_broadcast_whose_clock_begins_anew_does_not_break_off(foreign) -> None:
    with VideoReader(foreign(50, "film.ts", start=95440 * 25)) as reader:  # 33 bits of 1/90,000 s end at 95,443.7 s
        assert [frame.time for frame in reader] == pytest.approx([k / 25 for k in range(50)], abs=1e-3)
        assert reader.warnings == []


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("name", ["film.avi", "film.asf"])
def test_containers_that_say_only_when_to_decode_lose_no_picture(foreign, read_number, name, codec) -> None:
    path = foreign(40, name, codec, options={"bf": "2", "g": "12", "b": "4000000"})
    with VideoReader(path) as reader:
        seen = [(read_number(frame.image), frame.time) for frame in reader]
        assert reader.warnings == []
    assert [number for number, _ in seen] == list(range(40))
    assert np.diff([time for _, time in seen]) == pytest.approx(np.full(39, 0.04), abs=1e-3)
    for after in (1, 14, 37, 39):  # gone on with after so many
        with VideoReader(path) as first:
            for _ in range(after):
                next(first)
            state = first.state()
        with VideoReader(path) as second:
            second.restore(state)
            assert [(read_number(frame.image), frame.time) for frame in second] == seen[after:]


@pytest.mark.parametrize("name", ["still.nut", "still.mp4", "still.avi"])
def test_an_empty_packet_says_that_the_picture_stays(foreign, read_number, tmp_path, name) -> None:
    whole = foreign(10, f"whole{name[5:]}", "mpeg4", options={"b": "4000000", "bf": "0", "g": "1"})
    with av.open(str(whole)) as film, av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(film.demux(video=0)):
            if packet.size:
                kept = av.Packet(b"" if number in (4, 5) else bytes(packet))
                kept.pts, kept.dts, kept.duration = packet.pts, packet.dts, packet.duration
                kept.is_keyframe, kept.stream, kept.time_base = True, stream, packet.time_base
                out.mux(kept)
    with VideoReader(tmp_path / name) as reader:
        times = {read_number(frame.image): frame.time for frame in reader}
        assert reader.warnings == []
    assert list(times) == [0, 1, 2, 3, 6, 7, 8, 9] and times[6] - times[3] == pytest.approx(0.12)
