"""RDFER: a coarse look at the whole clip says where to look closely; looks that disagree mark hard clips.

Liu et al., *Robust Dynamic Facial Expression Recognition*, IEEE T-BIOM 2025 (arXiv 2502.16129). Network, numbers and
losses are those of the authors' public release; of the agreement only the idea is public (:mod:`.measure.actions`).

    synopsis   16 of 64 uniform frames → frames → BiLSTM → attention gate → 16 steps h_t, pooled to g_s
    keys       μ = tanh(W g_s), δ = -|W' g_s|: four centres and log-strides (:mod:`.nn.resample`); a = sigmoid(W'' g_s)
    detail     4 keys × 4 frames → frames → mean of each key → BiLSTM → · a → attention gate, pooled to g_d
    L          CE(z) + 0.1 CE(z_s) + 0.1 CE(steps of the synopsis) + 0.1 CE(keys of the detail) + w L_KI
    L_KI       Σ |sort(μ) - sort(μ*)|, μ* the steps that seem most expressive

``z = W_c g_d`` answers. Frames of *pixels* go through a photo network with temporal shift in segments of 4; cached
*features* and tracked *points* through a small one with the shift on what it projects.

``faithful`` gives the release with its defects: soft-max before the instances' cross-entropy and their mean divided by
the bag once more, frames copied at positions that may lie outside (zeros there) and that no gradient reaches, w = 0,
offsets of the synopsis drawn at evaluation too, no label smoothing. Corrected, our choice: log-probabilities and one
mean; positions within the clip; frames mixed of their neighbours; w = 0.1; centres and strides start where the four
keys tile the clip. Rows' weights count in every part. ``draw_view`` gives the agreement its random looks: a few frames,
one from each part of the clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from tronie.clips.views import Kind, View
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, LookingMethod, Output, Progress
from tronie.metrics.actions import Looking
from tronie.nn.frames import Shapes, clip_encoder, frame_net
from tronie.nn.losses import cross_entropy_rows, smooth, step_cross_entropy_rows, symmetric_kl_rows, weighted_mean
from tronie.nn.resample import (
    How,
    Rule,
    key_distance,
    key_positions,
    key_targets,
    spread,
    step_to_centre,
    take_frames,
    uniform_frames,
)
from tronie.nn.temporal import AttentionGate, BiLSTM, ConvPool


@dataclass(frozen=True)
class RDFERConfig:
    """The release's numbers. ``kind``, ``encoder`` and ``inputs`` say what frames are made of (:mod:`.nn.frames`).

    ``frames`` T are loaded, ``synopsis`` of them seen coarsely, ``keys`` × ``each`` closely; ``segment``: frames that
    see each other by temporal shift. ``width`` of a frame's vector, ``hidden`` and ``layers`` of the LSTM, ``heads`` of
    the gate, ``dropout`` before a frame's vector. ``streams`` "synopsis" has no detail, "detail" sees the uniform clip
    and no synopsis. ``resampling``: where the detail looks ("peak": at the most confident steps). ``channels``: whether
    the synopsis gates the detail's. ``target``: the rule for μ*; "none" no L_KI. ``mix``, ``sigma``: how frames between
    frames are made. ``coarse``, ``instance``, ``key`` weigh the parts of the loss.
    Our choices: ``locate`` "steps": a centre is the mean place of the steps, weighted by a soft-max over them, instead
    of a number read off g_s, which has forgotten when; ``smoothing``; ``consistency``: weight of the symmetric KL
    divergence between two clips of a hard row, reached at the run's end; ``look_frames`` T of a random look;
    ``looking``: how the agreement is taken and what it leads to.
    """

    kind: Kind = "pixels"
    encoder: str = "resnet50"
    size: int = 112
    inputs: int = 0
    frames: int = 64
    synopsis: int = 16
    keys: int = 4
    each: int = 4
    segment: int = 4
    width: int = 512
    hidden: int = 512
    layers: int = 2
    heads: int = 8
    dropout: float = 0.8
    streams: Literal["both", "synopsis", "detail"] = "both"
    resampling: Literal["learned", "uniform", "random", "peak"] = "learned"
    locate: Literal["pooled", "steps"] = "pooled"
    channels: bool = True
    target: Rule | Literal["none"] = "peaks"
    mix: How = "linear"
    sigma: float = 1.0
    coarse: float = 0.1
    instance: float = 0.1
    key: float = 0.1
    smoothing: float = 0.1
    consistency: float = 0.0
    look_frames: int = 16
    looking: Looking = field(default_factory=Looking)
    faithful: bool = False

    def __post_init__(self) -> None:
        if self.keys < 1 or self.each < 2 or min(self.frames, self.look_frames, self.synopsis - 1) < 1:
            raise SettingError("RDFER needs keys >= 1, each >= 2, synopsis >= 2 and frames, look_frames >= 1.")
        if self.segment < 1 or self.synopsis % self.segment or (self.keys * self.each) % self.segment:
            raise SettingError(
                f"Temporal shift works on segments of {self.segment} frames: synopsis ({self.synopsis}) "
                f"and keys · each ({self.keys * self.each}) must be multiples."
            )
        if self.kind != "pixels" and self.inputs < 1:
            raise SettingError(
                "Clips of features or points need config.inputs: the length of a feature, or how many points."
            )


@dataclass(frozen=True, eq=False)
class Read:
    """What a stream read: logits of each step ``(b, m, classes)``, of the clip ``(b, classes)``, pooled feature.

    ``hidden`` ``(b, m, d)`` are the gated steps before they are pooled.
    """

    steps: Tensor
    logits: Tensor
    feature: Tensor
    hidden: Tensor


@dataclass(frozen=True, eq=False)
class Seen:
    """Everything about one look at clips: both streams, centres and log-strides ``(b, keys)``, the detail's positions.

    ``position`` ``(b, keys·each)`` in loaded frames, held within the clip unless ``faithful``.
    """

    answer: Read
    synopsis: Read | None = None
    detail: Read | None = None
    mu: Tensor | None = None
    delta: Tensor | None = None
    position: Tensor | None = None


class Stream(nn.Module):
    """Frames → BiLSTM → (· channels) → attention gate → pooled; ``each`` frames are averaged before the LSTM."""

    def __init__(self, config: RDFERConfig, classes: int, steps: int, each: int) -> None:
        super().__init__()
        both = 2 * config.hidden
        self.frames = frame_net(config, config.segment)
        self.each = each
        self.lstm = BiLSTM(config.width, config.hidden, config.layers)
        self.gate = AttentionGate(both, config.heads)
        self.pool = ConvPool(steps)
        self.head = nn.Linear(both, classes)

    def forward(self, frames: Tensor, channels: Tensor | None = None) -> Read:
        x = self.frames(frames).unflatten(1, (-1, self.each)).mean(2)
        x = self.lstm(x)
        x = x if channels is None else x * channels[:, None]
        x = self.gate(x)
        feature = self.pool(x)
        return Read(self.head(x), self.head(feature), feature, x)


class Keys(nn.Module):
    """What the synopsis tells the detail: centres in [-1, 1], log-strides <= 0, both ``(b, keys)``, channel factors."""

    def __init__(self, width: int, config: RDFERConfig) -> None:
        super().__init__()
        self.centre, self.stride = nn.Linear(width, config.keys), nn.Linear(width, config.keys)
        self.channels = nn.Linear(width, width)
        self.by_steps = config.locate == "steps"
        if not config.faithful:  # the keys tile the clip at first
            middle = (torch.arange(config.keys) + 0.5) / config.keys * 2 - 1
            nn.init.normal_(self.centre.weight, std=0.01)
            nn.init.normal_(self.stride.weight, std=0.01)
            self.centre.bias.data.copy_(torch.atanh(middle))
            nn.init.constant_(self.stride.bias, math.log(config.keys * config.each / (config.each - 1)))

    def forward(self, coarse: Read) -> tuple[Tensor, Tensor, Tensor]:
        if self.by_steps:
            scores = self.centre(coarse.hidden).float()
            place = step_to_centre(torch.arange(scores.shape[1], device=scores.device), scores.shape[1])
            centre = (scores.softmax(1) * place[:, None]).sum(1)
        else:
            centre = torch.tanh(self.centre(coarse.feature).float())
        return centre, -self.stride(coarse.feature).float().abs(), torch.sigmoid(self.channels(coarse.feature))


class RDFER(LookingMethod):
    """Two streams, and the memory of the looks at training rows."""

    Config = RDFERConfig
    anywhere: Tensor

    def __init__(self, labels: LabelSet, config: RDFERConfig) -> None:
        super().__init__(labels, config.looking)
        if config.faithful:
            config = replace(config, key=0.0, mix="copy", smoothing=0.0)
        if config.target == "peaks" and config.key and config.keys > len(labels):
            raise SettingError(
                f"The rule 'peaks' wants as many labels as keys; there are {len(labels)} and "
                f"{config.keys}: use target=confidence."
            )
        self.config, self.size = config, config.size
        self.clip = clip_encoder(config)
        if config.streams != "detail":
            self.synopsis = Stream(config, len(labels), config.synopsis, 1)
        if config.streams != "synopsis":
            self.detail = Stream(config, len(labels), config.keys, config.each)
        if config.streams == "both":
            self.keys = Keys(2 * config.hidden, config)
        self.register_buffer("anywhere", torch.rand(2, config.keys))  # "random" draws in training, once for evaluation

    def views(self, train: bool) -> tuple[View, ...]:
        """Clips of ``frames`` frames; two of each row in training where they have to be consistent."""
        view = View(self.size, self.config.frames, augment=train, kind=self.config.kind, jitter=train)
        return (view,) * (1 + (train and self.config.consistency > 0))

    def draw_view(self) -> View:
        """A random look varies in time alone: ``look_frames`` frames, one from each part of the clip."""
        return View(self.size, self.config.look_frames, kind=self.config.kind, jitter=True)

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Make room for every training row; let encoders start with statistics of the training frames."""
        super().prepare(train, faces)
        if isinstance(self.clip, Shapes):
            self.clip.start(faces)
        for stream in self.children():
            if isinstance(stream, Stream):
                stream.frames.start(faces)

    def encode(self, clip: Tensor) -> Tensor:
        """What is done to each clip once, however often it is looked at: ``(b, T, ...)`` → ``(b, T, ...)``."""
        encoded: Tensor = self.clip(clip)
        return encoded

    def forward(self, clip: Tensor) -> Output:
        answer = self.look(self.encode(clip)).answer
        return Output(answer.logits, answer.feature)

    def look(self, clip: Tensor, *, free: bool = False) -> Seen:
        """Both streams over encoded clips ``(b, T, ...)``. ``free``: as in training, frames are drawn."""
        config = self.config
        if config.streams == "detail":
            fine = self.detail(uniform_frames(clip, config.keys * config.each))
            return Seen(fine, detail=fine)
        coarse: Read = self.synopsis(uniform_frames(clip, config.synopsis, drawn=free or config.faithful))
        if config.streams == "synopsis":
            return Seen(coarse, coarse)
        mu, delta, channels = self.keys(coarse)
        position = self.where(coarse, mu, delta, clip.shape[1], free)
        position = position if config.faithful else position.clamp(0, clip.shape[1] - 1)
        frames = take_frames(clip, position, config.mix, sigma=config.sigma)
        fine = self.detail(frames, channels if config.channels else None)
        return Seen(fine, coarse, fine, mu, delta, position)

    def where(self, coarse: Read, mu: Tensor, delta: Tensor, frames: int, free: bool) -> Tensor:
        """Where the detail looks ``(b, keys·each)``, in frames."""
        config = self.config
        if config.resampling == "uniform":
            return spread(frames, config.keys * config.each).to(mu).expand(len(mu), -1)
        if config.resampling == "random":
            draw = torch.rand(2, *mu.shape).to(mu) if free else self.anywhere[:, None].expand(-1, *mu.shape)
            mu, delta = 2 * draw[0].sort(1).values - 1, -draw[1] * math.log(frames / (config.each - 1))
        elif config.resampling == "peak":
            step = key_targets(coarse.steps.softmax(2), config.keys, "confidence").sort(1).values
            mu = step_to_centre(step, config.synopsis)
        return key_positions(mu, delta, frames, config.each)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        config, target, weight = self.config, smooth(batch.target, self.config.smoothing), batch.weight
        seen = self.look(self.encode(batch.clips[0]), free=True)
        parts = {"ce": weighted_mean(cross_entropy_rows(seen.answer.logits, target), weight)}
        if seen.synopsis is not None and seen.detail is not None:
            parts["coarse"] = config.coarse * weighted_mean(cross_entropy_rows(seen.synopsis.logits, target), weight)
        for name, stream in (("steps", seen.synopsis), ("keys", seen.detail)):
            if stream is not None and config.instance:
                rows = step_cross_entropy_rows(stream.steps, target, faithful=config.faithful)
                parts[name] = config.instance * weighted_mean(rows, weight)
        if seen.mu is not None and seen.synopsis is not None and config.key and config.target != "none":
            step = key_targets(seen.synopsis.steps.detach().softmax(2), config.keys, config.target, target.argmax(1))
            parts["centres"] = config.key * weighted_mean(
                key_distance(seen.mu, step_to_centre(step, config.synopsis)), weight
            )
        if config.consistency:
            other = self.look(self.encode(batch.clips[1]), free=True).answer.logits
            hard = self.hard(batch.row) * weight
            ramp = config.consistency * (at.epoch + 1) / at.epochs
            parts["consistency"] = ramp * (symmetric_kl_rows(seen.answer.logits, other) * hard).sum() / weight.sum()
        return parts
