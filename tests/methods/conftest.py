"""What the tests of methods share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tronie.methods.method import Batch


class Pointwise(nn.Module):
    """An encoder that sees each patch of 4 × 4 pixels alone, so that mirroring the picture mirrors its maps exactly."""

    width = 6

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 1)

    def maps(self, pixels: Tensor) -> Tensor:
        return torch.relu(self.conv(nn.functional.avg_pool2d(pixels / 128 - 1, 4)))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.maps(pixels).mean((2, 3))

    def start(self, faces: Tensor) -> None:
        """It has no pre-trained state."""


@pytest.fixture
def pointwise() -> type[nn.Module]:
    torch.manual_seed(0)
    return Pointwise


@pytest.fixture
def batch() -> Batch:
    """Six rows of one 8-pixel frame, seven labels, unequal weights."""
    rng = torch.Generator().manual_seed(5)
    clip = torch.randint(0, 256, (6, 1, 3, 8, 8), generator=rng, dtype=torch.uint8)
    target = torch.eye(7)[torch.tensor([0, 1, 2, 3, 3, 6])]
    return Batch((clip,), target, torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0, 1.0]), torch.tensor([4, 0, 2, 9, 7, 1]))
