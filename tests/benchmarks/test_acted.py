"""The benchmark on acted clips: nobody answers for an actor they know, codes are mapped as said, ties are fair."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.loader import Rows
from tronie.datasets.acted import LABELS, UNSURE

REPO = Path(__file__).resolve().parents[2]
ACTORS, FRAMES, WIDTH = (1, 2, 5), 16, 5


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts, importable beside one another as they are when run."""
    folder = str(REPO / "benchmarks" / "accuracy")
    sys.path.insert(0, folder)
    yield {name: __import__(name) for name in ("acted_clips", "acted_risk", "rdfer_acted")}
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def clips(scripts: dict[str, ModuleType]) -> Any:
    """Three actors with two clips of each code, whose first feature shows the code and whose others the actor."""
    rng, label, actor = np.random.default_rng(0), np.tile(np.arange(6), 6), np.repeat(ACTORS, 12)
    frame = rng.normal(0, 0.1, (len(label) * FRAMES, WIDTH)).astype(np.float32)
    frame[:, 0] += np.repeat(label, FRAMES) % 5 - 2
    frame[:, 1:] += 3 * np.repeat(actor, FRAMES)[:, None]
    said = rng.dirichlet(np.ones(6), len(frame))
    manifest = Manifest(
        np.array([f"{i}" for i in range(36)]),
        np.array([f"frames.npy::{i}" for i in range(36)]),
        label,
        LABELS,
        split=np.full(36, "train"),
        group=actor,
    )
    return scripts["acted_clips"].Clips(manifest, frame, np.arange(37) * FRAMES, said)


@pytest.mark.parametrize("seen", [("rafdb:1:a", "acted/fold0:2:b"), ()])
def test_a_model_that_may_know_the_actors_is_refused(scripts: dict[str, ModuleType], seen: tuple[str, ...]) -> None:
    model = SimpleNamespace(name="m", info=SimpleNamespace(seen=seen))
    with pytest.raises(SettingError, match="never seen their actors"):
        scripts["acted_clips"].unseen(model)
    model.info.seen = ("rafdb:1:a", "ferplus:2:b")
    assert scripts["acted_clips"].unseen(model) is model


def test_the_default_model_is_refused(scripts: dict[str, ModuleType]) -> None:
    with pytest.raises(SettingError, match="has learnt from acted"):
        scripts["acted_clips"].opened_model("default")


def test_probabilities_are_added_up_by_code(scripts: dict[str, ModuleType]) -> None:
    assert BASIC7.names == ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
    p = np.array([[0.1, 0.2, 0.05, 0.3, 0.15, 0.12, 0.08]])
    found = scripts["acted_clips"].as_codes(p, BASIC7)
    assert found == pytest.approx(np.array([[0.08, 0.15, 0.3, 0.1, 0.25, 0.12]]))


def test_the_unsure_code_is_left_out(scripts: dict[str, ModuleType], clips: Any) -> None:
    left = scripts["acted_clips"].chosen(clips, False, False)
    assert left.manifest.labels.names == ("neutral", "sadness", "happiness", "surprise", "anger")
    assert left.label.tolist() == [0, 1, 2, 3, 4] * 6 and left.actor.tolist() == np.repeat(ACTORS, 10).tolist()
    assert left.image.sum(1) == pytest.approx(1) and left.starts[-1] == len(left.feature)
    for new, old in enumerate(np.flatnonzero(clips.label != UNSURE)):
        mine = clips.feature[FRAMES * old : FRAMES * (old + 1)]
        assert np.array_equal(left.feature[left.starts[new] : left.starts[new + 1]], mine)


def test_persons_are_brought_to_one_mean(scripts: dict[str, ModuleType], clips: Any) -> None:
    own, actor = scripts["acted_clips"].chosen(clips, True, True), np.repeat(ACTORS, 12 * FRAMES)
    for one in ACTORS:
        assert own.feature[actor == one].mean(0) == pytest.approx(0, abs=1e-4)
        assert own.feature[actor == one].std(0) == pytest.approx(1, abs=2e-2)


