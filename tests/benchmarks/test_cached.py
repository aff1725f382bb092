"""Cached features: what is kept is what the encoder sees, and both tables run on it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.loader import Rows
from tronie.methods.method import Progress
from tronie.nn.encoders.resnet import HalfResNet18
from tronie.train.optim import Optim

REPO = Path(__file__).resolve().parents[2]
FACES = 30
SCRIPTS = ("cached", "ke2nt", "noise", "noise_table")


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    sys.path.insert(0, str(REPO / "benchmarks" / "accuracy"))
    import cached
    import ke2nt
    import noise

    yield {"cached": cached, "ke2nt": ke2nt, "noise": noise}
    sys.path.remove(str(REPO / "benchmarks" / "accuracy"))
    for name in SCRIPTS:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RAF-DB's first training names with made-up faces, as ``tronie prepare`` would lay them down."""
    with (REPO / "src/tronie/recipes/folds/rafdb-train.csv").open(encoding="utf-8", newline="") as file:
        names = np.array([row["id"] for _, row in zip(range(FACES), csv.DictReader(file), strict=False)])
    folder = tmp_path_factory.mktemp("rafdb")
    label = np.arange(FACES) % 7
    manifest = Manifest(names, names, label, BASIC7, split=np.full(FACES, "train"))
    manifest.save(folder / "manifest.csv")
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 40, (FACES, 2, 112, 112, 3)) + 25 * label[:, None, None, None, None]
    np.save(folder / "faces.npy", faces.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def cache(scripts: dict[str, ModuleType], prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "cache-resnet18-half"
    torch.manual_seed(0)
    scripts["cached"].make(prepared, "resnet18-half", out, varied=1, again=2)
    return out


def test_it_keeps_what_the_encoder_sees(scripts: dict[str, ModuleType], prepared: Path, cache: Path) -> None:
    kept = scripts["cached"].open_cache(cache, prepared)
    assert kept.maps.shape == (FACES, 5, 256, 2, 2) and kept.feature.shape == (FACES, 5, 256)
    torch.manual_seed(0)
    encoder = HalfResNet18().eval()
    faces = np.load(prepared / "faces.npy")
    with torch.no_grad():
        maps = encoder.maps(torch.from_numpy(faces[:4, -1]).permute(0, 3, 1, 2).float())
    near = {"atol": 0.05 * float(maps.abs().max())}  # bf16
    assert np.allclose(kept.feature[:4, 0], maps.mean((2, 3)), **near)
    assert np.allclose(kept.maps[:4, 0], maps.unflatten(2, (2, 2)).unflatten(4, (2, 2)).mean((3, 5)), **near)


def test_places_may_be_averaged(scripts: dict[str, ModuleType], prepared: Path, cache: Path) -> None:
    kept, mean = (scripts["cached"].open_cache(cache, prepared, side) for side in (2, 1))
    assert mean.maps.shape == (FACES, 5, 256, 1, 1)
    assert np.allclose(mean.maps[..., 0, 0], kept.maps.astype(np.float32).mean((3, 4)), atol=2e-3, rtol=2e-3)
    assert mean.clip(np.array([1]), np.array([2])).shape == (1, 1, 512, 1, 1)


def test_each_second_look_is_the_mirror_image(scripts: dict[str, ModuleType], prepared: Path) -> None:
    faces, face = np.load(prepared / "faces.npy"), scripts["cached"].face
    assert np.array_equal(face(faces[3], 3, 2, 1), face(faces[3], 3, 1, 1)[:, ::-1])
    assert np.array_equal(face(faces[3], 3, 0, 1), faces[3, -1])
    again = [face(faces[3], 3, look, 1) for look in (1, 3, 4)]
    assert not any(np.array_equal(a, b) for a, b in pairwise(again))


def test_clips_and_draws_are_the_looks_they_should_be(
    scripts: dict[str, ModuleType], prepared: Path, cache: Path
) -> None:
    from tronie.methods.eac import EAC, EACConfig

    cached = scripts["cached"]
    kept, method = cached.open_cache(cache, prepared), EAC(BASIC7, EACConfig(encoder=cached.Tail)).eval()
    plain, mirror = cached.views(method, kept, np.array([4, 5]), np.array([1, 2]))
    assert plain.shape == (2, 1, 512, 2, 2)
    for row, look, other in ((0, 1, 2), (1, 2, 1)):
        assert np.array_equal(plain[row, 0, :256], kept.maps[4 + row, look])
        assert np.array_equal(mirror[row, 0, :256], kept.maps[4 + row, other])
        assert np.array_equal(plain[row, 0, 256:, 1, 0], kept.feature[4 + row, look])
    rows = np.array([7, 2])
    for draw, look in ((None, 0), (0, 3), (1, 4), (2, 3)):
        with torch.no_grad():
            wanted = method(kept.clip(rows, np.full(2, look))).logits.numpy()
        assert np.allclose(cached.predict(method, kept, rows, draw).logits, wanted, atol=1e-5)


def test_fitting_learns_and_repeats(scripts: dict[str, ModuleType], prepared: Path, cache: Path) -> None:
    from tronie.methods.baseline import Baseline, BaselineConfig

    cached = scripts["cached"]
    kept = cached.open_cache(cache, prepared)
    index = np.arange(FACES)
    rows = Rows(kept.maps, index, np.eye(7, dtype=np.float32)[kept.manifest.label], np.ones(FACES, np.float32))
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        method = Baseline(BASIC7, BaselineConfig(encoder=cached.Tail, dropout=0.0))
        before = method.loss(batch_of(cached, kept, rows), Progress(0, 1))["ce"].item()
        cached.fit(method, kept, rows, 25, 0, Optim(rate=1e-2, ema=0.0), batch=10)
        after = method.loss(batch_of(cached, kept, rows), Progress(0, 1))["ce"].item()
        assert after < 0.7 * before
        found.append(cached.predict(method, kept, index).logits)
    assert np.array_equal(found[0], found[1])


def batch_of(cached: ModuleType, kept: object, rows: Rows) -> object:
    from tronie.methods.method import Batch

    clip = kept.clip(rows.index, np.zeros(len(rows), np.int64))  # type: ignore[attr-defined]
    return Batch((clip,), torch.from_numpy(rows.target), torch.from_numpy(rows.weight), torch.arange(len(rows)))


def test_a_cache_of_other_rows_is_refused(scripts: dict[str, ModuleType], prepared: Path, cache: Path) -> None:
    with pytest.raises(SettingError, match=r"No cached features in .*: run benchmarks/accuracy/cached\.py first"):
        scripts["cached"].open_cache(prepared, prepared)
    about = json.loads((cache / "cache.json").read_text())
    try:
        (cache / "cache.json").write_text(json.dumps(about | {"rows": "0"}))
        with pytest.raises(SettingError, match="made of other rows"):
            scripts["cached"].open_cache(cache, prepared)
        (cache / "cache.json").write_text(json.dumps(about | {"seen": ["rafdb"]}))
        with pytest.raises(SettingError, match="has learnt from RAF-DB's labels"):
            scripts["noise"].honest_cache(cache, prepared)
    finally:
        (cache / "cache.json").write_text(json.dumps(about))


def test_the_noise_table_runs_on_it(
    scripts: dict[str, ModuleType], prepared: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        str(prepared),
        "--cached",
        str(cache),
        "--out",
        str(tmp_path / "runs.jsonl"),
        "--rows",
        "plain",
        "eac",
        "ke2nt+agreement",
        "--rates",
        "symmetric:0.3",
        "--seeds",
        "0",
        "--epochs",
        "3",
    ]
    assert scripts["noise"].main(given) == 0
    kept = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [line["row"] for line in kept] == ["plain", "eac", "ke2nt+agreement"]
    assert "| ke2nt+agreement |" in capsys.readouterr().out
    assert scripts["noise"].main(given) == 0 and len((tmp_path / "runs.jsonl").read_text().splitlines()) == 3


def test_the_table_of_ke2nts_parts_runs_on_it(
    scripts: dict[str, ModuleType],
    prepared: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = [
        "ke2nt.py",
        str(prepared),
        "--from",
        "resnet18-half",
        "--out",
        str(cache.parent),
        "--seeds",
        "0",
        "--rows",
        "linear head",
        "all three",
        "all, random vectors 1",
        "--epochs",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", given)
    assert scripts["ke2nt"].main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### resnet18-half"
    row = next(line for line in lines if line.startswith("| all three |"))
    kept = [json.loads(line) for line in (cache.parent / "runs.jsonl").read_text().splitlines()]
    right = [np.mean([a == b for a, b in zip(k["truth"], k["last"], strict=True)]) for k in kept]
    assert f"| {100 * right[1]:.1f} / " in row and f"| {100 * (right[1] - right[0]):+.1f} [" in row
