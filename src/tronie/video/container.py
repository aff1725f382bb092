"""Open a film's file with FFmpeg: real containers only, and nothing but that very file."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

from tronie.core.errors import SourceError
from tronie.video.files import NoPictures, address, ensure_file, is_program

# FFmpeg knows some 350 kinds of input and guesses which one a file is by its bytes. Among them are play lists and
# descriptions that make it open other files and addresses (HLS, DASH, concat, SDP, VobSub), sequences of pictures,
# devices, filter graphs, pictures of text and subtitles. Only what is named here is tried, whatever a file is called.
_FILMS = (
    "mov",
    "matroska",
    "avi",
    "asf",
    "flv",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "ogg",
    "mxf",
    "wtv",
    "rm",
    "nut",
    "dv",
    "yuv4mpegpipe",
    "ivf",
    "obu",
    "m4v",
    "h264",
    "hevc",
    "mjpeg",
)
# So that a sentence can say of a recording that it holds no pictures.
_SOUNDS = ("mp3", "wav", "flac", "aac")
# What a live source at an address may be besides. Its play lists lead to addresses only: see camera.py's protocols.
_STREAMS = ("hls", "dash", "webvtt", "rtsp", "rtp", "sdp", "mpjpeg", "live_flv")

FILE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join((*_FILMS, *_SOUNDS))}
"""FFmpeg's options for what lies on this machine."""
STREAM_FORMATS = ",".join((*_FILMS, *_SOUNDS, *_STREAMS))
"""FFmpeg's ``format_whitelist`` for what comes from an address."""


def open_container(path: Path) -> InputContainer:
    """The file at ``path`` as FFmpeg opens it. Raises SourceError with the reason where it is no film (or sound)."""
    name = f"Film {path}"
    ensure_file(path)
    try:
        if is_program(path):
            raise NoPictures(f"{name} is a text, such as a program, and no film: name another file.")
        if path.stat().st_size == 0:
            raise SourceError(f"{name} is empty (0 bytes): copy or download it again.")
        with path.open("rb") as file:
            bare_jpegs = file.read(3) == b"\xff\xd8\xff"  # FFmpeg would take the first and leave the others
        return av.open(
            address(path),
            format="mjpeg" if bare_jpegs else None,
            metadata_errors="replace",
            container_options=FILE_OPTIONS,
        )
    except FileNotFoundError:
        raise SourceError(f"{name} does not exist: check the path.") from None
    except (PermissionError, IsADirectoryError) as error:
        raise SourceError(f"{name} cannot be opened ({error.strerror}): check the path and its permissions.") from None
    except av.error.ArgumentError:  # what the list of formats refuses, and some damage
        raise SourceError(
            f"{name} cannot be read as a film: it is damaged, or no container of film at all (play lists, sequences of "
            "pictures and descriptions that lead to other files are not followed); name the film's own file."
        ) from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower().rstrip(". ")
        raise SourceError(
            f"{name} cannot be read as a film ({reason}): it is damaged, cut short or no film at all; copy it again."
        ) from None
