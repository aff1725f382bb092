"""What may be opened at all, and under which name."""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from pathlib import Path

from tronie.core.errors import SourceError

_ALSO_TEXT = frozenset({".ts", ".mts", ".nut"})  # films, and programs in TypeScript and Squirrel, and translations


class NoPictures(SourceError):
    """A healthy file that holds no pictures, though its name or its first bytes let hope for a film."""


def ensure_file(path: Path) -> None:
    """Raise SourceError for a pipe, a device or a socket: opening one may wait for ever. Links to files are files."""
    with suppress(OSError, ValueError):  # whoever opens it says what is wrong
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise SourceError(f"{path} is a pipe or a device and no file: save what comes out of it, and name that.")


def address(path: Path) -> str:
    """``path`` for FFmpeg, which takes what stands before a colon for the way to reach a file: ``a:b.mp4``."""
    return f"file:{path}"


def is_program(path: Path) -> bool:
    """Whether a file that is called as a film may be (``index.ts``) is the text of a program. Raises OSError."""
    if path.suffix.lower() not in _ALSO_TEXT:
        return False
    with path.open("rb") as file:
        head = file.read(512)
    return bool(head) and not re.search(rb"[\x00-\x08\x0e-\x1f]", head)
