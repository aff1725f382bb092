"""What a clip's frames say together, by the usual means: the baselines of every method for video.

``pool`` names how the frames' vectors become one (:mod:`.nn.pooling`): statistics, mean, bilstm, transformer, m3dfel.
Then dropout and a linear layer, trained with soft cross-entropy.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from tronie.clips.views import Kind, View
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress
from tronie.nn.frames import Shapes, clip_encoder
from tronie.nn.losses import smooth, soft_cross_entropy
from tronie.nn.pooling import Pool, Pooled, check_pool, pooling


@dataclass(frozen=True)
class SequenceConfig:
    """What frames are made of (:class:`.FrameSettings`) and how they are pooled (:class:`.PoolSettings`).

    ``dropout`` comes before a frame's vector, ``drop`` before the last layer.
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
        check_pool(self.pool, self.kind, self.frames, self.each, self.inputs)


class Sequence(Method):
    """Frames → pooled → dropout → linear."""

    Config = SequenceConfig

    def __init__(self, labels: LabelSet, config: SequenceConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.clip = clip_encoder(config)
        self.pool = pooling(config)
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
