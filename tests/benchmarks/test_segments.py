"""The measure of segments on planted clips: joined films, fades, the choice of a guard, and what is written."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tronie.core.labels import BASIC7
from tronie.metrics.intervals import bootstrap
from tronie.pipeline.looks import Look
from tronie.pipeline.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"
CODED = {0: "neutral", 1: "sadness", 2: "happiness", 3: "surprise", 4: "disgust", 5: "anger"}


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("segments")
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def clips(bench) -> list:
    """Four actors, two sentences, six codes; a third of the clips looks like another expression."""
    rng, made = np.random.default_rng(0), []
    for actor in range(1, 5):
        for sentence in (1, 2):
            for code, name in CODED.items():
                shown = str(rng.choice(BASIC7.names)) if rng.random() < 1 / 3 else name
                looks = []
                for i in range(16):
                    odds = rng.dirichlet(np.full(7, 0.5)) * 0.4
                    odds[BASIC7.names.index(shown)] += 0.6
                    looks.append(Look(i, 0.25 * i, 0.25, 0, (0.0, 0.0, 60.0, 60.0), 0.9, 1.0, True, odds))
                made.append(bench.Clip(actor, sentence, code, looks))
    return made


def test_everything_is_printed_and_fitted(bench, clips, capsys, monkeypatch) -> None:
    for name in ("segments", "guard", "joined"):  # a hundred draws show as well as a thousand that there is an interval
        if hasattr(sys.modules[name], "bootstrap"):
            monkeypatch.setattr(sys.modules[name], "bootstrap", partial(bootstrap, draws=100))
    fit = bench.report({"planted": clips}, BASIC7, Settings())
    printed = capsys.readouterr().out
    assert "Speech guard" in printed and "joined at known change points" in printed
    assert fit.settings == Settings().segmenting()
    assert "4 actors" in fit.fitted_on and set(fit.offsets) <= set(BASIC7.names)
    low, high = fit.scores["right"][1:]
    assert low <= fit.scores["right"][0] <= high
    assert 0.5 < fit.scores["right"][0] < 0.9
    assert fit.scores["after/nll"][0] <= fit.scores["before/nll"][0] + 0.1


def test_joined_clips_know_their_change_points(bench, clips) -> None:
    films = bench.joined(clips, BASIC7, bench.SURE)
    assert len(films) == 8
    for film in films:
        assert [end for _, end, _ in film.truth[:-1]] == [start for start, _, _ in film.truth[1:]]
        assert len({label for _, _, label in film.truth}) == 4
        times = [one.time for one in film.clip.looks]
        assert times == sorted(times) and film.clip.end == pytest.approx(16.0)
    found = [bench.tally(film.truth, film.truth) for film in films]
    assert [s(found) for s in bench.STATISTICS] == [1.0, 0.0, 0.0, 1.0]


def test_neutral_clips_weigh_as_much_as_all_others(bench, clips) -> None:
    of = bench.answers([c for c in clips if c.code in bench.SURE], BASIC7, Settings())
    even = of.balanced(bench.SURE)
    assert (even.code == 0).sum() == 3 * (of.code == 0).sum()
    assert (even.code != 0).sum() == (of.code != 0).sum()


def test_a_majority_is_counted_over_a_second(bench) -> None:
    happy, sad = (BASIC7.names.index(name) for name in ("happiness", "sadness"))
    looks = [
        Look(i, 0.1 * i, 0.1, 0, (0.0, 0.0, 9.0, 9.0), 0.9, 1.0, True, np.eye(7)[sad if i == 10 else happy])
        for i in range(20)
    ]
    clip = bench.Clip(1, 1, 2, looks)
    assert [label for _, _, label in bench.majority(clip, BASIC7, 0.0)] == [happy, sad, happy]
    ((start, end, label),) = bench.majority(clip, BASIC7, 1.0)
    assert (start, end, label) == (0.0, pytest.approx(2.0), happy)


def test_a_guard_may_not_cost_true_expressions(bench) -> None:
    guard = sys.modules["guard"]

    def tried(false, seen) -> object:
        codes = np.array([0, 0, 1, 2, 3, 5])
        return guard.Guarded(
            np.arange(6), codes, np.full(6, 30.0), np.array([false, false, 0, 0, 0, 0]), np.array([True, True, *seen])
        )

    ways = {
        (6.5, 0.0): tried(5, [True] * 4),
        (6.5, 0.1): tried(3, [True] * 4),
        (6.5, 0.2): tried(3, [True] * 4),
        (5.0, 0.3): tried(0, [True, True, False, True]),
    }
    assert guard.BEFORE in guard.GUARDS
    assert guard.per_minute(ways[6.5, 0.1], np.arange(6)) == 6
    assert guard.chosen_guard(ways, np.arange(6)) == (6.5, 0.1)


def test_a_stated_error_rate_keeps_the_surest(bench) -> None:
    assert bench.least_for(np.array([0.99, 0.5, 0.95, 0.8]), 0.1) == 0.8
    assert bench.least_for(np.array([0.6, 0.7]), 0.1) == np.inf


def test_a_fade_is_read_from_its_pixels(bench) -> None:
    joined = sys.modules["joined"]
    rng = np.random.default_rng(0)
    neutral, smile = rng.uniform(0, 255, (2, 500))
    share = np.interp(np.arange(30), [0, 8, 12, 18, 22, 29], [0, 0, 1, 1, 0, 0])
    film = neutral + share[:, None] * (smile - neutral) + rng.normal(0, 2, (30, 500))
    assert joined.faded(film) == pytest.approx(share, abs=0.05)
    with pytest.raises(ValueError, match="no fade"):
        joined.faded(film[:14])
    with pytest.raises(ValueError, match="no fade"):
        joined.faded(rng.uniform(0, 255, (30, 500)))
