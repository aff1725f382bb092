"""ResNet-18 and -50 (He et al., CVPR 2016, arXiv 1512.03385) with torchvision's parameter names; 18 in half width too.

Weights trained elsewhere (ImageNet, MS-Celeb-1M) load by :func:`tronie.nn.encoders.weights.load_weights`. The half net
is for trials: at 64 px it learns several times as many faces a second as the whole one at 112.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's mean and deviation of RGB in 0..255, as torchvision has them."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is projected where the shape changes."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inside != width:
            self.downsample = nn.Sequential(nn.Conv2d(inside, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        short = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + short)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the 3x3 one carries the stride, as torchvision has it."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width // 4, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 4)
        self.conv2 = nn.Conv2d(width // 4, width // 4, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 4)
        self.conv3 = nn.Conv2d(width // 4, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inside != width:
            self.downsample = nn.Sequential(nn.Conv2d(inside, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        short = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + short)


class ResNet18(nn.Module):
    """``(n, 3, h, w)`` RGB in 0..255 → ``(n, 512)``; 11.2 M parameters. Starts random, with torchvision's scales."""

    width = 512
    stem = 64
    counts = (2, 2, 2, 2)
    block: type[BasicBlock] | type[Bottleneck] = BasicBlock
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        inside = self.stem
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, inside, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        widths = [self.width // 8, self.width // 4, self.width // 2, self.width]
        for number, (width, count) in enumerate(zip(widths, self.counts, strict=True), 1):
            blocks = [self.block(inside, width, 1 if number == 1 else 2)]
            blocks += [self.block(width, width, 1) for _ in range(1, count)]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            inside = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pixels: Tensor) -> Tensor:
        return self.maps(pixels).mean((2, 3))

    def maps(self, pixels: Tensor) -> Tensor:
        """``(n, width, h, w)``, a 32nd of the picture's sides; their mean is the feature."""
        x = (pixels - self.mean) / self.std
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
        return x

    def start(self, faces: Tensor) -> None:
        """Nothing to load: it starts random, or from the file that a recipe names in ``weights``."""


class HalfResNet18(ResNet18):
    """Half of every width: ``(n, 3, h, w)`` → ``(n, 256)``; 2.8 M parameters, no published weights."""

    width = 256
    stem = 32


class ResNet50(ResNet18):
    """``(n, 3, h, w)`` → ``(n, 2048)``; 23.5 M parameters."""

    width = 2048
    counts = (3, 4, 6, 3)
    block = Bottleneck
