"""Generalised cross-entropy against its definition, its two ends, and its gradient in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import SettingError
from tronie.methods.gce import GCEConfig, generalised_cross_entropy
from tronie.nn.losses import cross_entropy_rows


def logits_and_targets(seed: int, rows: int = 5, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=rng) * 3
    return logits, torch.eye(classes)[torch.randint(classes, (rows,), generator=rng)]


def by_hand(logits: list[list[float]], target: list[list[float]], q: float) -> list[float]:
    found = []
    for row, wanted in zip(logits, target, strict=True):
        total = sum(math.exp(v) for v in row)
        found.append(sum(t * (1 - (math.exp(v) / total) ** q) / q for v, t in zip(row, wanted, strict=True)))
    return found


@given(seed=st.integers(0, 10_000), q=st.floats(0.05, 1.0))
@settings(max_examples=30, deadline=None)
def test_equals_the_definition_written_out(seed: int, q: float) -> None:
    logits, target = logits_and_targets(seed)
    target = 0.8 * target + 0.2 / 4  # soft targets: the expectation over labels
    found = generalised_cross_entropy(logits, target, q)
    assert found.tolist() == pytest.approx(by_hand(logits.tolist(), target.tolist(), q), rel=1e-4, abs=1e-5)


def test_becomes_cross_entropy_as_q_goes_to_zero() -> None:
    logits, target = logits_and_targets(1)
    found = generalised_cross_entropy(logits, target, 1e-5)
    assert torch.allclose(found, cross_entropy_rows(logits, target), rtol=1e-3)


def test_is_half_the_absolute_error_at_q_one() -> None:
    logits, target = logits_and_targets(2)
    absolute = (torch.softmax(logits, 1) - target).abs().sum(1)
    assert torch.allclose(generalised_cross_entropy(logits, target, 1.0), absolute / 2, atol=1e-6)


def test_its_gradient_is_that_of_cross_entropy_times_belief() -> None:
    logits, target = logits_and_targets(3)
    grads = []
    for loss in (lambda z: generalised_cross_entropy(z, target, 0.7), lambda z: cross_entropy_rows(z, target)):
        z = logits.clone().requires_grad_()
        loss(z).sum().backward()
        grads.append(z.grad)
    belief = (torch.softmax(logits, 1) * target).sum(1, keepdim=True) ** 0.7
    assert torch.allclose(grads[0], grads[1] * belief, atol=1e-6)


def test_a_label_that_is_held_impossible_gives_a_finite_gradient() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = generalised_cross_entropy(logits, torch.tensor([[0.0, 1.0]]), 0.7).sum()
    loss.backward()
    assert loss.item() == pytest.approx(1 / 0.7, rel=1e-5) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("q", [0.0, -1.0, 1.5])
def test_q_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(SettingError, match="0 < q <= 1"):
        GCEConfig(q=q)
