from __future__ import annotations

import json
import math
import weakref
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.video.decode import turned
from tronie.video.reader import VideoReader, probe

UNEVEN = [3.0, 3.04, 3.08, 3.2, 3.21, 3.5, 3.533, 3.6, 4.0, 4.04, 4.5, 4.51, 4.52, 4.9, 4.94, 5.3, 5.6, 5.9, 5.91, 6.3]
STEADY = [k / 25 for k in range(60)]


def told(path, fps=None):
    """Every frame as plain values, and the reader's state before each and after the last."""
    with VideoReader(path, fps=fps) as reader:
        states, frames = [reader.state()], []
        for frame in reader:
            frames.append((frame.time, frame.index, frame.duration, frame.image.tobytes()))
            states.append(reader.state())
        return frames, states, reader.warnings


def test_every_frame_keeps_its_own_time_and_lasts_until_the_next(film, read_number) -> None:
    with VideoReader(film(UNEVEN)) as reader:
        frames = list(reader)
    assert [read_number(f.image) for f in frames] == list(range(len(UNEVEN)))
    assert [f.index for f in frames] == list(range(len(UNEVEN)))
    assert [f.time for f in frames] == pytest.approx(UNEVEN, abs=1 / 90_000)
    for a, b in pairwise(frames):
        assert a.duration == b.time - a.time
    assert frames[-1].duration == pytest.approx(0.39, abs=1e-4)  # the writer: as long as the one before
    assert reader.warnings == []


def test_ntsc_rate_does_not_drift(film) -> None:
    times = [k * 1001 / 30000 for k in range(90)]
    with VideoReader(film(times)) as reader:
        assert [f.time for f in reader] == pytest.approx(times, abs=1 / 90_000)


@pytest.mark.parametrize("fps", [0.7, 1, 3, 7.5, 25, 1000])
@pytest.mark.parametrize("times", [UNEVEN, STEADY])
def test_thinning_takes_the_first_frame_of_each_slot(film, read_number, fps, times) -> None:
    with VideoReader(film(times), fps=fps) as reader:
        frames = list(reader)
    expected, slots = [], set()
    for number, time in enumerate(times):
        slot = math.floor((time - times[0]) * fps + 1e-6)
        if slot not in slots:
            slots.add(slot)
            expected.append(number)
    assert [f.index for f in frames] == expected
    assert [read_number(f.image) for f in frames] == expected
    assert [f.time for f in frames] == pytest.approx([times[n] for n in expected], abs=1 / 90_000)
    assert sum(f.duration for f in frames) == pytest.approx(2 * times[-1] - times[-2] - times[0], abs=1e-4)


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf])
def test_an_impossible_rate_is_refused(film, fps) -> None:
    with pytest.raises(SettingError, match="greater than 0"):
        VideoReader(film(UNEVEN), fps=fps)


@pytest.mark.parametrize("fps", [None, 7])
@pytest.mark.parametrize(
    ("maker", "name"),
    [
        ("film", "a.mp4"),
        ("film", "a.mkv"),
        ("foreign", "a.mp4"),
        ("foreign", "a.mkv"),
        ("foreign", "a.ts"),
        ("foreign", "a.avi"),
    ],
)
def test_a_reader_goes_on_exactly_where_another_stopped(request, maker, name, fps) -> None:
    make = request.getfixturevalue(maker)
    options = {"codec": "mpeg4"} if name.endswith("avi") else {}
    path = make([t + 2 for t in STEADY], name) if maker == "film" else make(60, name, **options)
    frames, states, _ = told(path, fps)
    assert len(frames) == (60 if fps is None else 17)
    for at in [0, 1, 2, 5, len(frames) // 2, len(frames) - 2, len(frames) - 1, len(frames)]:
        reader = VideoReader(path, fps=fps)
        reader.restore(json.loads(json.dumps(states[at])))
        assert [(f.time, f.index, f.duration, f.image.tobytes()) for f in reader] == frames[at:]
        assert reader.state() == states[-1]


def test_a_reader_may_be_set_back_while_it_runs(film, read_number) -> None:
    reader = VideoReader(film(STEADY))
    begin = reader.state()
    for _ in range(30):
        next(reader)
    there = reader.state()
    assert len(list(reader)) == 30
    reader.restore(there)
    assert read_number(next(reader).image) == 30
    reader.restore(begin)
    assert [read_number(f.image) for f in reader] == list(range(60))


def test_a_state_fits_its_film_and_rate_only(film) -> None:
    path = film(STEADY)
    state = VideoReader(path, fps=5).state()
    with pytest.raises(SettingError, match="fps=5"):
        VideoReader(path).restore(state)
    film(UNEVEN)
    with pytest.raises(SourceError, match="has changed"):
        VideoReader(path, fps=5).restore(state)


# The matrix of a track header (ISO/IEC 14496-12) in 1/65536, and what it does to a picture, by NumPy's own turns.
TURNS = {
    (1, 0, 0, 1): lambda p: p,
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),
    (-1, 0, 0, -1): lambda p: np.rot90(p, 2),
    (0, -1, 1, 0): lambda p: np.rot90(p, 1),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda p: p.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda p: np.rot90(p, 2).transpose(1, 0, 2),
}


