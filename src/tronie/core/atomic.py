"""Write a file whole or not at all: a temporary file beside it, renamed when it is complete."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tronie.core.errors import OutputError, SettingError

_LONGEST_ENDING = 16  # letters


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


def ensure_place(path: str | Path, endings: Sequence[str], what: str) -> Path:
    """Where ``what`` ("A comparison") is to be written, tried before the work.

    Raises SettingError for another ending than ``endings``, OutputError where no file can be written.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise SettingError(f"{what} is written as {' or '.join(endings)}; '{path.name}' has another ending. Rename it.")
    ensure_writable(path)
    return path


def _beside(path: Path) -> Path:
    """A new empty file beside ``path``. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(path.stat().st_mode):  # fails for a name that is too long, which the temporary one is not
                raise OutputError(f"Cannot write {path}: it is a folder. Give the name of a file in it.")
        # Some writers choose their format by the ending; what is too long to be one would not fit behind a short name.
        ending = path.suffix if len(path.suffix) <= _LONGEST_ENDING else ""
        temporary = path.with_name(f".{secrets.token_hex(4)}{ending}")
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
    if error.errno == errno.ENAMETOOLONG:
        return OutputError(f"Cannot write {path}: the name is longer than this file system allows. Give a shorter one.")
    return OutputError(f"Cannot write {path}: {error.strerror or error}. Choose another place.")
