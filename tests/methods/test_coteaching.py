"""Co-teaching against the algorithm written out, and against plain training where nothing is forgotten."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.methods.coteaching import Coteaching, CoteachingConfig, remembered, small_losses
from tronie.methods.method import Batch, Progress, as_images
from tronie.nn.losses import soft_cross_entropy


def make(pointwise: type[nn.Module], forget: float) -> Coteaching:
    return Coteaching(BASIC7, CoteachingConfig(encoder=pointwise, forget=forget)).train()  # type: ignore[arg-type]


def loss_of(logits: list[float], target: list[float]) -> float:
    total = sum(math.exp(v) for v in logits)
    return -sum(t * math.log(math.exp(v) / total) for t, v in zip(target, logits, strict=True))


def test_each_network_learns_from_the_rows_its_peer_finds_easy(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise, forget=0.4)
    images = as_images(batch.clips[0])
    first, second = (
        [loss_of(z, t) for z, t in zip(net(images, 1)[0].tolist(), batch.target.tolist(), strict=True)]
        for net in (method.first, method.second)
    )
    keep = 3  # of 6 rows at 1 - 0.4, rounded down
    for_second = sorted(range(6), key=first.__getitem__)[:keep]
    for_first = sorted(range(6), key=second.__getitem__)[:keep]
    assert for_first != for_second, "the rows must tell the networks apart for this test to mean something"
    weight = batch.weight.tolist()
    parts = method.loss(batch, Progress(50, 60))
    for name, losses, rows in (("first", first, for_first), ("second", second, for_second)):
        wanted = sum(weight[r] * losses[r] for r in rows) / sum(weight[r] for r in rows)
        assert parts[name].item() == pytest.approx(wanted, rel=1e-4)


def test_forgetting_nothing_is_plain_training_of_both(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise, forget=0.0)
    sum(method.loss(batch, Progress(50, 60)).values()).backward()
    for net in (method.first, method.second):
        found = {name: p.grad.clone() for name, p in net.named_parameters()}
        net.zero_grad()
        soft_cross_entropy(net(as_images(batch.clips[0]), 1)[0], batch.target, batch.weight).backward()
        for name, p in net.named_parameters():
            assert torch.allclose(found[name], p.grad, atol=1e-6), name


def test_the_first_network_answers(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise, forget=0.2)
    before = method(batch.clips[0]).logits
    nn.init.zeros_(method.second.head.weight)
    assert torch.equal(method(batch.clips[0]).logits, before)
    assert torch.equal(before, method.first(as_images(batch.clips[0]), 1)[0])


def test_the_schedule_starts_at_everything_and_ends_at_the_noise_rate() -> None:
    assert [remembered(e, 0.3, 10) for e in (0, 5, 10, 40)] == pytest.approx([1, 0.85, 0.7, 0.7])


@given(losses=st.lists(st.integers(0, 100).map(float), min_size=1, max_size=40), tenths=st.integers(1, 10))
@settings(max_examples=50, deadline=None)
def test_no_row_left_out_is_easier_than_one_chosen(losses: list[float], tenths: int) -> None:
    chosen = small_losses(torch.tensor(losses), tenths / 10).tolist()
    assert len(chosen) == len(set(chosen)) == max(len(losses) * tenths // 10, 1)
    left = [v for i, v in enumerate(losses) if i not in chosen]
    assert not left or max(losses[i] for i in chosen) <= min(left)


@pytest.mark.parametrize("wrong", [{"forget": 1.0}, {"forget": -0.1}, {"ramp": 0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="0 <= forget < 1"):
        CoteachingConfig(**wrong)  # type: ignore[arg-type]
