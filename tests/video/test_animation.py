"""Pictures that move, and pictures of several pages: nothing of them is left out without a word."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, features

from tronie.core.errors import SourceError
from tronie.video import image
from tronie.video.animation import Animation, moves
from tronie.video.audio import with_sound
from tronie.video.image import count_pages, read_image, read_pages
from tronie.video.reader import VideoReader, probe
from tronie.video.sources import expand

COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10)]
LASTS_MS = [40, 200, 10, 120]  # 10 ms is what nobody means: browsers show it for 100 ms
STARTS = [0.0, 0.04, 0.24, 0.34]

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
KINDS = {
    "GIF": {"disposal": 2},
    "WEBP": {"lossless": True},
    "PNG": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
ALL = [pytest.param(kind, marks=needs_avif if kind == "AVIF" else ()) for kind in KINDS]


def stills() -> list[Image.Image]:
    """A square that wanders over a ground of another colour."""
    found = []
    for number, colour in enumerate(COLOURS):
        pixels = np.full((24, 32, 3), colour, np.uint8)
        pixels[4:12, 4 + 5 * number : 12 + 5 * number] = 128
        found.append(Image.fromarray(pixels))
    return found


def animated(path: Path, kind: str, **more: object) -> Path:
    first, *others = stills()
    options = {"save_all": True, "append_images": others, "duration": LASTS_MS, "loop": 0, **KINDS[kind], **more}
    first.save(path, kind, **options)
    return path


@pytest.mark.parametrize("kind", ALL)
def test_an_animated_picture_is_a_film_with_its_own_times(tmp_path, kind) -> None:
    path = animated(tmp_path / f"wave.{kind.lower()}", kind)
    assert [(s.kind, s.path) for s in expand(path)] == [("video", path)]
    with VideoReader(path) as reader:
        frames = list(reader)
        assert reader.warnings == []
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == pytest.approx(STARTS)
    assert frames[-1].duration == pytest.approx(0.12)
    for frame, still in zip(frames, stills(), strict=True):
        assert np.abs(frame.image.astype(int) - np.asarray(still)).max() <= 12
    about = probe(path)
    assert (about.width, about.height, about.frames, about.codec) == (32, 24, 4, kind.lower())


@pytest.mark.parametrize("kind", ALL)
def test_gone_on_with_after_any_frame_it_is_the_same(tmp_path, kind) -> None:
    path = animated(tmp_path / "wave", kind)
    with VideoReader(path) as reader:
        whole, states = [], []
        for frame in reader:
            whole.append(frame)
            states.append(json.dumps(reader.state()))
    for index, state in enumerate(states):
        with VideoReader(path) as again:
            again.restore(json.loads(state))
            rest = list(again)
        assert [frame.time for frame in rest] == [frame.time for frame in whole[index + 1 :]]
        assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, whole[index + 1 :], strict=True))


def test_it_is_thinned_as_films_are(tmp_path) -> None:
    with VideoReader(animated(tmp_path / "a.gif", "GIF"), fps=5) as reader:
        assert [frame.time for frame in reader] == pytest.approx([0.0, 0.24])


@pytest.mark.parametrize("kind", ALL)
def test_one_frame_is_a_photo(tmp_path, kind) -> None:
    path = tmp_path / f"still.{kind.lower()}"
    stills()[0].save(path, kind, save_all=True)
    assert expand(path)[0].kind == "image"
    assert not moves(path) and not moves(path.read_bytes())


def test_the_still_in_front_of_an_animated_png_is_not_part_of_it(tmp_path) -> None:
    path = animated(tmp_path / "a.png", "PNG", default_image=True)
    with VideoReader(path) as reader:
        shown = [frame.image[0, 0].tolist() for frame in reader]
    assert shown == [list(colour) for colour in COLOURS[1:]]


def test_transparent_frames_are_laid_over_each_other(tmp_path) -> None:
    ground, patch = Image.new("RGBA", (16, 16), (255, 0, 0, 255)), Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    patch.paste((0, 0, 255, 255), (4, 4, 8, 8))
    ground.save(tmp_path / "a.png", save_all=True, append_images=[patch], duration=50, blend=1)
    with VideoReader(tmp_path / "a.png") as reader:
        last = list(reader)[-1].image
    assert last[0, 0].tolist() == [255, 0, 0] and last[5, 5].tolist() == [0, 0, 255]


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_one_that_breaks_off_gives_what_comes_before(tmp_path, kind) -> None:
    path = animated(tmp_path / "a", kind)
    path.write_bytes(path.read_bytes()[:-60])
    with VideoReader(path) as reader:
        frames = list(reader)
        assert len(frames) == 3
        assert reader.warnings == [f"Film {path} breaks off at 0.3 s: only what comes before was read."]


def test_a_giant_is_refused(tmp_path, monkeypatch) -> None:
    path = animated(tmp_path / "a.gif", "GIF")
    monkeypatch.setattr(image, "MEGAPIXELS", 0.0005)
    with pytest.raises(SourceError, match="megapixels"):
        Animation(path)


def test_it_has_no_sound(tmp_path, film) -> None:
    path = animated(tmp_path / "a.gif", "GIF")
    assert with_sound(film([0.0, 0.04, 0.24], "drawn.mp4"), path, tmp_path / "out.mp4") == []
    assert probe(tmp_path / "out.mp4").frames == 3


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (32, 24), shade).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("ending", [".mjpeg", ".mjpg"])
def test_raw_mjpeg_is_a_film(tmp_path, ending) -> None:
    path = tmp_path / f"camera{ending}"
    path.write_bytes(b"".join(jpeg(40 * number) for number in range(6)))
    assert expand(path)[0].kind == "video"
    with VideoReader(path) as reader:
        frames = list(reader)
        states = reader.state()
        (told,) = reader.warnings
    assert "without times: 25 frames a second are assumed" in told
    assert [int(frame.image[0, 0, 0]) for frame in frames] == pytest.approx([0, 40, 80, 120, 160, 200], abs=3)
    assert [frame.time for frame in frames] == pytest.approx([k / 25 for k in range(6)])
    assert states["delivered"][1] == 5


@pytest.mark.parametrize("aspect", [(1, 47361), (19457, 1), (65535, 1), (1, 65535)])
def test_pixels_of_an_impossible_shape_are_square(tmp_path, aspect) -> None:
    """A damaged header that would make pictures of 32 x 24 a million pixels wide, or none."""
    path = tmp_path / "a.mjpeg"
    header = b"JFIF\0\1\1\0" + struct.pack(">HH", *aspect)
    path.write_bytes(3 * jpeg(99).replace(b"JFIF\0\1\1\0\0\1\0\1", header, 1))
    with VideoReader(path) as reader:
        assert [frame.image.shape for frame in reader] == [(24, 32, 3)] * 3


def test_a_photo_with_a_second_picture_behind_it_is_a_photo(tmp_path) -> None:
    """Cameras put a preview, a depth map or the other eye's picture into the same file."""
    one, other = (Image.new("RGB", (16, 16), colour) for colour in COLOURS[:2])
    one.save(tmp_path / "eyes.jpg", "MPO", save_all=True, append_images=[other])
    assert expand(tmp_path / "eyes.jpg")[0].kind == "image"
    assert len(list(read_pages(tmp_path / "eyes.jpg"))) == 1


