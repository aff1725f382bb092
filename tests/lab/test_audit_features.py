from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from tronie.core.errors import ModelError, SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.lab import audit_features
from tronie.lab.audit_features import components, inner
from tronie.lab.audit_rows import SAME, find_flaws, open_data
from tronie.lab.prepared import Opened
from tronie.nn.encoders.dlib import DlibResNet
from tronie.nn.encoders.resnet import HalfResNet18
from tronie.verbs.audit import audit


def clips(n: int = 40) -> Opened:
    """Clips of 20 frames whose features say the label."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    frames = 3 * np.eye(2)[np.repeat(label, 20)] @ rng.normal(size=(2, 12)) + rng.normal(size=(20 * n, 12)) * 0.5
    manifest = Manifest(id=np.array([f"c{i}" for i in range(n)]), path=np.array([f"frames.npy::{i}" for i in range(n)]),
                        label=label, labels=LabelSet(("a", "b")))  # fmt: skip
    return Opened(manifest, frames.astype(np.float16), np.arange(n + 1) * 20, "features")


def test_clips_of_features_are_looked_at_in_random_parts(tmp_path: Path) -> None:
    opened = clips()
    x = components(opened, tmp_path, views=3, seed=1)
    assert x.shape[:2] == (3, 40) and x.shape[2] <= 24
    assert not np.allclose(x[0], x[1]) and not np.allclose(x[1], x[2])
    np.testing.assert_array_equal(components(opened, tmp_path, views=3, seed=1), x)
    kept = (tmp_path / "clips" / "view-0.npy").stat().st_mtime_ns
    changed = replace(opened, faces=opened.faces + np.float16(1))
    components(changed, tmp_path, views=3, seed=1)
    assert (tmp_path / "clips" / "view-0.npy").stat().st_mtime_ns != kept, "features of other data are not used"


def test_an_audit_of_clips_finds_their_wrong_labels(tmp_path: Path) -> None:
    opened = clips(80)
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "frames.npy", opened.faces)
    np.save(folder / "starts.npy", opened.starts)
    label = opened.manifest.label.copy()
    label[[3, 10]] = 1 - label[[3, 10]]
    replace(opened.manifest, label=label, root=folder).save(folder / "manifest.csv")
    (folder / "prepared.json").write_text(json.dumps({"kind": "features"}))
    found = audit(folder, out=tmp_path / "out", folds=4, proof=0)
    assert set(found.manifest.id[found.rows[found.order[:2]]].tolist()) == {"c3", "c10"}


def test_clips_of_points_need_features_first(tmp_path: Path) -> None:
    opened = clips()
    points = replace(opened, faces=np.zeros((800, 5, 2), np.float32), kind="points")
    with pytest.raises(SettingError, match="make features of them first"):
        components(points, tmp_path)


def test_a_run_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    faces = replace(clips(), faces=np.zeros((40, 2, 80, 80, 3), np.uint8), starts=None, kind="pixels")
    with pytest.raises((SettingError, SourceError, ModelError)):
        components(faces, tmp_path / "work", model=tmp_path / "gone")


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
    manifest = Manifest(id=np.array(list("abcdefgh")), path=np.array(list("abcdefgh")), label=np.zeros(8),
                        labels=LabelSet(("x", "y")), split=split)  # fmt: skip
    flaws = find_flaws(manifest, Opened(manifest, np.stack([faces, faces], 1)), {"c"})
    assert flaws.duplicate_of.tolist() == [-1, -1, -1, -1, 0, -1, -1, -1]
    assert flaws.leaked_to.tolist() == [-1, 5, -1, -1, -1, -1, -1, -1]
    assert flaws.dark.tolist() == [False] * 6 + [True] * 2, "two flat pictures are no twins"
    assert flaws.faceless.tolist() == [False, False, True] + [False] * 5 and "dark" in flaws.told(6)
    assert 0 < SAME < audit_features._BATCH


def test_what_is_not_there_or_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no"):
        open_data(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="No prepared data"):
        open_data(tmp_path / "empty")
