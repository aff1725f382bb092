"""Live sources: a camera by its number, or anything that streams by its address."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.video.container import STREAM_FORMATS
from tronie.video.decode import Decoder, Opened, choose

PATIENCE = 10.0
"""Seconds to wait for a live source to open, and for each of its pictures."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# A stream may be a play list; it must not make the library open files of this machine.
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,rtsps,rtmp,rtmps,srt,crypto,data"


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture that a live source gave ``time`` seconds after its first one; ``pixels()`` makes it upright RGB.

    Pictures that are left out are never made. ``duration`` is for how many seconds it counts as seen; None where only
    the next one tells.
    """

    time: float
    pixels: Callable[[], Pixels]
    duration: float | None = None


def camera_number(source: str) -> int | None:
    """Which camera ``source`` names ("0", "/dev/video0"); None if it names something else."""
    found = re.fullmatch(r"(?:/dev/video)?(\d{1,3})", source)
    return int(found[1]) if found else None


def is_address(source: str) -> bool:
    """Whether ``source`` is an address such as rtsp://… or http://…."""
    return _ADDRESS.match(source) is not None


def public(address: str) -> str:
    """An address without the user's name and password, fit to be printed and saved."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


def camera_shots(number: int) -> Generator[Shot, None, None]:
    """Pictures of camera ``number`` at the times when they come in. Raises SourceError if there is none to be had."""
    _check_device(number)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what went wrong is said below
    device = cv2.VideoCapture(number)
    try:
        if not device.isOpened():
            raise SourceError(
                f"Camera {number} cannot be opened: check that it is connected, that this program may "
                "use it (privacy settings), and that no other program does."
            )
        begun: float | None = None
        while True:
            there, image = device.read()
            if not there:
                break
            now = time.monotonic()
            begun = now if begun is None else begun
            yield Shot(now - begun, partial(_rgb, image))
        if begun is None:
            raise SourceError(f"Camera {number} gives no picture: close other programs that use it, and try again.")
    finally:
        device.release()


def _check_device(number: int) -> None:
    """On Linux, what the library would not say: whether the camera is there and may be used. Raises SourceError."""
    path = Path(f"/dev/video{number}")
    if not sys.platform.startswith("linux"):
        return
    if not path.exists():
        raise SourceError(f"There is no camera {number} ({path}): connect one, or name an address or a film.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise SourceError(
            f"Camera {number} ({path}) cannot be opened ({error.strerror}): join the group that owns it "
            "(often 'video'), and close other programs that use it."
        ) from None


def _rgb(image: Any) -> Pixels:
    return np.ascontiguousarray(image[:, :, ::-1])


def address_shots(address: str, *, patience: float = PATIENCE) -> Generator[Shot, None, None]:
    """Pictures of what streams at ``address`` (RTSP, RTMP, HTTP, HLS, SRT, UDP …), at their own times.

    Raises SourceError if nothing is to be had there within ``patience`` seconds. When the stream breaks off, the
    pictures end.
    """
    name = public(address)
    decoder = Decoder(Path(name), opens=partial(_connect, address, name, patience))
    begun: int | None = None
    try:
        for ticks, frame in decoder.frames():
            begun = ticks if begun is None else begun
            yield Shot((ticks - begun) * decoder.tick, partial(decoder.pixels, frame))
        if begun is None:
            raise SourceError(f"{name} gives no picture that can be decoded: check what it sends.")
    finally:
        decoder.close()


def _connect(address: str, name: str, patience: float) -> Opened:
    try:
        container = av.open(
            address,
            timeout=patience,
            metadata_errors="replace",
            # Pictures that come over UDP lose pieces in most networks.
            container_options={
                "protocol_whitelist": _PROTOCOLS,
                "format_whitelist": STREAM_FORMATS,
                "rtsp_flags": "prefer_tcp",
            },
        )
    except av.error.ExitError:
        raise SourceError(f"{name} is silent for {patience:g} s: check the address, and that it sends.") from None
    except (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError):
        raise SourceError(f"{name} asks for a name and a password: write them as rtsp://NAME:PASSWORD@….") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower().rstrip(". ")
        raise SourceError(f"{name} cannot be watched ({reason}): check the address, and that it sends.") from None
    return choose(container, name)
