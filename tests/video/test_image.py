from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tronie.core.errors import SourceError
from tronie.video.image import MEGAPIXELS, read_image


def packed(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def test_bytes_and_path_give_the_same_pixels(tmp_path, colours) -> None:
    (tmp_path / "a.png").write_bytes(packed(Image.fromarray(colours)))
    for source in (tmp_path / "a.png", (tmp_path / "a.png").read_bytes()):
        image = read_image(source)
        assert image.dtype == np.uint8
        assert image.flags.writeable
        assert np.array_equal(image, colours)


# EXIF orientation (CIPA DC-008): what has to be done to the stored picture to see it upright.
UPRIGHT = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_the_camera_position_is_undone(colours, orientation, kind) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = packed(Image.fromarray(colours), kind, exif=exif, **options)
    assert np.array_equal(read_image(data), UPRIGHT[orientation](colours))


def test_grey_and_deep_grey() -> None:
    deep = np.array([[0, 257, 65535, 32768], [128, 385, 1000, 60000]], np.uint16)
    shallow = np.rint(deep / 257).astype(np.uint8)
    for data in (
        packed(Image.fromarray(deep)),
        packed(Image.fromarray(deep), "TIFF"),
        packed(Image.fromarray(deep.astype(np.int32)), "TIFF"),
        packed(Image.fromarray(shallow)),
        packed(Image.fromarray(shallow.astype(np.float32)), "TIFF"),
        packed(Image.fromarray(shallow.astype(np.float32) / 255), "TIFF"),
    ):
        assert np.array_equal(read_image(data), np.repeat(shallow[:, :, None], 3, 2))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF of 32 bits", "TIFF of floats", "PGM"])
def test_deep_grey_is_scaled_by_its_own_range(bits, kind) -> None:
    """A camera of 10, 12 or 14 bits writes them into a file of 16; the picture is the same one."""
    shown = np.random.default_rng(0).integers(0, 256, (6, 9)).astype(np.uint8)
    shown[0, 0] = 255
    values = np.rint(shown * ((2**bits - 1) / 255)).astype(np.uint16)
    if kind == "PGM":
        data = b"P5 9 6 %d\n" % (2**bits - 1) + (values.astype(">u2" if bits > 8 else "u1")).tobytes()
    else:
        wide = {"TIFF of 32 bits": np.int32, "TIFF of floats": np.float32}.get(kind, np.uint16)
        data = packed(Image.fromarray(values.astype(wide)), kind.split()[0])
    assert np.array_equal(read_image(data)[:, :, 0], shown)


def test_a_dim_picture_of_sixteen_bits_stays_as_dim_as_it_is() -> None:
    """As long as its brightest pixel reaches a quarter of the full scale it is known to have 16 bits."""
    dim = np.array([[0, 5000, 20000]], np.uint16)
    assert read_image(packed(Image.fromarray(dim)))[0, :, 0].tolist() == [0, 19, 78]


def test_values_without_a_depth_fill_the_scale() -> None:
    for values, wanted in (
        (np.array([[-1.0, -0.5, 1.0]], np.float32), [0, 64, 255]),
        (np.array([[-300, -150, 300]], np.int32), [0, 64, 255]),
        (np.array([[0, 50_000, 200_000]], np.int32), [0, 64, 255]),
        (np.array([[np.nan, 0.25, 1.0]], np.float32), [0, 64, 255]),
        (np.array([[0.0, 0.25, 1.04]], np.float32), [0, 64, 255]),  # resized: a little above 1
        (np.array([[np.inf, 0.25, -np.inf]], np.float32), [0, 64, 0]),
        (np.array([[np.nan, np.nan, np.nan]], np.float32), [0, 0, 0]),
        (np.array([[0.0, 0.0, 0.0]], np.float32), [0, 0, 0]),
    ):
        assert read_image(packed(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == wanted


def test_one_bit() -> None:
    bits = np.array([[True, False], [False, True]])
    assert np.array_equal(read_image(packed(Image.fromarray(bits)))[:, :, 0], bits * 255)


def test_transparency_lies_over_white(colours) -> None:
    alpha = np.random.default_rng(1).integers(0, 256, colours.shape[:2], np.uint8)
    share = alpha[:, :, None] / 255
    over_white = colours * share + 255 * (1 - share)
    image = read_image(packed(Image.fromarray(np.dstack([colours, alpha]))))
    assert np.abs(image - over_white).max() <= 1
    grey = colours[:, :, 0]
    image = read_image(packed(Image.fromarray(np.dstack([grey, alpha]), "LA")))
    assert np.abs(image - (grey * share[:, :, 0] + 255 * (1 - share[:, :, 0]))[:, :, None]).max() <= 1


def test_palette_with_and_without_a_transparent_colour() -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 0, 0, 0, 255])
    expected = np.array([[[10, 20, 30], [200, 100, 0]], [[0, 0, 255], [200, 100, 0]]])
    assert np.array_equal(read_image(packed(picture)), expected)
    expected[0, 1] = expected[1, 1] = 255
    assert np.array_equal(read_image(packed(picture, transparency=1)), expected)


def test_cmyk() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(read_image(packed(ink, "TIFF")).astype(int) - (255, 0, 0)).max() == 0
    assert np.abs(read_image(packed(ink, "JPEG")).astype(int) - (255, 0, 0)).max() < 8


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind in ("GIF", "WEBP", "PNG"):
        data = packed(
            frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
        )
        assert read_image(data)[4, 4].tolist() == [255, 0, 0]


def claimed(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says it is ``width`` x ``height``."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_100, 13_000, 20_000, 60_000])
def test_a_giant_is_refused_before_it_is_decoded(side) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SourceError, match=f"{MEGAPIXELS} megapixels"):
            read_image(claimed(side, side))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"this is no picture\n" * 50, "not in a picture format"),
        ("film.jpg", b"\x00\x00\x00\x18ftypmp42" + bytes(200), "not in a picture format"),
        ("missing.jpg", None, "does not exist"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path, name, data, says) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=says):
            read_image(data)
    with pytest.raises(SourceError, match=says) as told:
        read_image(tmp_path / name)
    assert name in str(told.value)
    assert "\n" not in str(told.value)


def test_a_folder_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match="cannot be opened"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("TIFF", {}), ("WEBP", {})]
)
def test_a_picture_cut_short_is_refused(kind, options) -> None:
    data = packed(Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)), kind, **options)
    with pytest.raises(SourceError, match=r"damaged|format"):
        read_image(data[: len(data) * 2 // 3])


WHOLE = [
    packed(Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)), kind)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "ICO")
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    st.integers(0, 4000),
)
def test_broken_bytes_give_a_picture_or_a_sentence(data, changes, end) -> None:
    broken = bytearray(data[: end or None])
    for at, value in changes:
        if at < len(broken):
            broken[at] = value
    try:
        image = read_image(bytes(broken))
    except SourceError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
