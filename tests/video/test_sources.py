from __future__ import annotations

import io

import pytest
from PIL import Image

from tronie.core.errors import SourceError
from tronie.video.sources import Source, expand, kind_of


def picture(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of files, with the working directory beside it."""
    for name in (
        "take10.mp4",
        "take2.mp4",
        "b.jpg",
        "A.PNG",
        "sub/z.webm",
        "sub/deep/c.gif",
        ".hidden.jpg",
        ".cache/d.jpg",
    ):
        file = tmp_path / "media" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"stand-in")
    (tmp_path / "media" / "notes.txt").write_text("words")
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(sources) -> list[str]:
    return [source.name for source in expand(sources)]


def test_a_folder_gives_everything_below_it_in_order(tree) -> None:
    inside = ["A.PNG", "b.jpg", "take2.mp4", "take10.mp4", "sub/z.webm", "sub/deep/c.gif"]
    assert names(["media"]) == [f"media/{name}" for name in inside]
    assert [s.kind for s in expand("media")] == ["image", "image", "video", "video", "video", "image"]


def test_the_users_order_is_kept_and_doubles_come_once(tree) -> None:
    given = ["media/take2.mp4", "media/b.jpg", "./media/take2.mp4", tree / "media" / "b.jpg"]
    assert names(given) == ["media/take2.mp4", "media/b.jpg"]
    assert names(["media/take10.mp4", "media"])[0] == "media/take10.mp4"
    assert len(names(["media/take10.mp4", "media"])) == 6


def test_patterns(tree) -> None:
    assert names(["media/take*.mp4"]) == ["media/take2.mp4", "media/take10.mp4"]
    assert names(["media/**/*.webm"]) == ["media/sub/z.webm"]
    assert names(["media/*"]) == ["media/A.PNG", "media/b.jpg", "media/take2.mp4", "media/take10.mp4"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree) -> None:
    (tree / "odd[1].jpg").write_bytes(b"stand-in")
    assert names(["odd[1].jpg"]) == ["odd[1].jpg"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("gone.mp4", "gone.mp4 does not exist"),
        ("media/notes.txt", "neither a picture nor a film"),
        ("bare", "holds no picture and no film"),
        ("media/*.tiff", "matches media/"),
        ("https://example.org/film.mp4", "download it"),
    ],
)
def test_what_cannot_be_looked_at_is_named(tree, given, says) -> None:
    with pytest.raises(SourceError, match=says) as told:
        expand(["media/b.jpg", given])
    assert str(told.value).endswith(".")


def test_nothing_given() -> None:
    with pytest.raises(SourceError, match="No source"):
        expand([])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_content_speaks_louder_than_the_ending(tmp_path, kind) -> None:
    file = tmp_path / "misnamed.mp4"
    file.write_bytes(picture(kind))
    assert kind_of(file) == "image"


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov"])
def test_a_film_without_an_ending_is_known_by_its_content(film, name) -> None:
    path = film([0, 0.04], name)
    bare = path.rename(path.with_name("nameless"))
    assert expand([bare]) == [Source(bare, "video", bare.as_posix())]


def test_avif_and_heic_are_pictures_though_wrapped_like_films(tmp_path) -> None:
    for brand in (b"avif", b"heic", b"mif1"):
        (tmp_path / "photo").write_bytes(b"\x00\x00\x00\x1cftyp" + brand + bytes(16))
        assert kind_of(tmp_path / "photo") == "image"
