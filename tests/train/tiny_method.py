"""A method that learns in seconds, with everything the loop has to carry: dropout, norms, a memory, decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tronie.clips.views import Kind, View
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Decisions, Method, Output, Predict, Progress, TrainingRows, as_images
from tronie.nn.losses import soft_cross_entropy


@dataclass(frozen=True)
class TinyConfig:
    """``decide``: rows above the mean loss are left out, one label is changed. ``bomb``: epoch of an infinite loss.

    ``looks``: so many random looks at every row are kept, after each epoch, in ``looked``.
    """

    size: int = 32
    width: int = 12
    dropout: float = 0.3
    decide: bool = False
    bomb: int = -1
    looks: int = 0


@dataclass(frozen=True)
class TinyClipConfig:
    """``inputs`` numbers a frame, of clips of ``kind``."""

    kind: Kind = "points"
    inputs: int = 136
    frames: int = 6


class TinyClip(Method):
    """Mean and spread of a clip's frames, a linear layer: the least that looks at time."""

    Config = TinyClipConfig

    def __init__(self, labels: LabelSet, config: TinyClipConfig) -> None:
        super().__init__(labels)
        self.config = config
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(2 * config.inputs, len(labels)))

    def views(self, train: bool) -> tuple[View, ...]:
        return (View(1, self.config.frames, augment=train, kind=self.config.kind, jitter=train),)

    def draw_view(self) -> View:
        return View(1, self.config.frames, kind=self.config.kind, jitter=True)

    def forward(self, clip: Tensor) -> Output:
        flat = clip.float().flatten(2)
        feature = torch.cat([flat.mean(1), flat.std(1)], 1)
        return Output(self.head(feature), feature)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        return {"ce": soft_cross_entropy(self(batch.clips[0]).logits, batch.target, batch.weight)}


class Tiny(Method):
    Config = TinyConfig

    def __init__(self, labels: LabelSet, config: TinyConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        w = config.width
        self.body = nn.Sequential(
            nn.Conv2d(3, w, 5, 2, 2, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(),
            nn.Conv2d(w, w, 3, 2, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Dropout(config.dropout),
        )
        self.head = nn.Linear(16 * w, len(labels))
        self.register_buffer("times", torch.zeros(0))
        self.looked: list[np.ndarray] = []

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        self.times = torch.zeros(len(train))

    def forward(self, clip: Tensor) -> Output:
        feature = self.body(as_images(clip) / 64 - 2).unflatten(0, clip.shape[:2]).mean(1)
        return Output(self.head(feature), feature)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        self.times[batch.row] += 1
        ce = soft_cross_entropy(self(batch.clips[0]).logits, batch.target, batch.weight)
        return {"ce": ce / (at.epoch != self.config.bomb)} if self.config.bomb >= 0 else {"ce": ce}

    def refresh(self, predict: Predict, rows: TrainingRows, at: Progress) -> Decisions | None:
        if self.config.looks:
            self.looked.append(np.stack([predict(np.arange(len(rows)), k).logits for k in range(self.config.looks)]))
        if not self.config.decide:
            return None
        logits = predict(np.arange(len(rows))).logits.astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        loss = -((logits - np.log(np.exp(logits).sum(1, keepdims=True))) * rows.given).sum(1)
        hard = loss > loss.mean()
        label = np.where(np.arange(len(rows)) == 4, 2, -1)
        return Decisions(
            np.arange(len(rows)),
            np.where(hard, "hard", "keep"),
            np.where(hard, 0.0, 1.0).astype(np.float32),
            label,
            np.array([f"loss {v:.3f}" for v in loss]),
            at.epoch,
        )

    def epoch_end(self, at: Progress) -> dict[str, float]:
        return {"rows_seen": float((self.times > 0).float().mean())}
