"""State dicts of all kinds of files, read without running anything that they may contain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tronie.core import arrays
from tronie.core.errors import ModelError
from tronie.core.files import parse_json
from tronie.nn.torchscript import is_torchscript, read_torchscript

_WRAPPERS = ("state_dict", "state_dict_backbone", "model_state_dict", "model", "net")
"""What people put a state dict into."""
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

Net = TypeVar("Net", bound=nn.Module)


def read_state(path: Path) -> dict[str, Tensor]:
    """Named tensors of a file that torch.save, torch.jit.save, safetensors or numpy.savez wrote.

    Boxes ("state_dict") are opened.

    Raises ModelError if the file is absent, cannot be read safely or holds something else.
    """
    if not path.is_file():
        raise ModelError(f"There are no weights at {path}: check the path.")
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    if path.suffix == ".npz":
        return read_npz(path)
    if is_torchscript(path):
        return read_torchscript(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several unrelated types for a damaged or unsafe file
        raise ModelError(
            f"{path} is no state dict that can be read safely ({type(error).__name__}): save the weights "
            "again with torch.save(model.state_dict(), path)."
        ) from error
    while isinstance(content, dict) and (inner := [content[k] for k in _WRAPPERS if isinstance(content.get(k), dict)]):
        content = inner[0]
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state dict.")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def read_npz(path: Path) -> dict[str, Tensor]:
    """Tensors of a NumPy archive without pickle, as this repository keeps full weights. Raises ModelError."""
    try:
        return {name: torch.from_numpy(array) for name, array in arrays.read_npz(path).items()}
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path} holds no weights that NumPy can read ({error}): fetch it again.") from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file: a length (8 bytes), a JSON header, then the values. Raises ModelError."""
    try:
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = parse_json(data[8:start])
        header.pop("__metadata__", None)
        found = {}
        for name, about in header.items():
            begin, end = about["data_offsets"]
            kind, shape = _TYPES[about["dtype"]], about["shape"]
            values = bytearray(data[start + begin : start + end])  # writable, as torch wants it
            flat = torch.frombuffer(values, dtype=kind) if values else torch.empty(0, dtype=kind)
            if flat.numel() != math.prod(shape):
                raise ValueError(f"{name} is cut short")
            found[name] = flat.view(shape)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(f"{path} is no safetensors file that can be read ({error}): fetch it again.") from error
    return found


def fill(net: Net, state: dict[str, Tensor], path: Path) -> Net:
    """Load exactly ``state`` into ``net``. Raises ModelError that names the first tensor that does not fit."""
    mine = net.state_dict()
    wrong = [n for n in mine if n not in state and not n.endswith("num_batches_tracked")]
    wrong += [n for n in state if n not in mine or mine[n].shape != state[n].shape]
    if wrong:
        raise ModelError(
            f"{path} does not fit {type(net).__name__}: {len(wrong)} tensors are missing, left "
            f"over or of another shape, the first is '{wrong[0]}'."
        )
    net.load_state_dict(mine | state)
    return net
