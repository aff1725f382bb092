"""Batch norms for networks whose own were folded away, so that they can be fine-tuned at useful learning rates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn


class Paired(Protocol):
    """A network that names its convolutions with the norms behind them."""

    def __call__(self, pixels: Tensor) -> Tensor:
        """``(n, 3, h, w)`` → features."""

    def eval(self) -> object:
        """Go to evaluation mode."""

    def pairs(self) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Each convolution with the norm that follows it, in forward order."""


Net = TypeVar("Net", bound=Paired)


@torch.no_grad()
def reinsert_batch_norm(encoder: Net, faces: Iterable[Tensor]) -> Net:
    """Give the norms the statistics of ``faces`` (batches of pixels) without changing what the network computes."""
    sums: dict[nn.Module, list[Tensor]] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].double()
        nothing = [torch.zeros(n, dtype=torch.float64) for n in (x.shape[1], x.shape[1], 1)]
        total = sums.setdefault(module, nothing)
        total[0] += x.sum((0, 2, 3))
        total[1] += (x**2).sum((0, 2, 3))
        total[2] += x.numel() / x.shape[1]

    norms = [norm for _, norm in encoder.pairs()]
    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    encoder.eval()
    for batch in faces:
        encoder(batch)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean = sums[norm][0] / sums[norm][2]
        var = (sums[norm][1] / sums[norm][2] - mean**2).clamp_min(1e-8)
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)  # type: ignore[union-attr]
        shift = norm.bias.double() - scale * norm.running_mean.double()  # type: ignore[union-attr]
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(var)  # type: ignore[union-attr]
        norm.weight.copy_(scale * torch.sqrt(var + norm.eps))
        norm.bias.copy_(shift + scale * mean)
    return encoder