def test_labels_of_the_actor_under_test_change_nothing(scripts: dict[str, ModuleType], clips: Any) -> None:
    made, actor = scripts["acted_clips"], clips.actor
    manifest = clips.manifest
    other = np.where(actor == 2, (manifest.label + 1) % 6, manifest.label)
    twisted = replace(clips, manifest=replace(manifest, label=other))
    assert np.array_equal(made.ridge(clips)[actor == 2], made.ridge(twisted)[actor == 2])
    trial = made.Trial("mean", "sequence", {"pool": "mean"}, 0, "c", WIDTH, LABELS.names, epochs=1)
    held = np.flatnonzero(actor == 2)
    assert np.array_equal(made.fit(trial, clips, held)[0], made.fit(trial, twisted, held)[0])


def test_photos_are_learnt_from_only_where_asked_for(scripts: dict[str, ModuleType], clips: Any) -> None:
    made, rng = scripts["acted_clips"], np.random.default_rng(1)
    held = np.flatnonzero(clips.actor == 2)
    frame, surprise = rng.normal(0, 1, (60, WIDTH)).astype(np.float32), np.eye(6, dtype=np.float32)[[3] * 60]
    photos = Rows(frame, np.arange(60), surprise, np.ones(60, np.float32), starts=np.arange(61), kind="features")
    trial = made.Trial("mean", "sequence", {"pool": "mean"}, 0, "c", WIDTH, LABELS.names, epochs=2)
    plain, without = made.fit(trial, clips, held)[0], made.fit(trial, clips, held, photos)[0]
    assert np.array_equal(plain, without)
    mixed = made.fit(replace(trial, photos=True), clips, held, photos)[0]
    assert mixed[:, 3].mean() > plain[:, 3].mean()
    assert replace(trial, photos=True).path(REPO, "m") != trial.path(REPO, "m")


def test_runs_are_made_once_and_the_tables_can_be_printed(
    scripts: dict[str, ModuleType], clips: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, made = scripts["rdfer_acted"], scripts["acted_clips"]
    trials = [
        made.Trial(row, *bench.ROWS[row], seed, "c", WIDTH, LABELS.names, 1, 3 if row == "RDFER" else 0)
        for seed in (0, 1)
        for row in ("mean", "RDFER")
    ]
    made.do(trials, {"c": clips}, tmp_path, "m")
    assert "4 of 4" in capsys.readouterr().err
    made.do(trials, {"c": clips}, tmp_path, "m")
    assert capsys.readouterr().err == ""
    rows = bench.framewise(clips) | bench.trained(trials, clips, tmp_path, "m")
    runs = made.found([trials[0], trials[2]], tmp_path, "m")
    assert rows["mean"].against().value == pytest.approx(
        100 * np.mean([r["one"].argmax(1) == clips.label for r in runs])
    )
    table = bench.scores(rows, LABELS.names)
    assert len(table) == 2 + len(rows) and not any("nan" in line for line in table)
    risks = bench.risks(made.found([t for t in trials if t.row == "RDFER"], tmp_path, "m"), clips)
    assert len(risks) == 2 + len(scripts["acted_risk"].CONFIDENCES) and not any("nan" in line for line in risks)


def test_equally_sure_answers_come_in_random_order(scripts: dict[str, ModuleType]) -> None:
    confidence, right = np.array([0.5, 0.9, 0.5, 0.5, 0.1]), np.array([True, False, False, True, True])
    middle = [0, 2, 3]
    curves = [np.cumsum(~right[[1, *order, 4]]) / np.arange(1, 6) for order in permutations(middle)]
    assert scripts["acted_risk"].risk(confidence, right) == pytest.approx(np.mean(curves, 0))
    assert scripts["acted_risk"].aurc(confidence, right) == pytest.approx(np.mean(curves))
    assert scripts["acted_risk"].accuracy_at(confidence, right, 1.0) == pytest.approx(0.6)
    assert scripts["acted_risk"].accuracy_at(confidence, right, 0.2) == 0


def test_confidences_by_hand(scripts: dict[str, ModuleType]) -> None:
    one = np.array([[0.3, 0.7]])
    looks = np.array([[[0.9, 0.1]], [[0.6, 0.4]], [[0.45, 0.55]]])
    names, truth = list(scripts["acted_risk"].CONFIDENCES), np.array([0])
    found = {name: scripts["acted_risk"].kept(one, looks, truth, name) for name in names}
    assert [bool(found[name].right[0]) for name in names] == [False, True, True, True, True, True]
    sure = [float(found[name].confidence[0]) for name in names]
    assert [sure[i] for i in (0, 1, 2, 4, 5)] == pytest.approx([0.7, 0.3, 2 / 3, 0.65, 2 / 3 + 0.65 / 6])
