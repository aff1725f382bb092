"""The benchmark on film clips: look-alikes stay together, a fold's own ratings answer nothing, models are refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.metrics import scores

REPO = Path(__file__).resolve().parents[2]
CLIPS, WIDTH = 60, 4


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts, importable beside one another as they are when run."""
    folder = str(REPO / "benchmarks" / "accuracy")
    sys.path.insert(0, folder)
    yield {name: __import__(name) for name in ("film_clips", "film_affect")}
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def films(scripts: dict[str, ModuleType]) -> Any:
    """Clips of 1 to 3 frames whose first two numbers are the ratings; faces of 20 people, three clips each."""
    rng, length = np.random.default_rng(0), np.arange(CLIPS) % 3 + 1
    rating = rng.uniform(-0.9, 0.9, (CLIPS, 2)).astype(np.float32)
    frame = rng.normal(0, 0.1, (length.sum(), WIDTH)).astype(np.float32)
    frame[:, :2] += np.repeat(rating, length, 0)
    person = rng.normal(0, 1, (CLIPS // 3, 64))
    face = (np.repeat(person, 3, 0) + rng.normal(0, 0.1, (CLIPS, 64))).astype(np.float32)
    names = np.array([f"{i}" for i in range(CLIPS)])
    manifest = Manifest(names, names, np.full(CLIPS, -1), LabelSet(()), valence=rating[:, 0], arousal=rating[:, 1])
    starts = np.concatenate([[0], np.cumsum(length)])
    return scripts["film_clips"].Films(manifest, rating, frame, starts, frame, face)


def test_clips_that_look_alike_lie_in_one_fold(scripts: dict[str, ModuleType], films: Any) -> None:
    group = scripts["film_clips"].alike(films.face)
    assert [len(set(group[3 * i : 3 * i + 3])) for i in range(20)] == [1] * 20 and len(set(group)) == 20
    for cut, fold_of in scripts["film_clips"].CUTS.items():
        fold = fold_of(films)
        assert np.bincount(fold).tolist() == [6] * 10
        assert cut != "faces apart" or all(len(set(fold[group == g])) == 1 for g in set(group))


def test_chains_of_pairs_join(scripts: dict[str, ModuleType]) -> None:
    angle = np.deg2rad([0, 40, 80, 180, 220, 260])
    face = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    group = scripts["film_clips"].alike(face, 0.6)
    assert group.tolist() == [0, 0, 0, 3, 3, 3]


def test_means_and_deviations_of_clips_by_hand(films: Any) -> None:
    found = films.means(films.feature, deviation=True)
    for i in (0, 1, 5):
        frames = films.feature[films.starts[i] : films.starts[i + 1]].astype(np.float64)
        assert found[i] == pytest.approx(np.concatenate([frames.mean(0), frames.std(0)]))


def test_ridge_reads_what_it_may_and_knows_nothing_of_the_fold_held_out(
    scripts: dict[str, ModuleType], films: Any
) -> None:
    fold, x = scripts["film_clips"].blocks(films), films.means(films.feature)
    said = scripts["film_clips"].ridge(x, films.rating, fold)
    assert all(scores.concordance(said[:, c], films.rating[:, c]) > 0.9 for c in (0, 1))
    other = films.rating.copy()
    other[fold == 3] = 0.0
    again = scripts["film_clips"].ridge(x, other, fold)
    assert np.array_equal(again[fold == 3], said[fold == 3]) and not np.array_equal(again, said)


def test_a_run_learns_and_knows_nothing_of_the_fold_held_out(scripts: dict[str, ModuleType], films: Any) -> None:
    trial = scripts["film_clips"].Trial("r", "blocks", 0, WIDTH, {"drop": 0.0, "dropout": 0.0}, epochs=12, batch=16)
    learn, held = np.arange(6, CLIPS), np.arange(6)
    changed = replace(films, rating=np.where(np.arange(CLIPS)[:, None] < 6, 0.5, films.rating).astype(np.float32))
    one, other = (scripts["film_clips"].fit(trial, f, learn, held, None) for f in (films, changed))
    assert one.shape == (6, 2) and np.array_equal(one, other)
    assert np.corrcoef(one[:, 0], films.rating[:6, 0])[0, 1] > 0.5


@pytest.mark.parametrize("seen", [("rafdb:1:a", "film-clips:634:b"), ()])
def test_a_model_that_may_know_the_films_is_refused(scripts: dict[str, ModuleType], seen: tuple[str, ...]) -> None:
    model = SimpleNamespace(name="m", info=SimpleNamespace(seen=seen))
    with pytest.raises(SettingError, match="may have learnt from film clips"):
        scripts["film_clips"].read_films(Path("none"), model, Path("none"))


def test_the_table_gives_both_scores_and_the_difference(scripts: dict[str, ModuleType], films: Any) -> None:
    bench = scripts["film_affect"]
    fold, group = scripts["film_clips"].blocks(films), np.arange(CLIPS)
    rows = bench.untrained(films, fold, group)
    noisy = np.stack([films.rating + np.random.default_rng(s).normal(0, 0.5, (CLIPS, 2)) for s in range(3)])
    rows["multitask, mean"] = bench.Said(noisy, films.rating, group)
    text = bench.table(rows, fold)
    assert len(text) == 2 + len(rows) and all(line.count("|") == text[0].count("|") for line in text)
    assert "| multitask, mean | 3 |" in text[-1] and " | -0." in text[-1]
    each = [scores.concordance(a[:, 0], films.rating[:, 0]) for a in noisy]
    assert f"{np.mean(each):.3f} [" in text[-1] and f"{np.std(each, ddof=1):.3f}" in text[-1]
