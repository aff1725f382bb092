"""Co-teaching: two networks, each learns from the rows that the other one finds easy.

Han et al., *Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels*, NeurIPS 2018 (arXiv
1804.06872), algorithm 1. Networks memorise wrong labels late and with large losses, so in every batch each network
picks the share ``R(T)`` of rows with its smallest losses, and its *peer* learns from them:

    R(T) = 1 - min(τ T / T_k, τ)       T finished epochs; τ is the share of wrong labels, T_k = 10

The paper sets τ to the true noise rate, which it takes as known (or estimated on clean rows); say so beside results.
``forward`` answers with the *first* network alone, as the paper scores it: the same cost as its rivals, no ensemble.
Our choices: soft targets by soft cross-entropy; row weights count in the mean, not in the choice of rows; a pre-trained
start is the same for both encoders, so that only heads, dropout and the exchanged rows tell them apart; under
``torchrun`` rows are chosen within each process's share of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress, as_images
from tronie.nn.heads import Classifier
from tronie.nn.losses import cross_entropy_rows, weighted_mean


@dataclass(frozen=True)
class CoteachingConfig:
    """``forget`` is τ in [0, 1), reached after ``ramp`` epochs (T_k).

    The paper sets τ to the noise rate of the data at hand; 0.2 is its lowest setting. Our choices: ``encoder``, a name
    of the encoders' table, ``size``, the side of its crops in pixels, and ``dropout``.
    """

    encoder: str = "dlib-resnet29"
    size: int = 112
    forget: float = 0.2
    ramp: int = 10
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.forget < 1 or self.ramp < 1:
            raise SettingError(f"forget is {self.forget:g}, ramp {self.ramp}: they need 0 <= forget < 1, ramp >= 1.")


class Coteaching(Method):
    """Two classifiers with small-loss exchange; the first one answers."""

    Config = CoteachingConfig

    def __init__(self, labels: LabelSet, config: CoteachingConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.first = Classifier(config.encoder, len(labels), config.dropout)
        self.second = Classifier(config.encoder, len(labels), config.dropout)

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let both encoders start from their pre-trained state, with statistics of the training faces."""
        self.first.encoder.start(faces)
        self.second.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        return Output(*self.first(as_images(clip), clip.shape[1]))

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        clip = batch.clips[0]
        images, frames = as_images(clip), clip.shape[1]
        one = cross_entropy_rows(self.first(images, frames)[0], batch.target)
        two = cross_entropy_rows(self.second(images, frames)[0], batch.target)
        share = remembered(at.epoch, self.config.forget, self.config.ramp)
        for_two, for_one = small_losses(one, share), small_losses(two, share)
        return {
            "first": weighted_mean(one[for_one], batch.weight[for_one]),
            "second": weighted_mean(two[for_two], batch.weight[for_two]),
        }


def remembered(epoch: int, forget: float, ramp: int) -> float:
    """``R(T)`` after ``epoch`` finished epochs: 1 at first, ``1 - forget`` from epoch ``ramp`` on."""
    return 1 - forget * min(epoch / ramp, 1.0)


def small_losses(rows: Tensor, share: float) -> Tensor:
    """Positions of the ``share`` of rows (rounded down, at least one) with the smallest losses ``(n,)``."""
    count = max(int(share * len(rows) + 1e-9), 1)  # the guard: 0.7 · 10 is 6.999… in floating point
    return rows.detach().argsort(stable=True)[:count]
