"""What every registered method has to hold, whatever paper it comes from."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tronie.core import config
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.core.registry import resolve
from tronie.methods.method import Answers, Batch, Method, Progress, TrainingRows, load_state
from tronie.methods.table import METHODS

ROWS, SIDE = 12, 16
LABELS = LabelSet(BASIC7.names)
SMALL: dict[str, dict[str, Any]] = {
    "rdfer": {"width": 16, "hidden": 16, "heads": 4, "dropout": 0.1},
    "sequence": {"width": 16, "hidden": 16, "heads": 4},
}
"""Settings with which large methods learn in seconds."""


class Tiny(nn.Module):
    """The smallest encoder with all that real ones have: statistics of a batch, and a map before the mean."""

    width = 10

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, self.width, 3, stride=2, padding=1)
        self.started = 0

    def maps(self, pixels: Tensor) -> Tensor:
        maps: Tensor = torch.relu(self.conv2(torch.relu(self.norm(self.conv1(pixels / 128 - 1)))))
        return maps

    def forward(self, pixels: Tensor) -> Tensor:
        return self.maps(pixels).mean((2, 3))

    def start(self, faces: Tensor) -> None:
        self.started += 1


def train_rows() -> Manifest:
    names = np.array([f"face{i}" for i in range(ROWS)])
    return Manifest(names, names, np.arange(ROWS) % len(LABELS), LABELS)


def make(name: str, seed: int = 0) -> Method:
    torch.manual_seed(seed)
    kind = resolve(METHODS, name, "method")
    method: Method = kind(LABELS, kind.Config(encoder=Tiny, **SMALL.get(name, {})))
    method.prepare(train_rows(), torch.zeros(4, 3, SIDE, SIDE))
    return method


def clip(frames: int, rows: int = 6, seed: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (rows, frames, 3, SIDE, SIDE), generator=rng, dtype=torch.uint8)


def batch_for(method: Method, frames: int = 1) -> Batch:
    plain, target = clip(frames), torch.eye(len(LABELS))[torch.arange(6)]
    clips = tuple(plain.flip(-1) if view.mirror else plain for view in method.views(train=True))
    return Batch(clips, target, torch.ones(6), torch.tensor([3, 11, 0, 5, 7, 2]))


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(parts.values())).sum()


@pytest.fixture(params=sorted(METHODS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("frames", [1, 3])
def test_answers_have_the_promised_shapes(name: str, frames: int) -> None:
    method = make(name).eval()
    with torch.no_grad():
        output = method(clip(frames))
    assert output.logits.shape == (6, len(LABELS)) and output.feature.shape[0] == 6 and output.feature.ndim == 2
    assert torch.isfinite(output.logits).all() and torch.isfinite(output.feature).all()
    assert output.steps is None or output.steps.shape == (6, frames, len(LABELS))
    assert (output.affect is not None) == method.learns_affect
    assert output.affect is None or (output.affect.shape == (6, 2) and output.affect.abs().max() <= 1)


@pytest.mark.parametrize("frames", [1, 3])
def test_loss_is_finite_and_reaches_every_encoder(name: str, frames: int) -> None:
    method = make(name).train()
    parts = method.loss(batch_for(method, frames), Progress(0, 4))
    assert parts and all(part.ndim == 0 and torch.isfinite(part) for part in parts.values())
    total(parts).backward()
    encoders = [m for m in method.modules() if isinstance(m, Tiny)]
    assert encoders
    for encoder in encoders:
        for key, parameter in encoder.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def test_a_few_steps_lower_the_loss_on_one_batch(name: str) -> None:
    method = make(name).train()
    batch = batch_for(method)
    optimizer = torch.optim.AdamW(method.parameters(), 3e-3)
    labels = batch.target.argmax(1)

    def wrong() -> float:
        """Cross-entropy of the answers: what all methods mean to lower, however their own loss is made."""
        with torch.no_grad():
            return float(nn.functional.cross_entropy(method(batch.clips[0]).logits, labels))

    before = wrong()
    for _ in range(30):
        optimizer.zero_grad()
        total(method.loss(batch, Progress(0, 4))).backward()
        optimizer.step()
    assert wrong() < before


def test_state_comes_back_as_it_was(name: str) -> None:
    method = make(name).train()
    batch = batch_for(method)
    method.loss(batch, Progress(0, 4))
    other = resolve(METHODS, name, "method")(LABELS, method.config)  # not prepared: the state brings its sizes
    load_state(other, copy.deepcopy(method.state_dict()))
    mine, theirs = method.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)
    with torch.no_grad():
        assert torch.equal(method.eval()(clip(1)).logits, other.eval()(clip(1)).logits)


def test_preparing_twice_leads_to_the_same_state(name: str) -> None:
    once, twice = make(name), make(name)
    twice.prepare(train_rows(), torch.zeros(4, 3, SIDE, SIDE))
    mine, theirs = once.state_dict(), twice.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_evaluation_draws_nothing_and_looks_at_each_row_alone(name: str) -> None:
    method = make(name).eval()
    faces = clip(1)
    with torch.no_grad():
        first, again, alone = method(faces), method(faces), method(faces[2:3])
    assert torch.equal(first.logits, again.logits) and torch.equal(first.feature, again.feature)
    assert torch.allclose(first.logits[2:3], alone.logits, atol=1e-5)


def test_equal_seeds_give_equal_losses(name: str) -> None:
    found = []
    for _ in range(2):
        method = make(name).train()
        torch.manual_seed(7)
        found.append({k: v.item() for k, v in method.loss(batch_for(method), Progress(0, 4)).items()})
    assert found[0] == found[1]


def test_the_encoder_is_given_its_start(name: str) -> None:
    encoders = [m for m in make(name).modules() if isinstance(m, Tiny)]
    assert encoders and all(encoder.started == 1 for encoder in encoders)


def test_rows_of_no_weight_leave_the_loss_alone(name: str) -> None:
    """The label of a row that was given weight 0 must not matter: that is how a row is left out."""
    found = []
    for label in (0, 5):
        method = make(name).train()
        batch = batch_for(method)
        target, weight = batch.target.clone(), torch.ones(6)
        target[2], weight[2] = torch.eye(len(LABELS))[label], 0.0
        torch.manual_seed(7)
        parts = method.loss(Batch(batch.clips, target, weight, batch.row), Progress(0, 4))
        found.append(total(parts).item())
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_decisions_name_rows_of_the_training_set(name: str) -> None:
    """After many epochs and against labels that are all wrong; most methods decide nothing."""
    method = make(name).eval()
    target = np.eye(len(LABELS), dtype=np.float32)[np.zeros(ROWS, int)]
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (ROWS, len(LABELS))).astype(np.float32)
    with torch.no_grad():
        width = method(clip(1)).feature.shape[1]
    feature = rng.normal(0, 1, (ROWS, width)).astype(np.float32)

    def predict(row: NDArray[np.int64], draw: int | None = None) -> Answers:
        return Answers(logits[row], feature[row])

    rows = TrainingRows(target, np.ones(ROWS, np.float32), target)
    found = method.refresh(predict, rows, Progress(59, 60))
    if found is None:
        return
    assert len(found.row) == len(found.verdict) == len(found.weight) == len(found.label) == len(found.reason)
    assert len(set(found.row.tolist())) == len(found.row) and ((found.row >= 0) & (found.row < ROWS)).all()
    assert (found.weight >= 0).all() and ((found.label >= -1) & (found.label < len(LABELS))).all() and found.epoch == 59


def test_views_follow_the_settings(name: str) -> None:
    kind = resolve(METHODS, name, "method")
    assert "size" in {f.name for f in dataclasses.fields(kind.Config)}
    method: Method = kind(LABELS, kind.Config(encoder=Tiny, size=64))
    views = method.views(train=False)
    assert views and all(view.size == 64 for view in (*views, *method.views(train=True)))
    assert not any(view.augment for view in views) and not views[0].mirror


def test_settings_are_frozen_and_survive_a_file(name: str) -> None:
    kind = resolve(METHODS, name, "method").Config
    settings = kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.encoder = "other"
    assert config.build(kind, config.as_dict(settings)) == settings
