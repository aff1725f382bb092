"""Losses that methods share, against loops written by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.nn.losses import cross_entropy_rows, smooth, soft_cross_entropy, weighted_mean


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 6), classes=st.integers(2, 8))
@settings(max_examples=30, deadline=None)
def test_soft_cross_entropy_by_hand(seed: int, rows: int, classes: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=rng) * 4
    target = torch.softmax(torch.randn(rows, classes, generator=rng), 1)
    weight = torch.rand(rows, generator=rng) + 0.1
    each = []
    for z, t in zip(logits.tolist(), target.tolist(), strict=True):
        norm = math.log(sum(math.exp(v) for v in z))
        each.append(-sum(share * (v - norm) for share, v in zip(t, z, strict=True)))
    assert cross_entropy_rows(logits, target).tolist() == pytest.approx(each, rel=1e-4, abs=1e-5)
    plain = sum(each) / rows
    heavy = sum(w * v for w, v in zip(weight.tolist(), each, strict=True)) / sum(weight.tolist())
    assert soft_cross_entropy(logits, target).item() == pytest.approx(plain, rel=1e-4, abs=1e-5)
    assert soft_cross_entropy(logits, target, weight).item() == pytest.approx(heavy, rel=1e-4, abs=1e-5)


def test_equals_pytorch_on_one_hot_targets() -> None:
    logits, label = torch.randn(5, 7, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 6, 3, 3, 2])
    wanted = torch.nn.functional.cross_entropy(logits, label)
    assert soft_cross_entropy(logits, torch.eye(7)[label]).item() == pytest.approx(wanted.item(), rel=1e-6)


def test_weights_count_by_their_ratio_and_may_all_be_zero() -> None:
    rows = torch.tensor([1.0, 3.0, 8.0])
    assert weighted_mean(rows, torch.tensor([2.0, 2.0, 0.0])).item() == pytest.approx(2.0)
    assert weighted_mean(rows, torch.tensor([0.1, 0.1, 0.0])).item() == pytest.approx(2.0)
    assert weighted_mean(rows, torch.zeros(3)).item() == 0.0


def test_half_precision_logits_are_judged_in_single() -> None:
    logits = torch.tensor([[40.0, -40.0]], dtype=torch.bfloat16)
    assert cross_entropy_rows(logits, torch.tensor([[0.0, 1.0]])).dtype == torch.float32


def test_smoothing_keeps_mass_and_reaches_uniform() -> None:
    target = torch.eye(4)[:2]
    assert torch.allclose(smooth(target, 0.2), torch.tensor([[0.85, 0.05, 0.05, 0.05], [0.05, 0.85, 0.05, 0.05]]))
    assert torch.equal(smooth(target, 0.0), target) and torch.allclose(smooth(target, 1.0), torch.full((2, 4), 0.25))
