"""Key-expression re-sampling: the paper's positions, frames against loops, gradients, rules for targets."""

from __future__ import annotations

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tronie.nn.resample import (  # noqa: E402
    How,
    Rule,
    key_distance,
    key_positions,
    key_targets,
    step_to_centre,
    take_frames,
    uniform_frames,
)


@pytest.mark.parametrize(
    ("delta", "wanted"),
    [
        (0.0, [-0.5, 20.8333, 42.1667, 63.5]),
        (-math.log(64 / 3), [30, 31, 32, 33]),
        (-1.0, [19.728, 27.576, 35.424, 43.272]),
        (-3.0, [29.9067, 30.9689, 32.0311, 33.0933]),
    ],
)
def test_the_specs_positions(delta: float, wanted: list[float]) -> None:
    found = key_positions(torch.zeros(1, 1), torch.full((1, 1), delta), 64, 4)
    assert found[0].tolist() == pytest.approx(wanted, abs=5e-3)


def test_positions_come_key_after_key() -> None:
    mu = torch.tensor([[-1.0, 1.0]])
    found = key_positions(mu, torch.full((1, 2), -math.log(64 / 3)), 64, 4)[0].tolist()
    assert found == pytest.approx([-1.5, -0.5, 0.5, 1.5, 61.5, 62.5, 63.5, 64.5], abs=1e-4)


def test_uniform_frames_with_the_releases_offsets() -> None:
    """64 frames, 16 steps: offsets 0, 1 or 2, the last 0; a clip with nothing to choose from stays as it is."""
    clip = torch.arange(64.0).expand(3, 64)[..., None]
    still = uniform_frames(clip, 16)[..., 0]
    assert still[0].tolist() == [i * 63 // 15 for i in range(16)] and (still == still[0]).all()
    offset = torch.cat([uniform_frames(clip, 16, drawn=True)[..., 0] for _ in range(60)]) - still[0]
    assert set(offset[:, :-1].unique().tolist()) == {0.0, 1.0, 2.0} and (offset[:, -1] == 0).all()
    assert torch.equal(uniform_frames(clip[:, :16], 16, drawn=True), clip[:, :16])


def test_targets_map_ends_to_ends() -> None:
    assert step_to_centre(torch.tensor([0, 15]), 16).tolist() == [-1, 1]
    assert float(step_to_centre(torch.tensor(1), 16)) - -1 == pytest.approx(0.1333, abs=1e-3)


@given(place=st.lists(st.floats(0, 11), min_size=1, max_size=6), how=st.sampled_from(["linear", "gaussian", "copy"]))
@settings(max_examples=40, deadline=None)
def test_frames_by_hand(place: list[float], how: How) -> None:
    clip = torch.randn(1, 12, 2, 3, generator=torch.Generator().manual_seed(0))
    found = take_frames(clip, torch.tensor([place]), how, sigma=1.5)[0]
    for got, p in zip(found, torch.tensor(place).tolist(), strict=True):
        if how == "copy":
            wanted = clip[0, math.ceil(p)]
        elif how == "linear":
            low = min(int(p), 10)
            wanted = clip[0, low] * (low + 1 - p) + clip[0, low + 1] * (p - low)
        else:
            near = [math.exp(-((t - p) ** 2) / (2 * 1.5**2)) for t in range(12)]
            wanted = sum(w / sum(near) * clip[0, t] for t, w in enumerate(near))
        assert torch.allclose(got, wanted, atol=1e-4)


def test_whole_positions_give_the_frames_themselves() -> None:
    clip, place = torch.randn(2, 9, 5), torch.tensor([[0.0, 3, 8], [8, 8, 1]])
    for how in ("linear", "copy"):
        found = take_frames(clip, place, how)  # type: ignore[arg-type]
        assert torch.equal(found, torch.stack([clip[i, place[i].long()] for i in range(2)]))


def test_pixels_are_not_made_coarse_by_autocast() -> None:
    clip = torch.arange(250, 256, dtype=torch.uint8).reshape(1, 6, 1)
    with torch.autocast("cpu", torch.bfloat16):
        found = take_frames(clip, torch.tensor([[0.25, 4.5]]))
    assert found[0, :, 0].tolist() == pytest.approx([250.25, 254.5])


def test_the_releases_frames_outside_are_zeros() -> None:
    clip = torch.ones(1, 64, 2)
    raw = key_positions(torch.zeros(1, 1), torch.zeros(1, 1), 64, 4)
    assert take_frames(clip, raw, "copy")[0, :, 0].tolist() == [1, 1, 1, 0]  # 63.5 rounds up to 64
    assert take_frames(clip, raw.clamp(0, 63), "copy")[0, :, 0].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("how", ["linear", "gaussian"])
def test_gradients_reach_centres_and_strides(how: How) -> None:
    torch.manual_seed(2)
    clip = torch.randn(2, 16, 3, dtype=torch.float64, requires_grad=True)
    mu = (torch.rand(2, 3, dtype=torch.float64) - 0.5).requires_grad_()
    delta = (-1.2 - torch.rand(2, 3, dtype=torch.float64)).requires_grad_()

    def sampled(c: torch.Tensor, m: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        return take_frames(c, key_positions(m, d, 16, 4), how)

    assert torch.autograd.gradcheck(sampled, (clip, mu, delta), eps=1e-7, atol=1e-4)
    sampled(clip, mu, delta).square().sum().backward()
    assert mu.grad.abs().min() > 0 and delta.grad.abs().min() > 0


def test_no_gradient_passes_a_copy() -> None:
    mu = torch.zeros(1, 2, requires_grad=True)
    frames = take_frames(torch.randn(1, 8, 2, requires_grad=True), key_positions(mu, mu - 1, 8, 4), "copy")
    frames.sum().backward()
    assert mu.grad is None or mu.grad.abs().sum() == 0


def by_rule(p: list[list[float]], keys: int, rule: Rule, label: int) -> list[int]:
    """Steps that a rule picks of one clip, sorted."""
    steps, classes = len(p), len(p[0])
    if rule == "peaks":
        peak = [max(range(steps), key=lambda t, c=c: p[t][c]) for c in range(classes)]
        best = sorted(range(classes), key=lambda c: -p[peak[c]][c])[:keys]
        return sorted(peak[c] for c in best)
    height = [max(row) if rule == "confidence" else row[label] for row in p]
    return sorted(sorted(range(steps), key=lambda t: -height[t])[:keys])


@pytest.mark.parametrize("rule", ["peaks", "confidence", "label"])
def test_rules_by_hand(rule: Rule) -> None:
    p = torch.randn(30, 16, 7, generator=torch.Generator().manual_seed(1)).mul(2).softmax(2)
    label = torch.arange(30) % 7
    found = key_targets(p, 4, rule, label)
    assert found.shape == (30, 4)
    for row in range(30):
        assert sorted(found[row].tolist()) == by_rule(p[row].tolist(), 4, rule, row % 7)


def test_key_distance_is_the_best_matching() -> None:
    """Sorting both is the cheapest way to pair centres and targets on a line."""
    rng = torch.Generator().manual_seed(3)
    mu, target = (torch.rand(8, 4, generator=rng) * 2 - 1 for _ in range(2))
    for row in range(8):
        wanted = min(
            sum(abs(float(m - t)) for m, t in zip(mu[row], order, strict=True))
            for order in itertools.permutations(target[row])
        )
        assert float(key_distance(mu, target)[row]) == pytest.approx(wanted, abs=1e-5)
