"""The same picture shown otherwise: where a thing went, and that it comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tronie.video.reader import VideoReader
from tronie.video.variations import CUT, FILMS, PICTURES, begun_later, halved
from tronie.video.write import VideoWriter


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty-one frames at 10 a second, each of its own grey."""
    path = tmp_path_factory.mktemp("films") / "greys.mp4"
    with VideoWriter(path, quality=0) as writer:
        for i in range(61):
            writer.write(np.full((48, 64, 3), 4 * i, np.uint8), i / 10)
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_a_spot_is_found_where_the_box_says(name: str) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:72, 60:100] = 255
    shown = PICTURES[name](image)
    bright = shown.pixels[..., 0] > 127
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    seen = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
    assert shown.back(np.array([seen], float))[0] == pytest.approx([60, 40, 40, 32], abs=1.4)
    assert shown.pixels.dtype == np.uint8 and shown.pixels.flags.c_contiguous


def test_every_variation_but_none_changes_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    for name, change in PICTURES.items():
        shown = change(image).pixels
        assert shown.shape != image.shape or (shown != image).any(), name


def test_half_the_frames_fill_the_whole_time(film: Path, tmp_path: Path) -> None:
    whole, frames = list(VideoReader(film)), list(halved(film, tmp_path).frames)
    assert [f.time for f in frames] == [f.time for f in whole[::2]]
    assert [f.time + f.duration for f in frames] == pytest.approx([*(f.time for f in whole[2::2]), 6.1])
    assert all((a.image == b.image).all() for a, b in zip(frames, whole[::2], strict=True))


def test_a_film_begun_later_goes_on_as_it_did(film: Path, tmp_path: Path) -> None:
    reel = begun_later(film, tmp_path)
    frames, whole = list(reel.frames), [f for f in VideoReader(film) if f.time >= reel.start]
    assert CUT <= reel.start < CUT + 0.1 and frames[0].time == 0 and frames[0].index == 0
    assert [f.time + reel.start for f in frames] == pytest.approx([f.time for f in whole])
    assert all((a.image == b.image).all() for a, b in zip(frames, whole, strict=True))


@pytest.mark.parametrize("name", [name for name in FILMS if "rate factor" in name])
def test_a_film_stored_again_keeps_its_times(film: Path, tmp_path: Path, name: str) -> None:
    frames, whole = list(FILMS[name](film, tmp_path).frames), list(VideoReader(film))
    assert [f.time for f in frames] == pytest.approx([f.time for f in whole], abs=1e-3)
    assert max(abs(a.image.astype(int) - b.image).mean() for a, b in zip(frames, whole, strict=True)) < 6
