"""Valence and arousal through the researcher's room: rows without a label, scores, answers, graphs, folds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.errors import ModelError, SettingError, SourceError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.data.augmentation import Augment  # noqa: E402
from tronie.data.loader import Rows, batches, epoch_order  # noqa: E402
from tronie.methods.affect import Multitask, MultitaskConfig  # noqa: E402
from tronie.metrics import scores  # noqa: E402
from tronie.models.catalog import load_model  # noqa: E402
from tronie.models.folder import load_folder  # noqa: E402
from tronie.models.session import Session  # noqa: E402
from tronie.train import evaluate as judging  # noqa: E402
from tronie.train.compare import compare_models  # noqa: E402
from tronie.train.export import export  # noqa: E402
from tronie.train.exported import open_bench  # noqa: E402
from tronie.train.folds import summarise  # noqa: E402
from tronie.train.graph import export_onnx  # noqa: E402
from tronie.train.graph_clips import export_temporal  # noqa: E402
from tronie.train.log import read_log  # noqa: E402
from tronie.train.loop import Loop, answer  # noqa: E402
from tronie.train.optim import Optim  # noqa: E402
from tronie.train.predictions import Answered, joined, read_answers, write_answers  # noqa: E402
from tronie.train.recipe import Recipe, Source, read_recipe, resolved  # noqa: E402
from tronie.train.run import Outcome, execute, open_run  # noqa: E402
from tronie.train.scores import evaluate, plain  # noqa: E402
from tronie.train.sources import balanced, open_part, training_parts, validation_parts  # noqa: E402

NAMES = ("happiness", "sadness", "neutral")
LABELS, NONE = LabelSet(NAMES), LabelSet(())
ROWS, FRAMES = 24, 5
LABELLED = Source("labelled", folds="manifest")
RATED = Source("rated", folds="manifest", affect=True)


def lay_down(folder: Path, frames: np.ndarray[Any, Any], note: dict[str, object], **columns: Any) -> None:
    """Clips of ``FRAMES`` frames as `tronie prepare` and `tronie features` lay them down, in two folds."""
    folder.mkdir(parents=True)
    np.save(folder / "frames.npy", frames)
    np.save(folder / "starts.npy", np.arange(ROWS + 1) * FRAMES)
    (folder / "prepared.json").write_text(json.dumps(note))
    names, split = np.array([f"{folder.name}{i}" for i in range(ROWS)]), np.full(ROWS, "train")
    Manifest(
        names,
        np.array([f"frames.npy::{i}" for i in range(ROWS)]),
        split=split,
        fold=(np.arange(ROWS) // 3) % 2,
        **columns,
    ).save(folder / "manifest.csv")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of the default model's features: some with labels, some with ratings; and clips of pixels with ratings."""
    root, model, rng = tmp_path_factory.mktemp("affect"), load_model(), np.random.default_rng(0)
    width = model.features(np.zeros((1, model.size, model.size, 3), np.uint8)).shape[1]
    note = {"kind": "features", "model": model.hash, "name": model.name}
    label, noise = np.arange(ROWS) % 3, rng.normal(0, 0.3, (2, ROWS, FRAMES, width))
    rated = (0.9 * np.sin(np.arange(2 * ROWS).reshape(ROWS, 2))).astype(np.float32)
    kinds = (noise[0] + label[:, None, None]).reshape(-1, width).astype(np.float16)
    lay_down(root / "labelled", kinds, note, label=label, labels=LABELS)
    noise[1, :, :, 0::2] += 3 * rated[:, None, :1]
    noise[1, :, :, 1::2] += 3 * rated[:, None, 1:]
    ratings = {"valence": rated[:, 0], "arousal": rated[:, 1]}
    levels = noise[1].reshape(-1, width).astype(np.float16)
    lay_down(root / "rated", levels, note, label=np.full(ROWS, -1), labels=NONE, **ratings)
    pixels = rng.integers(0, 256, (ROWS * FRAMES, 24, 24, 3), np.uint8)
    lay_down(root / "films", pixels, {"kind": "pixels"}, label=np.full(ROWS, -1), labels=NONE, **ratings)
    return root


