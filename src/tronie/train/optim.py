"""Optimiser, schedule and the moving average of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class Optim:
    """``rate`` is the peak learning rate, reached after ``warmup`` (share of the run), then a cosine to rate·``floor``.

    ``decay`` is weight decay (not on norms and biases). ``ema``: per-step decay of the averaged weights that are
    evaluated and exported (0: none). ``clip``: largest gradient norm (0: none).
    """

    name: Literal["adamw", "sgd"] = "adamw"
    rate: float = 1.5e-3
    warmup: float = 0.15
    floor: float = 0.005
    decay: float = 0.05
    momentum: float = 0.9
    ema: float = 0.999
    clip: float = 5.0

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError("rate must be above 0")
        if not (0 <= self.warmup < 1 and 0 <= self.floor <= 1 and 0 <= self.ema < 1 and 0 <= self.momentum < 1):
            raise ValueError("warmup, ema and momentum lie in 0..1 (1 excluded), floor in 0..1")
        if self.decay < 0 or self.clip < 0:
            raise ValueError("decay and clip cannot be negative")


def make_optimizer(model: nn.Module, how: Optim) -> torch.optim.Optimizer:
    """AdamW or SGD over two groups: matrices and kernels decay, vectors do not."""
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": how.decay}, {"params": vectors, "weight_decay": 0.0}]
    if how.name == "adamw":
        return torch.optim.AdamW(groups, lr=how.rate)
    return torch.optim.SGD(groups, lr=how.rate, momentum=how.momentum)


def rate_at(done: float, how: Optim) -> float:
    """Learning rate after the share ``done`` in [0, 1] of the run: linear warm-up, then cosine."""
    if done < how.warmup:
        return how.rate * max(done / how.warmup, 1e-3)
    turn = (done - how.warmup) / max(1 - how.warmup, 1e-9)
    return how.rate * (how.floor + (1 - how.floor) * 0.5 * (1 + math.cos(math.pi * min(turn, 1.0))))


@torch.no_grad()
def average_into(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``model`` by ``decay`` (shorter memory at first): parameters and norms' statistics."""
    keep = min(decay, (1 + step) / (10 + step))
    for mine, theirs in zip(average.parameters(), model.parameters(), strict=True):
        mine.lerp_(theirs, 1 - keep)
    for ours, original in zip(average.modules(), model.modules(), strict=True):
        if isinstance(original, _BatchNorm) and original.running_mean is not None:
            assert isinstance(ours, _BatchNorm) and ours.running_mean is not None and ours.running_var is not None
            assert original.running_var is not None
            ours.running_mean.lerp_(original.running_mean, 1 - keep)
            ours.running_var.lerp_(original.running_var, 1 - keep)


@torch.no_grad()
def copy_memories(average: nn.Module, model: nn.Module) -> None:
    """Give ``average`` the model's other buffers (memories, counters) as they are: their mean would mean nothing."""
    for ours, original in zip(average.modules(), model.modules(), strict=True):
        if not isinstance(original, _BatchNorm):
            for mine, theirs in zip(ours.buffers(recurse=False), original.buffers(recurse=False), strict=True):
                mine.copy_(theirs)
