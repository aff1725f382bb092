"""Early-learning regularisation: hold the network to what it answered before it began to memorise.

Liu et al., *Early-Learning Regularization Prevents Memorization of Noisy Labels*, NeurIPS 2020 (arXiv 2007.00151).
With ``p_i`` the softmax of row ``i`` and ``t_i`` its target, a running mean of the answers (temporal ensembling):

    t_i ← β t_i + (1 - β) p_i                     at each visit, t_i = 0 before the first
    L   = CE + λ · mean_i log(1 - <p_i, t_i>)     no gradient goes through t_i

The second part is low where ``p_i`` agrees with ``t_i``; its gradient offsets that of cross-entropy on rows whose
label contradicts the early answers. λ = 3 and β = 0.7 are what the paper uses for CIFAR-10 and Clothing1M. This is
ELR, one network; ELR+ (two networks, weight averaging, mixup) is another method. As in the authors' release the
target moves before it is used. Our choice: ``<p, t>`` is held below 1 - 1e-4 (the release clips ``p``). Under
``torchrun`` each process remembers its own answers only, so targets lag there.
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
from tronie.nn.losses import soft_cross_entropy, weighted_mean

_MOST = 1 - 1e-4


@dataclass(frozen=True)
class ELRConfig:
    """``strength`` is λ, ``keep`` is β in [0, 1).

    Our choices: ``encoder``, a name of the encoders' table, ``size``, the side of its crops in pixels, and ``dropout``.
    """

    encoder: str = "dlib-resnet29"
    size: int = 112
    strength: float = 3.0
    keep: float = 0.7
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.keep < 1 or self.strength < 0:
            raise SettingError(
                f"keep is {self.keep:g}, strength {self.strength:g}: they need 0 <= keep < 1 and strength >= 0."
            )


class ELR(Method):
    """Encoder → mean over frames → linear; ``targets`` ``(rows, classes)`` are the running means of the answers."""

    Config = ELRConfig
    targets: Tensor

    def __init__(self, labels: LabelSet, config: ELRConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.net = Classifier(config.encoder, len(labels), config.dropout)
        self.register_buffer("targets", torch.zeros(0, len(labels)))

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Make room for every training row; let the encoder start with statistics of the training faces."""
        self.targets = self.targets.new_zeros(len(train), len(self.labels))
        self.net.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        return Output(*self.net(as_images(clip), clip.shape[1]))

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        logits = self(batch.clips[0]).logits
        p = torch.softmax(logits.float(), dim=1)
        target = self.config.keep * self.targets[batch.row] + (1 - self.config.keep) * p.detach()
        self.targets[batch.row] = target
        held = early_learning(p, target)
        return {
            "ce": soft_cross_entropy(logits, batch.target, batch.weight),
            "elr": self.config.strength * weighted_mean(held, batch.weight),
        }


def early_learning(p: Tensor, target: Tensor) -> Tensor:
    """``log(1 - <p, t>)`` of each row, at most 0: probabilities ``(n, classes)`` twice in, ``(n,)`` out."""
    return torch.log1p(-(p * target.detach()).sum(1).clamp_max(_MOST))
