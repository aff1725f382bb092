"""Generalised cross-entropy: between cross-entropy, which learns fast, and mean absolute error, which forgives.

Zhang and Sabuncu, *Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels*, NeurIPS 2018
(arXiv 1805.07836). With ``p`` the softmax of the logits and ``y`` the label (equation 6):

    L_q = (1 - p_y^q) / q            q → 0: cross-entropy;  q = 1: 1 - p_y, half the mean absolute error

Its gradient is that of cross-entropy times ``p_y^q``: rows whose label the network does not believe pull less.
Our choices: the plain loss, not the truncated one with its alternating search; soft targets are expectations of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress, as_images
from tronie.nn.heads import Classifier
from tronie.nn.losses import weighted_mean


@dataclass(frozen=True)
class GCEConfig:
    """``q`` in (0, 1] is the paper's 0.7.

    Our choices: ``encoder``, a name of the encoders' table, ``size``, the side of its crops in pixels, and ``dropout``.
    """

    encoder: str = "dlib-resnet29"
    size: int = 112
    q: float = 0.7
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.q <= 1:
            raise SettingError(f"q is {self.q:g}: generalised cross-entropy needs 0 < q <= 1.")


class GCE(Method):
    """Encoder → mean over frames → linear, trained with ``L_q``."""

    Config = GCEConfig

    def __init__(self, labels: LabelSet, config: GCEConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.net = Classifier(config.encoder, len(labels), config.dropout)

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let the encoder start from its pre-trained state, with statistics of the training faces."""
        self.net.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        return Output(*self.net(as_images(clip), clip.shape[1]))

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        rows = generalised_cross_entropy(self(batch.clips[0]).logits, batch.target, self.config.q)
        return {"gce": weighted_mean(rows, batch.weight)}


def generalised_cross_entropy(logits: Tensor, target: Tensor, q: float) -> Tensor:
    """``sum_c target_c (1 - p_c^q) / q`` of each row: ``(n, classes)`` twice in, ``(n,)`` float32 out."""
    log_p = torch.log_softmax(logits.float(), dim=1)
    return (target * -torch.expm1(q * log_p)).sum(1) / q  # expm1: exact for q near 0, finite gradient at p near 0
