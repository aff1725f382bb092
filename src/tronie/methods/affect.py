"""Multi-task learning: the expression's category, and its valence and arousal, from rows that carry one or both.

As the baselines of the ABAW challenges (Kollias et al., *Analysing Affective Behavior in the First ABAW 2020
Competition*, arXiv 2001.11409; *ABAW: Valence-Arousal Estimation, Expression Recognition, Action Unit Detection &
Multi-Task Learning Challenges*, arXiv 2202.10659): one network, a linear output for the classes and two numbers for
valence and arousal; the loss is cross-entropy plus ``1 - (CCC_valence + CCC_arousal) / 2``. Rows of different data sets
carry different labels, and each part is taken over those rows of a batch that carry its own (Kollias, Sharmanska &
Zafeiriou, *Face Behavior à la carte*, arXiv 1910.11111).

Our choices: frames are pooled before both outputs (:mod:`.nn.pooling`), the two numbers pass a tanh, as ratings lie in
[-1, 1], and a small squared error pulls where a correlation cannot: in batches whose ratings are alike, and towards the
ratings' own scale. Action units are left out, and so are rules that tie classes to valence and arousal.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tronie.clips.views import Kind, View
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress
from tronie.nn.frames import Shapes, clip_encoder
from tronie.nn.losses import concordance_loss, rated_square, smooth, soft_cross_entropy
from tronie.nn.pooling import Pool, Pooled, check_pool, pooling


@dataclass(frozen=True)
class MultitaskConfig:
    """What frames are made of and how they are pooled, as for :class:`.methods.sequence.Sequence`.

    ``frames`` 1 of pixels: a model of single faces. ``dropout`` before a frame's vector, ``drop`` before the outputs.
    ``concordance`` and ``square`` weigh the two parts of the loss that valence and arousal have, beside a cross-entropy
    of weight 1.
    """

    pool: Pool = "mean"
    kind: Kind = "pixels"
    encoder: str = "resnet18"
    size: int = 112
    inputs: int = 0
    frames: int = 1
    each: int = 4
    width: int = 512
    hidden: int = 256
    layers: int = 2
    heads: int = 8
    dropout: float = 0.2
    drop: float = 0.2
    smoothing: float = 0.1
    concordance: float = 1.0
    square: float = 0.5

    def __post_init__(self) -> None:
        check_pool(self.pool, self.kind, self.frames, self.each, self.inputs)
        if min(self.concordance, self.square) < 0:
            raise ValueError("concordance and square are weights of 0 or more")


class Multitask(Method):
    """Frames → pooled → dropout → linear: classes; linear and tanh: valence, arousal."""

    Config = MultitaskConfig
    learns_affect = True

    def __init__(self, labels: LabelSet, config: MultitaskConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.clip = clip_encoder(config)
        self.pool = pooling(config)
        self.drop = nn.Dropout(config.drop)
        self.head = nn.Linear(self.pool.width, len(labels))
        self.rating = nn.Linear(self.pool.width, 2)

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

    def forward(self, clip: Tensor) -> Output:
        feature = self.pool(self.clip(clip))
        shown = self.drop(feature)
        return Output(self.head(shown), feature, affect=torch.tanh(self.rating(shown)))

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        output, config = self(batch.clips[0]), self.config
        assert output.affect is not None
        # A row without a label has no mass: it weighs nothing here, whatever smoothing makes of its target.
        mass = batch.target.sum(1)
        target = smooth(batch.target / mass.clamp_min(1e-12)[:, None], config.smoothing)
        parts = {"ce": soft_cross_entropy(output.logits, target, batch.weight * mass)}
        if batch.affect is None:
            return parts
        return parts | {
            "concordance": config.concordance * concordance_loss(output.affect, batch.affect, batch.weight),
            "square": config.square * rated_square(output.affect, batch.affect, batch.weight),
        }
