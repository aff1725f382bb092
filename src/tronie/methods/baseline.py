"""Baseline: an encoder, a linear head, soft cross-entropy. The bar every other method has to clear."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress, as_images
from tronie.nn.encoders.table import make_encoder
from tronie.nn.losses import smooth, soft_cross_entropy


@dataclass(frozen=True)
class BaselineConfig:
    """``encoder`` is a name of the encoders' table, ``size`` the side of its crops in pixels.

    ``smoothing`` and ``dropout`` are shares in [0, 1).
    """

    encoder: str = "dlib-resnet29"
    size: int = 112
    smoothing: float = 0.1
    dropout: float = 0.2


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
        return {"ce": soft_cross_entropy(self(batch.clips[0]).logits, target, batch.weight)}
