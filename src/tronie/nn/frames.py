"""From the frames of a clip to vectors, whatever the clip is made of: pixels, tracked points, cached features."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from tronie.clips.views import Kind
from tronie.nn.encoders.table import make_encoder
from tronie.nn.temporal import shifted, temporal_shift, unshifted


class FrameSettings(Protocol):
    """What a method's config has to say about its frames.

    ``kind`` of clip; ``encoder`` for pixels, a name of the encoders' table; ``inputs``: length of a cached feature, or
    number of tracked points; ``width`` of the vectors that come out; ``dropout`` before they are made.
    """

    @property
    def kind(self) -> Kind: ...
    @property
    def encoder(self) -> str: ...
    @property
    def inputs(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def dropout(self) -> float: ...


class Shapes(nn.Module):
    """Tracks ``(b, t, P, 2)`` → ``(b, t, 8·P + 16)``: the face's shape, its speed, the head's pose, its speed; sizes.

    Each frame is turned, scaled and moved onto ``reference``, a mean shape (the closed form of least squares), so that
    shape and pose (place, log of the scale, sine of the angle, relative to the clip's mean) come apart. Speeds are
    central differences per clip length. Beside the four stand their absolute values, that of shape relative to the
    clip's mean: how much a face moves tells more than whither, and means over time keep it.
    """

    reference: Tensor

    def __init__(self, points: int) -> None:
        super().__init__()
        self.register_buffer("reference", torch.zeros(points, 2))
        self.width = 8 * points + 16

    def start(self, points: Tensor) -> None:
        """Let ``reference`` be the mean shape of ``points`` ``(n, P, 2)``, by a few rounds of Procrustes analysis."""
        shape = _centred(points.float())[0][0]
        for _ in range(5):
            shape = aligned(points.float(), shape / shape.norm())[0].mean(0)
        self.reference = (shape / shape.norm(dim=1).mean()).to(self.reference.device)

    def forward(self, tracks: Tensor) -> Tensor:
        shape, pose = aligned(tracks.float(), self.reference)
        shape, pose = shape.flatten(2), pose - pose.mean(1, keepdim=True)
        change, turn = speed(shape), speed(pose)
        away = (shape - shape.mean(1, keepdim=True)).abs()
        return torch.cat([shape, away, change, change.abs(), pose, pose.abs(), turn, turn.abs()], 2)


def aligned(points: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Points ``(..., P, 2)`` laid onto ``reference`` ``(P, 2)``, and where they were: pose ``(..., 4)``.

    The similarity (rotation, scale, translation) of least squares. The pose is the place in units of the reference,
    the log of the factor and the sine of the angle. An all-zero reference gives zeros.
    """
    shape, place = _centred(points)
    x, y = shape.unbind(-1)
    rx, ry = _centred(reference)[0].unbind(-1)
    size = shape.square().sum((-1, -2)).clamp_min(1e-12)
    along, across = (x * rx + y * ry).sum(-1) / size, (x * ry - y * rx).sum(-1) / size
    factor = (along.square() + across.square()).sqrt().clamp_min(1e-12)
    a, b = along[..., None], across[..., None]
    pose = torch.cat([place[..., 0, :] * factor[..., None], factor.log()[..., None], (across / factor)[..., None]], -1)
    return torch.stack([a * x - b * y, b * x + a * y], -1), pose


def _centred(points: Tensor) -> tuple[Tensor, Tensor]:
    middle = points.mean(-2, keepdim=True)
    return points - middle, middle


def speed(x: Tensor) -> Tensor:
    """Change per clip length: central differences along time ``(b, t, d)``, one-sided at the ends; 0 for one frame."""
    before, after = torch.cat([x[:, :1], x[:, :-1]], 1), torch.cat([x[:, 1:], x[:, -1:]], 1)
    return (after - before) * (x.shape[1] / 2)


class PixelFrames(nn.Module):
    """Frames ``(b, m, 3, h, w)`` in 0..255 → ``(b, m, width)``: encoder with temporal shift → dropout → linear.

    ``segment`` consecutive frames see each other (1: each frame is seen alone).
    """

    def __init__(self, how: FrameSettings, segment: int) -> None:
        super().__init__()
        self.encoder = shifted(make_encoder(how.encoder), segment)
        self.drop = nn.Dropout(how.dropout)
        self.project = nn.Linear(self.encoder.width, how.width)
        nn.init.normal_(self.project.weight, std=0.001)
        nn.init.zeros_(self.project.bias)

    def start(self, faces: Tensor) -> None:
        """Let the encoder start from its pre-trained state, with statistics of the training faces, each seen alone."""
        with unshifted(self.encoder) as encoder:
            encoder.start(faces)

    def forward(self, frames: Tensor) -> Tensor:
        images = frames.flatten(0, 1).float().contiguous(memory_format=torch.channels_last)
        vectors: Tensor = self.project(self.drop(self.encoder(images))).unflatten(0, frames.shape[:2])
        return vectors


class VectorFrames(nn.Module):
    """Vectors ``(b, m, inputs)`` → ``(b, m, width)``: norm → linear → temporal shift → ReLU → dropout → linear → ReLU.

    The shift that sits inside a photo network elsewhere acts on the projected features here.
    """

    def __init__(self, inputs: int, width: int, dropout: float, segment: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs)
        self.first = nn.Linear(inputs, width)
        self.drop = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)
        self.segment = segment

    def start(self, faces: Tensor) -> None:
        """Nothing to load."""

    def forward(self, frames: Tensor) -> Tensor:
        x = self.first(self.norm(frames.flatten(0, 1)))
        x = temporal_shift(x, self.segment) if self.segment > 1 else x
        vectors: Tensor = torch.relu(self.second(self.drop(torch.relu(x)))).unflatten(0, frames.shape[:2])
        return vectors


def clip_encoder(how: FrameSettings) -> nn.Module:
    """What is done to a whole clip first: shapes of points; pixels and cached features stay as they are."""
    return Shapes(how.inputs) if how.kind == "points" else nn.Identity()


def clip_width(how: FrameSettings) -> int:
    """How many numbers :func:`clip_encoder` gives of each frame of points or features."""
    return 8 * how.inputs + 16 if how.kind == "points" else how.inputs


def frame_net(how: FrameSettings, segment: int) -> PixelFrames | VectorFrames:
    """The network that makes ``width`` numbers of each frame that :func:`clip_encoder` gives."""
    if how.kind == "pixels":
        return PixelFrames(how, segment)
    return VectorFrames(clip_width(how), how.width, how.dropout, segment)
