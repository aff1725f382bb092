"""A file that is named as a film and is none: whatever FFmpeg takes it for, nothing beside it is opened."""

from __future__ import annotations

import http.server
import struct
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tronie.core.errors import SourceError
from tronie.video.audio import with_sound
from tronie.video.camera import address_shots
from tronie.video.reader import VideoReader, probe

SRC = Path(__file__).parents[2] / "src"
MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>inner.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 26\r\n"

# One of each kind that leads elsewhere or is no container, by what FFmpeg calls it.
TEXTS = {
    "concat": "ffconcat version 1.0\nfile inner.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\ninner.mp4\n#EXT-X-ENDLIST\n",
    "hls of an address": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\nhttp://127.0.0.1:9/a.mp4\n#EXT-X-ENDLIST\n",
    "dash": MPD,
    "sdp": SDP,
    "rtsp": "rtsptext\r\nrtsp://127.0.0.1:9/x\r\n",
    "asx": '<asx version="3.0"><entry><ref href="inner.mp4"/></entry></asx>',
    "pls": "[playlist]\nFile1=inner.mp4\nNumberOfEntries=1\nVersion=2\n",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 0:0:0:0, filepos: 0\n",
    "ffmetadata": ";FFMETADATA1\ntitle=x\n[STREAM]\n",
    "srt": "1\n00:00:00,000 --> 00:00:01,000\nfile inner.mp4\n\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,a,,0,0,0,,x\n",
    "webvtt": "WEBVTT\n\n00:00.000 --> 00:01.000\nx\n",
    "svg": '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><image href="inner.mp4"/></svg>\n',
    "lavfi": "movie=inner.mp4\n",
    "xbm": "#define a_width 16\n#define a_height 16\nstatic unsigned char a_bits[] = {0x00, 0x00};\n",
}


@pytest.mark.parametrize("name", ["liar.mp4", "liar.mkv", "liar.ts"])
@pytest.mark.parametrize("kind", TEXTS)
def test_what_leads_elsewhere_is_refused_in_one_sentence(tmp_path, film, kind, name) -> None:
    film([0.0, 0.04, 0.08], "inner.mp4")
    (tmp_path / "liar.sub").write_bytes(bytes(100))
    liar = tmp_path / name
    liar.write_text(TEXTS[kind])
    for opens in (VideoReader, probe):
        with pytest.raises(SourceError, match=r"cannot be read as a film|no film") as told:
            opens(liar)
        assert name in str(told.value) and "\n" not in str(told.value) and str(told.value).endswith(".")


def test_the_sound_of_a_play_list_is_not_fetched_either(tmp_path, film) -> None:
    pictures = film([0.0, 0.04, 0.08], "inner.mp4")
    liar = tmp_path / "liar.mp4"
    liar.write_text(TEXTS["concat"])
    with pytest.raises(SourceError, match="cannot be read as a film"):
        with_sound(pictures, liar, tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["still%02d.jpg.mp4", "film%d.png", "still%02d.mjpeg", "film*.mjpg"])
def test_a_name_is_no_pattern(tmp_path, name) -> None:
    """For FFmpeg ``still%02d.jpg`` is a sequence of files, whatever lies in the file of that name."""
    for number in range(3):
        Image.fromarray(np.full((16, 16, 3), 80 * number, np.uint8)).save(tmp_path / f"still{number:02d}.jpg")
        Image.fromarray(np.full((16, 16, 3), 80 * number, np.uint8)).save(tmp_path / f"film{number}.png")
    (tmp_path / name).write_text("nothing of that kind")
    with pytest.raises(SourceError, match=r"cannot be read as a film|no frame that can be decoded"):
        VideoReader(tmp_path / name)


@pytest.mark.parametrize("name", ["a:b.mp4", "file:x.mp4", "concat:a|b.mp4", "http:x.mp4", "pipe:0.mp4"])
@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_with_a_colon_is_a_name(tmp_path, film, read_number, name, monkeypatch) -> None:
    film([0.0, 0.04, 0.08]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, Path(name)):
        with VideoReader(path) as reader:
            assert [read_number(frame.image) for frame in reader] == [0, 1, 2]


def test_a_single_picture_is_no_film(tmp_path) -> None:
    """FFmpeg has a reader for each kind of still picture; pictures are read elsewhere."""
    (tmp_path / "photo.mp4").write_bytes(b"qoif" + struct.pack(">IIBB", 8, 8, 3, 0) + bytes(200))
    with pytest.raises(SourceError, match="cannot be read as a film"):
        VideoReader(tmp_path / "photo.mp4")


def test_the_command_says_so(tmp_path, film) -> None:
    film([0.0, 0.04, 0.08], "inner.mp4")
    (tmp_path / "liar.mp4").write_text(TEXTS["concat"])
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(SRC)!r}); from tronie.cli import main; sys.exit(main(sys.argv[1:]))",
            "predict",
            "liar.mp4",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 3 and ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1 and "liar.mp4 cannot be read as a film" in ran.stderr


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def test_an_address_gives_containers_and_the_play_lists_of_streams_only(tmp_path, film) -> None:
    film([0.0, 0.04, 0.08], "inner.mkv")
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile inner.mkv\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(SourceError, match="cannot be watched"):
            next(address_shots(f"http://127.0.0.1:{server.server_port}/list.txt", patience=3))
        assert len(list(address_shots(f"http://127.0.0.1:{server.server_port}/inner.mkv", patience=3))) == 3
        server.shutdown()
