"""A run on features becomes a video model of two graphs that answers as the run did; films are read with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.cli import main  # noqa: E402
from tronie.clips.sampling import timed  # noqa: E402
from tronie.core.errors import ModelError, SettingError, SourceError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.methods.method import Method  # noqa: E402
from tronie.methods.rdfer import RDFER, RDFERConfig  # noqa: E402
from tronie.methods.sequence import Sequence, SequenceConfig  # noqa: E402
from tronie.metrics.calibration import softmax  # noqa: E402
from tronie.models.catalog import load_model  # noqa: E402
from tronie.models.folder import load_folder  # noqa: E402
from tronie.models.session import Session  # noqa: E402
from tronie.train import package_clips as deliver_clips  # noqa: E402
from tronie.train.export import export  # noqa: E402
from tronie.train.graph_clips import export_temporal, frames_of_a_key  # noqa: E402
from tronie.train.loop import Loop  # noqa: E402
from tronie.train.optim import Optim  # noqa: E402
from tronie.train.package_clips import find_encoder, read_clips  # noqa: E402
from tronie.train.recipe import Recipe, Source  # noqa: E402
from tronie.train.run import Outcome, execute, open_run  # noqa: E402
from tronie.train.sources import open_part  # noqa: E402

NAMES = ("happiness", "sadness", "neutral")
ROWS, FRAMES = 24, 20
CONFIG = {
    "kind": "features",
    "width": 8,
    "hidden": 8,
    "layers": 1,
    "heads": 2,
    "frames": 16,
    "synopsis": 8,
    "keys": 2,
    "each": 4,
    "look_frames": 8,
    "dropout": 0.1,
    "locate": "steps",
    "target": "confidence",
}


def lay_down(folder: Path, note: dict[str, object], width: int) -> None:
    """Clips of features whose level tells the label, as `tronie features` lays them down."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    label = np.arange(ROWS) % 3
    frames = rng.normal(0, 0.3, (ROWS, FRAMES, width)) + label[:, None, None]
    np.save(folder / "frames.npy", frames.reshape(-1, width).astype(np.float16))
    np.save(folder / "starts.npy", np.arange(ROWS + 1) * FRAMES)
    names, split = np.array([f"clip{i}" for i in range(ROWS)]), np.full(ROWS, "train")
    (folder / "prepared.json").write_text(json.dumps({"kind": "features", **note}))
    Manifest(
        names,
        np.array([f"frames.npy::{i}" for i in range(ROWS)]),
        label,
        LabelSet(NAMES),
        split=split,
        fold=(np.arange(ROWS) // 3) % 2,
    ).save(folder / "manifest.csv")


@pytest.fixture(scope="module", autouse=True)
def one_export(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The graph of one set of weights is written once for all of this file: that takes seconds."""
    made, write = tmp_path_factory.mktemp("graphs"), deliver_clips.export_temporal

    def write_once(method: Method, path: Path, width: int) -> Path:
        weights = b"".join(tensor.numpy().tobytes() for tensor in method.state_dict().values())
        known = made / f"{hashlib.sha256(weights).hexdigest()}-{width}.onnx"
        if not known.is_file():
            write(method, known, width)
        return Path(shutil.copyfile(known, path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver_clips, "export_temporal", write_once)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the default model, and those of a model that is nowhere."""
    root, default = tmp_path_factory.mktemp("video"), load_model()
    width = int(default.features(np.zeros((1, default.size, default.size, 3), np.uint8)).shape[1])
    lay_down(root / "known", {"model": default.hash, "name": default.name}, width)
    lay_down(root / "lost", {"model": "0" * 12, "name": "lost", "folder": str(root / "nowhere")}, width)
    return root


def recipe(home: Path, data: str = "known", **changes: object) -> Recipe:
    width = np.load(home / data / "frames.npy", mmap_mode="r").shape[1]
    return Recipe(
        "tiny-video",
        (Source(data, folds="manifest"),),
        labels=NAMES,
        fold=1,
        method="rdfer",
        config={**CONFIG, "inputs": width, **changes},
        loop=Loop(2, 6, half=False, judge_every=9),
        optim=Optim(rate=5e-3, ema=0),
    )


@pytest.fixture(scope="module")
def run(home: Path) -> Outcome:
    return execute(recipe(home), home, home / "run")


def test_the_run_writes_a_video_model(run: Outcome) -> None:
    assert {p.name for p in run.model.iterdir()} == {"encoder.onnx", "temporal.onnx", "model.json", "card.md"}
    model, default = load_folder(run.model), load_model()
    assert model.clip is not None and model.labels.names == NAMES and model.size == default.size
    info = model.clip.info
    assert (info.frames, info.each, info.looks, info.window, info.hop) == (8, 4, 8, 2.0, 0.5)
    assert info.encoder == f"{default.name} {default.hash}" and "known/fold1/war" in model.info.scores
    assert (run.model / "encoder.onnx").read_bytes() == (default.folder / default.info.graph).read_bytes()
    assert f"Frames are encoded by the model {default.name} {default.hash}." in (run.model / "card.md").read_text()


def test_the_graph_answers_as_the_method(run: Outcome) -> None:
    _, method = open_run(run.folder)
    assert isinstance(method, RDFER)
    reader = load_folder(run.model).clip
    assert reader is not None
    clips = np.random.default_rng(1).normal(0, 1, (5, 8, reader.info.width)).astype(np.float32)
    with torch.no_grad():
        seen = method.look(torch.from_numpy(clips))
    assert seen.position is not None
    for n in (1, 2, 5):
        found = reader.answer(clips[:n])
        assert found["logits"] == pytest.approx(seen.answer.logits[:n].numpy(), abs=2e-2)  # weights lie as fp16
        assert found["where"] == pytest.approx(seen.position[:n].numpy(), abs=5e-2)
        assert (found["where"] >= 0).all() and (found["where"] <= 7).all()


def test_a_stretch_is_read_in_looks_drawn_by_its_number(run: Outcome) -> None:
    """By hand: frames by true time, the mean of the looks, then the temperature."""
    model = load_folder(run.model)
    reader = model.clip
    assert reader is not None
    rng = np.random.default_rng(2)
    time, features = np.sort(rng.uniform(3, 5, 30)), rng.normal(0, 1, (30, reader.info.width)).astype(np.float16)
    heard = reader.read(features, time, 5.0, 7)
    chosen = [timed(time, 5.0, 8, np.random.default_rng((7, k))) for k in range(8)]
    logits = reader.answer(np.stack([features[c] for c in chosen]).astype(np.float32))["logits"]
    mean = softmax(logits).mean(0) ** (1 / model.info.temperature)
    assert heard.probability == pytest.approx(mean / mean.sum(), abs=1e-6)
    assert heard.says.tolist() == logits.argmax(1).tolist() and heard.time == pytest.approx(np.stack(time[chosen]))
    assert heard.where is not None and heard.where.shape == (8, 8)
    assert (heard.where >= time[0]).all() and (heard.where <= time[-1]).all()
    again, elsewhere = reader.read(features, time, 5.0, 7), reader.read(features, time, 5.0, 8)
    assert np.array_equal(heard.time, again.time) and not np.array_equal(heard.time, elsewhere.time)
    assert np.array_equal(heard.probability, again.probability)


def test_single_faces_stand_still_and_clips_are_read_whole(run: Outcome) -> None:
    model = load_folder(run.model)
    assert model.clip is not None and model.words is None
    faces = np.random.default_rng(0).integers(0, 256, (3, model.size, model.size, 3), np.uint8)
    answer = model.answer(faces)
    assert answer.logits.shape == (3, 3) and model.answer(faces[:0]).logits.shape == (0, 3)
    still = np.repeat(model.features(faces)[:, None].astype(np.float32), 8, 1)
    assert answer.logits == pytest.approx(model.clip.answer(still)["logits"], abs=1e-5)
    clip = np.repeat(faces[:1], 12, 0)
    assert model.predict_clip(clip) == pytest.approx(model.predict(faces[:1])[0], abs=1e-5)


def test_clips_made_hard_are_read_as_they_are_shown(home: Path, run: Outcome) -> None:
    reader = load_folder(run.model).clip
    assert reader is not None
    plain, made = (open_part(home, Source("known", hard=hard), LabelSet(NAMES), noisy=True) for hard in (0.0, 0.5))
    assert made.hard is not None
    hard = made.hard.plan.hard
    assert 0 < hard.sum() < ROWS
    changed = (read_clips(reader, plain).logits != read_clips(reader, made).logits).any(1)
    assert changed.tolist() == hard.tolist()


def test_it_is_exported_again_with_other_windows(home: Path, run: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    out = home / "again"
    given = ["export", str(run.folder), "-o", str(out), "--looks", "5", "--window", "1.5", "--encoder", "default"]
    assert main([*given, "--precision", "full", "--temperature", "1.5"]) == 0
    assert "Skipped" not in capsys.readouterr().err
    again, first = load_folder(out), load_folder(run.model)
    assert again.clip is not None and first.clip is not None
    assert (again.clip.info.looks, again.clip.info.window, again.clip.info.hop) == (5, 1.5, 0.5)
    assert again.info.temperature == 1.5 and again.info.seen == first.info.seen and again.hash != first.hash
    _, method = open_run(run.folder)
    clips = np.random.default_rng(3).normal(0, 1, (4, 8, again.clip.info.width)).astype(np.float32)
    with torch.no_grad():
        expected = method(torch.from_numpy(clips)).logits.numpy()
    assert again.clip.answer(clips)["logits"] == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_exported_is_said_in_a_sentence(home: Path, run: Outcome) -> None:
    with pytest.raises(SettingError, match="precision half or full, and not mirrored"):
        export(run.folder, home / "x", data=home, mirror=True)
    with pytest.raises(ModelError, match="0 < hop <= window / 2"):
        export(run.folder, home / "x", hop=1.5)
    with pytest.raises(ModelError, match="There is no model 'elsewhere'"):
        export(run.folder, home / "x", encoder="elsewhere")
    with pytest.raises(ModelError, match=r"is model .*, and the features were made by .*: give that one"):
        export(run.folder, home / "x", encoder=run.model)
    with pytest.raises(ModelError, match=r"is model .*, and the features were made by model .* \('static"):
        find_encoder([home / "known"], run.model)
    with pytest.raises(SourceError, match="are not features of one model"):
        find_encoder([home / "known", home / "lost"])
    made = RDFER(LabelSet(NAMES), RDFERConfig(**{**CONFIG, "inputs": 4, "faithful": True}))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="draws frames even when it is judged"):
        export_temporal(made, home / "x.onnx", 4)
    assert not (home / "x").exists()


def test_a_run_whose_image_model_is_gone_is_not_lost(home: Path) -> None:
    said: list[str] = []
    made = execute(recipe(home, "lost"), home, home / "lost-run", said.append)
    assert not made.model.exists() and (made.folder / "evaluation.json").is_file()
    assert any(
        line.startswith("No model folder: The features were made by model 000000000000 ('lost')") for line in said
    )
    with pytest.raises(ModelError, match=r"There is no video model in .*give --data"):
        export(made.folder, home / "y")
    with pytest.raises(ModelError, match="name its folder with --encoder"):
        export(made.folder, home / "y", data=home)


def test_sequences_are_exported_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = SequenceConfig("m3dfel", "features", inputs=6, frames=8, width=8, hidden=4, layers=1, heads=2)
    method: Method = Sequence(LabelSet(NAMES), config).eval()
    assert frames_of_a_key(method, ["logits"]) == 0
    session = Session(export_temporal(method, tmp_path / "t.onnx", 6))
    clips = np.random.default_rng(0).normal(0, 1, (3, 8, 6)).astype(np.float32)
    with torch.no_grad():
        expected = method(torch.from_numpy(clips)).logits.numpy()
    assert list(session.outputs) == ["logits"]
    assert session.run(clips=clips)["logits"] == pytest.approx(expected, abs=1e-5)


def test_a_damaged_video_model_is_refused(home: Path, run: Outcome, tmp_path: Path) -> None:
    def spoilt(**changes: object) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(run.model, folder)
        told = json.loads((folder / "model.json").read_text())
        told["clip"] |= changes
        (folder / "model.json").write_text(json.dumps(told))
        return folder

    with pytest.raises(ModelError, match="graph outside its folder"):
        load_folder(spoilt(graph="../temporal.onnx"))
    with pytest.raises(ModelError, match=r"temporal\.onnx is not what model\.json says"):
        load_folder(spoilt(frames=9))
    with pytest.raises(ModelError, match="gives no features of 4 numbers"):
        load_folder(spoilt(width=4))
    with pytest.raises(ModelError, match="does not match its recorded hash"):
        load_folder(spoilt(graph_sha256="0" * 64))
    with pytest.raises(ModelError, match="0 < hop <= window / 2"):
        load_folder(spoilt(hop=5.0))


def test_a_film_is_read_with_it_and_without_pytorch(run: Outcome, shared_data: Path, tmp_path: Path) -> None:
    film, table = shared_data / "samples" / "single_face.mp4", tmp_path / "film.csv"
    code = (
        "import sys\nfrom tronie.cli import main\n"
        f"code = main(['predict', {str(film)!r}, '--model', {str(run.model)!r}, '--out', {str(table)!r}])\n"
        "assert code == 0 and 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert " clips say " in done.stdout
    from tronie import Timeline

    timeline = Timeline.load(table)
    assert len(timeline) > 30 and timeline.provenance.clips == 8 and timeline.labels.names == NAMES
    assert ((timeline["agreement"] >= 0) & (timeline["agreement"] <= 1)).all()
    assert (timeline["model"] == load_folder(run.model).hash).all()
    assert all(s.told and s.clips == 8 for s in timeline.segments())
