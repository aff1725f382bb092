"""Whether a file is still the one it was, without reading it whole where that can be avoided.

A *stamp* is of a file that others made (a film): its size, when it was written, when the file system last touched it,
and a hash of samples of its contents. A *seal* is of a file that Tronie made: the same with a hash of all of it, so
that a copy of it is known again wherever it lies. Both are plain values, as JSON holds them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from tronie.core.errors import OutputError, SourceError

Stamp = tuple[int, int, int, str]
"""Bytes, time written, time changed (both in nanoseconds), and hash."""

_SAMPLES, _SAMPLE = 8, 8192  # places looked at in a file, and bytes at each


def stamp_of(path: Path) -> Stamp:
    """The stamp of a film or picture. Raises SourceError if it cannot be opened."""
    try:
        return (*_outside(path), _sampled(path))
    except OSError as error:
        raise SourceError(f"{path} cannot be opened ({error.strerror}): check the path.") from None


def is_same(path: Path, stamp: Sequence[object]) -> bool:
    """Whether ``path`` is the file that ``stamp`` is of; False for one that is not there.

    A file that is renamed, linked or copied with its times is the same, if its samples are.
    """
    try:
        size, written, changed = _outside(path)
        if list(stamp[:2]) != [size, written]:
            return False
        return stamp[2] == changed or stamp[3] == _sampled(path)
    except (OSError, IndexError, TypeError):
        return False


def seal_of(path: Path, digest: str = "") -> Stamp:
    """The seal of a result; ``digest`` is its hash where that is known."""
    return (*_outside(path), digest or digest_of(path))


def is_sealed(path: Path, seal: object) -> bool:
    """Whether ``path`` still is, to the byte, the file that ``seal`` is of. A damaged seal is of no file."""
    if not isinstance(seal, (list, tuple)) or len(seal) != 4 or not path.is_file():
        return False
    try:
        size, written, changed = _outside(path)
        return size == seal[0] and ([written, changed] == list(seal[1:3]) or digest_of(path) == seal[3])
    except OSError:
        return False


def digest_of(path: Path, size: int | None = None) -> str:
    """The SHA-256 of a file, or of its first ``size`` bytes. Raises OSError, also where it has fewer."""
    return digesting(path, size).hexdigest()


def digesting(path: Path, size: int | None = None) -> hashlib._Hash:
    """A hash in the making over a file, or over its first ``size`` bytes. Raises as :func:`digest_of`."""
    made = hashlib.sha256()
    left = os.path.getsize(path) if size is None else size
    with path.open("rb") as file:
        while left > 0:
            data = file.read(min(left, 1 << 20))
            if not data:
                raise OSError(f"{path} is shorter than it was")
            made.update(data)
            left -= len(data)
    return made


def ensure_own(path: Path) -> None:
    """Raise OutputError where something else than a regular file lies at a place for a file of Tronie's own.

    A link there would lead what is written out of the folder of results, and a pipe would hold it up for ever.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OutputError(
            f"{path} must be a regular file of Tronie's own, and something else lies there: remove it, "
            "or choose another folder."
        )


def _outside(path: Path) -> tuple[int, int, int]:
    there = path.stat()
    return there.st_size, there.st_mtime_ns, there.st_ctime_ns


def _sampled(path: Path) -> str:
    made = hashlib.sha256()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for k in range(_SAMPLES):
            file.seek(max(size - _SAMPLE, 0) * k // (_SAMPLES - 1))
            made.update(file.read(_SAMPLE))
    return made.hexdigest()[:16]
