"""From what the frames of a clip say to one vector: the usual ways of pooling over time.

``pool`` is one of

- ``statistics``: mean, deviation and mean size over time of the frames as they come
- ``mean``: mean over time
- ``bilstm``: a bidirectional LSTM, then the mean
- ``transformer``: self-attention over time (pre-norm, learned places), then the mean
- ``m3dfel``: keys of ``each`` frames → BiLSTM → attention gate → convolution over keys (Wang et al., *Rethinking the
  Learning Paradigm for Dynamic Facial Expression Recognition*, CVPR 2023), its R3D replaced by the frames of this
  package, its normalisation of bags by a layer norm
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from tronie.clips.views import Kind
from tronie.core.errors import SettingError
from tronie.nn.frames import FrameSettings, clip_width, frame_net
from tronie.nn.temporal import AttentionGate, BiLSTM, ConvPool, Transformer

Pool = Literal["statistics", "mean", "bilstm", "transformer", "m3dfel"]


class PoolSettings(FrameSettings, Protocol):
    """What a method's config has to say about its frames and how they are pooled.

    ``frames`` are looked at; ``hidden`` of the LSTM in each direction (the transformer's inner layer has twice as
    many), ``layers``, ``heads``; ``each``: frames of a key, of which temporal shift shows each its neighbours.
    """

    @property
    def pool(self) -> Pool: ...
    @property
    def frames(self) -> int: ...
    @property
    def each(self) -> int: ...
    @property
    def hidden(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads(self) -> int: ...


def check_pool(pool: Pool, kind: Kind, frames: int, each: int, inputs: int) -> None:
    """Raise SettingError for settings that do not go together."""
    if frames < 1 or each < 1 or (pool == "m3dfel" and frames % each):
        raise SettingError(f"frames ({frames}) must be 1 or more and, for m3dfel, a multiple of each.")
    if kind != "pixels" and inputs < 1:
        raise SettingError(
            "Clips of features or points need config.inputs: the length of a feature, or how many points."
        )
    if kind == "pixels" and pool == "statistics":
        raise SettingError("Statistics are taken of features or points: pixels need another pool.")


class Statistics(nn.Module):
    """``(b, t, d)`` → ``(b, 3·d)``: mean, deviation and mean size over time, each brought to one scale."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.width = 3 * inputs
        self.norm = nn.BatchNorm1d(self.width)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1)
        deviation = ((x - mean[:, None]).square().mean(1) + 1e-12).sqrt()
        scaled: Tensor = self.norm(torch.cat([mean, deviation, x.abs().mean(1)], 1))
        return scaled


class Pooled(nn.Module):
    """Frames of a clip ``(b, t, ...)`` → their vectors → along time → ``(b, width)``."""

    def __init__(self, config: PoolSettings) -> None:
        super().__init__()
        lstm, keyed = config.pool in ("bilstm", "m3dfel"), config.pool == "m3dfel"
        self.each = config.each if keyed else 1
        self.frames = frame_net(config, self.each)
        self.width = 2 * config.hidden if lstm else config.width
        self.along: nn.Module = nn.Identity()
        if lstm:
            self.along = BiLSTM(config.width, config.hidden, config.layers)
        elif config.pool == "transformer":
            self.along = Transformer(config.width, config.frames, config.layers, config.heads, 2 * config.hidden)
        self.gate = AttentionGate(self.width, config.heads) if keyed else nn.Identity()
        self.pool = ConvPool(config.frames // config.each) if keyed else None

    def forward(self, clip: Tensor) -> Tensor:
        x: Tensor = self.gate(self.along(self.frames(clip).unflatten(1, (-1, self.each)).mean(2)))
        pooled: Tensor = x.mean(1) if self.pool is None else self.pool(x)
        return pooled


def pooling(config: PoolSettings) -> Statistics | Pooled:
    """The net that ``config`` names; it takes what :func:`.frames.clip_encoder` gives."""
    return Statistics(clip_width(config)) if config.pool == "statistics" else Pooled(config)
