"""Data-parallel training by ``torchrun`` on gloo: every process holds the whole model and a share of each batch.

Gradients are the very sums one process would compute, up to the order of floating-point additions: losses are weighted
by each share's part of the batch's weights, and norms see the statistics of the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """This process's ``rank`` among ``size`` processes that train together; alone by default."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes, prints and judges."""
        return self.rank == 0

    def share(self, weight: float) -> float:
        """This process's part, in [0, 1], of the weights of the whole batch."""
        total = self.total([weight])[0]
        return weight / total if total > 0 else 1 / self.size

    def total(self, values: list[float]) -> list[float]:
        """Sums over the processes."""
        if self.size == 1:
            return values
        together = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(together)
        return [float(v) for v in together]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, in one message."""
        if self.size == 1:
            return
        learning = [p for p in parameters if p.requires_grad]
        used = torch.tensor([p.grad is not None for p in learning]).float()
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1).float() for p in learning]
        flat = torch.cat([used, *parts])
        dist.all_reduce(flat)
        at = len(learning)
        for p, users in zip(learning, flat[:at].tolist(), strict=True):
            part, at = flat[at : at + p.numel()], at + p.numel()
            p.grad = torch.empty_like(p).copy_(part.view_as(p)) if users else None

    def joined(self, part: NDArray[Any], rows: int) -> NDArray[Any]:
        """All ``rows`` rows, of which this process computed every ``size``-th, beginning with its rank."""
        if self.size == 1:
            return part
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, part)
        whole = np.empty((rows, *part.shape[1:]), part.dtype)
        for rank, rows_of_it in enumerate(parts):
            whole[rank :: self.size] = rows_of_it
        return whole

    def agreed(self, thing: T) -> T:
        """The leader's ``thing``, for all."""
        if self.size == 1:
            return thing
        box = [thing]
        dist.broadcast_object_list(box)
        return box[0]


ALONE = Team()
"""A process that trains by itself."""


@contextmanager
def join() -> Iterator[Team]:
    """The team that ``torchrun`` started this process in; a team of one without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    dist.init_process_group("gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def memories(module: nn.Module, rows: int) -> dict[str, Tensor]:
    """Copies of the buffers that remember something of each training row: those of length ``rows``."""
    return {name: b.clone() for name, b in module.named_buffers() if b.ndim and len(b) == rows}


def share_memories(module: nn.Module, before: Mapping[str, Tensor], team: Team) -> None:
    """Bring every process's memory up to date after an epoch, in which each row was met by one process.

    ``before`` is :func:`memories` at its beginning. Other buffers, the norms' aside, become the leader's.
    """
    if team.size == 1:
        return
    for name, buffer in module.named_buffers():
        if name in before:
            changed = (buffer != before[name]).reshape(len(buffer), -1).any(1).nonzero()[:, 0]
            found: list[Any] = [None] * team.size
            dist.all_gather_object(found, (changed, buffer[changed]))
            for rows, values in found:
                buffer[rows] = values
        else:
            dist.broadcast(buffer, 0)


class _Sum(torch.autograd.Function):
    """Sum over processes; so is its gradient, as every process's loss depends on the sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient


class SharedNorm(_BatchNorm):
    """Batch norm over the batch of all processes (torch's own SyncBatchNorm exists for GPUs only)."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.float()
        around = [0, *range(2, x.ndim)]
        count = torch.tensor([x.numel() / x.shape[1]], device=x.device)
        first: Tensor = _Sum.apply(torch.cat([x.sum(around), count]))  # type: ignore[no-untyped-call]
        n, shape = first[-1], [1, -1] + [1] * (x.ndim - 2)
        mean = first[:-1] / n
        var: Tensor = _Sum.apply(((x - mean.view(shape)) ** 2).sum(around)) / n  # type: ignore[no-untyped-call]
        if self.running_mean is not None and self.running_var is not None:
            keep = 0.1 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.detach(), keep)
            self.running_var.lerp_(var.detach() * n / (n - 1), keep)
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
        y = (x - mean.view(shape)) * torch.rsqrt(var + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)


def share_norms(module: nn.Module) -> None:
    """Put a :class:`SharedNorm` in the place of every batch norm, with its parameters, statistics and names."""
    for name, child in list(module.named_children()):
        if isinstance(child, _BatchNorm):
            shared = SharedNorm(child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats)
            shared._parameters, shared._buffers = child._parameters, child._buffers
            setattr(module, name, shared.train(child.training))
        else:
            share_norms(child)


def freeze_norms(module: nn.Module) -> None:
    """Let every batch norm use the statistics it has, until the next ``train()``; its scale and shift still learn."""
    for child in module.modules():
        if isinstance(child, _BatchNorm):
            child.eval()
