"""The chain on planted films: who is where, what is asked of the detector, and stopping anywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.core.segment import SegmentCalibration
from tronie.core.timeline import Timeline
from tronie.models.info import SegmentFit
from tronie.pipeline.chain import Chain, provenance
from tronie.pipeline.settings import Settings

RATE = 30


def times(n, rate=RATE):
    return np.arange(n) / rate


def run(planted, film, at=None, config=None, source="film", kind="Model"):
    model, detector = getattr(planted, kind)(), planted.Detector(film)
    chain = Chain(model, detector, config or Settings(), source)
    timeline = Timeline.concat(list(chain.run(planted.Film(film, times(len(film)) if at is None else at))))
    return timeline, chain, model, detector


def test_two_people_get_their_own_segments(planted) -> None:
    film = planted.two_people("n" * 60 + "h" * 60 + "n" * 60, "." * 30 + "s" * 100)
    timeline, chain, _, _ = run(planted, film)
    segments = timeline.segments()
    people = {t: [s for s in segments if s.track == t] for t in sorted({s.track for s in segments})}
    left, right = people.values()
    assert [s.label for s in left] == ["neutral", "happiness", "neutral"]
    assert [s.start for s in left] == pytest.approx([0, 2, 4], abs=0.1)
    assert left[-1].end == pytest.approx(6.0)
    (only,) = right
    assert (only.label, only.rows) == ("sadness", 100)
    assert timeline["frame"].tolist() == sorted(timeline["frame"].tolist())
    assert chain.looked.frames == 180
    assert chain.looked.empty == ()
    assert np.allclose(timeline.probabilities.sum(1), 1, atol=1e-4)
    assert set(timeline["model"]) == {"0123456789ab"}
    assert set(timeline["settings"]) == {Settings().hash}


def test_the_whole_frame_is_searched_on_the_grid_and_on_loss_only(planted) -> None:
    film = planted.two_people("n" * 50 + "." * 20 + "n" * 20)
    _, chain, _, detector = run(planted, film)
    assert detector.scans == [0, 15, 30, 45, 50, 60, 75]
    assert detector.nears == [i for i in (*range(51), *range(75, 90)) if i % 15]
    assert chain.looked.empty == ((pytest.approx(50 / 30, abs=1e-5), 2.5),)


def test_batches_never_reach_over_a_cell(planted) -> None:
    _, _, model, _ = run(planted, planted.two_people("n" * 75, "h" * 75))
    assert model.batches == [32, 28, 32, 28, 30]


def test_a_film_without_faces_was_looked_at(planted) -> None:
    timeline, chain, model, _ = run(planted, planted.two_people("." * 40))
    assert len(timeline) == 0
    assert model.batches == []
    assert (chain.looked.frames, chain.looked.empty) == (40, ((0.0, pytest.approx(40 / 30, abs=1e-5)),))


def test_an_empty_film_is_an_empty_timeline(planted) -> None:
    timeline, chain, _, _ = run(planted, [])
    assert len(timeline) == 0
    assert chain.looked.frames == 0


@pytest.mark.parametrize(("kind", "baseline"), [("Model", "model"), ("Model", "person"), ("AffectModel", "model")])
@pytest.mark.parametrize("cells", [1, 3, 6, 7])
def test_stopped_and_restored_is_the_uninterrupted_table(planted, tmp_path, cells, kind, baseline) -> None:
    film = planted.two_people("n" * 70 + "." * 8 + "h" * 65 + "s" * 60, "." * 20 + "h" * 90 + "." * 30 + "n" * 60)
    rng = np.random.default_rng(3)
    at = np.cumsum(rng.choice([0.02, 1 / 30, 0.05], len(film)))  # a variable frame rate
    settings = Settings(baseline=baseline, calm=0.5)
    whole, first_chain, _, _ = run(planted, film, at, settings, kind=kind)
    # A film that is measured against its people is another one: what is taken up must be their rest, too.
    assert (whole.probabilities == run(planted, film, at)[0].probabilities).all() == (baseline == "model")

    chain = Chain(getattr(planted, kind)(), planted.Detector(film), settings, "film")
    parts = []
    for part in chain.run(planted.Film(film, at)):
        parts.append(part)
        if len(parts) == cells:
            break
    text = json.dumps(chain.state())

    later = Chain(getattr(planted, kind)(), planted.Detector(film), settings, "film")
    later.restore(json.loads(text))
    parts += later.run(planted.Film(film, at))
    again = Timeline.concat(parts)
    assert again == whole
    assert later.looked == first_chain.looked
    assert ("valence" in whole.columns) == (kind == "AffectModel")
    whole.save(tmp_path / "whole.csv")
    again.save(tmp_path / "again.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_valence_and_arousal_follow_the_face_and_leave_all_else_as_it_was(planted) -> None:
    film = planted.two_people("n" * 60 + "h" * 60 + "s" * 60, "." * 60 + "s" * 90)
    plain, told = run(planted, film)[0], run(planted, film, kind="AffectModel")[0]
    names = list(plain.columns)
    assert list(told.columns) == [*names[:-3], "valence", "arousal", *names[-3:]]
    assert all((told[name] == plain[name]).all() for name in names)
    assert told.provenance == replace(plain.provenance, affect=True)
    # Away from the changes: red minus blue and red minus grey of the painted squares, by 256.
    colours = {"happiness": (220, 80), "sadness": (90, 240), "neutral": (60, 60)}
    for second, label in ((1, "neutral"), (3, "happiness"), (5, "sadness")):
        (row,) = np.flatnonzero((told["time"] == second) & (told["track"] == 0))
        red, blue = colours[label]
        assert told["valence"][row] == pytest.approx((red - blue) / 256, abs=0.06)
        assert told["arousal"][row] == pytest.approx((red - 128) / 256, abs=0.06)
    happy = next(s for s in told.segments() if s.label == "happiness")
    rows = told.select(track=happy.track, start=happy.start, end=happy.end)
    assert happy.valence == pytest.approx(rows["valence"].mean(), abs=1e-3) and happy.arousal is not None
    assert [s.valence for s in plain.segments()] == [None] * len(plain.segments())


def test_a_film_without_faces_still_names_the_columns(planted) -> None:
    timeline, _, _, _ = run(planted, planted.two_people("." * 40), kind="AffectModel")
    assert len(timeline) == 0 and list(timeline.columns)[-5:-3] == ["valence", "arousal"]


def test_a_state_fits_only_its_own_run(planted) -> None:
    film = planted.two_people("n" * 40)
    chain = Chain(planted.Model(), planted.Detector(film), Settings())
    next(iter(chain.run(planted.Film(film, times(40)))))
    state = chain.state()
    with pytest.raises(SettingError, match="settings"):
        Chain(planted.Model(), planted.Detector(film), Settings(kernel=0.2)).restore(state)
    other = Chain(planted.Model(), planted.Detector(film), Settings())
    other.restore(state)
    with pytest.raises(SettingError, match="cannot go on"):
        list(other.run([planted.Film(film, times(40)).frame(0)]))


def test_a_film_that_breaks_gives_its_rows_first(planted) -> None:
    film = planted.two_people("h" * 50)

    def broken():
        yield from planted.Film(film, times(50))
        raise SourceError("the film ends in the middle")

    chain, parts = Chain(planted.Model(), planted.Detector(film), Settings()), []
    with pytest.raises(SourceError, match="in the middle"):
        parts.extend(chain.run(broken()))  # keeps what came before the error
    assert sum(map(len, parts)) == 50


def test_segments_are_calibrated_where_the_settings_are_those_of_the_fit(planted) -> None:
    model = planted.Model()
    model.segments = SegmentFit(0.8, -0.2, "planted films", settings=Settings().segmenting())
    assert provenance(model, Settings()).segments == SegmentCalibration(0.8, -0.2)
    assert provenance(model, Settings(fps=5.0, batch=8)).segments == SegmentCalibration(0.8, -0.2)
    assert provenance(model, Settings(switch=3.0)).segments is None
    assert provenance(model, Settings(own=0.5)).segments == SegmentCalibration(0.8, -0.2)  # of no effect here
    assert provenance(model, Settings(baseline="person")).segments is None
    person = Settings(baseline="person", own=0.5)
    model.segments = SegmentFit(0.8, -0.2, "planted films", settings=person.segmenting())
    assert provenance(model, person).segments == SegmentCalibration(0.8, -0.2)
    assert provenance(model, Settings(baseline="person")).segments is None
    assert provenance(model, Settings()).segments is None
    assert provenance(planted.Model(), Settings()).segments is None


def test_stop_is_asked_before_every_frame(planted) -> None:
    film = planted.two_people("h" * 100)
    chain = Chain(planted.Model(), planted.Detector(film), Settings())
    asked = iter(range(1000))
    parts = list(chain.run(planted.Film(film, times(100)), stop=lambda: next(asked) == 47))
    assert sum(map(len, parts)) == 47
    assert chain.looked.frames == 47


def test_every_frame_in_turn_gets_one_row_per_face(planted) -> None:
    film = planted.two_people("nhs" * 30, "shn" * 30)
    timeline, _, _, _ = run(planted, film, config=replace(Settings(), batch=7))
    assert timeline["frame"].tolist() == [i for i in range(90) for _ in range(2)]
