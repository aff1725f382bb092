"""Files of NumPy from others: no memory is asked for that the file does not back, and nothing is unpickled."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from tronie.core.arrays import npz_names, read_npy, read_npz

TERABYTE = 1 << 40


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def packed(path: Path, content: bytes, name: str = "blob.npy", kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr(name, content)
    return path


def claiming(path: Path) -> Path:
    """A small file whose directory and header both claim a terabyte."""
    data = bytearray(packed(path, header((TERABYTE,))).read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    return path


def test_what_is_whole_is_read(tmp_path) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array(["x", "yz"]),
        "c": np.array(3),
        "d": np.zeros(100_000, np.uint8),
        "e": np.asfortranarray(np.ones((3, 2))),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    np.savez(tmp_path / "b.npz", **arrays)
    for name in ("a.npz", "b.npz"):
        assert npz_names(tmp_path / name) == list(arrays)
        for key, value in read_npz(tmp_path / name).items():
            np.testing.assert_array_equal(value, arrays[key])
        assert list(read_npz(tmp_path / name, ["c"])) == ["c"]
    np.save(tmp_path / "a.npy", arrays["a"])
    for mapped in (False, True):
        np.testing.assert_array_equal(read_npy(tmp_path / "a.npy", mapped=mapped), arrays["a"])


@pytest.mark.parametrize("shape", [(TERABYTE,), (1 << 62, 1 << 62), (10**400,), (-1,), (3, -5), (5,)])
def test_an_array_that_claims_more_than_is_there_is_refused_before_it_is_made(tmp_path, shape) -> None:
    path = packed(tmp_path / "a.npz", header(shape) + b"abc")
    with pytest.raises(ValueError, match="claims"):
        read_npz(path)
    (tmp_path / "a.npy").write_bytes(header(shape) + b"abc")
    with pytest.raises(ValueError, match="claims"):
        read_npy(tmp_path / "a.npy", mapped=True)


def test_a_directory_that_claims_a_terabyte_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"claims 4,294,967,280 bytes, which its [0-9]+ cannot hold"):
        read_npz(claiming(tmp_path / "a.npz"))


def test_nothing_is_unpickled(tmp_path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trapped",))

    np.savez(tmp_path / "a.npz", a=np.array([Trap()], object))
    np.save(tmp_path / "a.npy", np.array([Trap()], object))
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap()))
    for read, name in ((read_npz, "a.npz"), (read_npy, "a.npy"), (read_npz, "b.npz")):
        with pytest.raises(ValueError, match=r"never unpickled|no .npz"):
            read(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': [(((",
        b"x" * 50,
        b"\x93NUMPY\x09\x00aaaa",
        b"\x93NUMPY\x01\x00\x05\x00{}   ",
        b"\x93NUMPY\x01\x00\x08\x00{'a': (\n",
    ],
)
def test_damage_is_said(tmp_path, content) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    (tmp_path / "a.npy").write_bytes(content)
    inside = packed(tmp_path / "b.npz", content)
    for read, path in ((read_npz, tmp_path / "a.npz"), (read_npy, tmp_path / "a.npy"), (read_npz, inside)):
        with pytest.raises(ValueError, match=r"."):
            read(path)
    with pytest.raises(ValueError, match="lacks the array q"):
        read_npz(inside, ["q"])
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="packed in a way"):
        read_npz(packed(tmp_path / "c.npz", header((1,)) + b"a", kind=zipfile.ZIP_LZMA))
