"""Multi-task learning: each part of the loss is taken over the rows that carry its labels, and both are learnt."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tronie.core.labels import LabelSet
from tronie.methods.affect import Multitask, MultitaskConfig
from tronie.methods.method import Batch, Progress
from tronie.methods.sequence import Sequence, SequenceConfig
from tronie.nn.losses import concordance_loss, rated_square, smooth, soft_cross_entropy

LABELS = LabelSet(("happiness", "sadness", "neutral"))
START = Progress(0, 1)
NONE = float("nan")
PLAIN = {"pool": "mean", "kind": "features", "inputs": 5, "frames": 4, "width": 16, "dropout": 0.0, "drop": 0.0}


def make(**changes: object) -> Multitask:
    torch.manual_seed(0)
    return Multitask(LABELS, MultitaskConfig(**{**PLAIN, **changes}))  # type: ignore[arg-type]


def batch(rows: int = 6, labelled: int = 3, seed: int = 1) -> Batch:
    """The first rows are labelled, the last five of them rated: some carry both."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.eye(3)[torch.arange(rows) % 3]
    target[labelled:] = 0
    affect = torch.rand(rows, 2, generator=rng) * 2 - 1
    affect[: rows - 5] = NONE
    clip = torch.randn(rows, 4, 5, generator=rng)
    return Batch((clip,), target, torch.rand(rows, generator=rng) + 0.5, torch.arange(rows), affect)


def test_the_loss_is_the_sum_of_its_parts_over_the_rows_that_carry_them() -> None:
    method, given = make(smoothing=0.2, concordance=2.0, square=0.3).train(), batch()
    output, affect = method(given.clips[0]), given.affect
    assert affect is not None
    parts = method.loss(given, START)
    named = slice(0, 3)
    wanted = soft_cross_entropy(output.logits[named], smooth(given.target[named], 0.2), given.weight[named])
    assert parts["ce"].item() == pytest.approx(wanted.item(), rel=1e-5)
    ratings = concordance_loss(output.affect, affect, given.weight)
    assert parts["concordance"].item() == pytest.approx(2 * ratings.item(), rel=1e-5)
    assert parts["square"].item() == pytest.approx(
        0.3 * rated_square(output.affect, affect, given.weight).item(), rel=1e-5
    )
    assert not torch.isnan(torch.stack(list(parts.values()))).any()


def gradient(method: Multitask, given: Batch) -> dict[str, Tensor]:
    method.zero_grad()
    torch.stack(list(method.loss(given, START).values())).sum().backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


def test_rows_without_a_label_do_not_push_the_classes_and_rows_without_ratings_not_the_ratings() -> None:
    method = make(smoothing=0.3).train()
    unlabelled, unrated = batch(labelled=0), batch(labelled=6)
    found = gradient(method, unlabelled)
    assert found["head.weight"].abs().max() == 0 and found["head.bias"].abs().max() == 0
    assert found["rating.weight"].abs().max() > 0
    for affect in (None, torch.full((6, 2), NONE)):
        none = Batch(unrated.clips, unrated.target, unrated.weight, unrated.row, affect)
        found = gradient(method, none)
        assert found["head.weight"].abs().max() > 0
        assert "rating.weight" not in found or found["rating.weight"].abs().max() == 0


def test_answers_lie_in_their_range_and_have_their_shapes() -> None:
    method = make().eval()
    output = method(100 * torch.randn(7, 4, 5))
    assert output.affect is not None and output.affect.shape == (7, 2) and output.affect.abs().max() <= 1
    assert output.logits.shape == (7, 3) and output.feature.shape == (7, 16) and method.learns_affect


def test_it_pools_as_sequence_does_and_names_its_weights_alike() -> None:
    """Weights of a run of the method sequence fit, so that it can be gone on from."""
    other = Sequence(LABELS, SequenceConfig(**PLAIN))  # type: ignore[arg-type]
    mine = make().state_dict()
    assert {name for name in mine if name not in other.state_dict()} == {"rating.weight", "rating.bias"}
    assert all(mine[name].shape == value.shape for name, value in other.state_dict().items())


@pytest.mark.parametrize("pool", ["mean", "statistics", "bilstm"])
def test_both_are_learnt_from_rows_that_carry_one_of_them(pool: str) -> None:
    """The level of the first number tells the label, of the second and third the ratings."""
    method = make(pool=pool, hidden=8, layers=1, smoothing=0.0).train()
    rng = torch.Generator().manual_seed(3)
    level = torch.rand(48, 2, generator=rng) * 2 - 1
    label = torch.arange(48) % 3
    clip = 0.1 * torch.randn(48, 4, 5, generator=rng)
    clip[:, :, 0] += label[:, None] - 1.0
    clip[:, :, 1:3] += level[:, None]
    named = torch.arange(48) < 24
    given = Batch(
        (clip,),
        torch.eye(3)[label] * named[:, None],
        torch.ones(48),
        torch.arange(48),
        torch.where(named[:, None], torch.nan, 0.8 * level),
    )
    optimizer = torch.optim.AdamW(method.parameters(), 1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        torch.stack(list(method.loss(given, START).values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    output = method(clip)
    assert output.affect is not None
    # Those that carried no label, and those that carried no rating, were learnt from the others.
    assert (output.logits.argmax(1) == label)[~named].float().mean() > 0.9
    assert concordance_loss(output.affect[named], 0.8 * level[named]).item() < 0.15


@pytest.mark.parametrize("wrong", [{"concordance": -1.0}, {"square": -0.1}])
def test_impossible_weights_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights of 0 or more"):
        make(**wrong)