def recipe(home: Path, *train: Source, **changes: Any) -> Recipe:
    width = np.load(home / "rated" / "frames.npy", mmap_mode="r").shape[1]
    settings = {"kind": "features", "inputs": width, "frames": 4, "width": 12, "drop": 0.0, "dropout": 0.0}
    made = Recipe(
        "tiny-affect",
        train or (LABELLED, RATED),
        labels=NAMES,
        fold=1,
        method="multitask",
        config=settings,
        loop=Loop(12, 8, half=False, judge_every=6),
        optim=Optim(rate=1e-2, ema=0),
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def run(home: Path) -> Outcome:
    return execute(recipe(home), home, home / "run")


def test_rows_without_a_label_have_no_target_and_their_ratings(home: Path) -> None:
    part = open_part(home, RATED, LABELS)
    assert len(part.rows) == ROWS and (part.truth == -1).all() and not part.rows.target.any()
    assert part.rows.affect is not None and part.rows.affect[:, 0] == pytest.approx(part.manifest.valence)
    with pytest.raises(SourceError, match="has no row of split 'train' with a label of"):
        open_part(home, replace(RATED, affect=False), LABELS)
    with pytest.raises(SourceError, match="or with valence and arousal"):
        open_part(home, replace(RATED, split="test"), LABELS)
    labelled = open_part(home, replace(LABELLED, affect=True), LABELS)
    assert len(labelled.rows) == ROWS and labelled.rows.affect is None


def test_a_run_that_would_learn_no_ratings_is_refused(home: Path) -> None:
    """Its model would say valence and arousal by chance."""
    with pytest.raises(SettingError, match="no training row carries them"):
        training_parts(recipe(home, LABELLED), home)
    assert len(training_parts(recipe(home), home)) == 2
    assert len(training_parts(replace(recipe(home, LABELLED), method="sequence", config={}), home)) == 1


def test_features_of_another_length_are_told(home: Path) -> None:
    made = recipe(home)
    with pytest.raises(SettingError, match=r"config\.inputs is 100: set config\.inputs=256"):
        training_parts(replace(made, config={**made.config, "inputs": 100}), home)


def test_weights_balance_labels_and_leave_other_rows_at_one(home: Path) -> None:
    parts = [open_part(home, source, LABELS) for source in (RATED, LABELLED)]
    rated, labelled = balanced(parts, 0.5)
    assert (rated.weight == 1).all() and labelled.weight.mean() == pytest.approx(1)
    assert (balanced(parts[:1], 0.5)[0].weight == 1).all()  # no label at all


def test_batches_bring_ratings_where_any_source_has_them() -> None:
    frames, rated = np.zeros((6, 2), np.float32), np.arange(12, dtype=np.float32).reshape(6, 2) / 20
    plain_rows = Rows(
        frames, np.arange(3), np.eye(3, dtype=np.float32), np.ones(3, np.float32), starts=np.arange(7), kind="features"
    )
    with_them = replace(plain_rows, index=np.arange(3, 6), affect=rated[3:])
    views = Multitask(LABELS, MultitaskConfig(kind="features", inputs=2, frames=1)).views(False)
    sources = [plain_rows, with_them]
    (cut,) = batches(sources, epoch_order(sources, 0, 0), views, 8, how=Augment(), seed=0, epoch=0)
    assert cut.affect is not None
    for (source, row), found in zip(cut.where, cut.affect.numpy(), strict=True):
        assert np.isnan(found).all() if source == 0 else found == pytest.approx(rated[3 + row])
    (cut,) = batches([plain_rows], epoch_order([plain_rows], 0, 0), views, 8, how=Augment(), seed=0, epoch=0)
    assert cut.affect is None


def test_methods_that_do_not_learn_ratings_are_not_given_such_rows(home: Path) -> None:
    with pytest.raises(SettingError, match="'rated' has affect = true, and method 'sequence' learns no valence"):
        resolved(replace(recipe(home), method="sequence"))
    with pytest.raises(SettingError, match="'rated' has no labels of its own: name those of the run"):
        execute(recipe(home, RATED, labels=()), home, home / "none")


def test_a_run_on_both_is_judged_on_both(home: Path, run: Outcome) -> None:
    found = run.evaluations["rated/fold1"]
    assert set(found.scores) == {f"{s}_{n}" for s in ("ccc", "pearson", "rmse") for n in ("valence", "arousal")}
    assert found.rows == found.rated == 12 and found.confusion == () and found.per_class == {}
    answered = read_answers(run.folder)["rated/fold1"]
    assert answered.affect is not None and answered.rating is not None and (answered.truth == -1).all()
    for column, name in enumerate(("valence", "arousal")):
        by_hand = scores.concordance(answered.affect[:, column], answered.rating[:, column])
        interval = found.scores[f"ccc_{name}"]
        assert interval.value == pytest.approx(by_hand, abs=1e-4) and interval.low < by_hand < interval.high
        assert by_hand > 0.5
    labels = run.evaluations["labelled/fold1"]
    assert labels.rated == 0 and labels.scores["war"].value > 0.6 and "ccc_valence" not in labels.scores
    log = read_log(run.folder)
    assert log[5]["rated/fold1/ccc_valence"] and "rated/fold1/war" not in log[5] and log[5]["labelled/fold1/uar"]
    assert {"ce", "concordance", "square"} <= log[0].keys()
    page = judging.write_page(run.folder).read_text()
    assert "Valence and arousal, 12 rows" in page and page.count("Confusion: shown") == 1


def test_its_model_says_them_as_the_run_did(home: Path, run: Outcome) -> None:
    model = load_folder(run.model)
    assert model.clip is not None and model.affect
    _, method = open_run(run.folder)
    clips = np.random.default_rng(3).normal(0, 1, (4, 4, model.clip.info.width)).astype(np.float32)
    with torch.no_grad():
        expected = method(torch.from_numpy(clips))
    found = model.clip.answer(clips)
    assert found["affect"] == pytest.approx(expected.affect.numpy(), abs=2e-3)  # stored as fp16
    assert found["logits"] == pytest.approx(expected.logits.numpy(), abs=2e-2)
    assert any(name.endswith("ccc_valence") for name in model.info.scores)
    part = validation_parts(recipe(home), home)[1]
    said = answer(method, part.rows)
    assert said.affect is not None and said.affect.shape == (12, 2)


def test_a_model_is_evaluated_on_films_that_have_no_label(home: Path, run: Outcome, tmp_path: Path) -> None:
    found = judging.evaluate(run.folder, home / "films", folds="manifest", fold=1, out=tmp_path, robustness=True)
    one = found.evaluations["films/fold1"]
    assert one.rows == one.rated == 12 and "war" not in one.scores and "ccc_arousal" in one.scores
    assert found.robustness["films/fold1"] == [] and not any("No face of" in w for w in found.warnings)
    assert "Valence and arousal, 12 rows" in (tmp_path / "report.html").read_text()
    with pytest.raises(SourceError, match="has no row to judge by"):  # for a model that does not say them
        open_bench(home / "films", "films", LABELS)


def test_a_run_without_any_label_gives_scores_and_no_model(home: Path) -> None:
    said: list[str] = []
    made = execute(recipe(home, RATED, loop=Loop(1, 8, half=False)), home, home / "alone", said.append)
    assert any(line.startswith("No model folder: no training row carries a label") for line in said)
    assert not made.model.exists() and made.evaluations["rated/fold1"].rated == 12
    with pytest.raises(ModelError, match="no training row carries a label"):
        export(made.folder, home / "x", data=home)
    assert read_recipe(made.folder / "recipe.toml").train[0].affect


@pytest.mark.parametrize("mirror", [False, True])
def test_an_image_graph_says_them_too(tmp_path: Path, mirror: bool) -> None:
    torch.manual_seed(0)
    method = Multitask(LABELS, MultitaskConfig(encoder="small", size=32, width=12)).eval()
    torch.nn.init.normal_(method.pool.frames.project.weight, std=0.1)  # type: ignore[union-attr,arg-type]
    session = Session(export_onnx(method, tmp_path / "i.onnx", 32, mirror=mirror))
    faces = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    clip = torch.from_numpy(faces).permute(0, 3, 1, 2)[:, None]
    with torch.no_grad():
        both = [method(clip), method(clip.flip(-1))][: 1 + mirror]
    found = session.run(faces=faces)
    assert list(session.outputs) == ["logits", "feature", "affect"]
    for name in ("logits", "affect"):
        expected = sum(getattr(one, name) for one in both) / len(both)
        assert found[name] == pytest.approx(expected.numpy(), abs=1e-4) and np.ptp(found[name], 0).min() > 1e-4


@pytest.mark.parametrize("pool", ["mean", "bilstm", "statistics"])
def test_clip_graphs_round_trip(tmp_path: Path, pool: str) -> None:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"pool": pool, "kind": "features", "inputs": 6, "frames": 4, "width": 8, "hidden": 4}
    method = Multitask(LABELS, MultitaskConfig(**settings)).eval()
    session = Session(export_temporal(method, tmp_path / "t.onnx", 6))
    clips = np.random.default_rng(0).normal(0, 1, (3, 4, 6)).astype(np.float32)
    with torch.no_grad():
        expected = method(torch.from_numpy(clips))
    found = session.run(clips=clips)
    assert list(session.outputs) == ["logits", "affect"] and session.outputs["affect"][1:] == [2]
    assert found["affect"] == pytest.approx(expected.affect.numpy(), abs=1e-5)
    assert found["logits"] == pytest.approx(expected.logits.numpy(), abs=1e-5)