def test_every_page_of_a_tiff_is_a_photo(tmp_path) -> None:
    first, *others = stills()
    first.save(tmp_path / "scan.tif", save_all=True, append_images=others)
    assert expand(tmp_path / "scan.tif")[0].kind == "image"
    pages = list(read_pages(tmp_path / "scan.tif"))
    assert count_pages(tmp_path / "scan.tif") == 4
    assert all(np.array_equal(page, np.asarray(still)) for page, still in zip(pages, stills(), strict=True))
    assert np.array_equal(read_image(tmp_path / "scan.tif"), pages[0])


def test_smaller_copies_and_masks_in_a_tiff_are_no_pages(tmp_path) -> None:
    first, copy, mask, second = stills()
    for still, kind in ((copy, 1), (mask, 4), (second, 2)):
        still.encoderinfo = {"tiffinfo": {254: kind}}
    first.save(tmp_path / "scan.tif", save_all=True, append_images=[copy, mask, second])
    pages = list(read_pages(tmp_path / "scan.tif"))
    assert [page[0, 0].tolist() for page in pages] == [list(COLOURS[0]), list(COLOURS[3])]


def test_a_damaged_page_is_named(tmp_path) -> None:
    first, *others = stills()
    first.save(tmp_path / "scan.tif", save_all=True, append_images=others, compression="tiff_lzw")
    data = bytearray((tmp_path / "scan.tif").read_bytes())
    with Image.open(tmp_path / "scan.tif") as picture:
        picture.seek(2)
        at = picture.tag_v2[273][0]
    data[at : at + 40] = bytes(40)
    (tmp_path / "scan.tif").write_bytes(data)
    pages = read_pages(tmp_path / "scan.tif")
    assert next(pages).shape == next(pages).shape
    with pytest.raises(SourceError, match="page 3 of 4"):
        next(pages)


def test_a_gif_within_a_film_is_not_needed() -> None:
    """FFmpeg's own reader of GIF stays shut: what it makes of broken ones is not what browsers show."""
    from tronie.video.container import FILE_OPTIONS

    assert "gif" not in FILE_OPTIONS["format_whitelist"].split(",") and "gif" in av.formats_available
