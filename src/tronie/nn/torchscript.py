"""The tensors of a TorchScript archive, read without running it. OpenAI published CLIP in this form.

``torch.jit.load`` would build the program; here the pickle beside it is read by an unpickler that knows tensors, lists,
dictionaries and nameless parts, and refuses the rest.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tronie.core.errors import ModelError

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Part:
    """A module of the program: nothing but its attributes."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _rebuild(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return storage.as_strided(size, stride, offset).clone()


def _listed(values: Any) -> list[Any]:
    return list(values)


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, inside: str) -> None:
        super().__init__(archive.open(f"{inside}/data.pkl"))
        self.archive, self.inside = archive, inside

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":
            return _Part
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch.jit._pickle" and name in (
            "build_intlist",
            "build_doublelist",
            "build_boollist",
            "build_tensorlist",
            "restore_type_tag",
        ):
            return _listed if name != "restore_type_tag" else _untagged
        raise pickle.UnpicklingError(f"{module}.{name} is not among the parts of a network")

    def persistent_load(self, pid: Any) -> Tensor:
        _, kind, key, _, count = pid
        values = bytearray(self.archive.read(f"{self.inside}/data/{key}"))
        return torch.frombuffer(values, dtype=kind, count=count) if count else torch.empty(0, dtype=kind)


def _untagged(value: Any, kind: str) -> Any:
    return value


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: a zip file with a table of constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """All tensors of a TorchScript archive by their dotted names. Raises ModelError."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next(n for n in archive.namelist() if n.endswith("/constants.pkl")).rpartition("/")[0]
            root = _Reader(archive, inside).load()
        return dict(_tensors(root, ""))
    except Exception as error:  # a damaged archive fails in many ways
        raise ModelError(
            f"{path} is a TorchScript archive that cannot be read safely ({error}): save its state dict instead."
        ) from error


def _tensors(part: object, name: str) -> Iterator[tuple[str, Tensor]]:
    for key, value in vars(part).items():
        if isinstance(value, Tensor):
            yield f"{name}{key}", value
        elif isinstance(value, _Part):
            yield from _tensors(value, f"{name}{key}.")
