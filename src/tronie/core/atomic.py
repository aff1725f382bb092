"""Write a file whole or not at all: a temporary file beside it, renamed when it is complete."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tronie.core.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends well, else remove it.

    Missing parent folders are made. Raises OutputError with a sentence for a place that cannot be written or is full.
    """
    temporary = _beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def ensure_writable(path: Path) -> None:
    """Raise OutputError now if ``path`` could not be written later. Makes its parent folders."""
    with suppress(FileNotFoundError):
        _beside(path).unlink()


def _beside(path: Path) -> Path:
    """A new empty file beside ``path``. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise OutputError(f"Cannot write {path}: it is a folder. Give the name of a file in it.")
        temporary = path.with_name(f".{secrets.token_hex(4)}{path.suffix}")
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise unwritable(path, error) from error
    return temporary


def unwritable(path: Path, error: OSError) -> OutputError:
    """The sentence for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"Cannot write {path}: the disk is full. Free some space or choose another place.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"Cannot write {path}: writing there is not allowed. Choose another place.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return OutputError(f"Cannot write {path}: a part of that path is a file, not a folder. Choose another place.")
    return OutputError(f"Cannot write {path}: {error.strerror or error}. Choose another place.")
