"""What is in the file: pictures that move or have pages, films with several tracks and sizes, through the command."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import tronie as package
from tronie import cli
from tronie.core.timeline import Timeline
from tronie.video.image import read_pages
from tronie.video.reader import VideoReader

LASTS_MS = [200, 400, 200, 300]


@pytest.fixture
def tronie(monkeypatch, capsys, tmp_path, planted):
    """The command, run in an empty folder with a planted model; gives exit code, output and lines of errors."""
    monkeypatch.setattr("tronie.pipeline.analyser.load_model", lambda name, **how: planted.Model())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        code = cli.main(list(arguments))
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert all(re.fullmatch(r"tronie: .+[.?]|tronie: Written: .+", line) for line in lines), err
        return code, out, lines

    return run


def stills() -> list[Image.Image]:
    """Four pictures that are whole faces for ``--detector whole``."""
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8)) for _ in range(4)]


def animation(name: str) -> str:
    first, *others = stills()
    first.save(name, save_all=True, append_images=others, duration=LASTS_MS)
    return name


def pages(name: str) -> str:
    first, *others = stills()
    first.save(name, save_all=True, append_images=others)
    return name


@pytest.mark.parametrize("name", ["wave.gif", "wave.png", "wave.webp"])
def test_an_animated_picture_is_read_as_a_film(tronie, name) -> None:
    code, out, said = tronie("predict", animation(name), "--detector", "whole", "--out", "t.csv")
    assert code == 0 and "4 frames looked at" in out and len(said) == 1
    told = Timeline.load(Path("t.csv"))
    assert told["time"].tolist() == pytest.approx([0.0, 0.2, 0.6, 0.8])
    assert told["duration"].tolist() == pytest.approx([0.2, 0.4, 0.2, 0.3])
    assert told.looked[0].kind == "video"


def test_an_animated_picture_can_be_drawn_cut_and_archived(tronie) -> None:
    animation("wave.gif")
    assert tronie("annotate", "wave.gif", "--detector", "whole", "--out", "drawn.mp4")[0] == 0
    with VideoReader(Path("drawn.mp4")) as reader:
        assert [frame.time for frame in reader] == pytest.approx([0.0, 0.2, 0.6, 0.8], abs=1e-4)
    assert tronie("segments", "wave.gif", "--detector", "whole", "--out", "wave.vtt")[0] == 0
    assert "-->" in Path("wave.vtt").read_text()
    assert tronie("predict", "wave.gif", "--detector", "whole", "--out", "results/")[0] == 0
    (table,) = Path("results").glob("wave*.csv")
    assert len(Timeline.load(table)) == 4


def test_every_page_of_a_tiff_is_read_and_drawn(tronie) -> None:
    pages("scan.tif")
    assert tronie("predict", "scan.tif", "--detector", "whole", "--out", "t.csv")[0] == 0
    told = Timeline.load(Path("t.csv"))
    assert told["frame"].tolist() == [0, 1, 2, 3] and told["track"].tolist() == [0, 1, 2, 3]
    assert told["time"].tolist() == [0.0] * 4
    assert (told.looked[0].kind, told.looked[0].frames) == ("image", 4)
    code, _, said = tronie("annotate", "scan.tif", "--detector", "whole", "--out", "drawn.png")
    assert code == 2 and said == ["tronie: scan.tif holds 4 pages: give the annotated one a name that ends in .tif."]
    assert tronie("annotate", "scan.tif", "--detector", "whole", "--out", "drawn.tif")[0] == 0
    for page, still in zip(read_pages(Path("drawn.tif")), stills(), strict=True):
        changed = np.abs(page.astype(int) - np.asarray(still)).max(2) > 0
        assert 0 < changed.mean() < 0.6
    assert tronie("predict", "scan.tif", "--detector", "whole", "--out", "results/")[0] == 0
    assert len(Timeline.load(Path("results/photos.csv"))) == 4


def test_bytes_that_move_are_told(planted) -> None:
    animation_bytes = _bytes()
    told = package.predict(animation_bytes, model=planted.Model(), detector="whole")
    assert len(told) == 1 and told.warnings == (
        "The picture given as bytes is animated, and its first frame was read: save it as a file to read it as a film.",
    )


def _bytes() -> bytes:
    file = io.BytesIO()
    first, *others = stills()
    first.save(file, "GIF", save_all=True, append_images=others)
    return file.getvalue()


def test_raw_mjpeg_through_the_installed_command(tmp_path) -> None:
    for number, still in enumerate(stills()):
        still.save(tmp_path / f"{number}.jpg")
    parts = [(tmp_path / f"{number}.jpg").read_bytes() for number in range(4)]
    (tmp_path / "camera.mjpeg").write_bytes(b"".join(parts))
    source = Path(package.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-m", "tronie", "predict", "camera.mjpeg"],
        cwd=tmp_path,
        text=True,
        check=False,
        env={"PYTHONPATH": str(source), "PATH": ""},
        capture_output=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert "camera.mjpeg: no face found (0:00.00-0:00.16, 4 frames looked at)" in ran.stdout


def two_tracks(name: str) -> str:
    """A person's face in the track that players show, a larger grey screen in the other one."""
    face = stills()[0].resize((64, 48))
    with av.open(name, "w") as out:
        streams = []
        for size in ((64, 48), (128, 96)):
            stream = out.add_stream("libx264", rate=5)
            (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
            stream.disposition = 1 if not streams else 0
            streams.append(stream)
        for index in range(5):
            for stream, picture in zip(streams, (face, Image.new("RGB", (128, 96), "grey")), strict=True):
                frame = av.VideoFrame.from_image(picture)
                frame.pts, frame.time_base = index, Fraction(1, 5)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return name


def test_another_picture_track_is_told_and_can_be_read(tronie) -> None:
    two_tracks("two.mkv")
    told = (
        "tronie: Warning: Film two.mkv has several picture tracks (0 of 64 x 48, 1 of 128 x 96): 0 was read, as "
        "players show it; --video-track N reads another."
    )
    code, _, said = tronie("predict", "two.mkv", "--detector", "whole", "--out", "a.csv")
    assert code == 0 and said == [told, "tronie: Written: a.csv, a.meta.json"]
    assert set(Timeline.load(Path("a.csv"))["width"]) == {64}
    code, _, said = tronie("predict", "two.mkv", "--video-track", "1", "--detector", "whole", "--out", "b.csv")
    assert code == 0 and told not in said
    assert set(Timeline.load(Path("b.csv"))["width"]) == {128}
    for table, width in (("a.csv", 64), ("b.csv", 128)):  # a table says itself which track its faces lie in
        assert tronie("annotate", "two.mkv", "--table", table, "--anonymise", "--out", "drawn.mp4")[0] == 0
        with VideoReader(Path("drawn.mp4")) as reader:
            assert next(reader).image.shape[1] == width
    for track, width in (([], 64), (["--video-track", "1"], 128)):
        assert tronie("annotate", "two.mkv", "--detector", "whole", "--out", "drawn.mp4", *track)[0] == 0
        with VideoReader(Path("drawn.mp4")) as reader:
            assert next(reader).image.shape[1] == width
        assert tronie("segments", "two.mkv", "--detector", "whole", "--out", "two.vtt", *track)[0] == 0
        assert tronie("watch", "two.mkv", "--detector", "whole", "--display", "lines", *track)[0] == 0
    assert tronie("predict", "two.mkv", "--video-track", "1", "--detector", "whole", "--out", "results/")[0] == 0
    assert set(Timeline.load(Path("results/two.csv"))["width"]) == {128}
    code, out, said = tronie("predict", "two.mkv", "--video-track", "2")
    assert (code, out) == (3, "")
    assert said == ["tronie: Film two.mkv has no picture track 2: it has 2, counted from 0."]
