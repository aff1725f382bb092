"""Losses that methods share, against loops written by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tronie.nn.losses import (
    concordance_loss,
    cross_entropy_rows,
    rated_square,
    smooth,
    soft_cross_entropy,
    weighted_mean,
)


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
    assert soft_cross_entropy(logits, torch.eye(7)[label]).item() == pytest.approx(wanted.item(), rel=1e-5)


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
    some = torch.tensor([[0.85, 0.05, 0.05, 0.05], [0.05, 0.85, 0.05, 0.05]])
    assert torch.allclose(smooth(target, 0.2), some, atol=1e-6)
    assert torch.equal(smooth(target, 0.0), target) and torch.allclose(smooth(target, 1.0), torch.full((2, 4), 0.25))


def ccc_by_hand(a: list[float], t: list[float], w: list[float]) -> float:
    """Lin's concordance, weighted, by loops."""
    whole = sum(w)
    a_mean, t_mean = (sum(x * k for x, k in zip(v, w, strict=True)) / whole for v in (a, t))
    both = sum(k * (x - a_mean) * (y - t_mean) for x, y, k in zip(a, t, w, strict=True)) / whole
    spread = sum(k * ((x - a_mean) ** 2 + (y - t_mean) ** 2) for x, y, k in zip(a, t, w, strict=True)) / whole
    return 2 * both / (spread + (a_mean - t_mean) ** 2)


@given(seed=st.integers(0, 10_000), rows=st.integers(3, 12))
@settings(max_examples=30, deadline=None)
def test_concordance_by_hand_over_the_rated_rows(seed: int, rows: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    answer, truth = torch.rand(rows, 2, generator=rng) * 2 - 1, torch.rand(rows, 2, generator=rng) * 2 - 1
    weight, known = torch.rand(rows, generator=rng) + 0.1, torch.rand(rows, 2, generator=rng) < 0.7
    known[:2] = True
    missing = torch.where(known, truth, torch.nan)
    each, squares, shares = [], 0.0, 0.0
    for column in (0, 1):
        mine = known[:, column]
        a, t, w = (v[mine].tolist() for v in (answer[:, column], truth[:, column], weight))
        each.append(1 - ccc_by_hand(a, t, w))
        squares += sum(k * (x - y) ** 2 for x, y, k in zip(a, t, w, strict=True))
        shares += sum(w)
    assert concordance_loss(answer, missing, weight).item() == pytest.approx(sum(each) / 2, rel=1e-3, abs=1e-4)
    assert rated_square(answer, missing, weight).item() == pytest.approx(squares / shares, rel=1e-3, abs=1e-5)


def test_concordance_is_0_where_answers_are_the_ratings_and_2_where_they_are_their_opposite() -> None:
    truth = torch.tensor([[-0.8, 0.5], [0.2, -0.1], [0.6, 0.9]])
    assert concordance_loss(truth, truth).item() == pytest.approx(0.0, abs=1e-6)
    centred = truth - truth.mean(0)
    assert concordance_loss(-centred, centred).item() == pytest.approx(2.0, abs=1e-6)
    one = torch.cat([truth[:, :1], torch.full((3, 1), torch.nan)], 1)  # a column that nobody rated does not count
    assert concordance_loss(truth, one).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "truth",
    [
        torch.full((4, 2), torch.nan),
        torch.full((4, 2), 0.3),
        torch.tensor([[0.3, torch.nan]] + [[torch.nan, torch.nan]] * 3),
    ],
    ids=["none", "alike", "one"],
)
@pytest.mark.parametrize("answer", [torch.zeros(4, 2), torch.linspace(-1, 1, 8).view(4, 2)], ids=["constant", "varied"])
def test_ratings_that_tell_nothing_pull_nowhere(truth: Tensor, answer: Tensor) -> None:
    answer = answer.clone().requires_grad_()
    loss = concordance_loss(answer, truth)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(float(torch.isfinite(truth).any()))
    assert answer.grad is not None and torch.allclose(answer.grad, torch.zeros(4, 2), atol=1e-5)
    answer.grad = None
    square = rated_square(answer, truth)
    square.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(square) and torch.isfinite(answer.grad).all()
    assert (square.item() > 0) == bool(torch.isfinite(truth).any())
