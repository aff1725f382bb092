"""The baselines for video: every pool learns an order it can see, and none that it cannot."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Progress
from tronie.methods.sequence import Sequence, SequenceConfig
from tronie.nn.pooling import Pool, Statistics

LABELS = LabelSet(("happiness", "sadness"))


def make(pool: Pool, **changes: int) -> Sequence:
    torch.manual_seed(0)
    settings = {"inputs": 4, "frames": 8, "width": 16, "hidden": 8, "heads": 2} | changes
    method = Sequence(LABELS, SequenceConfig(pool, "features", dropout=0.0, drop=0.0, **settings))  # type: ignore[arg-type]
    names = np.array(["a", "b"])
    method.prepare(Manifest(names, names, np.array([0, 1]), LABELS), torch.randn(2, 4))
    return method


@pytest.mark.parametrize("pool", get_args(Pool))
def test_every_pool_learns(pool: Pool) -> None:
    """Whether a bump is high or low: all can see that; whether it is early or late: those that know an order."""
    method = make(pool).train()
    rng = torch.Generator().manual_seed(1)
    for early_or_late in (False, True):
        if early_or_late and pool in ("statistics", "mean"):
            continue
        clip, label = 0.1 * torch.randn(32, 8, 4, generator=rng), torch.arange(32) % 2
        for row in range(32):
            where = slice(0, 3) if not early_or_late or label[row] else slice(5, 8)
            clip[row, where] += 1.0 if early_or_late or label[row] else -1.0
        optimizer = torch.optim.AdamW(method.parameters(), 1e-2)
        batch = Batch((clip,), torch.eye(2)[label], torch.ones(32), torch.arange(32))
        for _ in range(30):
            optimizer.zero_grad()
            method.loss(batch, Progress(0, 1))["ce"].backward()
            optimizer.step()
        assert (method(clip).logits.argmax(1) == label).float().mean() > 0.9
    method.eval()
    assert torch.allclose(method(clip).logits[:1], method(clip[:1]).logits, atol=1e-5)


def test_the_mean_knows_no_order() -> None:
    method, clip = make("mean").eval(), torch.randn(3, 8, 4)
    assert torch.allclose(method(clip).logits, method(clip.flip(1)).logits, atol=1e-5)


def test_statistics_by_hand() -> None:
    net, x = Statistics(3).eval(), torch.randn(2, 7, 3)
    for row in range(2):
        for d in range(3):
            values = x[row, :, d].tolist()
            mean = sum(values) / 7
            wanted = [mean, (sum((v - mean) ** 2 for v in values) / 7) ** 0.5, sum(map(abs, values)) / 7]
            assert net(x)[row, [d, 3 + d, 6 + d]].tolist() == pytest.approx(wanted, abs=1e-4)


def test_views_ask_for_clips() -> None:
    method = make("bilstm")
    train, test, draw = *method.views(True), *method.views(False), method.draw_view()
    assert train.augment and train.jitter and train.kind == "features" and train.frames == 8
    assert not test.varied and draw.jitter and not draw.augment


@pytest.mark.parametrize(
    "wrong", [{"pool": "m3dfel", "frames": 6}, {"kind": "points"}, {"pool": "statistics", "kind": "pixels"}]
)
def test_impossible_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingError):
        SequenceConfig(**wrong)  # type: ignore[arg-type]
