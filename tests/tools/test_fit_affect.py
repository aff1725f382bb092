"""A head for valence and arousal: found again where it was planted, never better than it is, and put into a graph."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.models.folder import load_folder
from tronie.models.info import ModelInfo, write_info
from tronie.models.session import Session, sha256

onnx = pytest.importorskip("onnx")
TOOLS = Path(__file__).parents[2] / "tools"
WEIGHT = np.array([[0.3, 0.0], [-0.2, 0.1], [0.0, 0.4], [0.0, 0.0]])


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("fit_affect")
    finally:
        sys.path.remove(str(TOOLS))


def planted(tool: ModuleType, noise: float, count: int = 200, seed: int = 0):
    """Clips of 1 to 4 frames that hover around a clip's own feature, which the rating is made of."""
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(rng.integers(1, 5, count))])
    own = rng.normal(size=(count, 4))
    frames = np.repeat(own, np.diff(starts), 0) + rng.normal(0, 0.1, (starts[-1], 4))
    rated = np.clip(own @ WEIGHT + [0.1, -0.1] + rng.normal(0, noise, (count, 2)), -1, 1)
    return tool.Clips(frames, starts, rated, f"film-clips:{count}:0")


def test_means_and_blocks_are_those_by_hand(tool) -> None:
    clips = planted(tool, 0.1, count=30)
    mean = clips.mean(clips.frames)
    for i, (a, b) in enumerate(zip(clips.starts[:-1], clips.starts[1:], strict=True)):
        assert mean[i] == pytest.approx(clips.frames[a:b].mean(0))
    fold = tool.blocks(634)
    assert (np.diff(fold) >= 0).all() and np.bincount(fold).tolist() == [64, 63, 64, 63, 63] * 2


def test_ridge_solves_its_own_equation(tool) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(3, 2, (40, 5)), rng.normal(size=40)
    weight, bias = tool.ridge(x, y, 7.0, None)

    def cost(w: np.ndarray, b: float) -> float:
        return float(((x @ w + b - y) ** 2).sum() + 7.0 * x.var(0).mean() * (w**2).sum())

    for change in np.vstack([np.eye(5), -np.eye(5)]) * 1e-3:
        assert cost(weight, bias) < cost(weight + change, bias)
    assert cost(weight, bias) < min(cost(weight, bias + 1e-3), cost(weight, bias - 1e-3))

    photos = rng.normal(3, 2, (3, 5))  # the first is taken to lie between the others
    tied, offset = tool.ridge(x, y, 7.0, tool.Tie(photos, 0, (1, 2)))
    said, free = photos @ tied + offset, photos @ weight + bias
    assert said == pytest.approx([free[1:].mean(), *free[1:]]) and abs(free[0] - said[0]) > 1e-3
    within = np.linalg.svd(photos - x.mean(0))[2][3:]  # what may change without moving a photo
    for change in np.vstack([within, -within]) * 1e-2:
        assert (photos @ (tied + change) + y.mean() - x.mean(0) @ (tied + change)) == pytest.approx(said)
        assert cost(tied, offset) < cost(tied + change, float(y.mean() - x.mean(0) @ (tied + change)))


def test_what_was_planted_is_found_and_what_was_not_is_not(tool) -> None:
    clear, hard = planted(tool, 0.05), planted(tool, 0.05)
    head = tool.fit(clear.mean(clear.frames), clear.rated, tool.blocks(len(clear.rated)), None)
    assert head.weight == pytest.approx(WEIGHT, abs=0.08) and head.bias == pytest.approx([0.1, -0.1], abs=0.05)
    found = tool.scores(tool.held_out(clear, tool.by_ridge(clear, None)), clear.rated)
    assert found["ccc_valence"].value > 0.9 and found["rmse_arousal"].value < 0.2
    hard.rated[:] = np.random.default_rng(2).permutation(hard.rated)  # nothing to be learnt: no clip may tell of itself
    found = tool.scores(tool.held_out(hard, tool.by_ridge(hard, None)), hard.rated)
    assert abs(found["ccc_valence"].value) < 0.2 and found["ccc_valence"].low < found["ccc_valence"].high


def test_the_stretch_gives_answers_the_spread_of_the_ratings(tool) -> None:
    clips = planted(tool, 0.4)
    own, wide = (tool.held_out(clips, tool.by_ridge(clips, None, stretched=how)) for how in (False, True))
    assert (own.std(0) < 0.85 * clips.rated.std(0)).all()
    assert wide.std(0) == pytest.approx(clips.rated.std(0), rel=0.15)
    for j in (0, 1):
        assert tool.concordance(wide[:, j], clips.rated[:, j]) > tool.concordance(own[:, j], clips.rated[:, j])
    chosen = tool.fit(clips.mean(clips.frames), clips.rated, tool.blocks(200), None)
    assert min(chosen.stretch) > 1 and set(chosen.strength) <= set(tool.STRENGTHS)