def some(n: int, seed: int, rated: bool = True) -> Answered:
    rng = np.random.default_rng(seed)
    truth = np.where(np.arange(n) % 2, rng.integers(0, 3, n), -1) if rated else rng.integers(0, 3, n)
    affect, rating = rng.uniform(-1, 1, (2, n, 2))
    rating[1] = np.nan
    return Answered(
        np.array([f"{seed}-{i}" for i in range(n)]),
        np.arange(n),
        truth,
        rng.dirichlet(np.ones(3), n),
        NAMES,
        affect if rated else None,
        rating if rated else None,
    )


def test_answers_come_back_from_their_file(tmp_path: Path) -> None:
    given = {"both": some(6, 0), "labels": some(4, 1, rated=False)}
    write_answers(tmp_path, given)
    for name, one in read_answers(tmp_path).items():
        assert one.truth.tolist() == given[name].truth.tolist()
        assert one.probability == pytest.approx(given[name].probability, abs=1e-5)
        assert (one.affect is None) == (given[name].affect is None)
    both = read_answers(tmp_path)["both"]
    assert both.rating == pytest.approx(given["both"].rating, abs=1e-5, nan_ok=True)
    assert len(both.labelled()) == 3 and len(joined(list(given.values()))) == 10
    write_answers(tmp_path, {"labels": given["labels"]})
    head = (tmp_path / "answers.csv").read_text().splitlines()[0]
    assert head == "source,id,group,truth,reading,p_happiness,p_sadness,p_neutral"


