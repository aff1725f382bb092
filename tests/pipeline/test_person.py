"""A person's own neutral: by hand, for people who look stern at rest, for people never at rest, and its bounds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.models.info import NeutralFit
from tronie.pipeline.looks import Look
from tronie.pipeline.person import Persons, at_rest, centred, measured
from tronie.pipeline.settings import Settings

LABELS = LabelSet(("happiness", "sadness", "neutral"))
EXPECTED = {"happiness": -1.5, "sadness": -1.0, "neutral": 2.5}
ON = Settings(baseline="person")


class Model:
    name, labels = "made up", LABELS
    neutral: NeutralFit | None = NeutralFit(EXPECTED, "nothing")


def looks(odds, *, track=0, start=0.0, step=0.1, usable=True) -> list[Look]:
    return [
        Look(i, start + i * step, step, track, (0, 0, 50, 50), 0.9, 1.0, usable, np.array(p, np.float64))
        for i, p in enumerate(odds)
    ]


def through(given, settings=ON) -> np.ndarray:
    return np.stack([look.probabilities for look in Persons(Model(), settings).measure(given)])


def drawn(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([1, 1, 2], n)


def test_every_look_is_what_the_formula_gives_by_hand() -> None:
    odds = drawn(40)
    usable = np.arange(40) % 7 != 3
    given = [
        look
        for p, u, i in zip(odds, usable, range(40), strict=True)
        for look in looks([p], start=i * 0.1 if i < 20 else i * 0.5, usable=bool(u))
    ]
    expected = [EXPECTED[name] for name in LABELS.names]
    rest, weight = [0.0, 0.0, 0.0], 0.0
    for i, (p, got) in enumerate(zip(odds, through(given), strict=True)):
        logs = [np.log(max(v, 1e-4)) for v in p]
        x = [v - sum(logs) / 3 for v in logs]
        passed = given[i].time - given[i - 1].time if i else 0.0
        w = min(passed, 0.2) * p[2] if usable[i] else 0.0
        weight, rest = weight + w, [r + w * v for r, v in zip(rest, x, strict=True)]
        share = weight / (weight + 5.0)
        r = [v / weight if weight else 0.0 for v in rest]
        moved = np.exp([v - share * (a - b) for v, a, b in zip(x, r, expected, strict=True)])
        assert got == pytest.approx(moved / moved.sum(), abs=1e-12)


def test_parts_of_a_film_add_up() -> None:
    odds, seconds = drawn(30), np.full(30, 0.1)
    rest, weight = at_rest(odds, seconds, 2)
    first, second = at_rest(odds[:11], seconds[:11], 2), at_rest(odds[11:], seconds[11:], 2)
    assert rest == pytest.approx(first[0] + second[0])
    assert weight == pytest.approx(first[1] + second[1])


def test_a_person_like_the_average_stays_as_they_are() -> None:
    odds = drawn(50)
    average = np.array([EXPECTED[name] for name in LABELS.names])
    assert measured(odds, 30 * average, 30.0, average, 1.0, 10.0) == pytest.approx(odds)
    assert centred(odds).sum(1) == pytest.approx(np.zeros(50))


def test_who_looks_sad_at_rest_is_read_as_neutral_and_still_seen_to_smile() -> None:
    film = looks([[0.05, 0.55, 0.4]] * 900 + [[0.9, 0.05, 0.05]] * 50)
    answers = through(film)
    assert answers[0].argmax() == 1
    assert (answers[600:900].argmax(1) == 2).all()
    assert (answers[900:].argmax(1) == 0).all()


def test_who_only_smiles_is_not_made_neutral() -> None:
    answers = through(looks([[0.9, 0.02, 0.08]] * 300))  # half a minute
    assert (answers.argmax(1) == 0).all()
    assert answers[:, 0].min() > 0.5
    eager = through(looks([[0.9, 0.02, 0.08]] * 300), Settings(baseline="person", calm=0.01))
    assert eager[-1].argmax() == 2  # this is what `calm` is for


def test_people_do_not_touch_each_other_and_unusable_looks_say_nothing() -> None:
    one, other = looks(drawn(40)), looks(drawn(40, 1), track=1)
    both = [look for pair in zip(one, other, strict=True) for look in pair]
    assert np.array_equal(through(both)[::2], through(one))
    blind = looks(drawn(40), usable=False)
    assert through(blind) == pytest.approx(drawn(40))


def test_off_leaves_the_very_looks_and_any_model() -> None:
    given = looks(drawn(5))
    stage = Persons(Nobody(), Settings())
    assert all(a is b for a, b in zip(stage.measure(given), given, strict=True))
    assert stage.state()["tracks"] == []


class Nobody:
    name, labels = "unmeasured", LABELS


class Wordless:
    name, labels, neutral = "wordless", LabelSet(("smile", "frown")), None


@pytest.mark.parametrize("model", [Nobody(), Wordless()])
def test_a_model_that_was_not_measured_is_refused_in_one_sentence(model) -> None:
    with pytest.raises(SettingError, match=rf"Model '{model.name}' does not say how it reads neutral faces"):
        Persons(model, ON)


@pytest.mark.parametrize("stop_at", [1, 17, 39])
def test_laid_down_and_taken_up_goes_on_exactly(stop_at) -> None:
    given = sorted(looks(drawn(40)) + looks(drawn(40, 1), track=1), key=lambda look: look.time)
    first = Persons(Model(), ON)
    before = first.measure(given[:stop_at])
    later = Persons(Model(), ON)
    later.restore(json.loads(json.dumps(first.state())))
    again = [look.probabilities for look in before + later.measure(given[stop_at:])]
    assert np.array_equal(np.stack(again), through(given))


def test_memory_grows_with_the_faces_in_sight_only() -> None:
    stage = Persons(Model(), ON)
    for track in range(500):  # a new face every half a second
        stage.measure(looks(drawn(2, track), track=track, start=track * 0.5))
    assert len(stage.state()["tracks"]) <= 4


def test_who_is_there_behind_a_hole_is_not_forgotten() -> None:
    stage = Persons(Model(), ON)
    stage.measure(looks(drawn(3, 0), track=0))
    stage.measure(looks(drawn(1, 1), track=1, start=30.0))  # somebody new in the first picture behind it
    assert [track[0] for track in stage.state()["tracks"]] == [0, 1]


@pytest.mark.parametrize("bad", [{"baseline": "mother"}, {"own": 1.5}, {"calm": 0.0}])
def test_impossible_settings_are_refused(bad) -> None:
    with pytest.raises(SettingError):
        Settings(**bad)
