"""Smoothing against a slow version by hand, and what it must never do."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.labels import BASIC7, LabelSet
from tronie.pipeline.looks import Look
from tronie.pipeline.settings import Settings
from tronie.pipeline.smooth import Smoother, average, path_scores, runs, spoken

NEUTRAL, HAPPY = 0, 1
BASE = Settings()


def look(time, odds, *, duration=1 / 30, track=0, quality=1.0, usable=True, frame=None, affect=None) -> Look:
    return Look(
        round(time * 1000) if frame is None else frame,
        time,
        duration,
        track,
        (0.0, 0.0, 50.0, 50.0),
        0.9,
        quality,
        usable,
        np.array(odds, np.float64),
        affect=affect,
    )


def clear(label, sure=0.9, labels=3) -> list[float]:
    odds = np.full(labels, (1 - sure) / (labels - 1))
    odds[label] = sure
    return odds.tolist()


def through(looks, config=BASE):
    smoother = Smoother(config)
    smoother.add(looks)
    return smoother.settle(np.inf)


def labels_at(spec, rate=30, sure=0.9) -> list[int]:
    """Labels of a film told as [(label, seconds), ...]."""
    looks, time = [], 0.0
    for label, seconds in spec:
        for _ in range(round(seconds * rate)):
            looks.append(look(time, clear(label, sure), duration=1 / rate))
            time += 1 / rate
    return [one.label for one in through(looks)]


def changes(path) -> int:
    return sum(a != b for a, b in pairwise(path))


@st.composite
def evidence(draw, most=12):
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seconds = rng.choice([0.02, 1 / 30, 0.1, 0.4], n)
    time = np.concatenate([[0.0], np.cumsum(seconds[:-1] + rng.choice([0.0, 0.0, 0.3], n - 1))])
    return time, seconds, rng.random(n), rng.random(n) < 0.8, rng.dirichlet([0.3] * 3, n)


@given(evidence())
@settings(max_examples=100, deadline=None)
def test_average_is_the_one_by_hand(given_) -> None:
    time, seconds, quality, usable, raw = given_
    smoothed = average(time, seconds, quality, usable, raw, 0.3)
    for i in range(len(time)):
        total, weights = np.zeros(3), 0.0
        for j in range(len(time)):
            kernel = max(0.0, 1 - abs(time[i] - time[j]) / 0.3) * seconds[j]
            weight = kernel * (max(quality[j], 1e-3) if usable[j] else 1e-6)
            total, weights = total + weight * raw[j], weights + weight
        assert smoothed[i] == pytest.approx(total / weights)


@given(evidence())
@settings(max_examples=100, deadline=None)
def test_average_invents_no_peaks(given_) -> None:
    time, seconds, quality, usable, raw = given_
    smoothed = average(time, seconds, quality, usable, raw, 0.3)
    assert np.allclose(smoothed.sum(1), 1)
    for i in range(len(time)):
        near = np.abs(time - time[i]) < 0.3
        assert (smoothed[i] <= raw[near].max(0) + 1e-9).all()
        assert (smoothed[i] >= raw[near].min(0) - 1e-9).all()


def test_unusable_looks_count_only_where_there_is_nothing_else() -> None:
    raw = np.array([clear(HAPPY), clear(NEUTRAL)])
    time, seconds, ones = np.array([0.0, 0.03]), np.full(2, 0.03), np.ones(2)
    assert average(time, seconds, ones, np.array([False, True]), raw, 0.3)[0] == pytest.approx(raw[1], abs=1e-4)
    assert average(time, seconds, ones, np.array([False, False]), raw, 0.3)[0, HAPPY] > 0.4


def test_path_scores_favour_uncertain_without_evidence() -> None:
    raw = np.array([clear(HAPPY, 0.9), clear(HAPPY, 0.9), clear(HAPPY, 0.34)])
    scores = path_scores(raw, np.array([True, False, True]), np.full(3, 0.1), BASE)
    assert scores.argmax(1).tolist() == [HAPPY, 3, 3]
    assert scores[0, HAPPY] == pytest.approx(0.1 * BASE.rate * np.log(0.9))


def test_one_change_of_mood_is_one_change() -> None:
    path = labels_at([(NEUTRAL, 3), (HAPPY, 3)])
    assert changes(path) == 1
    assert abs(path.index(HAPPY) - 90) <= 2


def test_a_clear_short_expression_survives_and_a_blip_does_not() -> None:
    assert changes(labels_at([(NEUTRAL, 3), (HAPPY, 0.4), (NEUTRAL, 3)], sure=0.95)) == 2
    assert changes(labels_at([(NEUTRAL, 3), (HAPPY, 0.1), (NEUTRAL, 3)], sure=0.95)) == 0


def test_flicker_around_the_border_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    looks = []
    for i in range(30 * 60):
        p = 0.5 + 0.06 * np.sin(i / 3) + rng.normal(0, 0.08)
        looks.append(look(i / 30, [p, 1 - p - 0.02, 0.02]))
    assert changes([one.label for one in through(looks)]) <= 2


def test_a_single_photo_keeps_its_own_probabilities() -> None:
    even = look(0.0, [0.34, 0.33, 0.33], duration=0.0, track=1)
    sure, unsure = through([look(0.0, clear(HAPPY, 0.8), duration=0.0), even])
    assert (sure.label, unsure.label) == (HAPPY, -1)
    assert sure.confidence == pytest.approx(0.8)
    assert unsure.confidence == pytest.approx(0.34)
    (unfit,) = through([look(0.0, clear(HAPPY, 0.8), duration=0.0, quality=0.1, usable=False)])
    assert unfit.label == -1


def test_a_long_stretch_of_unusable_frames_is_uncertain() -> None:
    looks = [look(i / 30, clear(HAPPY), usable=not 60 <= i < 120) for i in range(180)]
    path = [one.label for one in through(looks)]
    assert path[:50] == [HAPPY] * 50
    assert path[75:105] == [-1] * 30
    assert path[130:] == [HAPPY] * 50


def test_a_glimpse_is_too_short_to_say_anything() -> None:
    assert {one.label for one in through([look(i / 30, clear(HAPPY)) for i in range(6)])} == {-1}
    assert {one.label for one in through([look(i / 30, clear(HAPPY)) for i in range(12)])} == {HAPPY}


def test_confidence_is_the_smoothed_probability_of_the_label() -> None:
    rng = np.random.default_rng(1)
    looks = [look(i / 30, rng.dirichlet([0.5, 0.5, 0.5])) for i in range(90)]
    for one in through(looks):
        expected = one.probabilities[one.label] if one.label >= 0 else one.probabilities.max()
        assert one.confidence == expected


NEUTRAL7, SURPRISE7 = BASIC7.names.index("neutral"), BASIC7.names.index("surprise")


def talking(seed: int, seconds: float = 60.0, rate: int = 30) -> list[Look]:
    """A neutral face that talks: syllables of 0.2 s open the mouth, and emphatic words are a second of open mouth."""
    rng = np.random.default_rng(seed)
    looks, time = [], 0.0
    while time < seconds:
        emphatic = rng.random() < 0.12
        mouth, last = (0.75, rng.uniform(0.6, 1.2)) if emphatic else (float(rng.choice([0.05, 0.45])), 0.2)
        for _ in range(round(last * rate)):
            odds = np.full(7, 0.01)
            odds[SURPRISE7] = np.clip(mouth + rng.normal(0, 0.05), 0.01, 0.9)
            odds[NEUTRAL7] = 0.95 - odds[SURPRISE7]
            looks.append(look(time, odds / odds.sum(), duration=1 / rate))
            time += 1 / rate
    return looks


def settled(looks, speech) -> list[int]:
    smoother = Smoother(replace(BASE, speech=speech), spoken(BASIC7))
    smoother.add(looks)
    return [one.label for one in smoother.settle(np.inf)]


def test_the_guard_lowers_false_expressions_of_a_talking_mouth() -> None:
    false = {
        speech: sum(b == SURPRISE7 != a for seed in range(4) for a, b in pairwise(settled(talking(seed), speech)))
        for speech in (0.0, BASE.speech, 0.3)
    }
    assert BASE.speech > 0
    assert false[0.3] <= false[BASE.speech] < false[0.0]


@pytest.mark.parametrize("label", range(7))
@pytest.mark.parametrize("speech", [BASE.speech, 0.3])
def test_the_guard_leaves_clear_expressions_of_two_fifths_of_a_second(label, speech) -> None:
    around = SURPRISE7 if label == NEUTRAL7 else NEUTRAL7
    looks = [look(i / 30, clear(label if 60 <= i < 72 else around, 0.95, 7)) for i in range(132)]
    path = settled(looks, speech)
    assert changes(path) == 2
    assert path[66] == label


def test_the_guard_touches_nothing_but_what_speech_imitates() -> None:
    raw = np.random.default_rng(0).dirichlet([1.0] * 7, 5)
    usable, seconds = np.array([True, True, False, True, True]), np.full(5, 0.1)
    free = path_scores(raw, usable, seconds, BASE)
    held = path_scores(raw, usable, seconds, BASE, spoken(BASIC7))
    assert spoken(BASIC7) == (SURPRISE7,) and spoken(LabelSet(("joy", "neutral"))) == ()
    others = [i for i in range(8) if i != SURPRISE7]
    assert np.array_equal(free[:, others], held[:, others])
    assert free[:, SURPRISE7] - held[:, SURPRISE7] == pytest.approx(0.1 * BASE.rate * BASE.speech)


def test_runs_break_at_long_gaps() -> None:
    looks = [look(t, clear(0), duration=0.1) for t in (0.0, 0.1, 0.7, 1.4)]
    assert runs(looks, 0.5) == [(0, 3), (3, 4)]
    assert runs([], 0.5) == []


def test_nothing_crosses_a_long_gap() -> None:
    wide = replace(BASE, kernel=1.4, gap=0.5)
    first = [look(i / 30, clear(NEUTRAL)) for i in range(15)]
    later = [look(1.1 + i / 30, clear(HAPPY)) for i in range(15)]
    both = through(first + later, wide)
    assert both[0].probabilities == pytest.approx(clear(NEUTRAL))
    assert both[-1].probabilities == pytest.approx(clear(HAPPY))


@st.composite
def streams(draw):
    """Two tracks that come and go over about eight seconds, at a variable rate."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    looks, time = [], 0.0
    mood = [0, 1]
    for frame in range(draw(st.integers(20, 120))):
        duration = float(rng.choice([1 / 30, 1 / 15, 0.2]))
        for track in (0, 1):
            mood[track] = int(rng.integers(3)) if rng.random() < 0.05 else mood[track]
            if int(time * 1.3 + track) % 4:
                odds = 0.6 * np.array(clear(mood[track])) + 0.4 * rng.dirichlet([1.0] * 3)
                looks.append(
                    look(
                        time,
                        odds,
                        duration=duration,
                        track=track,
                        quality=float(rng.random()),
                        usable=bool(rng.random() < 0.9),
                        frame=frame,
                        affect=rng.uniform(-1, 1, 2),
                    )
                )
        time += duration
    return looks


