"""Model folders: what is broken, foreign or tampered with is refused in a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tronie.core.errors import ModelError, SettingError
from tronie.core.segment import SegmentCalibration
from tronie.metrics.calibration import softmax
from tronie.models.catalog import SHIPPED, load_model, shipped
from tronie.models.clip import ClipInfo
from tronie.models.folder import BATCH, Model, load_folder
from tronie.models.info import ModelInfo, write_info
from tronie.models.session import sha256

onnx = pytest.importorskip("onnx")
LABELS = ("happiness", "sadness", "neutral")


def graph(path: Path, *, size: int = 4, classes: int = 3, output: str = "logits", affect: int = 0) -> Path:
    """A graph that is easy to follow: logits are mean red, green and blue of a face, times a tenth.

    With ``affect`` there are so many numbers of it, the mean red, green … by 100, less 1: often above 1.
    """
    from onnx import TensorProto, helper

    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", size, size, 3])
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", classes])
    weights = np.zeros((3, classes), np.float32)
    np.fill_diagonal(weights, 0.1)
    nodes = [
        helper.make_node("Cast", ["faces"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], [output]),
    ]
    numbers = [
        helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel()),
        helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
    ]
    outputs = [out]
    if affect:
        nodes.append(helper.make_node("Gemm", ["mean", "v", "b"], ["affect"]))
        numbers.append(helper.make_tensor("v", TensorProto.FLOAT, [3, affect], np.eye(3, affect).ravel() / 100))
        numbers.append(helper.make_tensor("b", TensorProto.FLOAT, [affect], [-1.0] * affect))
        outputs.append(helper.make_tensor_value_info("affect", TensorProto.FLOAT, ["n", affect]))
    made = helper.make_graph(nodes, "g", [faces], outputs, numbers)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "model"
    home.mkdir()
    path = graph(home / "encoder.onnx")
    write_info(
        home,
        ModelInfo("test", LABELS, path.name, sha256(path), size=4, temperature=2.0, scores={"a/war": (0.8, 0.7, 0.9)}),
    )
    return home


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def faces(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), np.uint8)


def test_it_answers_calibrated_probabilities(folder: Path) -> None:
    model = load_folder(folder)
    for n in (1, BATCH, BATCH + 3):
        p = model.predict(faces(n))
        assert p.shape == (n, 3) and p.dtype == np.float32
        assert np.allclose(p, softmax(faces(n).reshape(n, 16, 3).mean(1) * 0.1 / 2.0), atol=1e-5)
    assert model.predict(faces(0)).shape == (0, 3)
    assert (model.name, model.size, model.labels.names) == ("test", 4, LABELS)
    assert model.info.scores == {"a/war": (0.8, 0.7, 0.9)}


def with_affect(folder: Path) -> Model:
    rewrite(folder, graph_sha256=sha256(graph(folder / "encoder.onnx", affect=2)))
    return load_folder(folder)


def test_valence_and_arousal_are_answered_where_the_graph_has_them(folder: Path) -> None:
    plain = load_folder(folder)
    assert not plain.affect and plain.answer(faces(2)).affect is None and plain.read(faces(2))[1] is None
    model = with_affect(folder)
    light = np.full((2, 4, 4, 3), 255, np.uint8)
    for n in (1, BATCH, BATCH + 3):
        some = np.concatenate([faces(n), light])
        p, affect = model.read(some)
        assert np.array_equal(p, plain.predict(some)) and affect is not None and model.affect
        expected = some.reshape(n + 2, 16, 3).mean(1)[:, :2] / 100 - 1
        assert affect.dtype == np.float32 and affect == pytest.approx(np.minimum(expected, 1), abs=1e-5)
        assert np.array_equal(model.answer(some).affect, affect) and (affect[-2:] == 1).all()
    found = model.answer(faces(0)).affect
    assert found is not None and found.shape == (0, 2)


def test_an_affect_of_another_shape_is_refused(folder: Path) -> None:
    rewrite(folder, graph_sha256=sha256(graph(folder / "encoder.onnx", affect=3)))
    with pytest.raises(ModelError, match="something else than valence and arousal"):
        load_folder(folder)


def temporal(path: Path, *, frames: int = 4, affect: bool = True) -> Path:
    """A second graph: logits of a clip are ten times the mean of its frames, affect its first two numbers less 1."""
    from onnx import TensorProto, helper

    clips = helper.make_tensor_value_info("clips", TensorProto.FLOAT, ["n", frames, 3])
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])]
    nodes = [
        helper.make_node("ReduceMean", ["clips", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "ten"], ["logits"]),
    ]
    if affect:
        nodes.append(helper.make_node("Gemm", ["mean", "v", "b"], ["affect"]))
        outputs.append(helper.make_tensor_value_info("affect", TensorProto.FLOAT, ["n", 2]))
    made = helper.make_graph(
        nodes,
        "g",
        [clips],
        outputs,
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("ten", TensorProto.FLOAT, [], [10]),
            helper.make_tensor("v", TensorProto.FLOAT, [3, 2], np.eye(3, 2).ravel()),
            helper.make_tensor("b", TensorProto.FLOAT, [2], [-1.0, -1.0]),
        ],
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


@pytest.mark.parametrize("says", [True, False])
def test_a_video_model_says_the_mean_of_its_looks(folder: Path, says: bool) -> None:
    from onnx import helper

    encoder = onnx.load(str(graph(folder / "encoder.onnx", affect=2)))  # its own affect says nothing
    encoder.graph.node.append(helper.make_node("Identity", ["mean"], ["feature"]))
    encoder.graph.output.append(helper.make_tensor_value_info("feature", onnx.TensorProto.FLOAT, ["n", 3]))
    onnx.save(encoder, str(folder / "encoder.onnx"))
    second = temporal(folder / "temporal.onnx", affect=says)
    clip = {"graph": second.name, "graph_sha256": sha256(second), "frames": 4, "width": 3, "looks": 5}
    rewrite(folder, clip=clip, graph_sha256=sha256(folder / "encoder.onnx"))
    model = load_folder(folder)
    assert model.clip is not None and model.affect == says
    rng = np.random.default_rng(0)
    features, time = rng.uniform(0, 3, (30, 3)).astype(np.float16), np.arange(30) / 25
    heard = model.clip.read(features, time, 1.2, 7)
    once, still = model.clip.read_once(features, time, 1.2)[1], model.answer(faces(3)).affect
    if not says:
        assert heard.affect is None and once is None and still is None
        return
    chosen = np.searchsorted(time, heard.time)  # the frames of each look
    looks = features.astype(np.float32)[chosen].mean(1)[:, :2] - 1
    assert (looks > 1).any()  # each look is brought to the range, then the mean is taken
    assert heard.affect == pytest.approx(np.clip(looks, -1, 1).mean(0), abs=1e-5) and heard.affect.dtype == np.float64
    assert once is not None and once.shape == (2,) and still is not None
    assert still == pytest.approx(np.minimum(faces(3).reshape(3, 16, 3).mean(1)[:, :2] - 1, 1), abs=1e-2)


@pytest.mark.parametrize("wrong", [faces(2)[:, :3], faces(2).astype(np.float32), faces(2)[0]])
def test_wrong_faces_are_refused(folder: Path, wrong: np.ndarray) -> None:
    with pytest.raises(SettingError, match=r"takes uint8 faces \(n, 4, 4, 3\), not"):
        load_folder(folder).predict(wrong)


def test_the_hash_names_this_very_model(folder: Path, tmp_path: Path) -> None:
    first = load_folder(folder).hash
    shutil.copytree(folder, tmp_path / "copy")
    assert load_folder(tmp_path / "copy").hash == first and len(first) == 12
    rewrite(folder, temperature=2.1)
    assert load_folder(folder).hash != first


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"graph_sha256": "0" * 64}, r"does not match its recorded hash"),
        ({"format": 2, "new_key": 1}, r"has format 2, this Tronie reads 1: upgrade"),
        ({"format": None}, r"has format None"),
        ({"graph": "../encoder.onnx"}, r"graph outside its folder.*do not trust"),
        ({"graph": "/etc/passwd"}, r"outside its folder"),
        ({"graph": ".."}, r"outside its folder"),
        ({"graph": "a\\b.onnx"}, r"outside its folder"),
        ({"graph": "absent.onnx"}, r"absent\.onnx is missing"),
        ({"labels": ["a", "a", "b"]}, r"repeat"),
        ({"labels": ["a", "b"]}, r"speaks of 2 labels .* its graph of 3"),
        ({"size": 5}, r"faces of 5 pixels"),
        ({"temperature": 0.0}, r"above 0"),
        ({"temperatur": 1.0}, r"Unknown setting 'temperatur'"),
        ({"size": "big"}, r"'size' must be a whole number"),
    ],
)
def test_what_is_wrong_with_a_model_is_said(folder: Path, changes: dict[str, Any], sentence: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=sentence):
        load_folder(folder)


FIT = {
    "a": 0.8,
    "b": -0.2,
    "fitted_on": "acted clips",
    "offsets": {"neutral": -0.5},
    "settings": {"kernel": 0.3},
    "scores": {"after/nll": [0.5, 0.4, 0.6]},
}


def test_a_model_says_how_sure_its_segments_are_or_not(folder: Path) -> None:
    assert load_folder(folder).segments is None
    rewrite(folder, segments=FIT)
    model = load_folder(folder)
    assert model.segments is not None and model.segments.scores == {"after/nll": (0.5, 0.4, 0.6)}
    assert model.segments.calibration == SegmentCalibration(0.8, -0.2, {"neutral": -0.5})
    write_info(folder, model.info)
    assert load_folder(folder).info == model.info


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"a": -1.0}, "segment calibration with a = -1.0"),
        ({"b": 1e9}, "segment calibration with b"),
        ({"offsets": {"joy": 0.1}}, "speaks of 'joy', which is none of its labels"),
        ({"fitted_on": ""}, "says on what it was fitted"),
        ({"a": "much"}, "'segments.a' must be a number"),
        ({"slope": 1.0}, "Unknown setting 'segments.slope'"),
    ],
)
def test_segment_numbers_that_are_none_are_refused(folder: Path, changes: dict[str, Any], sentence: str) -> None:
    rewrite(folder, segments=FIT | changes)
    with pytest.raises(ModelError, match=sentence):
        load_folder(folder)


def test_tampered_and_damaged_graphs_are_refused(folder: Path) -> None:
    path = folder / "encoder.onnx"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match="does not match its recorded hash"):
        load_folder(folder)
    path.write_bytes(b"no graph")
    rewrite(folder, graph_sha256=sha256(path))
    with pytest.raises(ModelError, match="not a graph that ONNX Runtime can run"):
        load_folder(folder)
    graph(path, output="answers")
    rewrite(folder, graph_sha256=sha256(path))
    with pytest.raises(ModelError, match="lacks the input 'faces' or the output 'logits'"):
        load_folder(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\xff"])
def test_a_model_json_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "model.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"model\.json"):
        load_folder(folder)


def test_models_are_found_by_path_by_name_or_as_they_are(folder: Path) -> None:
    model = load_model(folder)
    assert load_model(str(folder)) is model and load_model(model) is model  # opened once
    rewrite(folder, temperature=3.0)
    assert load_model(folder).info.temperature == 3.0  # but not for ever
    with pytest.raises(ModelError, match="There is no model 'defalt'"):
        load_model("defalt")
    with pytest.raises(ModelError, match="No model in"):
        load_model(folder.parent)
    run = folder.parent / "run"
    run.mkdir()
    (run / "recipe.toml").touch()
    with pytest.raises(ModelError, match=r"is a run folder without a model: `tronie export .*` writes one"):
        load_model(run)
    shutil.copytree(folder, run / "model")
    with pytest.raises(ModelError, match=r"run is a run folder: give the model in it, .*run.model\."):
        load_model(run)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_opens_and_fits_its_budget(name: str) -> None:
    model = load_model(name)
    p = model.predict(np.zeros((2, model.size, model.size, 3), np.uint8))
    assert isinstance(model, Model) and p.sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert sum(f.stat().st_size for f in model.folder.iterdir()) <= 12e6
    assert (model.folder / "card.md").is_file()


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_graph_names_no_file_of_the_machine_that_made_it(name) -> None:
    graph = (SHIPPED / name / "encoder.onnx").read_bytes()
    assert b"stack_trace" not in graph
    assert b"site-packages" not in graph


HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    "value",
    [
        HUGE,
        "1e999",
        "NaN",
        "Infinity",
        "-1",
        "0",
        "1e-300",
        "1e300",
        "-Infinity",
        "null",
        "true",
        '"1"',
        "[1]",
        HUGE + ".5",
    ],
)
def test_a_temperature_that_no_fit_gives_is_refused(folder: Path, value: str) -> None:
    said = json.loads((folder / "model.json").read_text())
    text = json.dumps(said | {"temperature": 0.12345}).replace("0.12345", value)
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model\.json cannot be (read|used)") as caught:
        load_folder(folder)
    assert len(str(caught.value)) < 300 + len(str(folder))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ["x" * 5000, "sadness", "neutral"]),
        ("labels", ["a\nb", "sadness", "neutral"]),
        ("labels", ["a\x1b[2J", "sadness", "neutral"]),
        ("labels", ["", "sadness", "neutral"]),
        ("labels", ["a", "a", "b"]),
        ("size", 2**63),
        ("size", 2**62),
        ("frames", 10**30),
        ("name", ["x"]),
        ("seen", "x" * 5000),
        ("labels", 5),
        ("x" * 5000, 1),
        ("scores", {"a": [1, 2]}),
        ("format", 10**30),
        ("format", [[]]),
        ("scores", {"a": [10**400, 0, 1]}),
        ("segments", {"a": 10**400, "b": 0.0, "fitted_on": "x"}),
        ("graph", "x" * 5000),
        ("graph", "a\0b"),
        ("graph_sha256", "x" * 5000),
        ("neutral", {"expected": {"a": 0.0}, "fitted_on": "x"}),
    ],
)
def test_what_model_json_says_of_the_wrong_kind_is_one_readable_sentence(folder: Path, key: str, value: Any) -> None:
    said = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(said | {key: value}))
    with pytest.raises(ModelError) as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 + 2 * len(str(folder))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 20_000,
        "[]",
        "null",
        '{"name": "\\ud800"}',
        '{"name": "a", "name": "b"}',
        "",
        '{"format": 1, "scores": ' + '{"a":' * 5000 + "1" + "}" * 5001,
    ],
)
def test_model_json_that_is_no_such_thing_is_one_sentence(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError):
        load_folder(folder)


@pytest.mark.parametrize("change", [{"looks": 10**9}, {"hop": 1e-300}, {"window": 1e300, "hop": 1.0}, {"frames": 0}])
def test_a_video_model_cannot_ask_for_endless_work(change: dict[str, float]) -> None:
    whole = {"graph": "t.onnx", "graph_sha256": "", "frames": 4, "width": 3}
    ClipInfo(**whole)
    with pytest.raises(ValueError, match=r"a video model needs|windows must"):
        ClipInfo(**whole | change)