def small_model(folder: Path) -> Path:
    """A model whose feature is mean red, green, blue of a face (of 255), and whose logits are the feature by ten."""
    from onnx import TensorProto, helper

    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", 4, 4, 3])
    out = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("logits", "feature")]
    nodes = [
        helper.make_node("Cast", ["faces"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "most"], ["feature"]),
        helper.make_node("Mul", ["feature", "ten"], ["logits"]),
    ]
    numbers = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("most", TensorProto.FLOAT, [], [255]),
        helper.make_tensor("ten", TensorProto.FLOAT, [], [10]),
    ]
    made = helper.make_graph(nodes, "g", [faces], out, numbers)
    folder.mkdir()
    onnx.save(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(folder / "encoder.onnx")
    )
    write_info(
        folder,
        ModelInfo(
            "small", ("a", "b", "c"), "encoder.onnx", sha256(folder / "encoder.onnx"), size=4, seen=("toys:3:0",)
        ),
    )
    return folder


def test_the_graph_answers_as_before_and_its_head_as_fitted(tool, tmp_path) -> None:
    model = small_model(tmp_path / "small")
    head = tool.Head(np.array([[2.0, 0.5], [-1.0, 0.0], [0.3, 3.0]]), np.array([0.1, -0.8]), (1.0, 1.0), (1.0, 1.0))
    path = tool.with_head(model / "encoder.onnx", tmp_path / "new.onnx", head)
    old, new = Session(model / "encoder.onnx"), Session(path)
    for n in (1, 7, 32):
        faces = np.random.default_rng(n).integers(0, 256, (n, 4, 4, 3), np.uint8)
        faces[0] = 255
        before, after = old.run(faces=faces), new.run(faces=faces)
        assert all(np.array_equal(before[name], after[name]) for name in ("logits", "feature"))
        assert after["affect"] == pytest.approx(head(before["feature"].astype(float)), abs=1e-6)
        assert after["affect"].max() == 1.0
    with pytest.raises(SystemExit, match="already"):
        tool.with_head(path, tmp_path / "again.onnx", head)


def test_the_command_writes_a_model_that_says_what_it_has_learnt(tool, tmp_path, monkeypatch) -> None:
    from tronie.core.labels import LabelSet
    from tronie.core.manifest import Manifest

    rng, count, each = np.random.default_rng(0), 60, 3
    colour = rng.integers(40, 216, (count, 3))
    frames = np.clip(np.repeat(colour, each, 0)[:, None, None] + rng.integers(-20, 21, (count * each, 4, 4, 3)), 0, 255)
    rated = ((colour[:, :2] - 128) / 128).astype(np.float32)
    folder = tmp_path / "film-clips"
    folder.mkdir()
    np.save(folder / "frames.npy", frames.astype(np.uint8))
    np.save(folder / "starts.npy", np.arange(count + 1) * each)
    (folder / "prepared.json").write_text(json.dumps({"kind": "pixels"}))
    ids, paths = (np.array([form.format(i) for i in range(count)]) for form in ("film-clips/{:03d}", "frames.npy::{}"))
    Manifest(
        ids,
        paths,
        np.full(count, -1),
        LabelSet(()),
        split=np.full(count, "train"),
        valence=rated[:, 0],
        arousal=rated[:, 1],
        root=folder,
    ).save(folder / "manifest.csv")
    small = small_model(tmp_path / "small")
    photos = np.array([[0.2, 0.6, 0.5], [0.8, 0.4, 0.5], [0.5, 0.5, 0.1]])  # the third lies between
    monkeypatch.setattr(tool, "read_photos", lambda model, folder: photos)
    monkeypatch.setattr(tool.Tie, "of", lambda photos, labels: tool.Tie(photos, 2, (0, 1)))
    monkeypatch.setattr(sys, "argv", ["fit_affect.py", str(small), str(tmp_path), "--out", str(tmp_path / "out")])
    tool.main()
    model = load_folder(tmp_path / "out")
    assert model.affect and model.info.seen[0] == "toys:3:0" and model.info.seen[1].startswith("film-clips:60:")
    assert model.info.scores["film-clips/ccc_valence"][0] > 0.95
    assert set(model.info.scores) == {
        f"film-clips/{s}_{n}" for s in ("ccc", "pearson", "rmse") for n in ("valence", "arousal")
    }
    light = np.full((1, 4, 4, 3), 128, np.uint8)
    light[..., 0], light[..., 1] = 200, 60
    (affect,) = model.answer(light).affect
    assert affect == pytest.approx([(200 - 128) / 128, (60 - 128) / 128], abs=0.15)
    shutil.rmtree(tmp_path / "out")
