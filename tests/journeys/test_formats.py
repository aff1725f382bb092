"""What is in the file: pictures that move or have pages, films with several tracks and sizes, through the command."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tronie as package
from tronie import cli
from tronie.core.timeline import Timeline
from tronie.media.image import read_pages
from tronie.media.video import VideoReader

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
        [sys.executable, "-m", "tronie", "predict", "camera.mjpeg"], cwd=tmp_path, text=True, check=False,
        env={"PYTHONPATH": str(source), "PATH": ""}, capture_output=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "camera.mjpeg: no face found (0:00.00-0:00.16, 4 frames looked at)" in ran.stdout
