"""Swin-T state dicts of elsewhere in SwinFace's names, which are the original's.

torchvision numbers its parts (``features.3.0.mlp.0.weight``), timm since 0.9 puts each merge at the front of the next
stage instead of the end of the last, SwinFace and the original have their own. Buffers that can be computed
(``relative_position_index``, ``attn_mask``) are left out.
"""

from __future__ import annotations

import re

from torch import Tensor
from torch.nn import functional as F

_COMPUTED = ("relative_position_index", "attn_mask")
_TORCHVISION = (
    (r"^features\.0\.0\.", "patch_embed.proj."),
    (r"^features\.0\.2\.", "patch_embed.norm."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
)


def swinface_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """``state`` renamed, its patches made ours. Names that no layout knows stay, to be refused by who loads it."""
    found = {name: tensor for name, tensor in state.items() if not name.endswith(_COMPUTED)}
    if any(name.startswith("features.0.") for name in found):
        found = {_from_torchvision(name): tensor for name, tensor in found.items()}
    elif "layers.3.downsample.norm.weight" in found:  # timm since 0.9: the original's last stage merges nothing
        found = {re.sub(r"^layers\.(\d)\.downsample", _one_before, name): t for name, t in found.items()}
    kernel = found.get("patch_embed.proj.weight")
    if kernel is not None and kernel.shape[2:] == (4, 4):
        found["patch_embed.proj.weight"] = smaller_patches(kernel)
    return found


def smaller_patches(kernel: Tensor) -> Tensor:
    """A kernel for patches of 4 pixels ``(c, 3, 4, 4)`` as one for patches of 2: sums over 2x2 blocks.

    On a face of 112 pixels it computes exactly what the old one computes on that face enlarged to 224 by repeating
    each pixel, so weights trained on 224 pixels go on from what they know.
    """
    return F.avg_pool2d(kernel, 2) * 4


def _from_torchvision(name: str) -> str:
    for pattern, ours in _TORCHVISION:
        name = re.sub(pattern, ours, name)
    found = re.match(r"^features\.([1-7])\.(.+)$", name)
    if not found:
        return name
    number, rest = int(found[1]), found[2]
    stage = (number - 1) // 2
    return f"layers.{stage}.blocks.{rest}" if number % 2 else f"layers.{stage}.downsample.{rest}"


def _one_before(found: re.Match[str]) -> str:
    return f"layers.{int(found[1]) - 1}.downsample"
