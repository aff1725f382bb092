"""A small residual net for processors without an accelerator: plain 3x3 convolutions, which int8 and bf16 speed up."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.nn.encoders.resnet import MEAN, STD, BasicBlock


class SmallResNet(nn.Module):
    """``(n, 3, h, w)`` RGB in 0..255 → ``(n, 160)``; 0.71 M parameters. Starts random: no weights are published.

    Blocks of He et al.'s ResNet, one a stage, 16 to 160 channels wide; the layout is ours, cut to about one
    CPU-millisecond for a face of 112 pixels.
    """

    width = 160
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = (16, 32, 64, 128, self.width)
        self.blocks = nn.Sequential(*(BasicBlock(a, b, 2) for a, b in pairwise(widths)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pixels: Tensor) -> Tensor:
        return self.maps(pixels).mean((2, 3))

    def maps(self, pixels: Tensor) -> Tensor:
        """``(n, 160, h', w')``, a 32nd of the picture's sides; their mean is the feature."""
        x = (pixels - self.mean) / self.std
        maps: Tensor = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return maps

    def start(self, faces: Tensor) -> None:
        """Nothing to load: it starts random, or from the file that a recipe names in ``weights``."""
