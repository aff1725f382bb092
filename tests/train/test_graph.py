"""PyTorch and ONNX answer alike; fp16 is storage only; int8 ships only where it costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from tronie.core.errors import ModelError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.methods.baseline import Baseline, BaselineConfig  # noqa: E402
from tronie.methods.method import Method  # noqa: E402
from tronie.metrics.intervals import Interval  # noqa: E402
from tronie.models.session import Session  # noqa: E402
from tronie.train.graph import export_onnx, quantize_int8, store_half  # noqa: E402
from tronie.train.package import Quantized, compare_graphs, faces_of, graph_logits, write_graph  # noqa: E402
from tronie.train.recipe import Source  # noqa: E402
from tronie.train.sources import Part, open_part  # noqa: E402
from tronie.train.validate import said_by  # noqa: E402

LABELS = LabelSet(("happiness", "sadness", "neutral"))


def lively(encoder: str | type, size: int) -> Method:
    """Random weights with norms that do something, so that a lost or misplaced layer would show."""
    torch.manual_seed(0)
    method = Baseline(LABELS, BaselineConfig(encoder, size=size))  # type: ignore[arg-type]
    for module in method.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.6, 1.2)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return method.to(memory_format=torch.channels_last).eval()


def torch_answers(method: Method, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        out = method(torch.from_numpy(faces).permute(0, 3, 1, 2)[:, None])
    return out.logits.numpy(), out.feature.numpy()


def far(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


@pytest.fixture(scope="module")
def faces() -> dict[int, np.ndarray]:
    return {s: np.random.default_rng(0).integers(0, 256, (7, s, s, 3), np.uint8) for s in (32, 80)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], tuple[Method, Path]]:
    """A method on an encoder and its fp32 graph, which is written once: that takes seconds."""

    @cache
    def make(encoder: str, size: int) -> tuple[Method, Path]:
        method, folder = lively(encoder, size), tmp_path_factory.mktemp("graph")
        return method, write_graph(method, folder, "full")

    return make


@pytest.mark.parametrize(("encoder", "size"), [("resnet18-half", 32), ("dlib-resnet29", 80)])
def test_the_graph_is_the_network_for_any_batch(
    encoder: str,
    size: int,
    faces: dict[int, np.ndarray],
    made: Callable[[str, int], tuple[Method, Path]],
    tmp_path: Path,
) -> None:
    method, full = made(encoder, size)
    session = Session(full)
    logits, feature = torch_answers(method, faces[size])
    for n in (1, 2, 7):
        out = session.run(faces=faces[size][:n])
        assert far(out["logits"], logits[:n]) < 1e-4 and far(out["feature"], feature[:n]) < 1e-4
    half = Session(store_half(full, tmp_path / "b.onnx"))
    assert far(half.run(faces=faces[size])["logits"], logits) < 5e-3
    assert (tmp_path / "b.onnx").stat().st_size < 0.52 * full.stat().st_size


def test_half_stores_the_weights_alone(faces: dict[int, np.ndarray], plain_net: ModuleType, tmp_path: Path) -> None:
    """Whatever is computed stays fp32: with weights that fp16 holds exactly, answers are the very same."""
    method = lively(plain_net.Plain, 32)
    with torch.no_grad():
        for p in method.parameters():
            p.copy_(p.half().float())
    full = export_onnx(method, tmp_path / "a.onnx", 32)
    a, b = (Session(g).run(faces=faces[32])["logits"] for g in (full, store_half(full, tmp_path / "b.onnx")))
    assert far(b, a) < 2e-3  # norms are folded into kernels at export, which rounds once more


def test_exporting_leaves_the_method_as_it_was(made: Callable[[str, int], tuple[Method, Path]]) -> None:
    kernel = made("resnet18-half", 32)[0].get_parameter("encoder.layer1.0.conv1.weight")
    assert kernel.is_contiguous(memory_format=torch.channels_last) and kernel.requires_grad


def test_mirror_answers_the_mean_of_a_face_and_its_mirror_image(
    faces: dict[int, np.ndarray], plain_net: ModuleType, tmp_path: Path
) -> None:
    method, pictures = lively(plain_net.Plain, 32), faces[32]
    session = Session(export_onnx(method, tmp_path / "m.onnx", 32, mirror=True))
    both = [torch_answers(method, np.ascontiguousarray(p))[0] for p in (pictures, pictures[:, :, ::-1])]
    assert far(session.run(faces=pictures)["logits"], np.mean(both, axis=0)) < 1e-4
    mirrored = np.ascontiguousarray(pictures[:, :, ::-1])
    assert far(session.run(faces=mirrored)["logits"], session.run(faces=pictures)["logits"]) < 1e-4


@pytest.fixture(scope="module")
def part(data: Path) -> Part:
    return open_part(data, Source("drawn"), LABELS)


def test_int8_is_judged_before_it_ships(part: Part, plain_net: ModuleType, tmp_path: Path) -> None:
    method = lively(plain_net.Plain, 32)
    full = write_graph(method, tmp_path / "full", "full")
    small = write_graph(method, tmp_path / "int8", "int8", learn=[part])
    assert small.stat().st_size < 0.35 * full.stat().st_size
    assert not list(tmp_path.rglob("*.prepared.onnx"))
    report = compare_graphs(full, small, [part], 32)
    a, b = (graph_logits(g, part, 32).argmax(1) for g in (full, small))
    assert report.rows == 60 and report.agreement == (a == b).mean()
    assert report.difference.value == pytest.approx((b == part.truth).mean() - (a == part.truth).mean())
    assert compare_graphs(full, full, [part], 32).passes
    some = replace(part, truth=np.where(np.arange(60) % 3, part.truth, -1))  # rated faces without a label
    report, known = compare_graphs(full, small, [some], 32), some.truth >= 0
    assert report.rows == 40 and report.agreement == (a == b)[known].mean()
    with pytest.raises(ModelError, match="no validation faces with labels"):
        compare_graphs(full, small, [replace(part, truth=np.full(60, -1))], 32)
    with pytest.raises(ModelError, match="no validation faces"):
        compare_graphs(full, small, [], 32)


def test_a_residual_net_becomes_int8_too(
    part: Part, made: Callable[[str, int], tuple[Method, Path]], tmp_path: Path
) -> None:
    full = made("resnet18-half", 32)[1]
    small = quantize_int8(full, tmp_path / "int8.onnx", faces_of(part, 32))
    assert small.stat().st_size < 0.35 * full.stat().st_size
    assert far(graph_logits(small, part, 32), graph_logits(full, part, 32)) < 0.2


def test_the_rule_for_int8() -> None:
    even = Interval(0.0, -0.003, 0.003)
    assert Quantized(1000, 0.99, even).passes
    assert not Quantized(1000, 0.989, even).passes
    assert not Quantized(1000, 0.999, Interval(-0.004, -0.006, -0.001)).passes
    assert str(Quantized(1000, 0.985, even)) == (
        "98.50% equal answers on 1000 faces, accuracy difference 0 [-0.003, 0.003]"
    )


def test_the_graph_sees_what_validation_saw(part: Part, made: Callable[[str, int], tuple[Method, Path]]) -> None:
    method, graph = made("resnet18-half", 32)
    assert far(graph_logits(graph, part, 32), said_by(method, part).logits) < 1e-4
    assert faces_of(part, 32).shape == (60, 32, 32, 3) and faces_of(part, 24, most=7).shape == (7, 24, 24, 3)


def test_data_of_ones_own_may_have_any_size(tmp_path: Path, prepared: Callable[..., Manifest]) -> None:
    prepared(tmp_path, "own", 6)
    assert faces_of(open_part(tmp_path, Source("own"), LABELS), 80).shape == (6, 80, 80, 3)
