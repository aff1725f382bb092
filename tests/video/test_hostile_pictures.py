"""Pictures that try to run something, or to cost without end."""

from __future__ import annotations

import ast
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tronie.core.errors import SourceError
from tronie.video import image
from tronie.video.image import read_image

SRC = Path(image.__file__).parents[1]

# A page description: to show it, a program has to be run on it. This one never ends.
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n{ } loop\nshowpage\n%%EOF\n"

# Reads the picture in every way there is, and prints what was started meanwhile.
LISTENER = """
import sys
started = []
HEARD = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "os.fork", "os.startfile")
sys.addaudithook(lambda event, _: started.append(event) if event in HEARD else None)
import tronie
from tronie.cli import main
name = sys.argv[1]
codes = [main(["predict", name]), main(["annotate", name, "--out", "drawn.png"])]
for given in (name, open(name, "rb").read()):
    try:
        tronie.predict(given)
        codes.append(0)
    except tronie.core.errors.SourceError:
        codes.append(3)
print(codes, started)
"""


def listened(folder: Path, name: str, path: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", LISTENER, name],
        cwd=folder,
        text=True,
        timeout=100,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(SRC.parent)},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout.strip().splitlines()[-1]


@pytest.fixture
def ghost(tmp_path: Path) -> str:
    """A search path with programs named like Ghostscript's in front, which leave a mark when they are run."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("gs", "gswin32c", "gswin64c"):
        (folder / name).write_text(f"#!/bin/sh\necho ran > '{tmp_path}/ran'\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.tif", "photo.eps"])
def test_a_page_description_is_refused_and_nothing_is_run(tmp_path, ghost, name) -> None:
    (tmp_path / name).write_bytes(POSTSCRIPT)
    said = listened(tmp_path, name, ghost)
    assert said == "[3, 3, 3, 3] []"
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "drawn.png").exists()


def test_a_page_description_is_refused_beside_the_real_program(tmp_path) -> None:
    (tmp_path / "photo.jpg").write_bytes(POSTSCRIPT)
    assert listened(tmp_path, "photo.jpg", os.environ["PATH"]) == "[3, 3, 3, 3] []"


# First bytes by which Pillow knows formats that are no plain raster, or that nobody takes photos in.
OTHERS = {
    "EPS": POSTSCRIPT,
    "DOS EPS": b"\xc5\xd0\xd3\xc6" + struct.pack("<7I", 32, len(POSTSCRIPT), 0, 0, 0, 0, 0) + POSTSCRIPT,
    "WMF": b"\xd7\xcd\xc6\x9a\x00\x00" + struct.pack("<4hHI", 0, 0, 64, 64, 96, 0) + bytes(80),
    "PSD": b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(300),
    "XPM": b'/* XPM */\nstatic char * a[] = {\n"1 1 1 1",\n"a c #ffffff",\n"a"};\n',
    "FITS": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
    "IM": b"Image type: L\r\nImage size (x*y): 8*8\r\n".ljust(511, b"\0") + b"\x1a" + bytes(64),
    "QOI": b"qoif" + struct.pack(">IIBB", 8, 8, 3, 0) + bytes(200),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_only_named_rasters_are_opened(kind) -> None:
    with pytest.raises(SourceError, match="picture format"):
        read_image(OTHERS[kind])


def test_pillow_opens_files_in_one_place() -> None:
    """No other line of the package may let Pillow guess what a file is."""
    opens = ("Image.open", "PIL.Image.open", "ImageFile.Parser")
    found = []
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in opens:
                found.append(path.relative_to(SRC).as_posix())
    assert found == ["video/image.py"]


def segment(mark: int, body: bytes) -> bytes:
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(body) + 2) + body


def many_scans(side: int, scans: int) -> bytes:
    """A JPEG of ``side`` x ``side`` pixels, sent in many scans that hold nothing: each costs as much as a whole one."""
    blocks = (side // 8) ** 2
    head = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    head += segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")  # a zero difference is the code 0
    head += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")  # "nothing in the next 16,384 blocks" as well
    first = segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0x00])) + bytes(blocks // 8 + 1)
    empty = segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0x00])) + bytes(2 * (blocks // 16384 + 1))
    return head + first + scans * empty + b"\xff\xd9"


def test_a_picture_that_costs_without_end_is_given_up(monkeypatch) -> None:
    assert read_image(many_scans(64, 5)).shape == (64, 64, 3)
    endless = many_scans(2048, 30_000)  # 0.6 MB; decoded to its end: about 15 s
    monkeypatch.setattr(image, "TIME_LIMIT_S", 0.2)
    with pytest.raises(SourceError, match=r"takes more than 0.2 s to decode"):
        read_image(endless)