def by_cells(looks, stop_at=None):
    """Answers settled on a one-second grid; laid down as text and taken up again behind cell ``stop_at``."""
    smoother, done = Smoother(BASE), []
    for cell in range(int(looks[-1].time) + 1 if looks else 0):
        smoother.add(one for one in looks if cell <= one.time < cell + 1)
        done += smoother.settle(cell + 1)
        if cell == stop_at:
            text = json.dumps(smoother.state())
            smoother = Smoother(BASE)
            smoother.restore(json.loads(text))
    return done + smoother.settle(np.inf)


def plain(answers):
    return [
        (one.look.frame, one.look.track, one.label, one.probabilities.tolist(), one.affect.tolist()) for one in answers
    ]


@given(streams(), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_laid_down_and_taken_up_goes_on_exactly(looks, stop_at) -> None:
    whole = plain(by_cells(looks))
    assert plain(by_cells(looks, stop_at)) == whole
    assert [(frame, track) for frame, track, *_ in whole] == [(one.frame, one.track) for one in looks]


@given(streams())
@settings(max_examples=20, deadline=None)
def test_bounded_lag_gives_the_average_of_the_whole_film(looks) -> None:
    for now, later in zip(by_cells(looks), through(looks), strict=True):
        assert now.probabilities == pytest.approx(later.probabilities, abs=1e-12)
        assert now.affect == pytest.approx(later.affect, abs=1e-12)


@given(streams())
@settings(max_examples=20, deadline=None)
def test_valence_and_arousal_are_averaged_as_the_probabilities_by_hand(looks) -> None:
    answers = through(looks)
    for track in (0, 1):
        mine = [one for one in looks if one.track == track]
        for first, behind in runs(mine, BASE.gap):  # nothing is averaged over a gap
            part = mine[first:behind]
            for one in part:
                total, weights = np.zeros(2), 0.0
                for other in part:
                    speaks = min(max(other.duration, 1e-3), BASE.look)
                    kernel = max(0.0, 1 - abs(one.time - other.time) / BASE.kernel) * speaks
                    weight = kernel * (max(other.quality, 1e-3) if other.usable else 1e-6)
                    total, weights = total + weight * other.affect, weights + weight
                (found,) = [a for a in answers if a.look is one]
                assert found.affect == pytest.approx(total / weights, abs=1e-9)
                assert (np.abs(found.affect) <= 1 + 1e-12).all()


@given(streams())
@settings(max_examples=10, deadline=None)
def test_valence_and_arousal_change_nothing_else(looks) -> None:
    without = through([replace(one, affect=None) for one in looks])
    for one, other in zip(through(looks), without, strict=True):
        assert other.affect is None
        assert (one.label, one.probabilities.tolist()) == (other.label, other.probabilities.tolist())


@given(streams())
@settings(max_examples=20, deadline=None)
def test_no_label_between_two_changes_is_shorter_than_the_least(looks) -> None:
    for track in (0, 1):
        answers = [one for one in by_cells(looks) if one.look.track == track]
        for first, behind in runs([one.look for one in answers], BASE.gap):
            part = answers[first:behind]
            starts = [0] + [i for i in range(1, len(part)) if part[i].label != part[i - 1].label]
            for a, b in pairwise(starts):
                assert part[b - 1].look.end - part[a].look.time >= BASE.least - 1e-6


def test_memory_is_bounded_and_rows_wait_no_longer_than_the_lag() -> None:
    smoother, waiting, size = Smoother(BASE), 0, []
    for cell in range(60):
        looks = [look(cell + i / 30, clear(cell // 7 % 3), track=cell // 20) for i in range(30)]
        smoother.add(looks)
        waiting += len(looks) - len(smoother.settle(cell + 1.0))
        size.append(len(json.dumps(smoother.state())))
        assert waiting <= 30 * (BASE.lag + 1)
    assert max(size[30:]) <= 1.2 * max(size[:20])
