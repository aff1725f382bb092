"""Baseline: an encoder, a linear head, soft cross-entropy. The bar every other method has to clear."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress, as_images
from tronie.nn.encoders.table import make_encoder
from tronie.nn.losses import smooth, soft_cross_entropy


@dataclass(frozen=True)
class BaselineConfig:
    """``encoder`` is a name of the encoders' table, ``size`` the side of its crops in pixels.

    ``smoothing`` and ``dropout`` are shares in [0, 1). ``mixup``: the share of batches whose faces are blended with
    one another, and their targets with them (Zhang et al., ICLR 2018), by a Beta(``alpha``, ``alpha``) draw.
    """

    encoder: str = "dlib-resnet29"
    size: int = 112
    smoothing: float = 0.1
    dropout: float = 0.2
    mixup: float = 0.0
    alpha: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.mixup <= 1 or not self.alpha > 0:
            raise ValueError("mixup is a share in 0..1, alpha is above 0")


class Baseline(Method):
    """Encoder → mean over frames → dropout → linear."""

    Config = BaselineConfig

    def __init__(self, labels: LabelSet, config: BaselineConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.encoder = make_encoder(config.encoder)
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.encoder.width, len(labels))

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let the encoder start from its pre-trained state, with statistics of the training faces."""
        self.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        feature = self.encoder(as_images(clip)).unflatten(0, clip.shape[:2]).mean(1)
        return Output(self.head(self.drop(feature)), feature)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        target = smooth(batch.target, self.config.smoothing)
        clip, weight = batch.clips[0], batch.weight
        if self.config.mixup and float(torch.rand(())) < self.config.mixup:
            drawn = float(torch.distributions.Beta(self.config.alpha, self.config.alpha).sample())
            clip, target, weight = blend(clip, target, weight, torch.randperm(len(target)), max(drawn, 1 - drawn))
        return {"ce": soft_cross_entropy(self(clip).logits, target, weight)}


def blend(clip: Tensor, target: Tensor, weight: Tensor, partner: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mixup: ``share`` of each row and the rest of its ``partner`` ``(b,)``, in pixels, targets and weights alike.

    A row's target counts as much as its weight says, so what two rows teach together is what each teaches alone.
    """
    mixed = weight * share + weight[partner] * (1 - share)
    part = (weight * share / mixed.clamp_min(1e-12))[:, None]
    pixels = clip.float() * share + clip[partner].float() * (1 - share)
    return pixels, target * part + target[partner] * (1 - part), mixed
