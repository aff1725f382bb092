"""Erasing attention consistency against loops over every class and place, and its zero."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.methods.eac import EAC, EACConfig, activation_maps, erased, flip_gap
from tronie.methods.method import Batch, Progress, as_images
from tronie.nn.losses import soft_cross_entropy


@pytest.fixture
def sides(batch: Batch) -> Batch:
    """The batch with the view that EAC asks for besides: the mirror image."""
    return replace(batch, clips=(batch.clips[0], batch.clips[0].flip(-1)))


def make(pointwise: type[nn.Module], **settings: float) -> EAC:
    return EAC(BASIC7, EACConfig(encoder=pointwise, **settings)).train()  # type: ignore[arg-type]


def test_maps_and_gap_by_hand() -> None:
    rng = torch.Generator().manual_seed(1)
    maps, other = torch.rand(2, 3, 2, 4, generator=rng), torch.rand(2, 3, 2, 4, generator=rng)
    weight = torch.randn(5, 3, generator=rng)
    total = 0.0
    for n in range(2):
        for j in range(5):
            for y in range(2):
                for x in range(4):
                    here = sum(weight[j, c] * maps[n, c, y, x] for c in range(3))
                    there = sum(weight[j, c] * other[n, c, y, 3 - x] for c in range(3))
                    total += float(here - there) ** 2
    found = flip_gap(activation_maps(maps, weight), activation_maps(other, weight))
    assert found.item() == pytest.approx(total / (2 * 5 * 2 * 4), rel=1e-5)


def test_the_mean_of_a_class_map_is_its_logit(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise)
    maps = method.net.encoder.maps(as_images(batch.clips[0]))
    means = activation_maps(maps, method.net.head.weight).mean((2, 3)) + method.net.head.bias
    assert torch.allclose(means, method(batch.clips[0]).logits, atol=1e-5)


def test_flip_consistent_maps_cost_nothing(pointwise: type[nn.Module], sides: Batch) -> None:
    parts = make(pointwise, erase=0.0).loss(sides, Progress(0, 1))
    assert parts["flip"].item() == pytest.approx(0, abs=1e-12)
    assert parts["ce"].item() > 0


def test_erasing_one_side_breaks_the_consistency(pointwise: type[nn.Module], sides: Batch) -> None:
    method, stricter = make(pointwise, erase=1.0), make(pointwise, erase=1.0, consistency=10.0)
    stricter.load_state_dict(method.state_dict())
    found = []
    for each in (method, stricter):
        torch.manual_seed(0)  # both erase the same rectangles
        found.append(each.loss(sides, Progress(0, 1))["flip"].item())
    assert found[0] > 0 and found[1] == pytest.approx(2 * found[0], rel=1e-5)


def test_the_head_learns_from_the_label_alone(pointwise: type[nn.Module], sides: Batch) -> None:
    method = make(pointwise, erase=1.0)
    method.loss(sides, Progress(0, 1))["flip"].backward()
    assert method.net.head.weight.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.net.encoder.parameters())


def test_without_erasing_the_label_part_is_plain_cross_entropy(pointwise: type[nn.Module], sides: Batch) -> None:
    method = make(pointwise, erase=0.0)
    wanted = soft_cross_entropy(method(sides.clips[0]).logits, sides.target, sides.weight)
    assert method.loss(sides, Progress(0, 1))["ce"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_it_asks_for_a_picture_and_its_mirror_image(pointwise: type[nn.Module]) -> None:
    method = make(pointwise, size=64)
    plain, mirrored = method.views(train=True)
    assert plain.augment and not plain.mirror and mirrored == replace(plain, mirror=True) and plain.size == 64
    assert method.views(train=False) == (replace(plain, augment=False),)


def test_a_map_of_one_place_is_refused(pointwise: type[nn.Module], sides: Batch) -> None:
    small = replace(sides, clips=tuple(clip[..., :4, :4] for clip in sides.clips))
    with pytest.raises(SettingError, match="sees one place at 112 px"):
        make(pointwise).loss(small, Progress(0, 1))


def test_a_rectangle_of_the_right_size_gets_the_mean_colour() -> None:
    torch.manual_seed(2)
    images = torch.rand(300, 3, 40, 40) * 255
    found = erased(images, 1.0)
    changed = (found != images).any(1)
    shares = changed.float().mean((1, 2))
    assert shares.min() > 0.012 and shares.max() < 0.27  # 2 to 25 %, sides rounded to pixels
    assert shares.max() > 0.2 and shares.min() < 0.03, "the whole range occurs"
    for image, after, hole in zip(images[:20], found[:20], changed[:20], strict=True):
        y, x = torch.nonzero(hole, as_tuple=True)
        inside = after[:, y.min() : y.max() + 1, x.min() : x.max() + 1]
        assert hole.sum() == inside[0].numel(), "what changed is one full rectangle"
        assert torch.allclose(inside, image.mean((1, 2))[:, None, None].expand_as(inside), atol=1e-3)


def test_erasing_happens_as_often_as_asked() -> None:
    torch.manual_seed(3)
    images = torch.rand(1000, 3, 10, 10)
    share = (erased(images, 0.5) != images).any(3).any(2).any(1).float().mean().item()
    assert abs(share - 0.5) < 0.06  # four standard errors of a share of 1000
    assert torch.equal(erased(images, 0.0), images)


@pytest.mark.parametrize("wrong", [{"erase": 1.5}, {"consistency": -1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="0 <= erase <= 1"):
        EACConfig(**wrong)  # type: ignore[arg-type]
