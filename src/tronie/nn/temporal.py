"""What looks along time: temporal shift, a bidirectional LSTM, an attention gate, pooling over a bag of steps.

Each is small, has a slow oracle in the tests, and draws nothing. Time is the second axis: ``(b, steps, width)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.nn.encoders.dlib import Block
from tronie.nn.encoders.resnet import BasicBlock, Bottleneck
from tronie.nn.encoders.table import Encoder

_RESIDUAL = (BasicBlock, Bottleneck, Block)


def temporal_shift(x: Tensor, segment: int, share: int = 8) -> Tensor:
    """Let each frame see its neighbours at no cost: move some channels by one step within segments of ``segment``.

    ``x`` ``(n·segment, c, ...)`` are consecutive frames. The first ``c // share`` channels come from the next frame,
    the second ``c // share`` from the one before, zeros beyond the ends, the rest stays. Lin et al., *TSM*, ICCV 2019
    (arXiv 1811.08383).
    """
    fold = x.shape[1] // share
    steps = x.unflatten(0, (-1, segment))
    back, forth, rest = steps.split([fold, fold, x.shape[1] - 2 * fold], 2)
    back = torch.cat([back[:, 1:], torch.zeros_like(back[:, :1])], 1)
    forth = torch.cat([torch.zeros_like(forth[:, :1]), forth[:, :-1]], 1)
    return torch.cat([back, forth, rest], 2).flatten(0, 1)


class ShiftedConv2d(nn.Conv2d):
    """A convolution whose input is shifted in time first; its parameters have the names and shapes they had before."""

    def __init__(self, plain: nn.Conv2d, segment: int) -> None:
        assert isinstance(plain.padding, tuple)
        size, stride, padding = ((pair[0], pair[1]) for pair in (plain.kernel_size, plain.stride, plain.padding))
        super().__init__(plain.in_channels, plain.out_channels, size, stride, padding, bias=plain.bias is not None)
        self.weight, self.bias, self.segment = plain.weight, plain.bias, segment

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(temporal_shift(input, self.segment) if self.segment > 1 else input)


def shifted(encoder: Encoder, segment: int) -> Encoder:
    """``encoder`` with a temporal shift before the first convolution of every residual block ("blockres").

    It then takes multiples of ``segment`` consecutive frames. Names of parameters stay, so that weights of photo
    networks load. An encoder without residual blocks is left as it is, and so is every one for ``segment`` 1.
    """
    assert isinstance(encoder, nn.Module)
    for block in encoder.modules():
        if isinstance(block, _RESIDUAL) and segment > 1:
            old = block.conv1
            block.conv1 = ShiftedConv2d(old, segment)
    return encoder


@contextmanager
def unshifted(encoder: Encoder) -> Iterator[Encoder]:
    """``encoder`` for as long as each picture is seen alone: faces of many clips, in any number, are no sequence."""
    assert isinstance(encoder, nn.Module)
    held = [(module, module.segment) for module in encoder.modules() if isinstance(module, ShiftedConv2d)]
    try:
        for module, _ in held:
            module.segment = 1
        yield encoder
    finally:
        for module, segment in held:
            module.segment = segment


class BiLSTM(nn.Module):
    """``(b, steps, width)`` → ``(b, steps, 2·hidden)``: an LSTM that reads both ways, ``layers`` deep.

    Raises SettingError for numbers below 1.
    """

    def __init__(self, width: int, hidden: int, layers: int = 2) -> None:
        super().__init__()
        if min(width, hidden, layers) < 1:
            raise SettingError(f"An LSTM needs width ({width}), hidden ({hidden}) and layers ({layers}) of 1 or more.")
        self.lstm = nn.LSTM(width, hidden, layers, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.lstm(x)[0]
        return y


def _check_heads(width: int, heads: int) -> None:
    if heads < 1 or width < 1 or width % heads:
        raise SettingError(
            f"Attention over {width} numbers cannot be shared among {heads} heads: choose heads that divide {width}."
        )


class AttentionGate(nn.Module):
    """Self-attention over the steps, turned into factors in (0, 1) for the input (M3DFEL, CVPR 2023).

    With ``A`` the concatenated heads of scaled dot-product attention, no bias, no output projection:
    ``y = x · sigmoid(LayerNorm(A(x)))``. ``(b, steps, width)`` → the same. Raises SettingError unless ``width`` is a
    multiple of ``heads``.
    """

    def __init__(self, width: int, heads: int = 8) -> None:
        super().__init__()
        _check_heads(width, heads)
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        share = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]), 3)
        attended = (share @ v).transpose(1, 2).flatten(2)
        return x * torch.sigmoid(self.norm(attended))


class ConvPool(nn.Module):
    """A learned weighted sum over a bag of ``steps``, mixed with neighbouring features: ``(b, steps, w)`` → ``(b, w)``.

    One convolution of kernel 3 whose channels are the steps and whose axis is the features (M3DFEL).
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(steps, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y[:, 0]


class Transformer(nn.Module):
    """Self-attention over up to ``steps`` steps with learned places, pre-norm: ``(b, t, width)`` → the same.

    Raises SettingError unless ``width`` is a multiple of ``heads``.
    """

    def __init__(self, width: int, steps: int, layers: int, heads: int, inner: int) -> None:
        super().__init__()
        _check_heads(width, heads)
        self.places = nn.Parameter(torch.randn(1, steps, width) * 0.02)
        made = [
            nn.TransformerEncoderLayer(width, heads, inner, 0.1, batch_first=True, norm_first=True)
            for _ in range(layers)
        ]
        self.layers = nn.ModuleList(made)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.places[:, : x.shape[1]]
        for layer in self.layers:
            x = layer(x)
        y: Tensor = self.norm(x)
        return y
