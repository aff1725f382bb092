"""One process at a time: a lock that the system lets go however its holder ends, kill -9 and a power cut included.

What counts is the lock that the operating system keeps on the open file, never that the file is there: a file left
behind by a process that was killed stops nobody.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tronie.core.atomic import unwritable
from tronie.core.errors import OutputError
from tronie.core.stamp import ensure_own

_STEP = 0.05  # seconds between two tries
_FAR = 1 << 30  # the byte that Windows locks: nobody may read a locked one, so it lies behind what is written


class Taken(OutputError):
    """Another process, or another thread of this one, holds the lock."""


@contextmanager
def locked(path: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock at ``path`` for the block; the file is made, and is gone afterwards.

    Two holders in two processes, or in two threads of one, shut each other out. Raises :class:`Taken` if it is still
    held by another after ``patience`` seconds, and OutputError where no file can be made, or something else lies there.
    """
    ensure_own(path)
    handle = _acquire(path, time.monotonic() + patience)
    try:
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()}".encode())
        yield
    finally:
        _release(path, handle)


def _acquire(path: Path, until: float) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(path, error) from error
        if _try(handle) and _is_at(handle, path):
            return handle
        holder = _holder(handle)
        os.close(handle)
        if time.monotonic() >= until:
            raise Taken(f"Another job{f' ({holder})' if holder else ''} holds {path}: wait until it has ended.")
        time.sleep(_STEP)


def _is_at(handle: int, path: Path) -> bool:
    """Whether the locked file is still the one at ``path``: its last holder may have taken it away meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _holder(handle: int) -> str:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        return os.read(handle, 100).decode("ascii", "replace")
    except OSError:
        return ""


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        try:
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        except OSError:
            return False
        return True

    def _release(path: Path, handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        os.close(handle)
        try:
            path.unlink(missing_ok=True)
        except OSError:  # somebody has it open already
            return

else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                os.close(handle)
                raise OutputError("This file system keeps no locks: write to a folder on another one.") from error
            raise
        return True

    def _release(path: Path, handle: int) -> None:
        try:
            path.unlink(missing_ok=True)  # before the lock goes, so that it is ours that goes
        except OSError:
            pass
        finally:
            os.close(handle)
