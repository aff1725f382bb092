"""RDFER: the paper's sizes, shapes, loss and defects; where it looks; what looks that disagree lead to."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Answers, Batch, Progress, TrainingRows
from tronie.methods.rdfer import RDFER, RDFERConfig, Stream
from tronie.metrics.actions import Looking
from tronie.nn.resample import uniform_frames

ROWS = 6
SMALL = RDFERConfig(kind="features", inputs=5, frames=64, width=16, hidden=8, heads=4, dropout=0.0)


def make(seed: int = 0, labels: LabelSet = BASIC7, **changes: Any) -> RDFER:
    torch.manual_seed(seed)
    method = RDFER(labels, replace(SMALL, **changes))
    names = np.array([f"clip{i}" for i in range(ROWS)])
    inputs = (68, 2) if method.config.kind == "points" else (5,)
    method.prepare(Manifest(names, names, np.arange(ROWS) % len(labels), labels), torch.randn(4, *inputs))
    return method


def features(rows: int = ROWS, frames: int = 64, seed: int = 1) -> Tensor:
    return torch.randn(rows, frames, 5, generator=torch.Generator().manual_seed(seed))


def batch(clips: int = 1) -> Batch:
    target = torch.eye(7)[torch.tensor([0, 1, 2, 3, 3, 6])]
    weight = torch.tensor([1.0, 2.0, 1.0, 0.5, 0.0, 1.0])
    return Batch(tuple(features(seed=i + 1) for i in range(clips)), target, weight, torch.arange(ROWS))


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("encoder", "wanted"), [("resnet50", 77_486_292), ("resnet18", 51_250_388)])
def test_parameters_are_the_papers(encoder: str, wanted: int) -> None:
    """77.5 M and 51.3 M by the layers' sizes; these are their exact counts."""
    with torch.device("meta"):
        net = RDFER(BASIC7, RDFERConfig(encoder=encoder))
    assert count(net) == wanted
    assert count(net.synopsis.lstm) == 10_502_144 and count(net.synopsis.gate.qkv) == 3 * 1024 * 1024
    assert count(net.synopsis) + count(net.keys) - count(net.detail) == 36 + 1_057_800  # 12 more steps in the pooling


def test_shapes_are_the_papers() -> None:
    """Width 512, 512 a direction, 16 steps and 4 keys, as in the paper, over a small encoder."""

    class Flat(nn.Module):
        width = 3

        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.mean((2, 3))

        def maps(self, pixels: Tensor) -> Tensor:
            return pixels

        def start(self, faces: Tensor) -> None:
            """Nothing to load."""

    net = RDFER(BASIC7, RDFERConfig(encoder=Flat)).eval()  # type: ignore[arg-type]
    asked: list[tuple[int, ...]] = []
    net.synopsis.frames.register_forward_hook(lambda m, i, o: asked.append(tuple(o.shape)))
    net.detail.frames.register_forward_hook(lambda m, i, o: asked.append(tuple(o.shape)))
    with torch.no_grad():
        seen = net.look(net.encode(torch.randint(0, 256, (2, 64, 3, 8, 8), dtype=torch.uint8)))
    assert asked == [(2, 16, 512), (2, 16, 512)]
    assert seen.synopsis is not None and seen.detail is not None and seen.mu is not None and seen.delta is not None
    assert seen.synopsis.steps.shape == (2, 16, 7) and seen.detail.steps.shape == (2, 4, 7)
    assert seen.synopsis.feature.shape == seen.detail.feature.shape == (2, 1024)
    assert seen.mu.shape == seen.delta.shape == (2, 4) and seen.position is not None and seen.position.shape == (2, 16)
    assert seen.answer is seen.detail and (seen.delta <= 0).all() and (seen.mu.abs() < 1).all()


def test_the_keys_tile_the_clip_at_first() -> None:
    net = make().eval()
    with torch.no_grad():
        for layer in (net.keys.centre, net.keys.stride):
            layer.weight.zero_()
        position = net.look(features()).position
    assert position is not None
    assert position[0].tolist() == pytest.approx([1.5 + 4 * i for i in range(16)], abs=1)
    steps = position.diff(dim=1)
    assert (steps > 3).all() and (steps < 5).all()


def test_the_synopsis_is_drawn_in_training_only() -> None:
    net, clip = make(resampling="uniform").eval(), features()
    still, drawn = net.look(clip), [net.look(clip, free=True) for _ in range(2)]
    assert torch.equal(still.answer.logits, net.look(clip).answer.logits)
    assert not torch.equal(drawn[0].answer.logits, drawn[1].answer.logits)


