"""Frames to vectors: shapes that do not depend on place, scale or turn; speeds; small and photo networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from tronie.clips.views import Kind  # noqa: E402
from tronie.nn.frames import PixelFrames, Shapes, VectorFrames, aligned, clip_encoder, frame_net, speed  # noqa: E402


@dataclass(frozen=True)
class How:
    kind: Kind = "points"
    encoder: str = "resnet18-half"
    inputs: int = 5
    width: int = 16
    dropout: float = 0.0


def turned(points: Tensor, angle: float, scale: float, place: tuple[float, float]) -> Tensor:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return points @ torch.tensor([[c, s], [-s, c]]) + torch.tensor(place)


@pytest.fixture
def face() -> Tensor:
    return torch.randn(7, 2, generator=torch.Generator().manual_seed(4))


def test_alignment_undoes_a_similarity(face: Tensor) -> None:
    centred = face - face.mean(0)
    found, pose = aligned(turned(face, 0.3, 2.0, (5.0, -1.0))[None, None], centred)
    assert torch.allclose(found[0, 0], centred, atol=1e-5)
    assert pose[0, 0, 2:].tolist() == pytest.approx([-math.log(2), -math.sin(0.3)], abs=1e-5)


def test_alignment_is_the_least_squares(face: Tensor) -> None:
    other = torch.randn(7, 2, generator=torch.Generator().manual_seed(5))
    other, centred = other - other.mean(0), face - face.mean(0)
    found = aligned(centred, other)[0]
    best = (found - other).square().sum()
    for a in torch.linspace(-math.pi, math.pi, 61):
        for size in torch.linspace(0.05, 3, 40):
            assert (turned(centred, float(a), float(size), (0, 0)) - other).square().sum() >= best - 1e-4


def test_shapes_do_not_see_where_the_face_is(face: Tensor) -> None:
    clip = face + 0.1 * torch.randn(1, 9, 7, 2, generator=torch.Generator().manual_seed(6))
    net = Shapes(7)
    net.start(clip[0])
    one, other = net(clip), net(turned(clip, -0.4, 1.7, (3, 8)))
    assert one.shape == (1, 9, 8 * 7 + 16) == (1, 9, net.width)
    assert torch.allclose(one[..., :56], other[..., :56], atol=1e-4)
    shape, away, change, moved = one[..., :56].split(14, 2)
    assert torch.allclose(away, (shape - shape.mean(1, keepdim=True)).abs(), atol=1e-6)
    assert torch.allclose(change, speed(shape), atol=1e-6) and torch.equal(moved, change.abs())
    pose, size, turn, turned_by = one[..., 56:].split(4, 2)
    assert torch.equal(size, pose.abs()) and torch.equal(turned_by, turn.abs()) and pose.mean(1).abs().max() < 1e-5
    assert net.reference.mean(0).abs().max() < 1e-5 and net.reference.norm(dim=1).mean().item() == pytest.approx(1)


def test_speed_by_hand() -> None:
    x = torch.randn(2, 6, 3)
    for t in range(6):
        before, after = max(t - 1, 0), min(t + 1, 5)
        assert torch.allclose(speed(x)[:, t], (x[:, after] - x[:, before]) / 2 * 6, atol=1e-5)
    assert (speed(x[:, :1]) == 0).all()


def test_each_kind_gets_its_network() -> None:
    clip = torch.randn(2, 8, 5, 2)
    shapes, net = clip_encoder(How()), frame_net(How(), 4)
    assert isinstance(net, VectorFrames) and net(shapes(clip)).shape == (2, 8, 16)
    assert frame_net(How("features", inputs=9), 4)(torch.randn(2, 8, 9)).shape == (2, 8, 16)
    assert isinstance(clip_encoder(How("features")), nn.Identity)
    pixels = frame_net(How("pixels"), 4)
    assert isinstance(pixels, PixelFrames)
    found = pixels.eval()(torch.randint(0, 256, (2, 4, 3, 40, 40), dtype=torch.uint8))
    assert found.shape == (2, 4, 16) and 0.0005 < pixels.project.weight.std() < 0.002 and not pixels.project.bias.any()


def test_the_shift_acts_on_what_is_projected() -> None:
    """A frame's neighbours within its segment reach its vector, others do not."""
    torch.manual_seed(0)
    net = frame_net(How("features", inputs=6, width=64), 4).eval()  # wide: some unit passes each of the three
    clip = torch.randn(1, 8, 6, requires_grad=True)
    net(clip)[0, 2].sum().backward()
    assert (clip.grad[0].abs().sum(1) > 0).tolist() == [False, True, True, True, False, False, False, False]


def test_faces_that_give_an_encoder_its_start_are_seen_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are frames of many clips, in whatever number; afterwards frames of one clip see each other as before."""
    torch.manual_seed(0)
    net = frame_net(How("pixels"), 4).eval()
    assert isinstance(net, PixelFrames)
    encoder, faces = net.encoder, torch.randint(0, 256, (7, 3, 40, 40)).float()
    seen: list[Tensor] = []
    monkeypatch.setattr(encoder, "start", lambda given: seen.append(encoder(given)))
    with torch.no_grad():
        together = encoder(faces[:4])
        net.start(faces)
        net.start(faces[3:4])
        assert seen[0].shape == (7, 256) and torch.allclose(seen[0][3:4], seen[1], atol=1e-4)
        assert torch.equal(encoder(faces[:4]), together) and not torch.allclose(together, seen[0][:4], atol=1e-3)
    with pytest.raises(RuntimeError):
        encoder(faces)  # seven frames are no segments of four