@pytest.mark.parametrize("parts", TURNS)
def test_a_turned_film_is_shown_upright(film, parts) -> None:
    path = film(STEADY[:3])
    plain = next(VideoReader(path)).image
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = parts
    data[at : at + 36] = np.array([a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(data)
    shown = next(VideoReader(path)).image
    assert np.array_equal(shown, TURNS[parts](plain))
    assert (probe(path).height, probe(path).width) == shown.shape[:2]


@pytest.mark.parametrize("parts", TURNS)
def test_turning_moves_each_pixel_where_the_matrix_says(parts) -> None:
    a, b, c, d = parts
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    places = {}
    for y in range(4):
        for x in range(6):
            places[a * x + c * y, b * x + d * y] = image[y, x]
    left, top = min(p[0] for p in places), min(p[1] for p in places)
    shown = turned(image, np.array([a, b, 0, c, d, 0, 0, 0, 1], np.int32))
    for (x, y), value in places.items():
        assert np.array_equal(shown[y - top, x - left], value)


def test_oblong_pixels_are_made_square(foreign) -> None:
    path = foreign(3, aspect=Fraction(3, 2))
    assert (probe(path).width, probe(path).height) == (240, 64)
    assert next(VideoReader(path)).image.shape == (64, 240, 3)


def test_probe_tells_what_the_header_says(foreign) -> None:
    info = probe(foreign(50))
    assert (info.width, info.height, info.frames, info.rate, info.codec) == (160, 64, 50, 25.0, "h264")
    assert info.duration == pytest.approx(2.0)


@pytest.mark.parametrize(("name", "first"), [("late.mkv", 40.0), ("late.mp4", 40.0), ("late.ts", 0.0)])
def test_times_are_a_player_s_and_without_a_player_begin_with_the_file(foreign, name, first) -> None:
    with VideoReader(foreign(10, name, start=1000)) as reader:
        assert [f.time for f in reader] == pytest.approx([first + k / 25 for k in range(10)], abs=1e-3)
        assert reader.end == pytest.approx(first + 0.4, abs=1e-3)


def test_a_stream_without_times_is_counted_at_its_rate(foreign, tmp_path, read_number) -> None:
    path = foreign(20, "bare.h264", options={"bf": "0", "g": "5"})
    frames, states, warnings = told(path)
    assert len(frames) == 20
    assert all(b[0] > a[0] for a, b in pairwise(frames))
    assert len(warnings) == 1 and "without times: 25 frames a second are assumed" in warnings[0]
    reader = VideoReader(path)
    reader.restore(states[11])
    assert read_number(next(reader).image) == 11


def test_joined_films_go_on_in_time(foreign, tmp_path) -> None:
    first = foreign(40, "first.ts").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first + foreign(30, "second.ts").read_bytes())
    frames, states, _ = told(joined)
    assert len(frames) == 70
    assert [f[0] for f in frames] == pytest.approx([k / 25 for k in range(70)], abs=1e-3)
    reader = VideoReader(joined)
    reader.restore(states[55])
    assert next(reader).index == 55


def test_a_film_cut_short_gives_what_is_there_and_says_so(foreign) -> None:
    for name in ("whole.mp4", "whole.mkv"):
        path = foreign(200, name)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        frames, _, warnings = told(path)
        assert 60 < len(frames) < 140
        assert [f[1] for f in frames] == list(range(len(frames)))
        assert any("breaks off at" in w and name in w and w.endswith(".") for w in warnings)


def test_damage_in_the_middle_is_passed_over(foreign) -> None:
    path = foreign(200)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat")
    middle = begin + (len(data) - begin) // 2
    for at in (middle, middle + 4000):
        data[at : at + 400] = np.random.default_rng(at).integers(0, 256, 400, np.uint8).tobytes()
    path.write_bytes(data)
    frames, states, warnings = told(path)
    assert 150 < len(frames) < 200
    assert frames[-1][0] == pytest.approx(199 / 25)
    assert len(warnings) == 1
    assert "damaged pieces were skipped" in warnings[0]
    for at in (20, len(frames) // 2, len(frames) - 3):
        reader = VideoReader(path)
        reader.restore(states[at])
        assert [(f.time, f.index, f.duration, f.image.tobytes()) for f in reader] == frames[at:]
        assert reader.warnings == warnings


def test_a_film_cut_open_at_its_start_is_no_broken_film(foreign) -> None:
    path = foreign(200, "open.ts", options={"g": "100", "bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[188 * (len(data) // 188 // 10) :])
    frames, _, warnings = told(path)
    assert 50 < len(frames) < 200
    assert 0 < frames[0][0] < 4  # the file begins before its first keyframe
    assert not any("breaks off" in w for w in warnings)


def test_colours_survive(film, tmp_path) -> None:
    from tronie.video.write import VideoWriter

    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (128, 128, 128), (250, 250, 250)]
    for size in ((64, 96), (720, 96)):  # from 720 lines on other coefficients are usual
        with VideoWriter(tmp_path / "colours.mp4", quality=1) as writer:
            for k, colour in enumerate(colours):
                writer.write(np.full((*size, 3), colour, np.uint8), k / 10)
        for frame, colour in zip(VideoReader(tmp_path / "colours.mp4"), colours, strict=True):
            assert np.abs(frame.image[20:-20, 20:-20].astype(int) - colour).max() <= 4


def test_frames_are_let_go(film) -> None:
    alive: list[weakref.ref] = []
    for frame in VideoReader(film(STEADY)):
        alive.append(weakref.ref(frame.image))
        assert sum(ref() is not None for ref in alive) <= 2


def test_the_sample_films_can_be_stopped_anywhere(shared_data) -> None:
    for path in sorted((shared_data / "samples").glob("*.mp4")):
        if "1080p" in path.name:
            continue  # the same code four times as slow
        reader, states, frames = VideoReader(path, fps=2), [], []
        for frame in reader:
            frames.append((frame.time, frame.index, frame.duration, frame.image.tobytes()))
            states.append(reader.state())
        assert reader.warnings == []
        at = len(states) // 2
        reader.restore(states[at])
        frame = next(reader)
        assert (frame.time, frame.index, frame.duration, frame.image.tobytes()) == frames[at + 1]
