"""What a clip's frames say together, by the usual means: the baselines of every method for video.

``pool`` names how the frames' vectors become one:

    statistics    mean, deviation and mean size over time of the frames as they come; linear
    mean          mean over time
    bilstm        a bidirectional LSTM, then the mean
    transformer   self-attention over time (pre-norm, learned places), then the mean
    m3dfel        keys of ``each`` frames → BiLSTM → attention gate → convolution over keys (Wang et al., *Rethinking
                  the Learning Paradigm for Dynamic Facial Expression Recognition*, CVPR 2023), its R3D replaced by the
                  frames of this package, its normalisation of bags by a layer norm

Then dropout and a linear layer, trained with soft cross-entropy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from tronie.clips.views import Kind, View
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress
from tronie.nn.frames import Shapes, clip_encoder, clip_width, frame_net
from tronie.nn.losses import smooth, soft_cross_entropy
from tronie.nn.temporal import AttentionGate, BiLSTM, ConvPool, Transformer

Pool = Literal["statistics", "mean", "bilstm", "transformer", "m3dfel"]


@dataclass(frozen=True)
class SequenceConfig:
    """``kind``, ``encoder`` and ``inputs`` say what frames are made of (:mod:`.nn.frames`); ``pool`` see above.

    ``frames`` are looked at; ``width`` of a frame's vector, ``hidden`` of the LSTM in each direction (the
    transformer's inner layer has twice as many), ``layers``, ``heads``; ``each``: frames of a key, of which temporal
    shift shows each its neighbours. ``dropout`` before a frame's vector, ``drop`` before the last layer.
    """

    pool: Pool = "mean"
    kind: Kind = "pixels"
    encoder: str = "resnet18"
    size: int = 112
    inputs: int = 0
    frames: int = 16
    each: int = 4
    width: int = 512
    hidden: int = 256
    layers: int = 2
    heads: int = 8
    dropout: float = 0.2
    drop: float = 0.2
    smoothing: float = 0.1

    def __post_init__(self) -> None:
        if self.frames < 1 or self.each < 1 or (self.pool == "m3dfel" and self.frames % self.each):
            raise SettingError(f"frames ({self.frames}) must be 1 or more and, for m3dfel, a multiple of each.")
        if self.kind != "pixels" and self.inputs < 1:
            raise SettingError("Clips of features or points need config.inputs: the length of a feature, or how many "
                               "points.")  # fmt: skip
        if self.kind == "pixels" and self.pool == "statistics":
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

    def __init__(self, config: SequenceConfig) -> None:
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


class Sequence(Method):
    """Frames → pooled → dropout → linear."""

    Config = SequenceConfig

    def __init__(self, labels: LabelSet, config: SequenceConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.clip = clip_encoder(config)
        numbers = config.pool == "statistics"
        self.pool = Statistics(clip_width(config)) if numbers else Pooled(config)
        self.drop = nn.Dropout(config.drop)
        self.head = nn.Linear(self.pool.width, len(labels))

    def views(self, train: bool) -> tuple[View, ...]:
        """Clips of ``frames`` frames, at random places in training."""
        return (View(self.size, self.config.frames, augment=train, kind=self.config.kind, jitter=train),)

    def draw_view(self) -> View:
        """A random look varies in time alone."""
        return View(self.size, self.config.frames, kind=self.config.kind, jitter=True)

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let the encoder start from its pre-trained state, with statistics of the training frames."""
        if isinstance(self.clip, Shapes):
            self.clip.start(faces)
        if isinstance(self.pool, Pooled):
            self.pool.frames.start(faces)

    def encode(self, clip: Tensor) -> Tensor:
        """What is done to each clip before its frames are looked at: ``(b, T, ...)`` → ``(b, T, ...)``."""
        encoded: Tensor = self.clip(clip)
        return encoded

    def forward(self, clip: Tensor) -> Output:
        feature = self.pool(self.encode(clip))
        return Output(self.head(self.drop(feature)), feature)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        target = smooth(batch.target, self.config.smoothing)
        return {"ce": soft_cross_entropy(self(batch.clips[0]).logits, target, batch.weight)}