def test_the_detail_is_gated_by_the_synopsis() -> None:
    gated, free = make().eval(), make(channels=False).eval()
    with torch.no_grad():
        nn.init.constant_(gated.keys.channels.bias, -40.0)
        nn.init.zeros_(gated.keys.channels.weight)
        shut, plain = gated.look(features()), free.look(features())
    assert shut.detail is not None and plain.detail is not None
    assert (shut.detail.logits - shut.detail.logits[0]).abs().max() < 1e-5  # nothing but biases passes a shut gate
    assert (plain.detail.logits - plain.detail.logits[0]).abs().max() > 1e-4


def test_the_loss_by_hand() -> None:
    net, rows = make(smoothing=0.1, target="label", key=0.2).eval(), batch()
    torch.manual_seed(5)
    parts = {k: v.item() for k, v in net.loss(rows, Progress(0, 4)).items()}
    torch.manual_seed(5)
    seen = net.look(rows.clips[0], free=True)
    assert seen.synopsis is not None and seen.detail is not None and seen.mu is not None
    target, weight = rows.target * 0.9 + 0.1 / 7, rows.weight.tolist()

    def mean(each: list[float]) -> float:
        return sum(w * v for w, v in zip(weight, each, strict=True)) / sum(weight)

    def ce(logits: Tensor, row: int) -> float:
        return -float((target[row] * logits.detach().log_softmax(0)).sum())

    r = range(ROWS)
    assert parts["ce"] == pytest.approx(mean([ce(seen.detail.logits[i], i) for i in r]), rel=1e-4)
    assert parts["coarse"] == pytest.approx(0.1 * mean([ce(seen.synopsis.logits[i], i) for i in r]), rel=1e-4)
    for name, steps in (("steps", seen.synopsis.steps), ("keys", seen.detail.steps)):
        each = [sum(ce(s, i) for s in steps[i]) / steps.shape[1] for i in r]
        assert parts[name] == pytest.approx(0.1 * mean(each), rel=1e-4)
    gaps = []
    for i, label in enumerate(rows.target.argmax(1).tolist()):
        p = seen.synopsis.steps[i].softmax(1)[:, label].tolist()
        best = sorted(sorted(range(16), key=lambda t: -p[t])[:4])
        gaps.append(sum(abs(m - (t / 15 - 0.5) * 2) for m, t in zip(sorted(seen.mu[i].tolist()), best, strict=True)))
    assert parts["centres"] == pytest.approx(0.2 * mean(gaps), rel=1e-4) and len(parts) == 5


def test_the_release_only_when_asked() -> None:
    """Double soft-max over the bag, no key loss, no smoothing, copies out of the clip, noise at evaluation."""
    net, rows = make(faithful=True).eval(), batch()
    torch.manual_seed(5)
    parts = net.loss(rows, Progress(0, 4))
    torch.manual_seed(5)
    seen = net.look(rows.clips[0], free=True)
    assert seen.detail is not None and "centres" not in parts
    each = [
        -float(seen.detail.steps[i].softmax(1).log_softmax(1)[:, int(rows.target[i].argmax())].mean()) / 4
        for i in range(ROWS)
    ]
    wanted = 0.1 * sum(w * e for w, e in zip(rows.weight.tolist(), each, strict=True)) / float(rows.weight.sum())
    assert parts["keys"].item() == pytest.approx(wanted, rel=1e-4)
    sum(parts.values(), torch.zeros(())).backward()
    assert net.keys.centre.weight.grad is None and net.keys.stride.weight.grad is None
    torch.manual_seed(1)
    answers = [net(features()).logits for _ in range(4)]
    assert any(not torch.equal(answers[0], other) for other in answers[1:])


def test_gradients_reach_the_keys_through_the_frames() -> None:
    net = make(key=0.0, dropout=0.0)
    net.loss(batch(), Progress(0, 4))["ce"].backward()
    assert net.keys.centre.weight.grad.abs().sum() > 0 and net.keys.stride.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"streams": "synopsis"},
        {"streams": "detail"},
        {"resampling": "uniform"},
        {"resampling": "random"},
        {"resampling": "peak"},
        {"target": "none"},
        {"locate": "steps"},
        {"mix": "gaussian", "sigma": 2.0},
        {"frames": 16, "synopsis": 8, "keys": 2, "segment": 4},
        {"kind": "points", "inputs": 68},
    ],
)
def test_every_part_can_be_left_out(changes: dict[str, Any]) -> None:
    net = make(**changes)
    clip = features(frames=net.config.frames)
    if net.config.kind == "points":
        clip = torch.randn(ROWS, 64, 68, 2)
    rows = replace(batch(), clips=(clip,))
    parts = net.train().loss(rows, Progress(0, 4))
    torch.stack(list(parts.values())).sum().backward()
    used = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    streams = [name for name, module in net.named_children() if isinstance(module, Stream)]
    assert streams and all(any(name.startswith(stream) for name in used) for stream in streams)
    net.eval()
    with torch.no_grad():
        first, again = net(clip), net(clip)
    assert torch.equal(first.logits, again.logits) and first.logits.shape == (ROWS, 7)
    assert net.draw_view().jitter and not net.draw_view().augment and net.draw_view().frames == 16


