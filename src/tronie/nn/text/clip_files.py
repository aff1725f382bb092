"""CLIP checkpoints of three layouts, brought to one.

* OpenAI: the published ``ViT-B-16.pt`` (a TorchScript archive, of which only the tensors are read) or a state dict.
* open_clip: a state dict in a file or training checkpoint, or a folder with ``open_clip_config.json``.
* Hugging Face: a folder with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``.

OpenAI's nets use the quick form of GELU, ``x·sigmoid(1.702x)``, most of open_clip's the exact one, and no tensor says
which. OpenAI's own files are recognised, folders say it in their config; of any other file the exact one is assumed
unless its name contains "quickgelu" or "openai".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tronie.core.errors import ModelError
from tronie.core.files import read_json
from tronie.nn.states import read_state
from tronie.nn.torchscript import is_torchscript

_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.safetensors", "pytorch_model.bin")
_OPENAI_NUMBERS = ("input_resolution", "context_length", "vocab_size")  # stand in OpenAI's own files only
_TEXT = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")
_LAYER = re.compile(r"^text_model\.encoder\.layers\.(\d+)\.")
_PARTS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_OUTSIDE = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}


@dataclass(frozen=True)
class Tower:
    """A text tower: float32 tensors under OpenAI's names, and what they do not say of themselves."""

    path: Path
    state: dict[str, Tensor]
    heads: int
    quick: bool
    eps: float

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return len({name.split(".")[2] for name in self.state if name.startswith("transformer.resblocks.")})


def read_tower(path: Path) -> Tower:
    """The text tower of a checkpoint file or folder. Raises ModelError if it is none."""
    if path.is_dir():
        files = [path / name for name in _FILES if (path / name).is_file()]
        if not files:
            raise ModelError(f"{path} holds no CLIP checkpoint: one of {', '.join(_FILES)} is expected there.")
        path = files[0]
    state = {re.sub(r"^module\.", "", name): tensor for name, tensor in read_state(path).items()}
    if any(name.startswith("text_model.") for name in state):
        return _hugging_face(path, state)
    if "text.token_embedding.weight" in state:  # open_clip's nets whose towers stand apart
        state = {name[5:]: tensor for name, tensor in state.items() if name.startswith("text.")}
    text = {name: tensor.float() for name, tensor in state.items() if name.startswith(_TEXT)}
    _require(path, text)
    config = _json(path.parent / "open_clip_config.json").get("model_cfg", {})
    marked = any(number in state for number in _OPENAI_NUMBERS) or is_torchscript(path)
    quick = config.get("quick_gelu", marked or any(word in path.name.lower() for word in ("quickgelu", "openai")))
    heads = config.get("text_cfg", {}).get("heads") or text["ln_final.weight"].shape[0] // 64
    return Tower(path, text, max(1, heads), bool(quick), 1e-5)


def _hugging_face(path: Path, state: dict[str, Tensor]) -> Tower:
    config = _json(path.parent / "config.json")
    if not config:
        raise ModelError(f"{path} is a Hugging Face checkpoint without its config.json: put that beside it.")
    config = config.get("text_config", config)
    text: dict[str, Tensor] = {}
    joined: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if name == "text_projection.weight":
            text["text_projection"] = tensor.float().T
        elif name in _OUTSIDE:
            text[_OUTSIDE[name]] = tensor.float()
        elif found := _LAYER.match(name):
            block, rest = f"transformer.resblocks.{found[1]}.", name[found.end() :]
            part, _, kind = rest.rpartition(".")
            if part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
                joined.setdefault(f"{block}attn.in_proj_{kind}", {})[part[10]] = tensor.float()
            else:
                text[f"{block}{_PARTS.get(part, part)}.{kind}"] = tensor.float()
    text |= {name: torch.cat([parts[p] for p in "qkv"]) for name, parts in joined.items() if set(parts) == set("qkv")}
    _require(path, text)
    quick = config.get("hidden_act", "quick_gelu") == "quick_gelu"  # what a config leaves out is CLIP's default
    return Tower(path, text, config.get("num_attention_heads", 8), quick, config.get("layer_norm_eps", 1e-5))


def _require(path: Path, text: dict[str, Tensor]) -> None:
    needed = ("token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection")
    if missing := [name for name in needed if name not in text]:
        raise ModelError(
            f"{path} holds no text tower of CLIP in the layout of OpenAI, open_clip or Hugging Face: "
            f"'{missing[0]}' is missing."
        )


def _json(path: Path) -> dict[str, Any]:
    """A JSON object, empty where there is no such file. Raises ModelError for one that cannot be read."""
    if not path.is_file():
        return {}
    content = read_json(path, error=ModelError)
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object: fetch it again.")
    return content
