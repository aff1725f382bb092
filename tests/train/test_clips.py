"""Prepared clips: opened, learnt from, judged, and turned into cached features."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tiny_method import TinyClip  # noqa: E402

from tronie.clips.points import IBUG68_MIRROR  # noqa: E402
from tronie.clips.views import View  # noqa: E402
from tronie.core.errors import ModelError, SettingError, SourceError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.data.augmentation import Augment  # noqa: E402
from tronie.data.features import features  # noqa: E402
from tronie.data.loader import cut  # noqa: E402
from tronie.data.noise.clips import hard  # noqa: E402
from tronie.data.prepared import open_prepared  # noqa: E402
from tronie.methods.method import Method  # noqa: E402
from tronie.models.folder import Model, load_folder  # noqa: E402
from tronie.train import checkpoint  # noqa: E402
from tronie.train.evaluate import evaluate  # noqa: E402
from tronie.train.export import export  # noqa: E402
from tronie.train.exported import judge, open_bench  # noqa: E402
from tronie.train.injected import told_apart  # noqa: E402
from tronie.train.log import read_log  # noqa: E402
from tronie.train.loop import Loop, answer  # noqa: E402
from tronie.train.optim import Optim  # noqa: E402
from tronie.train.package import graph_logits  # noqa: E402
from tronie.train.recipe import Recipe, Source  # noqa: E402
from tronie.train.run import Outcome, execute, make_method, open_run  # noqa: E402
from tronie.train.sources import open_part, training_parts, validation_parts  # noqa: E402

NAMES = ("happiness", "sadness", "neutral")
LABELS = LabelSet(NAMES)


def lay_down(folder: Path, kind: str, n: int = 24, seed: int = 0) -> Manifest:
    """Clips of 3 to 9 frames; labels go round, and show in how fast things move."""
    rng = np.random.default_rng(seed)
    label, lengths = np.arange(n) % 3, rng.integers(3, 10, n)
    parts = []
    for k, length in zip(label, lengths, strict=True):
        if kind == "pixels":
            parts.append(rng.integers(60 * k, 60 * k + 80, (length, 32, 32, 3)).astype(np.uint8))
        else:
            shape, type_ = ((68, 2), np.float32) if kind == "points" else ((20,), np.float16)
            parts.append((rng.normal(0, 0.3 + k, (length, *shape)) + k).astype(type_))
    folder.mkdir(parents=True)
    np.save(folder / "frames.npy", np.concatenate(parts))
    np.save(folder / "starts.npy", np.cumsum([0, *lengths]))
    note = {"kind": kind} | ({"mirror": IBUG68_MIRROR.tolist()} if kind == "points" else {})
    (folder / "prepared.json").write_text(json.dumps(note))
    manifest = Manifest(
        id=np.array([f"{kind}/{i:03d}" for i in range(n)]),
        path=np.array([f"frames.npy::{i}" for i in range(n)]),
        label=label,
        labels=LABELS,
        split=np.full(n, "train"),
        fold=(np.arange(n) // 3) % 2,
        root=folder,
    )
    manifest.save(folder / "manifest.csv")
    return manifest


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for kind in ("pixels", "points", "features"):
        lay_down(root / kind, kind)
    return root


def recipe(kind: str, epochs: int = 4) -> Recipe:
    inputs = {"points": 136, "features": 20, "pixels": 3}[kind]
    return Recipe(
        "clips",
        (Source(kind, folds="manifest"),),
        labels=NAMES,
        fold=1,
        method="tiny_method:TinyClip",
        config={"kind": kind, "inputs": inputs},
        loop=Loop(epochs, 6, half=False, judge_every=1),
        optim=Optim(rate=1e-2 if kind == "pixels" else 1e-3, ema=0),
    )


@pytest.fixture(scope="module")
def photo_run(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A method of photos that learns from the first frames of clips."""
    plan = Recipe(
        "photos",
        (Source("pixels", folds="manifest"),),
        labels=NAMES,
        fold=1,
        method="tiny_method:Tiny",
        loop=Loop(1, 6, half=False),
        optim=Optim(ema=0),
    )
    return execute(plan, clips, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def model(photo_run: Outcome) -> Model:
    return load_folder(photo_run.model)


@pytest.mark.parametrize("kind", ["pixels", "points", "features"])
def test_clips_are_opened_as_they_were_laid_down(clips: Path, kind: str) -> None:
    opened = open_prepared(clips / kind)
    assert opened.kind == kind and opened.starts is not None and len(opened.starts) == len(opened.manifest) + 1 == 25
    assert np.array_equal(opened.faces, np.load(clips / kind / "frames.npy"))
    part = open_part(clips, Source(kind), LabelSet(("sadness", "neutral")))
    assert part.rows.kind == kind and len(part.rows) == 16 and part.rows.index.tolist()[:2] == [1, 2]
    assert (part.rows.mirror is not None) == (kind == "points")


@pytest.mark.parametrize(
    ("kind", "harm", "sentence"),
    [
        ("points", lambda f: np.save(f / "starts.npy", np.arange(3)), r"no 24 clips of points: run `tronie prepare`"),
        (
            "points",
            lambda f: np.save(f / "starts.npy", np.repeat(np.load(f / "starts.npy")[:-1], 2)[:25]),
            "no 24 clips",
        ),
        ("pixels", lambda f: np.save(f / "frames.npy", np.load(f / "frames.npy")[:-1]), "frames that are no 24 clips"),
        ("features", lambda f: np.save(f / "frames.npy", np.load(f / "frames.npy").astype(np.float64)), "no 24 clips"),
        ("points", lambda f: (f / "frames.npy").unlink(), "No prepared data in"),
        ("points", lambda f: (f / "frames.npy").write_bytes(b"no"), r"frames\.npy cannot be read"),
        ("points", lambda f: (f / "prepared.json").write_text("{"), r"prepared\.json cannot be read"),
        ("points", lambda f: (f / "prepared.json").write_text('{"kind": "sounds"}'), "clips of 'sounds'"),
    ],
)
def test_damage_is_said_in_a_sentence(tmp_path: Path, kind: str, harm: object, sentence: str) -> None:
    lay_down(tmp_path / "x", kind)
    harm(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(SourceError, match=sentence):
        open_prepared(tmp_path / "x")


@pytest.mark.parametrize("kind", ["pixels", "points", "features"])
def test_a_method_of_clips_learns_is_judged_and_goes_on_to_the_bit(
    clips: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    made = execute(recipe(kind), clips, tmp_path / "a", said.append)
    log = read_log(tmp_path / "a")
    assert log[-1]["ce"] < log[0]["ce"] and made.evaluations[f"{kind}/fold1"].rows == 12
    assert not made.model.exists() and any(line.startswith("No model folder") for line in said)

    class Killed(Exception):
        pass

    def kill(weights: Method) -> dict[str, float]:
        if len(read_log(tmp_path / "b")) == 1:
            raise Killed
        return {}

    with monkeypatch.context() as patched:
        patched.setattr("tronie.train.run.scorer", lambda *arguments: kill)
        with pytest.raises(Killed):
            execute(recipe(kind), clips, tmp_path / "b")
    execute(recipe(kind), clips, tmp_path / "b")
    a, b = (open_run(tmp_path / name)[1].state_dict() for name in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("kind", ["points", "features"])
def test_evaluation_looks_at_uniform_places(clips: Path, kind: str) -> None:
    method, rows = make_method(recipe(kind)).eval(), open_part(clips, Source(kind), LABELS).rows
    assert rows.starts is not None
    by_hand = []
    for row in rows.index:
        own = rows.faces[rows.starts[row] : rows.starts[row + 1]]
        by_hand.append(np.stack([own[len(own) * i // 6] for i in range(6)]).astype(np.float32))
    with torch.no_grad():
        expected = method(torch.from_numpy(np.stack(by_hand))).logits.numpy()
    assert answer(method, rows).logits == pytest.approx(expected, abs=1e-4)


def test_the_wrong_kind_of_clips_is_refused_before_training(clips: Path, tmp_path: Path) -> None:
    wrong = replace(recipe("points"), train=(Source("features", folds="manifest"),))
    with pytest.raises(SettingError, match="looks at points, and the data holds features"):
        execute(wrong, clips, tmp_path / "run")
    assert not (tmp_path / "run" / checkpoint.LAST).exists()


def test_a_method_of_points_is_not_exported(clips: Path, tmp_path: Path) -> None:
    execute(recipe("points", 1), clips, tmp_path / "run")
    with pytest.raises(ModelError, match=r"cannot be exported: it looks at tracked points"):
        export(tmp_path / "run", tmp_path / "model")


def test_a_method_of_photos_learns_from_clips_and_its_graph_agrees(clips: Path, photo_run: Outcome) -> None:
    part = open_part(clips, Source("pixels", folds="manifest"), LABELS, keep_fold=1)
    _, method = open_run(photo_run.folder)
    graph = graph_logits(photo_run.model / "encoder.onnx", part, 32)
    assert graph == pytest.approx(answer(method, part.rows).logits, abs=0.02)  # stored as fp16
    first = part.rows.faces[part.rows.starts[part.rows.index[3]]]
    assert graph[3] == pytest.approx(load_folder(photo_run.model).logits(first[None])[0], abs=1e-5)


def test_a_model_is_judged_on_clips_by_the_mean_over_their_frames(clips: Path, model: Model) -> None:
    bench = open_bench(clips / "pixels", "pixels", model.labels)
    found, answered = judge(model, bench)
    assert found.rows == 24 and bench.starts is not None
    for row in (0, 11):
        frames = np.asarray(bench.faces[bench.starts[row] : bench.starts[row + 1]])
        assert answered.probability[row] == pytest.approx(model.predict(frames).mean(0), abs=1e-5)
    middle = np.asarray(bench.faces[(bench.starts[5] + bench.starts[6]) // 2])
    assert np.array_equal(bench.crops(5, 6, 32, "aligned")[0], middle)
    with pytest.raises(SourceError, match="holds clips of points, and a model reads faces"):
        evaluate(model, clips / "points")


def test_cached_features_are_what_the_model_answers(clips: Path, model: Model, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = features(clips / "pixels", model.folder, tmp_path / "out", progress=lambda *d: told.append(d))
    opened, source = open_prepared(tmp_path / "out"), open_prepared(clips / "pixels")
    expected = model.answer(np.asarray(source.faces)).feature
    assert expected is not None and opened.faces.dtype == np.float16
    assert opened.faces == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert opened.kind == "features" and np.array_equal(opened.starts, source.starts)
    assert (made.clips, made.frames, made.width) == (24, len(expected), expected.shape[1]) and told[-1] == (24, 24)
    assert opened.manifest.id.tolist() == source.manifest.id.tolist()
    assert opened.manifest.fold.tolist() == source.manifest.fold.tolist()
    assert json.loads((tmp_path / "out" / "prepared.json").read_text())["model"] == model.hash


def test_features_of_a_photo_are_a_clip_of_one_frame(data: Path, model: Model, tmp_path: Path) -> None:
    made = features(data / "drawn", model, tmp_path / "out")
    opened, source = open_prepared(tmp_path / "out"), open_prepared(data / "drawn")
    expected = model.answer(np.ascontiguousarray(source.faces[:, -1])).feature
    assert expected is not None and opened.starts is not None
    assert opened.faces == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert opened.starts.tolist() == list(range(len(source.manifest) + 1)) and made.clips == made.frames
    assert opened.manifest.label.tolist() == source.manifest.label.tolist()


def test_features_are_made_of_pixels_only(clips: Path, model: Model, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds points: features are made of clips of pixels"):
        features(clips / "points", model, tmp_path / "out")
    with pytest.raises(SettingError, match="another folder"):
        features(clips / "pixels", model, clips / "pixels")
    with pytest.raises(SourceError, match="No prepared data"):
        features(tmp_path / "nothing", model, tmp_path / "out")


def test_a_run_from_before_a_setting_was_there_goes_on(clips: Path, tmp_path: Path) -> None:
    plan = recipe("points", 1)
    execute(plan, clips, tmp_path / "run")
    path = tmp_path / "run" / "recipe.toml"
    older = "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("window = "))
    assert older != path.read_text()
    path.write_text(older)
    execute(plan, clips, tmp_path / "run")
    with pytest.raises(SettingError, match="another recipe"):
        execute(replace(plan, balance=0.9), clips, tmp_path / "run")


def test_random_looks_at_a_clip_vary_in_time_alone(clips: Path) -> None:
    from tronie.train.loop import Look

    method = make_method(recipe("points")).eval()
    assert isinstance(method, TinyClip)
    rows = open_part(clips, Source("points"), LABELS).rows
    looks = [answer(method, rows, look=Look(k, 7, 2)) for k in (0, 0, 1)]
    assert np.array_equal(looks[0].logits, looks[1].logits) and not np.array_equal(looks[0].logits, looks[2].logits)
    assert rows.starts is not None
    short = np.diff(rows.starts) == 6  # as many frames as are looked at: there is one way to see them
    same = (looks[0].logits == looks[2].logits).all(1)
    assert short.any() and same[short].all() and not same[np.diff(rows.starts) > 6].all()


def hardened(how: float | str) -> Recipe:
    return replace(recipe("features", 1), train=(Source("features", folds="manifest", hard=how, noise_seed=2),))


def test_only_clips_that_are_learnt_from_are_made_hard(clips: Path) -> None:
    learn, judged = training_parts(hardened(0.8), clips)[0], validation_parts(hardened(0.8), clips)[0]
    assert judged.rows.shown is None and judged.hard is None and learn.hard is not None
    opened, plan = open_prepared(clips / "features"), learn.hard.plan
    assert opened.starts is not None and 3 < plan.hard.sum() < 9
    other = training_parts(replace(hardened(0.8), fold=0), clips)[0].hard
    whole = hard(np.diff(opened.starts), opened.manifest.label == 2, 0.8, 2).hard
    assert other is not None and (plan.hard | other.plan.hard).tolist() == whole.tolist(), "folds share their draw"
    fold, neutral = opened.manifest.fold, opened.manifest.label == 2
    assert not (plan.hard & ((fold == 1) | neutral)).any() and (fold[plan.donor[plan.hard]] == 0).all()
    for row, index in enumerate(learn.rows.index.tolist()):
        length = int(np.diff(opened.starts)[index])
        found = cut(learn.rows, row, View(8, length, kind="features"), Augment(), (0,))
        wanted = opened.faces[[opened.starts[clip] + frame for clip, frame in plan.frames(index)]]
        assert np.array_equal(found, wanted.astype(np.float32))
        own = opened.faces[opened.starts[index] : opened.starts[index + 1]].astype(np.float32)
        assert np.array_equal(found, own) != plan.hard[index]


def test_a_run_keeps_its_hard_clips_and_verdicts_are_held_against_them(clips: Path, tmp_path: Path) -> None:
    said: list[str] = []
    run = execute(hardened(0.8), clips, tmp_path / "run", said.append)
    found, again = json.loads((run.folder / "noise.json").read_text()), run.folder / "hard-features.csv"
    one, two = (training_parts(hardened(how), clips)[0] for how in (0.8, str(again)))
    assert one.rows.shown is not None and two.rows.shown is not None and one.hard is not None
    assert one.rows.shown.tolist() == two.rows.shown.tolist() and found["hard"] == one.hard.plan.hard.sum()
    assert any(f"{found['hard']} of 12 clips with right labels were hard on purpose" in line for line in said)
    ids, made = one.manifest.id, one.hard.plan.hard[one.rows.index]
    verdicts = [(ids[made][0], "hard"), (ids[made][1], "noisy"), (ids[~made][0], "hard"), (ids[~made][1], "clean")]
    (tmp_path / "samples.csv").write_text("epoch,id,verdict\n" + "".join(f"1,{i},{v}\n" for i, v in verdicts))
    told = told_apart(tmp_path, tmp_path / "samples.csv", [one])
    assert told is not None and (told.called_hard, told.rightly_hard, told.hard) == (2, 1, int(made.sum()))
    assert "2 were called hard, 1 of them rightly (precision 0.50" in str(told) and "wrong" not in str(told)


def test_photos_cannot_be_made_hard(data: Path) -> None:
    with pytest.raises(SettingError, match="'drawn' holds photos"):
        open_part(data, Source("drawn", hard=0.2), LABELS, noisy=True)
