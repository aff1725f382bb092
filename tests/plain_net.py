"""A net that is exported in a third of a ResNet's time, for tests that are not about the net.

Recipes name it ``plain_net:Plain`` once the fixture ``plain_net`` of ``conftest.py`` has been asked for.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """``(n, 3, h, w)`` RGB in 0..255 → ``(n, 128)``: four convolutions with norms, so that one stays fp32 in int8."""

    width = 128

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, self.width)
        self.body = nn.Sequential(
            *(
                part
                for a, b in pairwise(widths)
                for part in (nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            )
        )

    def forward(self, pixels: Tensor) -> Tensor:
        maps: Tensor = self.body(pixels / 128 - 1)
        return torch.mean(maps, (2, 3))
