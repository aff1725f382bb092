from __future__ import annotations

import numpy as np
import pytest

from tronie.core.errors import OutputError
from tronie.video.reader import VideoReader, probe
from tronie.video.write import ENDINGS, VideoWriter

GREY = np.full((32, 48, 3), 90, np.uint8)


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_container_keeps_uneven_times(tmp_path, ending) -> None:
    times = [0, 0.1, 0.15, 0.9, 1.0]
    with VideoWriter(tmp_path / f"film{ending}") as writer:
        for time in times:
            writer.write(GREY, time)
    assert [f.time for f in VideoReader(tmp_path / f"film{ending}")] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("size", [(31, 47), (32, 47), (31, 48), (2, 2), (1, 1)])
def test_odd_sizes_are_made_even(tmp_path, size) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8) // 8 + 100
    with VideoWriter(tmp_path / "odd.mp4", quality=1) as writer:
        writer.write(image, 0)
        writer.write(image, 0.1)
    info = probe(tmp_path / "odd.mp4")
    assert (info.height, info.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert info.frames == 2


def test_the_last_frame_stays_as_long_as_the_one_before(tmp_path) -> None:
    for times in ([0, 0.5, 0.7], [0, 0.2, 1.4], [0]):
        with VideoWriter(tmp_path / "last.mp4") as writer:
            for time in times:
                writer.write(GREY, time)
        last = list(VideoReader(tmp_path / "last.mp4"))[-1]
        assert last.duration == pytest.approx(times[-1] - times[-2] if len(times) > 1 else 0.04, abs=1e-4)


def test_keyframes_come_as_often_as_asked(tmp_path) -> None:
    import av

    with VideoWriter(tmp_path / "keys.mp4", keyframes=5) as writer:
        for k in range(23):
            writer.write(GREY, k / 10)
    with av.open(str(tmp_path / "keys.mp4")) as film:
        keys = [k for k, frame in enumerate(film.decode(video=0)) if frame.key_frame]
    assert keys == [0, 5, 10, 15, 20]


def test_what_does_not_fit_is_refused_and_the_rest_is_kept(tmp_path) -> None:
    path = tmp_path / "film.mp4"
    with VideoWriter(path) as writer:
        writer.write(GREY, 1)
        with pytest.raises(OutputError, match="rising times"):
            writer.write(GREY, 1)
        with pytest.raises(OutputError, match="rising times"):
            writer.write(GREY, 0.5)
        with pytest.raises(OutputError, match="resize"):
            writer.write(GREY[:30], 2)
        writer.write(GREY, 2)
    assert [f.time for f in VideoReader(path)] == [1, 2]


def test_places_that_cannot_be_written(tmp_path) -> None:
    with pytest.raises(OutputError, match=r"\.mkv"):
        VideoWriter(tmp_path / "film.xyz")
    with pytest.raises(OutputError, match="cannot be written"):
        VideoWriter(tmp_path / "no" / "such" / "folder" / "film.mp4")


def test_an_unfinished_writer_may_be_closed_twice(tmp_path) -> None:
    writer = VideoWriter(tmp_path / "film.mp4")
    writer.write(GREY, 0)
    writer.close()
    writer.close()
    assert probe(tmp_path / "film.mp4").frames == 1
