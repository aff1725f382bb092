"""Read NumPy's files, made by others: what a header claims is compared with the file before memory is asked for.

An ``.npz`` of a few hundred bytes may claim a terabyte; NumPy would ask for it. Nothing is ever unpickled.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_ENDING = ".npy"
_MOST_SHRUNK = 1100  # deflate makes bytes at most 1032 times fewer, so whatever claims more lies
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    AttributeError,
    TypeError,
    KeyError,
    RecursionError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
)


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in an ``.npz``. Raises as :func:`read_npz`."""
    with _opened(path) as (members, _):
        return list(members)


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` by name: those in ``names``, or all.

    Errors:
        OSError where the file cannot be opened; ValueError, half a sentence, where it is damaged, lacks a name, holds
        objects of Python, or claims more than it has or than memory holds.
    """
    with _opened(path) as (members, archive):
        wanted = list(members) if names is None else list(names)
        if missing := [name for name in wanted if name not in members]:
            raise ValueError(f"it lacks the array {', '.join(missing)}")
        found = {}
        for name in wanted:
            _check_size(name, members[name])
            with archive.open(members[name]) as file:
                _check_header(name, file, members[name].file_size)
            with archive.open(members[name]) as file:
                found[name] = _array(name, file)
        return found


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """The array of an ``.npy``; ``mapped`` leaves it on the disk. Raises as :func:`read_npz`."""
    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    try:
        with path.open("rb") as file:
            _check_header(path.name, file, path.stat().st_size)
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except _DAMAGED as error:
        raise ValueError(f"it is damaged ({error})") from error
    return array


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, zipfile.ZipInfo], zipfile.ZipFile]]:
    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [one for one in archive.infolist() if one.filename.endswith(_ENDING)]
            members = {one.filename.removesuffix(_ENDING): one for one in inside}
            if len(members) != len(inside):
                raise ValueError("it holds an array twice")
            yield members, archive
    except _DAMAGED as error:
        raise ValueError(f"it is no .npz, or damaged ({error})") from error


def _check_size(name: str, member: zipfile.ZipInfo) -> None:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its array '{name}' is packed in a way that NumPy does not write")
    if member.file_size > _MOST_SHRUNK * member.compress_size:
        raise ValueError(
            f"its array '{name}' claims {member.file_size:,} bytes, which its {member.compress_size:,} cannot hold"
        )


def _check_header(name: str, file: IO[bytes], size: int) -> None:
    """Read the header of an array; ``size`` bytes are there in all."""
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"its array '{name}' has version {version} of the format, which is not read here")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(f"its array '{name}' holds objects of Python, which are never unpickled")
    bytes_ = math.prod(shape) * dtype.itemsize
    if any(n < 0 for n in shape) or file.tell() + bytes_ > size:
        raise ValueError(f"its array '{name}' claims {bytes_:,} bytes where {max(size - file.tell(), 0):,} are")


def _array(name: str, file: IO[bytes]) -> NDArray[Any]:
    try:
        return np.asarray(npy.read_array(file, allow_pickle=False))
    except MemoryError:
        raise ValueError(f"its array '{name}' is larger than the memory") from None
