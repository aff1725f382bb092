"""A model that imagines neutral faces hands them, and the words it matches with, to whoever runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from tronie.core.labels import LabelSet  # noqa: E402
from tronie.methods.baseline import Baseline, BaselineConfig  # noqa: E402
from tronie.methods.ke2nt import KE2NT, KE2NTConfig  # noqa: E402
from tronie.models.folder import Model, load_folder  # noqa: E402
from tronie.models.info import ModelInfo, write_info  # noqa: E402
from tronie.models.session import sha256  # noqa: E402
from tronie.train.graph import export_onnx  # noqa: E402
from tronie.train.package import compare_graphs, write_graph  # noqa: E402
from tronie.train.recipe import Source  # noqa: E402
from tronie.train.sources import open_part  # noqa: E402

LABELS = LabelSet(("happiness", "sadness", "neutral"))


class Small(torch.nn.Module):
    """Two convolutions, so that one of them may become int8."""

    width = 12

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Conv2d(8, 12, 3, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv2(torch.relu(self.conv1(pixels / 128 - 1)))).mean((2, 3))


def ke2nt(**settings: float) -> KE2NT:
    torch.manual_seed(0)
    return KE2NT(LABELS, KE2NTConfig(encoder=Small, size=32, **settings)).eval()  # type: ignore[arg-type]


def folder(method: torch.nn.Module, home: Path, precision: str = "half", learn: tuple[object, ...] = ()) -> Model:
    graph = write_graph(method, home, precision, learn=learn)  # type: ignore[arg-type]
    write_info(home, ModelInfo("test", LABELS.names, graph.name, sha256(graph), size=32))
    return load_folder(home)


def faces(n: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """One network's folder at both precisions; writing a graph takes seconds."""
    home = tmp_path_factory.mktemp("neutral")
    return {precision: folder(ke2nt(), home / precision, precision) for precision in ("full", "half")}


@pytest.mark.parametrize(("precision", "near"), [("full", 1e-4), ("half", 3e-3)])
def test_the_neutral_of_the_graph_is_that_of_the_network(models: dict[str, Model], precision: str, near: float) -> None:
    method, model = ke2nt(), models[precision]
    with torch.no_grad():
        out = method(torch.from_numpy(faces()).permute(0, 3, 1, 2)[:, None])
    for n in (1, 5):
        found = model.answer(faces()[:n])
        for mine, theirs in ((found.logits, out.logits), (found.feature, out.feature), (found.neutral, out.neutral)):
            assert mine is not None and np.abs(mine - theirs[:n].numpy()).max() < near * theirs.abs().max()
    assert model.words is not None and np.allclose(model.words, method.text.numpy(), atol=near)
    assert np.array_equal(model.logits(faces()), model.answer(faces()).logits)
    empty = model.answer(faces(0))
    assert empty.logits.shape == (0, 3) and empty.neutral is not None and empty.neutral.shape == (0, 384)


def test_what_is_handed_out_is_enough_to_read_a_face_against_another(models: dict[str, Model]) -> None:
    """Logits follow from feature and words; so does the change against a reference, as training compares it."""
    model = models["full"]
    found, words = model.answer(faces()), model.words
    assert found.feature is not None and found.neutral is not None and words is not None

    def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / np.linalg.norm(a, axis=1, keepdims=True) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T

    assert np.allclose(found.logits, 100 * cosines(found.feature, words), atol=1e-2)
    change = cosines(found.feature - found.neutral.mean(0), (words - words[2])[:2])
    assert change.shape == (5, 2) and np.isfinite(change).all()


def test_mirror_averages_the_neutral_and_leaves_the_words(tmp_path: Path) -> None:
    from tronie.models.session import Session

    session = Session(export_onnx(ke2nt(), tmp_path / "m.onnx", 32, mirror=True))
    one, other = session.run(faces=faces()), session.run(faces=np.ascontiguousarray(faces()[:, :, ::-1]))
    assert np.allclose(one["neutral"], other["neutral"], atol=1e-5) and np.array_equal(one["words"], other["words"])


def test_a_model_that_imagines_nothing_has_neither(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = Baseline(LABELS, BaselineConfig(encoder=Small, size=32)).eval()  # type: ignore[arg-type]
    for number, method in enumerate((plain, ke2nt(transform=0.0, contrast=0.0))):
        model = folder(method, tmp_path / str(number))
        found = model.answer(faces())
        assert found.neutral is None and model.words is None and found.feature is not None


def test_int8_keeps_neutral_and_words_and_its_rule(models: dict[str, Model], tmp_path: Path, data: Path) -> None:
    part = open_part(data, Source("drawn"), LABELS)
    full, small = models["full"], folder(ke2nt(), tmp_path / "int8", "int8", (part,))
    a, b = full.answer(faces()), small.answer(faces())
    assert a.neutral is not None and b.neutral is not None and full.words is not None
    assert np.abs(a.neutral - b.neutral).max() < 0.1 * np.abs(a.neutral).max()
    assert np.allclose(small.words, full.words)  # type: ignore[arg-type]
    graphs = [m.folder / m.info.graph for m in (full, small)]
    assert compare_graphs(graphs[0], graphs[1], [part], 32).rows == 60
