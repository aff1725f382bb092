"""Losses shared by methods. Each has a slow oracle in the tests."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over rows of ``-sum_c target_c log softmax(logits)_c``, rows weighted (weights are normalised to mean 1)."""
    return weighted_mean(cross_entropy_rows(logits, target), weight)


def cross_entropy_rows(logits: Tensor, target: Tensor) -> Tensor:
    """``-sum_c target_c log softmax(logits)_c`` of each row: ``(n, classes)`` twice in, ``(n,)`` float32 out."""
    return -(target * torch.log_softmax(logits.float(), dim=1)).sum(1)


def weighted_mean(rows: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of ``rows`` ``(n,)`` weighted by ``weight`` ``(n,)`` (None: all alike); 0 where all weights are 0."""
    if weight is None:
        return rows.mean()
    return (rows * weight).sum() / weight.sum().clamp_min(1e-12)


def smooth(target: Tensor, amount: float) -> Tensor:
    """Label smoothing: move ``amount`` of each row's mass to the uniform distribution (Szegedy et al., CVPR 2016)."""
    return target * (1 - amount) + amount / target.shape[1]
