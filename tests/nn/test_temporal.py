"""What looks along time, against loops written by hand; photo networks keep their names under temporal shift."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from tronie.core.errors import SettingError  # noqa: E402
from tronie.nn.encoders.resnet import HalfResNet18, ResNet18, ResNet50  # noqa: E402
from tronie.nn.encoders.weights import load_weights  # noqa: E402
from tronie.nn.temporal import (  # noqa: E402
    AttentionGate,
    BiLSTM,
    ConvPool,
    ShiftedConv2d,
    Transformer,
    shifted,
    temporal_shift,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize(("shape", "segment"), [((8, 16, 2, 3), 4), ((12, 19), 3), ((5, 8), 1)])
def test_shift_by_hand(shape: tuple[int, ...], segment: int) -> None:
    x = torch.randn(shape)
    frames, channels = shape[:2]
    wanted, fold = torch.zeros_like(x), channels // 8
    for t in range(frames):
        for c in range(channels):
            step = 1 if c < fold else -1 if c < 2 * fold else 0
            source = t + step
            if source // segment == t // segment and 0 <= source < frames:
                wanted[t, c] = x[source, c]
    assert torch.equal(temporal_shift(x, segment), wanted)


def test_shift_moves_an_eighth_each_way() -> None:
    x = torch.arange(4.0)[:, None].expand(4, 16) + 1
    y = temporal_shift(x, 4)
    assert y[:, :2].tolist() == [[2, 2], [3, 3], [4, 4], [0, 0]]
    assert y[:, 2:4].tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]] and torch.equal(y[:, 4:], x[:, 4:])


@pytest.mark.parametrize("kind", [ResNet18, ResNet50])
def test_names_stay_those_of_the_photo_network(kind: type[nn.Module]) -> None:
    before = {k: v.shape for k, v in kind().state_dict().items()}
    encoder = shifted(kind(), 4)  # type: ignore[arg-type]
    assert {k: v.shape for k, v in encoder.state_dict().items()} == before  # type: ignore[attr-defined]
    shifts = [n for n, m in encoder.named_modules() if isinstance(m, ShiftedConv2d)]  # type: ignore[attr-defined]
    assert len(shifts) == (8 if kind is ResNet18 else 16) and all(n.endswith(".conv1") and "layer" in n for n in shifts)


def test_resnet50_is_torchvisions() -> None:
    state = ResNet50().state_dict()
    assert sum(p.numel() for p in ResNet50().parameters()) == 25_557_032 - 2048 * 1000 - 1000
    assert len(state) == 320 - 2  # without fc.weight and fc.bias
    shapes = {
        "layer1.0.conv1.weight": (64, 64, 1, 1),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer4.2.bn3.running_var": (2048,),
    }
    assert {name: state[name].shape for name in shapes} == shapes


def test_weights_of_a_photo_network_load(tmp_path: Path) -> None:
    source = HalfResNet18()
    torch.save({"state_dict": {f"module.{k}": v for k, v in source.state_dict().items()}}, tmp_path / "face.pt")
    target = shifted(HalfResNet18(), 4)
    assert isinstance(target, nn.Module)
    load_weights(target, tmp_path / "face.pt")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))
    frame = torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        still, alone = target.eval()(frame.expand(4, -1, -1, -1)), source.eval()(frame)
    assert not torch.allclose(still[0], still[1], atol=1e-4)  # ends of a segment see zeros
    assert not torch.allclose(still[1], alone[0], atol=1e-6) or torch.allclose(still[1], still[2])


def test_segments_do_not_see_each_other() -> None:
    encoder = shifted(HalfResNet18(), 4)
    assert isinstance(encoder, nn.Module)
    frames = torch.rand(8, 3, 48, 48) * 255
    with torch.no_grad():
        both, first = encoder.eval()(frames), encoder(frames[:4])
        other = encoder(torch.cat([frames[:3], frames[:1], frames[4:]]))
    assert torch.allclose(both[:4], first, atol=1e-4) and torch.allclose(both[4:], other[4:], atol=1e-4)
    assert not torch.allclose(both[2], other[2], atol=1e-4)


def test_segment_of_one_changes_nothing() -> None:
    assert not any(isinstance(m, ShiftedConv2d) for m in shifted(HalfResNet18(), 1).modules())  # type: ignore[attr-defined]


def lstm_by_hand(x: Tensor, weights: list[Tensor]) -> Tensor:
    """One direction of one layer: ``(t, d)`` → ``(t, h)``, gates in the order i, f, g, o."""
    w, u, b, c = weights
    size = u.shape[1]
    h, state, out = torch.zeros(size), torch.zeros(size), []
    for step in x:
        i, f, g, o = (w @ step + b + u @ h + c).split(size)
        state = torch.sigmoid(f) * state + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(state)
        out.append(h)
    return torch.stack(out)


def test_bilstm_by_hand() -> None:
    net, x = BiLSTM(3, 4, 2), torch.randn(2, 5, 3)
    lstm = net.lstm
    for row in range(2):
        y = x[row]
        for layer in range(2):
            sides = []
            for back in ("", "_reverse"):
                names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                weights = [getattr(lstm, f"{name}_l{layer}{back}") for name in names]
                sides.append(lstm_by_hand(y.flip(0), weights).flip(0) if back else lstm_by_hand(y, weights))
            y = torch.cat(sides, 1)
        assert torch.allclose(net(x)[row], y, atol=1e-5)


def test_gate_by_hand() -> None:
    net, x = AttentionGate(8, 2), torch.randn(3, 5, 8)
    nn.init.normal_(net.norm.weight)
    nn.init.normal_(net.norm.bias)
    w = net.qkv.weight.detach()
    for row in range(3):
        parts = []
        for head in range(2):
            q, k, v = (x[row] @ w[8 * n + 4 * head : 8 * n + 4 * head + 4].T for n in range(3))
            out = []
            for i in range(5):
                score = [math.exp(float(q[i] @ k[j]) / math.sqrt(4)) for j in range(5)]
                out.append(sum(s / sum(score) * v[j] for j, s in enumerate(score)))
            parts.append(torch.stack(out))
        a = torch.cat(parts, 1)
        normed = (a - a.mean(1, keepdim=True)) / (a.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        wanted = x[row] * torch.sigmoid(normed * net.norm.weight + net.norm.bias)
        assert torch.allclose(net(x)[row], wanted, atol=1e-5)
    assert net.qkv.bias is None and (net(x).abs() <= x.abs()).all()


def test_conv_pool_by_hand() -> None:
    net, x = ConvPool(4), torch.randn(2, 4, 6)
    weight, bias = net.conv.weight.detach()[0], net.conv.bias.item()  # type: ignore[union-attr]
    for row in range(2):
        for i in range(6):
            near = [(j, i + j - 1) for j in range(3) if 0 <= i + j - 1 < 6]
            wanted = bias + sum(float(weight[s, j] * x[row, s, p]) for s in range(4) for j, p in near)
            assert float(net(x)[row, i]) == pytest.approx(wanted, abs=1e-5)


def test_transformer_knows_the_order_and_takes_shorter_clips() -> None:
    net, x = Transformer(8, 6, 2, 2, 16).eval(), torch.randn(2, 6, 8)
    with torch.no_grad():
        assert net(x).shape == (2, 6, 8) and net(x[:, :3]).shape == (2, 3, 8)
        assert not torch.allclose(net(x).mean(1), net(x.flip(1)).mean(1), atol=1e-4)


def test_numbers_that_do_not_go_together_are_said() -> None:
    for made in (lambda: AttentionGate(12, 5), lambda: AttentionGate(12, 0), lambda: Transformer(12, 4, 1, 7, 24)):
        with pytest.raises(SettingError, match="heads that divide 12"):
            made()
    with pytest.raises(SettingError, match="layers \\(0\\) of 1 or more"):
        BiLSTM(12, 6, 0)