def test_runs_are_compared_on_rows_with_labels(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_answers(tmp_path / name, {"both": some(20, 0), "none": some(6, 1).select(np.arange(6) % 2 == 0)})
    found = compare_models(tmp_path / "a", tmp_path / "b", draws=20)
    assert {d.source for d in found} == {"both"} and {d.rows for d in found} == {10}


def test_folds_are_summed_up_by_concordance() -> None:
    parts = {k: some(12, k) for k in range(3)}
    found = {c.score: c for c in summarise({k: {f"set/fold{k}": a} for k, a in parts.items()})}
    assert set(found) == {"war", "uar", "ccc_valence", "ccc_arousal"}
    known = [np.isfinite(a.rating[:, 1]) for a in parts.values() if a.rating is not None]
    by_hand = [
        scores.concordance(a.affect[k, 1], a.rating[k, 1])  # type: ignore[index]
        for a, k in zip(parts.values(), known, strict=True)
    ]
    assert found["ccc_arousal"].values == pytest.approx(by_hand) and found["ccc_arousal"].rows == 33
    assert found["war"].rows == 18


def test_rows_of_both_kinds_are_judged_apart() -> None:
    one = some(40, 3)
    found = evaluate(one.probability, one.truth, NAMES, "x", affect=one.affect, rating=one.rating, draws=50)
    named = one.labelled()
    alone = evaluate(named.probability, named.truth, NAMES, "x", draws=50)
    assert found.rows == 40 and found.rated == 39 and found.confusion == alone.confusion
    assert {k: v for k, v in found.scores.items() if k in alone.scores} == alone.scores
    assert json.dumps(plain(found), allow_nan=False)
    with pytest.raises(SourceError, match="or valence and arousal that it says"):
        evaluate(one.probability, np.full(40, -1), NAMES, "x")