def test_where_the_detail_looks() -> None:
    torch.manual_seed(0)
    clip = features()
    uniform = make(resampling="uniform").eval().look(clip).position
    assert uniform is not None and uniform[0].tolist() == [i * 63 // 15 for i in range(16)]
    net = make(resampling="peak").eval()
    seen = net.look(clip)
    assert seen.synopsis is not None and seen.position is not None
    best = seen.synopsis.steps.softmax(2).amax(2).topk(4).indices.sort(1).values
    centre = seen.position.unflatten(1, (4, 4)).mean(2)
    inside = (seen.position > 0).all(1) & (seen.position < 63).all(1)
    assert torch.allclose(centre[inside], best[inside] * 63 / 15, atol=1e-3)
    random = make(resampling="random").eval()
    one, other = random.look(clip).position, random.look(clip, free=True).position
    assert one is not None and other is not None and torch.equal(one, random.look(clip).position)
    assert (one == one[0]).all() and not (other == other[0]).all()


def test_hard_rows_alone_have_to_be_consistent() -> None:
    net, rows = make(consistency=0.5, looking=Looking(looks=5)), batch(2)
    assert make(consistency=0.5).hard(rows.row).tolist() == [0] * ROWS  # nothing was ever looked at
    assert len(net.views(True)) == 2 and len(net.views(False)) == 1
    assert net.loss(rows, Progress(0, 4))["consistency"].item() == 0
    net.eval().verdict[1] = 1
    torch.manual_seed(3)
    found = net.loss(rows, Progress(1, 4))["consistency"].item()
    torch.manual_seed(3)
    p, q = (net.look(c, free=True).answer.logits[1].softmax(0).tolist() for c in rows.clips)
    kl = sum(a * math.log(a / b) + b * math.log(b / a) for a, b in zip(p, q, strict=True)) / 2
    assert found == pytest.approx(0.5 * 2 / 4 * 2.0 * kl / float(rows.weight.sum()), rel=1e-3)


def test_looks_that_agree_against_the_label_drop_the_row() -> None:
    """Row 0 is read as labelled, row 1 always otherwise, row 2 differently from look to look."""
    net = make(looking=Looking(looks=5, warmup=2, every=2, keep=0.0, cap=1.0))
    said = np.array([[0, 3, 2], [0, 3, 1], [0, 3, 0], [0, 3, 2], [0, 3, 5]])
    asked: list[int | None] = []

    def predict(row: NDArray[np.int64], draw: int | None = None) -> Answers:
        asked.append(draw)
        assert draw is not None
        logits = (8 * np.eye(7)[np.append(said[draw], [0, 1, 2])][row]).astype(np.float32)
        return Answers(logits, np.zeros((len(row), 2), np.float32))

    given = np.eye(7, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    rows = TrainingRows(given, np.ones(6, np.float32), given)
    assert net.refresh(predict, rows, Progress(0, 10)) is None and not asked and net.epoch_end(Progress(0, 10)) == {}
    found = net.refresh(predict, rows, Progress(1, 10))
    assert found is not None and asked == [0, 1, 2, 3, 4]
    assert found.row.tolist() == [1, 2] and found.verdict.tolist() == ["noisy", "hard"]
    assert found.weight.tolist() == pytest.approx([0.0, 1 + 1 - 0.4], rel=1e-5) and found.label.tolist() == [-1, -1]
    by_label = dict(zip((f"noisy {name}" for name in BASIC7.names[:3]), (0, 1 / 2, 0), strict=True))
    shares = {"clean": 4 / 6, "hard": 1 / 6, "noisy": 1 / 6}
    assert net.epoch_end(Progress(1, 10)) == pytest.approx(shares | by_label)
    assert net.hard(torch.tensor([2, 1])).tolist() == [1, 0]


def test_centres_by_steps_follow_the_step_that_matters() -> None:
    net = make(locate="steps").eval()
    with torch.no_grad():
        even = net.look(features()).mu
        nn.init.zeros_(net.keys.centre.weight)
        net.keys.centre.weight[:, 0] = 1.0
        read = net.synopsis(uniform_frames(features(), 16))
        for step in (0, 5, 15):
            read.hidden.zero_()
            read.hidden[:, step, 0] = 100.0
            assert torch.allclose(net.keys(read)[0], torch.tensor(step / 15 * 2 - 1), atol=1e-4)
    assert even is not None and even.abs().max() < 0.1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"each": 1}, "each >= 2"), ({"synopsis": 18}, "segments of 4"), ({"inputs": 0}, "config.inputs")],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        replace(SMALL, **wrong)


def test_more_keys_than_labels_need_another_rule() -> None:
    two = LabelSet(("happiness", "neutral"))
    with pytest.raises(SettingError, match="target=confidence"):
        make(labels=two)
    assert make(labels=two, target="confidence").eval()(features()).logits.shape == (6, 2)
