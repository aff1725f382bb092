"""The text tower of CLIP (Radford et al., ICML 2021, arXiv 2103.00020), from a checkpoint of one's own.

Nothing is downloaded and no weights come with this package: ``clip:PATH`` names a file or folder in the layout of
OpenAI, open_clip or Hugging Face, see :mod:`tronie.nn.text.clip_files`. KE2NT's own table is that of ViT-B/16.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.core.errors import SettingError
from tronie.nn.states import fill
from tronie.nn.text.bpe import find_tokenizer
from tronie.nn.text.clip_files import Tower, read_tower
from tronie.nn.text.table import TextEncoder


class Block(nn.Module):
    """Attention to what stands before, then a two-layer net; each reads its input normalised and is added to it."""

    def __init__(self, width: int, heads: int, quick: bool, eps: float) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.quick = quick

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """``x`` ``(n, t, width)``; ``hidden`` ``(t, t)`` is True for what comes later."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=hidden)[0]
        y = self.mlp["c_fc"](self.ln_2(x))
        y = y * torch.sigmoid(1.702 * y) if self.quick else F.gelu(y)
        out: Tensor = x + self.mlp["c_proj"](y)
        return out


class Blocks(nn.Module):
    """The tower's blocks, one after the other."""

    def __init__(self, width: int, tower: Tower) -> None:
        super().__init__()
        blocks = (Block(width, tower.heads, tower.quick, tower.eps) for _ in range(tower.layers))
        self.resblocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        for block in self.resblocks:
            x = block(x, hidden)
        return x


class ClipText(nn.Module):
    """Token numbers ``(n, t)`` that end in the end token → ``(n, D)``, not normalised. Names are OpenAI's."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        tokens, width = tower.state["token_embedding.weight"].shape
        self.token_embedding = nn.Embedding(tokens, width)
        self.positional_embedding = nn.Parameter(torch.zeros(tower.state["positional_embedding"].shape))
        self.transformer = Blocks(width, tower)
        self.ln_final = nn.LayerNorm(width, tower.eps)
        self.text_projection = nn.Parameter(torch.zeros(tower.state["text_projection"].shape))

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        x = self.transformer(self.token_embedding(ids) + self.positional_embedding[:length], hidden)
        out: Tensor = self.ln_final(x[:, -1]) @ self.text_projection
        return out


def local_clip(argument: str) -> TextEncoder:
    """The text tower of the checkpoint at ``argument``: texts → ``(n, D)``, D 512 for ViT-B/16.

    Raises SettingError without a path, ModelError where the checkpoint or its vocabulary is missing or does not fit.
    """
    if not argument:
        raise SettingError("The text encoder 'clip' needs a checkpoint of your own: write clip:PATH.")
    tower = read_tower(Path(argument).expanduser())
    net = fill(ClipText(tower), tower.state, tower.path).eval()
    tokenizer = find_tokenizer(tower.path.parent, net.token_embedding.num_embeddings)
    most = len(net.positional_embedding)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        return torch.cat([net(torch.tensor([tokenizer.encode(text, most)])) for text in texts])

    return encode
