"""Self-Cure Network: rank regularisation, weighted cross-entropy and relabelling against loops written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.methods.method import Answers, Batch, Progress, TrainingRows
from tronie.methods.scn import SCN, SCNConfig, doubted, rank_regularisation


@pytest.fixture
def scn(pointwise: type[nn.Module]) -> SCN:
    return SCN(BASIC7, SCNConfig(encoder=pointwise)).train()  # type: ignore[arg-type]


@given(alpha=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=30), margin=st.floats(0, 0.5))
@settings(max_examples=50, deadline=None)
def test_rank_regularisation_by_hand(alpha: list[float], margin: float) -> None:
    ordered = sorted(alpha, reverse=True)
    count = min(max(len(alpha) * 7 // 10, 1), len(alpha) - 1)
    high, low = ordered[:count], ordered[count:]
    wanted = max(0.0, margin - (sum(high) / len(high) - sum(low) / len(low)))
    assert rank_regularisation(torch.tensor(alpha), 0.7, margin).item() == pytest.approx(wanted, abs=1e-5)


def test_rank_regularisation_raises_the_top_and_lowers_the_rest() -> None:
    alpha = torch.tensor([0.5, 0.52, 0.51, 0.5, 0.49], requires_grad=True)
    rank_regularisation(alpha, 0.6, 0.15).backward()
    assert [int(v) for v in alpha.grad.sign()] == [-1, -1, -1, 1, 1]  # descent moves against the sign; ties in order


def test_one_row_cannot_be_ranked() -> None:
    alpha = torch.tensor([0.4], requires_grad=True)
    loss = rank_regularisation(alpha, 0.7, 0.15)
    loss.backward()
    assert loss.item() == 0 and alpha.grad.item() == 0


def test_the_loss_by_hand(scn: SCN, batch: Batch) -> None:
    feature = scn.net.feature(batch.clips[0].flatten(0, 1).float(), 1).detach()
    plain = scn.net.head(feature).detach().tolist()
    alpha = [1 / (1 + math.exp(-v)) for v in scn.attention(feature)[:, 0].tolist()]
    assert all(0 < a < 1 for a in alpha)
    total = 0.0
    for a, z, wanted, weight in zip(alpha, plain, batch.target.tolist(), batch.weight.tolist(), strict=True):
        norm = sum(math.exp(a * v) for v in z)
        total += weight * -sum(t * math.log(math.exp(a * v) / norm) for t, v in zip(wanted, z, strict=True))
    parts = scn.loss(batch, Progress(0, 1))
    assert parts["wce"].item() == pytest.approx(0.5 * total / float(batch.weight.sum()), rel=1e-4)
    ordered = sorted(alpha, reverse=True)
    gap = sum(ordered[:4]) / 4 - sum(ordered[4:]) / 2
    assert parts["rank"].item() == pytest.approx(0.5 * max(0, 0.15 - gap), abs=1e-6)


def test_importance_flattens_the_answer_but_does_not_change_it(scn: SCN, batch: Batch) -> None:
    before = scn(batch.clips[0]).logits
    nn.init.constant_(scn.attention.bias, -3.0)
    after = scn(batch.clips[0]).logits
    assert torch.equal(before.argmax(1), after.argmax(1))
    assert (torch.softmax(after, 1).amax(1) < torch.softmax(before, 1).amax(1)).all()


def test_doubted_by_hand() -> None:
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(4) * 0.5, 50).astype(np.float32)
    held, alpha = rng.integers(0, 4, 50), rng.random(50).astype(np.float32)
    wanted = []
    for i in range(50):
        better = sum(alpha[j] > alpha[i] for j in range(50))
        if better >= 35 and max(p[i]) - p[i][held[i]] > 0.2:
            wanted.append(i)
    assert wanted and doubted(p, held, alpha, 0.7, 0.2).tolist() == wanted


def rows_of(target: NDArray[np.float32]) -> TrainingRows:
    return TrainingRows(target, np.ones(len(target), np.float32), target)


def test_relabels_the_unimportant_and_disbelieved_only(scn: SCN) -> None:
    """Ten rows, all disbelieved; the attention finds rows 2, 5 and 8 least important."""
    with torch.no_grad():
        scn.attention.weight.zero_()
        scn.attention.weight[0, 0] = 1.0
        scn.attention.bias.zero_()
    feature = np.zeros((10, 6), np.float32)
    feature[:, 0] = 2.0
    feature[[2, 5, 8], 0] = -2.0
    logits = np.zeros((10, 7), np.float32)
    logits[:, 4] = 5.0
    asked: list[int] = []

    def predict(row: NDArray[np.int64]) -> Answers:
        asked.extend(row.tolist())
        return Answers(logits[row], feature[row])

    rows = rows_of(np.eye(7, dtype=np.float32)[np.zeros(10, int)])
    assert scn.refresh(predict, rows, Progress(8, 40)) is None and not asked, "nine epochs are too early to ask"
    found = scn.refresh(predict, rows, Progress(9, 40))
    assert found is not None and asked == list(range(10))
    assert found.row.tolist() == [2, 5, 8] and found.label.tolist() == [4, 4, 4] and found.weight.tolist() == [1, 1, 1]
    assert set(found.verdict.tolist()) == {"relabel"} and found.epoch == 9
    assert found.reason[0] == "importance 0.12, P 0.96 against 0.01"


def test_a_relabelled_row_that_is_believed_is_left_alone(scn: SCN) -> None:
    logits = np.zeros((10, 7), np.float32)
    logits[:, 4] = 5.0
    rows = rows_of(np.eye(7, dtype=np.float32)[np.full(10, 4)])
    found = scn.refresh(lambda row: Answers(logits[row], np.zeros((10, 6), np.float32)[row]), rows, Progress(9, 40))
    assert found is not None and len(found.row) == 0


@pytest.mark.parametrize("wrong", [{"top": 0.0}, {"top": 1.0}, {"rank": 2.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="0 < top < 1"):
        SCNConfig(**wrong)  # type: ignore[arg-type]
