"""Films with several picture tracks: the one that players show is read, and the others are told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.pipeline.settings import Settings
from tronie.video.reader import VideoReader, probe

DEFAULT, COVER = 1, 0x400


def tracks(path: Path, *sizes: tuple[int, int], marked: tuple[int, ...] = ()) -> Path:
    """A film with a track of each size (width, height), grey 50, 100, 150 …; ``marked`` are the default ones."""
    with av.open(str(path), "w") as out:
        streams = []
        for number, (width, height) in enumerate(sizes):
            stream = out.add_stream("libx264", rate=10, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = DEFAULT if number in marked else 0
            streams.append(stream)
        for index in range(5):
            for number, (stream, (width, height)) in enumerate(zip(streams, sizes, strict=True)):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 50 + 50 * number, np.uint8), "rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def shade(path: Path, track: int | None = None) -> tuple[int, list[str]]:
    with VideoReader(path, track=track) as reader:
        frames = list(reader)
        assert len(frames) == 5
        return round(frames[0].image.mean() / 50) - 1, reader.warnings


SMALL, LARGE = (64, 48), (128, 96)


@pytest.mark.parametrize(
    ("name", "sizes", "marked", "wanted"),
    [
        ("a.mkv", (SMALL, LARGE), (0,), 0),  # a person, and the screen that was shared
        ("a.mkv", (LARGE, SMALL), (1,), 1),
        ("a.mkv", (SMALL, LARGE, LARGE), (1, 2), 1),
        ("a.mp4", (SMALL, LARGE), (0,), 0),
        ("a.ts", (SMALL, LARGE), (), 1),  # transport streams mark none
    ],
)
def test_the_track_that_players_show_is_read_and_the_others_are_told(tmp_path, name, sizes, marked, wanted) -> None:
    path = tracks(tmp_path / name, *sizes, marked=marked)
    read, warnings = shade(path)
    assert read == wanted
    assert (probe(path).width, probe(path).height) == sizes[wanted]
    listed = ", ".join(f"{i} of {w} x {h}" for i, (w, h) in enumerate(sizes))
    assert warnings == [
        f"Film {path} has several picture tracks ({listed}): {wanted} was read, as players show it; "
        "--video-track N reads another."
    ]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_any_track_can_be_asked_for(tmp_path, name) -> None:
    path = tracks(tmp_path / name, SMALL, LARGE, marked=(0,))
    for number in (0, 1):
        assert shade(path, number) == (number, [])
        assert probe(path, track=number).width == (SMALL, LARGE)[number][0]
    with pytest.raises(SourceError, match=r"a\.\w+ has no picture track 2: it has 2, counted from 0\."):
        VideoReader(path, track=2)


def test_one_track_is_nothing_to_talk_of(tmp_path) -> None:
    assert shade(tracks(tmp_path / "a.mkv", SMALL)) == (0, [])


def test_the_track_stands_in_the_settings_only_where_it_is_given() -> None:
    """Tables of ordinary films must not look as if they had been made in another way."""
    assert "video_track" not in Settings().as_dict()
    assert Settings(video_track=1).as_dict()["video_track"] == 1
    assert len({Settings().hash, Settings(video_track=0).hash, Settings(video_track=1).hash}) == 3
    with pytest.raises(SettingError, match="counted from 0"):
        Settings(video_track=-1)
