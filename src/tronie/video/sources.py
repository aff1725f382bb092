"""What a user named, file by file: files, folders and patterns become an ordered list of pictures and films."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tronie.core.errors import SourceError
from tronie.video.animation import moves
from tronie.video.files import ensure_file

Kind = Literal["image", "video"]

IMAGE_ENDINGS = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".avif",
        ".jp2",
        ".ico",
    }
)
VIDEO_ENDINGS = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".qt",
        ".mkv",
        ".webm",
        ".avi",
        ".wmv",
        ".asf",
        ".flv",
        ".f4v",
        ".ts",
        ".m2ts",
        ".mts",
        ".mpg",
        ".mpeg",
        ".m2v",
        ".vob",
        ".ogv",
        ".ogm",
        ".3gp",
        ".3g2",
        ".mxf",
        ".dv",
        ".rm",
        ".rmvb",
        ".y4m",
        ".nut",
        ".h264",
        ".264",
        ".hevc",
        ".h265",
        ".ivf",
        ".mjpeg",
        ".mjpg",
        ".wtv",
    }
)

MJPEG_ENDINGS = frozenset({".mjpeg", ".mjpg"})
"""A raw stream of JPEG pictures begins as a JPEG picture does, so its ending tells."""

_IMAGE_STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"II*\x00",
    b"MM\x00*",
    b"\x00\x00\x00\x0cjP  ",
)
_VIDEO_STARTS = (  # Matroska and WebM, Flash, ASF, MPEG programme stream, RealMedia
    b"\x1aE\xdf\xa3",
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"\x00\x00\x01\xba",
    b".RMF",
)


@dataclass(frozen=True)
class Source:
    """One file to look at. ``name`` is its path as the user gave it, with forward slashes: what tables call it.

    ``named``: the user named this very file, so it must be readable; others were found in a folder or by a pattern.
    """

    path: Path
    kind: Kind
    name: str
    named: bool = True


def passed_over(names: Sequence[str]) -> str:
    """The sentence about files that were found in a folder and hold no pictures."""
    return f"Passed over, because there are no pictures in {'it' if len(names) == 1 else 'them'}: {few(names)}."


def few(names: Sequence[str]) -> str:
    """The first three of some names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def expand(sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Source]:
    """The pictures and films behind ``sources``: files, folders (with everything below them) and patterns (``*.jpg``).

    The order is the user's; inside a folder or pattern it is by path, numbers in names by value. A file named twice
    comes once, hidden files are left out of folders, and what is there and is neither picture nor film is passed over,
    as are pipes and devices. A file that cannot be opened is no error there: it is told by its ending, and fails alone
    when it is read.
    Whether a file is whole is found when it is read. Raises SourceError where something named does not exist, holds
    nothing to look at, or is neither picture nor film.
    """
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    found: dict[str, Source] = {}
    for given in sources:
        for source in _expand_one(os.fspath(given)):
            found.setdefault(place_of(source.path), source)
    if not found:
        raise SourceError("No source was given: name a picture, a film, a folder or a pattern such as 'photos/*.jpg'.")
    return list(found.values())


def place_of(path: Path) -> str:
    """The one path by which a file is known, however it is named. A link that leads to itself stays as it is."""
    return os.path.realpath(path)  # Path.resolve raises RuntimeError for such a link


def _expand_one(given: str) -> list[Source]:
    path = Path(given)
    if os.path.isdir(given):
        inside = _among(below(path))
        if not inside:
            raise SourceError(f"Folder {given} holds no picture and no film: name another folder or a file.")
        return inside
    if os.path.exists(given):
        kind = kind_of(path)
        if kind is None:
            raise SourceError(f"{given} is neither a picture nor a film: name a file such as photo.jpg or film.mp4.")
        return [Source(path, kind, path.as_posix())]
    if re.match(r"[a-z]{2,}://", given, re.IGNORECASE):
        raise SourceError(f"{given} is an address on a network: download it and name the file.")
    if any(mark in given for mark in "*?["):
        inside = _among(sorted((Path(p) for p in glob.glob(given, recursive=True) if os.path.isfile(p)), key=_natural))
        if not inside:
            raise SourceError(f"No picture and no film matches {given}: check the pattern and its folder.")
        return inside
    raise SourceError(f"{given} does not exist: check the path.")


def _among(paths: Iterable[Path]) -> list[Source]:
    return [Source(p, kind, p.as_posix(), named=False) for p in paths if (kind := _kind_among(p)) is not None]


def kind_of(path: Path) -> Kind | None:
    """Picture or film, by the file's first bytes, then by its ending; None if neither speaks for one.

    Animated pictures (GIF, WebP, PNG, AVIF) are films. A TIFF of several pages is a picture.

    Raises SourceError if the file cannot be opened, or is no file.
    """
    ensure_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise SourceError(f"{path} cannot be opened ({error.strerror}): check its permissions.") from None
    by_content = _kind_by_content(head)
    jpegs = head.startswith(b"\xff\xd8\xff") and path.suffix.lower() in MJPEG_ENDINGS
    if by_content == "image" and (jpegs or moves(path)):
        return "video"
    return by_content if by_content is not None else _kind_by_ending(path)


def _kind_among(path: Path) -> Kind | None:
    """:func:`kind_of` a file among many: one that cannot be opened is known by its ending, and said when it is read."""
    try:
        return kind_of(path)
    except SourceError:
        return _kind_by_ending(path)


def _kind_by_ending(path: Path) -> Kind | None:
    ending = path.suffix.lower()
    return "image" if ending in IMAGE_ENDINGS else "video" if ending in VIDEO_ENDINGS else None


def _kind_by_content(head: bytes) -> Kind | None:
    if head[4:8] == b"ftyp":  # the family of MP4 also wraps still pictures
        return "image" if head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1") else "video"
    if head[:4] == b"RIFF":
        return "image" if head[8:12] == b"WEBP" else "video" if head[8:12] == b"AVI " else None
    if head.startswith(_IMAGE_STARTS):
        return "image"
    return "video" if head.startswith(_VIDEO_STARTS) else None


def below(folder: Path) -> Iterator[Path]:
    """Files below ``folder`` in a stable order, hidden ones left out; links to folders are not followed."""
    for where, folders, files in walk(folder):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=lambda f: _natural(Path(f)))
        yield from sorted((Path(where, f) for f in files if not f.startswith(".")), key=_natural)


def walk(folder: Path, *, links: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """:func:`os.walk` without pipes, devices and sockets among the files; ``links`` to folders are followed or not."""
    for where, folders, files in os.walk(folder, followlinks=links):
        with suppress(OSError), os.scandir(where) as entries:
            odd = {entry.name for entry in entries if not _may_be_file(entry)}
            files = [name for name in files if name not in odd]
        yield where, folders, files


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Not where it is known to be none. A link that leads nowhere is told when it is read."""
    if entry.is_file(follow_symlinks=False):  # known without asking the file system again
        return True
    try:
        mode = entry.stat().st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which ``take2`` comes before ``take10``."""
    pieces = re.split(r"(\d+)", path.as_posix())
    return [(1, int(p), "") if p.isdecimal() else (0, 0, p) for p in pieces] + [(0, 0, path.as_posix())]
