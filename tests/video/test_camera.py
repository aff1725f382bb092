from __future__ import annotations

import http.server
import itertools
import socket
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest

from tronie.core.errors import SourceError
from tronie.video import camera
from tronie.video.camera import address_shots, camera_number, camera_shots, is_address, public


def test_what_names_a_camera_and_what_an_address() -> None:
    assert [camera_number(s) for s in ("0", "12", "/dev/video3")] == [0, 12, 3]
    assert [camera_number(s) for s in ("", "-1", "1234", "0.mp4", "video0", "rtsp://0")] == [None] * 6
    assert is_address("rtsp://here/1") and is_address("HTTP://here")
    assert not any(map(is_address, ("film.mp4", "C:\\film.mp4", "c://film.mp4", "/a//b")))


def test_a_password_is_never_shown() -> None:
    assert public("rtsp://anna:secret@10.0.0.7:554/a@b") == "rtsp://10.0.0.7:554/a@b"
    assert public("http://here/a@b") == "http://here/a@b"
    with pytest.raises(SourceError) as told:
        next(address_shots("rtsp://anna:secret@127.0.0.1:9/x", patience=2))
    assert "secret" not in str(told.value) and "127.0.0.1:9" in str(told.value)


class Device:
    """OpenCV's camera, as far as it is used: so many pictures, then nothing."""

    def __init__(self, pictures: int, *, opened: bool = True) -> None:
        self.left, self.opened, self.released = pictures, opened, False

    def isOpened(self) -> bool:
        return self.opened

    def read(self):
        self.left -= 1
        return (self.left >= 0), np.full((4, 6, 3), (10, 20, 30), np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def plugged(monkeypatch):
    """Plug a device in as every camera."""

    def plug(device: Device) -> Device:
        monkeypatch.setattr(camera, "_check_device", lambda number: None)
        monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: device)
        return device

    return plug


def test_a_camera_gives_rgb_at_rising_times_and_is_let_go(plugged) -> None:
    device = plugged(Device(3))
    shots = list(camera_shots(0))
    assert shots[0].time == 0 and all(a.time < b.time for a, b in itertools.pairwise(shots))
    assert shots[1].pixels()[0, 0].tolist() == [30, 20, 10]
    assert len(shots) == 3 and device.released


@pytest.mark.parametrize(("device", "says"), [(Device(0), "gives no picture"), (Device(0, opened=False), "privacy")])
def test_a_camera_without_pictures_is_one_sentence(plugged, device, says) -> None:
    plugged(device)
    with pytest.raises(SourceError, match=says):
        next(camera_shots(0))
    assert device.released


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows cameras as files")
def test_no_camera_is_one_sentence() -> None:
    with pytest.raises(SourceError, match="no camera 987"):
        next(camera_shots(987))


def test_a_stream_gives_its_own_times(film, read_number, tmp_path) -> None:
    times = [0.0, 0.04, 0.08, 0.5, 0.54, 2.0]
    film(times, "live.mkv")
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shots = list(address_shots(f"http://anna:secret@127.0.0.1:{server.server_port}/live.mkv"))
        with pytest.raises(SourceError, match="not found") as told:
            next(address_shots(f"http://127.0.0.1:{server.server_port}/none.mkv"))
        server.shutdown()
    assert [shot.time for shot in shots] == pytest.approx(times, abs=1e-3)
    assert [read_number(shot.pixels()) for shot in shots] == list(range(6))
    assert "\n" not in str(told.value)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def test_what_does_not_answer_is_given_up(tmp_path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        begun = time.monotonic()
        with pytest.raises(SourceError, match=r"silent for 0\.5 s"):
            next(address_shots(f"http://127.0.0.1:{deaf.getsockname()[1]}/x", patience=0.5))
        assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:9/x", "refused"),
        ("rtsp://127.0.0.1:9/x", "refused"),
        ("foo://127.0.0.1/x", "protocol"),
    ],
)
def test_what_cannot_be_reached_is_one_sentence(address, says) -> None:
    with pytest.raises(SourceError, match=says) as told:
        next(address_shots(address, patience=2))
    assert address in str(told.value) and "\n" not in str(told.value)


def test_a_play_list_from_outside_opens_no_file_of_this_machine(film, tmp_path) -> None:
    secret = film([0.0, 0.04], "secret.ts.mkv")
    (tmp_path / "live.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(SourceError):
            next(address_shots(f"http://127.0.0.1:{server.server_port}/live.m3u8", patience=3))
        server.shutdown()
