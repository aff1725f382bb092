"""Weights from elsewhere into an encoder: a state dict, read without running anything it may contain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tronie.core.errors import ModelError

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # what people put a state dict into
_BEFORE = re.compile(r"^(module\.|model\.|backbone\.|encoder\.)+")  # what wrappers put before names
_HEADS = ("fc.", "head.", "classifier.")


def load_weights(encoder: nn.Module, path: Path) -> None:
    """Fill ``encoder`` from a file that ``torch.save`` wrote; names may carry wrappers' prefixes, heads are left out.

    Raises ModelError if the file cannot be read safely, or a tensor is missing, left over or of another shape.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"There are no weights at {path}: check the recipe's 'weights'.") from None
    except Exception as error:  # torch raises several unrelated types for a damaged or unsafe file
        raise ModelError(f"{path} is no state dict that can be read safely ({type(error).__name__}): save the weights "
                         "again with torch.save(model.state_dict(), path).") from error  # fmt: skip
    while isinstance(content, dict) and (inner := [content[k] for k in _WRAPPERS if isinstance(content.get(k), dict)]):
        content = inner[0]
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state dict.")
    named = {_BEFORE.sub("", str(name)): t for name, t in content.items() if isinstance(t, Tensor)}
    mine = encoder.state_dict()
    found = {name: t for name, t in named.items() if not name.startswith(_HEADS)}
    wrong = [n for n in mine if n not in found and not n.endswith("num_batches_tracked")]
    wrong += [n for n in found if n not in mine or mine[n].shape != found[n].shape]
    if wrong:
        raise ModelError(f"{path} does not fit {type(encoder).__name__}: {len(wrong)} tensors are missing, left "
                         f"over or of another shape, the first is '{wrong[0]}'.")  # fmt: skip
    encoder.load_state_dict(mine | found)
