from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from tronie.audit import features as audit_features
from tronie.audit.features import components, inner
from tronie.audit.rows import SAME, find_flaws, open_data
from tronie.core.errors import ModelError, SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.prepared import Opened
from tronie.nn.encoders.dlib import DlibResNet
from tronie.nn.encoders.resnet import HalfResNet18


def faces(n: int = 6, frames: int = 20) -> Opened:
    """Clips of pixels: noise about one face per clip."""
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (n, 8, 8, 3)).repeat(10, 1).repeat(10, 2).repeat(frames, 0).reshape(-1, 80, 80, 3)
    pixels = (one + rng.integers(-9, 10, one.shape)).clip(0, 255).astype(np.uint8)
    manifest = Manifest(
        id=np.array([f"c{i}" for i in range(n)]),
        path=np.array([f"frames.npy::{i}" for i in range(n)]),
        label=np.arange(n) % 2,
        labels=LabelSet(("a", "b")),
    )
    return Opened(manifest, pixels, np.arange(n + 1) * frames)


def test_clips_of_faces_are_looked_at_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("face_recognition_models")
    opened, told = faces(), []
    x = components(opened, tmp_path, views=3, seed=1, progress=lambda done, of: told.append((done, of)))
    assert x.shape[:2] == (3, 6) and not np.allclose(x[0], x[1]) and told[-1] == (6, 6)
    kept = np.load(tmp_path / "dlib-frames" / "view-0.npy")
    assert len(kept) == 6 * 16, "sixteen of twenty frames"
    monkeypatch.setattr(audit_features, "_through", None)  # nothing is looked at again
    np.testing.assert_array_equal(components(opened, tmp_path, views=3, seed=1), x)


def test_a_run_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    photos = replace(faces(), faces=np.zeros((6, 2, 80, 80, 3), np.uint8), starts=None)
    with pytest.raises((SettingError, SourceError, ModelError)):
        components(photos, tmp_path / "work", model=tmp_path / "gone")


def test_inner_features_have_places_of_two_stages_and_the_end() -> None:
    pixels = torch.rand(2, 3, 112, 112) * 255
    with torch.inference_mode():
        net = DlibResNet().eval()
        got = inner(net)(pixels)
        assert got.shape == (2, 128 * 16 + 256 * 9 + 256)
        torch.testing.assert_close(got[:, -256:], net(pixels), atol=1e-4, rtol=1e-3)
        assert inner(HalfResNet18())(pixels).shape == (2, 256 * 9)
    assert not any(block._forward_hooks for block in net.blocks)


def test_flaws_by_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 8, 8, 3), np.uint8)
    faces = np.repeat(np.repeat(coarse, 10, 1), 10, 2)
    faces = np.concatenate([faces, faces[:1], faces[1:2] // 2 + 60, np.full((2, 80, 80, 3), 90, np.uint8)])
    split = np.array(["train", "train", "train", "test", "train", "test", "train", "train"])
    manifest = Manifest(
        id=np.array(list("abcdefgh")),
        path=np.array(list("abcdefgh")),
        label=np.zeros(8),
        labels=LabelSet(("x", "y")),
        split=split,
    )
    flaws = find_flaws(manifest, Opened(manifest, np.stack([faces, faces], 1)), {"c"})
    assert flaws.duplicate_of.tolist() == [-1, -1, -1, -1, 0, -1, -1, -1]
    assert flaws.leaked_to.tolist() == [-1, 5, -1, -1, -1, -1, -1, -1]
    assert flaws.dark.tolist() == [False] * 6 + [True] * 2, "two flat pictures are no twins"
    assert flaws.faceless.tolist() == [False, False, True] + [False] * 5 and "dark" in flaws.told(6)
    assert 0 < SAME < 26


def test_what_is_not_there_or_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no"):
        open_data(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="No prepared data"):
        open_data(tmp_path / "empty")
