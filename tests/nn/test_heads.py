"""The classifier that most methods stand on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tronie.nn.heads import Classifier, over_frames


class Mean(nn.Module):
    width = 3

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean((2, 3))


def test_frames_are_averaged_before_the_head() -> None:
    net = Classifier(Mean, 5, 0.0)  # type: ignore[arg-type]  # tables take objects as well
    images = torch.rand(6, 3, 4, 4)
    logits, feature = net(images, 3)
    wanted = torch.stack([images[:3].mean((0, 2, 3)), images[3:].mean((0, 2, 3))])
    assert torch.allclose(feature, wanted, atol=1e-6) and torch.allclose(logits, net.head(wanted), atol=1e-6)


def test_dropout_hides_from_the_head_but_not_from_the_feature() -> None:
    torch.manual_seed(0)
    net = Classifier(Mean, 5, 0.9).train()  # type: ignore[arg-type]
    images = torch.rand(4, 3, 4, 4)
    first, second = net(images, 1), net(images, 1)
    assert torch.equal(first[1], second[1]) and not torch.equal(first[0], second[0])
    net.eval()
    assert torch.equal(net(images, 1)[0], net(images, 1)[0])


def test_frames_of_one_clip_stay_together() -> None:
    vectors = torch.arange(12.0).view(6, 2)
    assert over_frames(vectors, 2).tolist() == [[1, 2], [5, 6], [9, 10]]
