"""Early-learning regularisation against the paper's two equations written out row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.methods.elr import ELR, ELRConfig, early_learning
from tronie.methods.method import Batch, Progress, load_state

ROWS = 10
START = Progress(0, 5)


@pytest.fixture
def elr(pointwise: type[nn.Module]) -> ELR:
    method = ELR(BASIC7, ELRConfig(encoder=pointwise))  # type: ignore[arg-type]  # tables take objects as well
    names = np.array([f"face{i}" for i in range(ROWS)])
    method.prepare(Manifest(names, names, np.zeros(ROWS, np.int64), BASIC7), torch.zeros(2, 3, 8, 8))
    return method.train()


def softmax(logits: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in logits)
    return [math.exp(v) / total for v in logits]


def test_two_visits_equal_the_equations_by_hand(elr: ELR, batch: Batch) -> None:
    logits = elr(batch.clips[0]).logits.detach().tolist()
    targets = {int(row): [0.0] * 7 for row in batch.row}
    for _ in range(2):
        parts = elr.loss(batch, START)
        ce = held = 0.0
        columns = (batch.row.tolist(), logits, batch.target.tolist(), batch.weight.tolist())
        for row, z, wanted, weight in zip(*columns, strict=True):
            p = softmax(z)
            targets[row] = [0.7 * t + 0.3 * v for t, v in zip(targets[row], p, strict=True)]
            agreement = sum(v * t for v, t in zip(p, targets[row], strict=True))
            ce += weight * -sum(t * math.log(v) for t, v in zip(wanted, p, strict=True))
            held += weight * math.log(1 - agreement)
        total = float(batch.weight.sum())
        assert parts["ce"].item() == pytest.approx(ce / total, rel=1e-4)
        assert parts["elr"].item() == pytest.approx(3 * held / total, rel=1e-4)
    for row, target in targets.items():
        assert elr.targets[row].tolist() == pytest.approx(target, rel=1e-4)
    untouched = [r for r in range(ROWS) if r not in targets]
    assert elr.targets[untouched].abs().sum() == 0


def test_no_gradient_reaches_the_targets() -> None:
    p = torch.softmax(torch.randn(4, 7, generator=torch.Generator().manual_seed(1)), 1).requires_grad_()
    target = torch.full((4, 7), 1 / 7, requires_grad=True)
    early_learning(p, target).sum().backward()
    assert target.grad is None and p.grad is not None and p.grad.abs().sum() > 0


def test_the_first_gradient_pushes_the_answer_towards_its_target() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    early_learning(torch.softmax(logits, 1), torch.tensor([[0.9, 0.05, 0.05]])).sum().backward()
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]  # descent raises the remembered class


def test_perfect_agreement_stays_finite() -> None:
    p = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = early_learning(p, torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx(math.log(1e-4), rel=1e-2)


def test_nothing_is_held_before_anything_was_answered() -> None:
    assert early_learning(torch.tensor([[0.3, 0.7]]), torch.zeros(1, 2)).item() == 0


def test_a_checkpoint_brings_its_targets_along(elr: ELR, batch: Batch) -> None:
    elr.loss(batch, START)
    fresh = ELR(BASIC7, elr.config)
    load_state(fresh, elr.state_dict())
    assert torch.equal(fresh.targets, elr.targets)
    same: dict[str, Tensor] = fresh.train().loss(batch, START)
    assert {k: v.item() for k, v in same.items()} == {k: v.item() for k, v in elr.loss(batch, START).items()}


@pytest.mark.parametrize("wrong", [{"keep": 1.0}, {"keep": -0.1}, {"strength": -1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="0 <= keep < 1"):
        ELRConfig(**wrong)
