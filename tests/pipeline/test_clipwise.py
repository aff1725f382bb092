"""Windows of film, read in clips: a slow windowing by hand, any times, stops anywhere, and that nothing is hoarded."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.timeline import Timeline
from tronie.core.timeline_io import read_columns
from tronie.models.clip import ClipInfo
from tronie.pipeline import resumable
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.chain import Chain
from tronie.pipeline.clipwise import Clips, Trailing, Window
from tronie.pipeline.looks import Look, Settled
from tronie.pipeline.settings import Settings

INFO = ClipInfo("temporal.onnx", "", frames=4, width=3, each=2, looks=3, window=1.0, hop=0.25)
SETTINGS = Settings()


def look(frame: int, time: float, duration: float, track: int = 0, usable: bool = True, seed: int = 0) -> Look:
    feature = np.random.default_rng((frame, track, seed)).random(3).astype(np.float16)
    return Look(frame, time, duration, track, (0, 0, 9, 9), 1.0, 0.9, usable, np.zeros(0), feature)


def looks_at(
    times: np.ndarray, last: float = 0.04, *, track: int = 0, poor: frozenset[int] = frozenset()
) -> list[Look]:
    lasts = np.append(np.diff(times), last)
    return [
        look(i, float(t), float(d), track, i not in poor) for i, (t, d) in enumerate(zip(times, lasts, strict=True))
    ]


Said = tuple[np.ndarray, np.ndarray, np.ndarray]


def by_hand(looks: list[Look], info: ClipInfo = INFO, gap: float = SETTINGS.gap) -> list[Said]:
    """Probabilities, counts and affect per look: every window of the grid is tried on every run, frame by frame."""
    runs: list[list[Look]] = []
    for one in looks:
        if runs and one.time - runs[-1][-1].end <= gap + 1e-9:
            runs[-1].append(one)
        else:
            runs.append([one])
    answers = []
    for run in runs:
        start, end = run[0].time, run[-1].end
        if end - start <= info.window + 1e-6:
            windows = [(math.floor(start / info.hop + 1e-6), start, end)]
        else:
            first, last = math.floor((start - info.window) / info.hop) - 1, math.ceil(end / info.hop) + 1
            spans = [(i, i * info.hop, i * info.hop + info.window) for i in range(first, last)]
            windows = [(i, a, b) for i, a, b in spans if start - 1e-6 <= (a + b) / 2 <= end + 1e-6]
        said: dict[int, list[Said]] = {id(one): [] for one in run}
        for number, a, b in windows:
            edge = 1e-6 * info.hop
            inside = [one for one in run if a - edge <= one.time < b - edge] if len(windows) > 1 else run
            if not inside:
                continue
            seen = [one for one in inside if one.usable] or inside
            span = min(b, inside[-1].end)
            votes, probability, affect = np.zeros(3), np.zeros(3), np.zeros(2)
            for k in range(info.looks):
                drawn = np.random.default_rng((number % 2**32, k)).random(info.frames)
                frames = []
                for part, u in enumerate(drawn):
                    moment = seen[0].time + (part + u) * (span - seen[0].time) / info.frames
                    frames.append(
                        max(
                            (one for one in seen if one.time <= moment), key=lambda one: one.time, default=seen[0]
                        ).feature.astype(np.float32)
                    )
                odds = np.exp(np.float64(10 * np.stack(frames).mean(0)))
                affect += np.clip(3 * np.stack(frames).mean(0)[:2] - 1, -1, 1) / info.looks
                votes[odds.argmax()] += 1
                probability += odds / odds.sum() / info.looks
            cooled = probability ** (1 / 1.5)
            for one in inside:
                said[id(one)].append((cooled / cooled.sum(), votes, affect))
        for one in run:
            p, v, a = zip(*said[id(one)], strict=True)
            answers.append((np.mean(p, 0), np.sum(v, 0), np.mean(a, 0)))
    return answers


def fed(Model, looks: list[Look], cell: float = 1.0, info: ClipInfo = INFO, stop_at: int | None = None) -> list[Look]:
    """The stage as the chain feeds it, cell by cell; with ``stop_at`` it is laid down once and taken up again."""
    stage, found = Clips(Model(info), SETTINGS), []
    cells = sorted({math.floor(one.time / cell + 1e-9) for one in looks})
    for place, number in enumerate(cells):
        mine = [one for one in looks if math.floor(one.time / cell + 1e-9) == number]
        ready, clock = stage.take(mine, (number + 1) * cell)
        found += ready
        assert all(one.time < clock for one in found)
        if place == stop_at:
            saved = json.dumps(stage.state())
            stage = Clips(Model(info), SETTINGS)
            stage.restore(json.loads(saved))
    ready, clock = stage.take([], math.inf)
    assert clock == math.inf and stage.state() == []
    return found + ready


def same(found: list[Look], expected: list[Said], affect: bool = False) -> None:
    assert len(found) == len(expected)
    for one, (p, says, told) in zip(found, expected, strict=True):
        assert (one.affect == pytest.approx(told, abs=1e-6)) if affect else one.affect is None
        assert one.probabilities == pytest.approx(p, abs=1e-6) and one.feature is None
        assert one.says is not None and one.says.tolist() == says.tolist()


def test_windows_are_those_cut_by_hand(planted) -> None:
    looks = looks_at(np.arange(130) / 25, poor=frozenset({7, 8, 60}))
    same(fed(planted.ClipModel, looks), by_hand(looks))


def test_a_short_run_is_one_window_and_a_gap_begins_another(planted) -> None:
    times = np.concatenate([np.arange(10) / 25, 1.2 + np.arange(15) / 25, 4 + np.arange(60) / 25])
    looks = [replace(one, duration=0.04) for one in looks_at(times)]
    found = fed(planted.ClipModel, looks)
    same(found, by_hand(looks))
    assert {tuple(one.says.tolist()) for one in found[:10]} == {tuple(found[0].says.tolist())}  # one window for all
    assert found[0].says.sum() == INFO.looks and found[40].says.sum() > INFO.looks


@st.composite
def films(draw):
    """Any rising times, with gaps, poor faces and a rate that may be far below a window's."""
    steps = draw(st.lists(st.sampled_from([0.02, 1 / 30, 0.05, 0.1, 0.3, 0.7, 2.5]), min_size=1, max_size=60))
    start = draw(st.floats(0, 3))
    times = start + np.cumsum(steps)
    lasts = [min(step, 0.3) for step in [*steps[1:], 0.04]]
    poor = draw(st.sets(st.integers(0, len(steps))))
    return [look(i, float(t), d, 0, i not in poor) for i, (t, d) in enumerate(zip(times, lasts, strict=True))]


@settings(max_examples=60, deadline=None)
@given(films(), st.sampled_from([0.3, 1.0, 2.0]), st.sampled_from([(1.0, 0.25), (2.0, 1.0), (0.5, 0.1)]))
def test_any_film_in_any_cells_gives_the_windows_cut_by_hand(planted, film, cell, grid) -> None:
    info = replace(INFO, window=grid[0], hop=grid[1])
    same(fed(planted.ClipModel, film, cell, info), by_hand(film, info))
    same(fed(planted.AffectClipModel, film, cell, info), by_hand(film, info), affect=True)


@pytest.mark.parametrize("kind", ["ClipModel", "AffectClipModel"])
@settings(max_examples=30, deadline=None)
@given(films(), st.integers(0, 40))
def test_laid_down_anywhere_it_goes_on_to_the_bit(planted, kind, film, stop_at) -> None:
    model = getattr(planted, kind)
    whole, again = fed(model, film), fed(model, film, stop_at=stop_at)
    assert [one.state() for one in whole] == [one.state() for one in again]


def test_tracks_do_not_meet_and_come_in_order(planted) -> None:
    one, other = looks_at(np.arange(100) / 25), looks_at(np.arange(20, 70) / 25, track=1)
    other = [replace(o, frame=o.frame + 20) for o in other]
    together = fed(planted.ClipModel, sorted([*one, *other], key=lambda o: (o.frame, o.track)))
    assert [(o.frame, o.track) for o in together] == sorted((o.frame, o.track) for o in [*one, *other])
    same([o for o in together if o.track == 0], by_hand(one))
    same([o for o in together if o.track == 1], by_hand(other))


def test_it_keeps_a_window_and_no_more(planted) -> None:
    stage, most = Clips(planted.ClipModel(), SETTINGS), 0
    for second in range(40):
        stage.take(looks_at(second + np.arange(25) / 25), second + 1.0)
        most = max(most, sum(len(run[-1]) for run in stage.state()))
    assert most <= 25 * (INFO.window + SETTINGS.cell)


def test_it_hears_of_every_window(planted) -> None:
    heard: list[Window] = []
    stage = Clips(planted.ClipModel(), SETTINGS, heard.append)
    stage.take(looks_at(np.arange(75) / 25), 3.0)
    stage.take([], math.inf)
    assert [w.number for w in heard] == list(range(-2, 11)) and heard[5].heard.time.shape == (3, 4)
    assert (heard[5].start, heard[5].end) == (pytest.approx(0.76), 1.75)
    assert all(w.start <= t < w.end for w in heard for t in w.heard.time.ravel())


def test_a_model_of_single_faces_goes_through(planted) -> None:
    stage, looks = Clips(planted.Model(), SETTINGS), looks_at(np.arange(5) / 25)
    assert stage.take(looks, 1.0) == (looks, 1.0) and stage.state() == [] and not stage.on


def test_a_rows_agreement_is_about_its_label() -> None:
    seen = replace(look(0, 0, 0.04), says=np.array([5, 2, 1]))
    p = np.array([0.2, 0.5, 0.3])
    assert Settled(seen, p, 0).agreement == 5 / 8 and Settled(seen, p, 2).agreement == 1 / 8
    assert Settled(seen, p, -1).agreement == 2 / 8  # uncertain: sadness has the highest probability
    assert math.isnan(Settled(look(0, 0, 0.04), p, 0).agreement)


@pytest.mark.parametrize("kind", ["ClipModel", "AffectClipModel"])
@pytest.mark.parametrize("cells", [1, 3, 6])
def test_a_film_stopped_and_restored_is_the_uninterrupted_table(planted, tmp_path, cells, kind) -> None:
    film = planted.two_people("n" * 70 + "." * 20 + "h" * 65 + "s" * 60, "." * 20 + "h" * 90 + "." * 30 + "n" * 60)
    at = np.cumsum(np.random.default_rng(3).choice([0.02, 1 / 30, 0.05], len(film)))

    def chain() -> Chain:
        return Chain(getattr(planted, kind)(), planted.Detector(film), SETTINGS, "film")

    whole = Timeline.concat(list(chain().run(planted.Film(film, at))))
    first, parts = chain(), []
    for part in first.run(planted.Film(film, at)):
        parts.append(part)
        if len(parts) == cells:
            break
    later = chain()
    later.restore(json.loads(json.dumps(first.state())))
    again = Timeline.concat(parts + list(later.run(planted.Film(film, at))))
    plain = Timeline.concat(list(Chain(planted.Model(), planted.Detector(film), SETTINGS).run(planted.Film(film, at))))
    assert again == whole and (whole["frame"] == plain["frame"]).all() and (whole["track"] == plain["track"]).all()
    assert "agreement" not in plain.columns
    assert ("valence" in whole.columns) == (kind == "AffectClipModel")
    assert whole["frame"].tolist() == sorted(whole["frame"].tolist())
    assert whole.provenance.clips == 3 and not np.isnan(whole["agreement"]).any()
    labels = [s.label for s in whole.segments() if s.track == 0]
    assert labels == ["neutral", "happiness", "sadness"]
    told = [s.told for s in whole.segments() if s.label == "happiness"]
    assert told and all(t == "3 of 3 clips say happiness" for t in told[:1])
    for name, table in (("whole", whole), ("again", again)):
        table.save(tmp_path / f"{name}.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    assert Timeline.load(tmp_path / "whole.csv").segments() == whole.segments()


def test_a_photo_is_a_clip_that_stands_still_and_has_no_agreement(planted) -> None:
    film = planted.two_people("h")
    timeline = Analyser(planted.ClipModel(), detector=planted.Detector(film)).analyse(planted.paint(film[0], 0))
    assert timeline["label"].tolist() == ["happiness"] and np.isnan(timeline["agreement"]).all()
    assert timeline.segments()[0].agreement is None and timeline.segments()[0].told == ""
    told = Analyser(planted.AffectClipModel(), detector=planted.Detector(film)).analyse(planted.paint(film[0], 0))
    expected = [np.clip(3 * colour / 255 - 1, -1, 1) for colour in (220, 80)]  # red and blue of the square
    assert [told["valence"][0], told["arousal"][0]] == pytest.approx(expected, abs=0.05)


def test_a_stream_answers_at_once_and_ends_as_the_film(planted) -> None:
    film = planted.two_people("n" * 60 + "h" * 60)
    at = np.arange(len(film)) / 30
    analyser = Analyser(planted.AffectClipModel(), detector=planted.Detector(film))
    said = [analyser.push(planted.paint(faces, i), float(at[i])) for i, faces in enumerate(film)]
    assert [len(one) for one in said] == [1] * 120
    assert said[30][0].label == "neutral" and said[-1][0].label == "happiness"
    assert said[-1][0].valence > said[30][0].valence + 0.5 and -1 <= said[30][0].arousal <= 1
    ended = analyser.finish()
    whole = Timeline.concat(
        list(Chain(planted.AffectClipModel(), planted.Detector(film), SETTINGS, "stream").run(planted.Film(film, at)))
    )
    assert len(ended) == len(whole) and ended["label"].tolist() == whole["label"].tolist()
    assert ended["agreement"] == pytest.approx(whole["agreement"], abs=1e-5)
    assert ended["arousal"] == pytest.approx(whole["arousal"], abs=0.02)  # features are float16, batches differ


def test_what_is_said_at_once_forgets_what_is_past(planted) -> None:
    trailing = Trailing(planted.ClipModel(), SETTINGS)
    for one in looks_at(np.arange(100) / 25):
        (answered,) = trailing.read([one], one.time)
        assert answered.probabilities.sum() == pytest.approx(1)
    assert len(trailing._tracks[0]) == 25
    trailing.read([look(0, 9.0, 0.04, 5)], 9.0)
    assert list(trailing._tracks) == [5]


def test_an_archive_that_was_stopped_goes_on_to_the_byte(planted, tmp_path, monkeypatch) -> None:
    """Also that the table's heading knows the optional columns before the first row is there."""
    monkeypatch.setattr(resumable, "EVERY", 0.5)
    film, path = planted.two_people("n" * 60 + "h" * 60), tmp_path / "film.mkv"
    planted.write_film(path, film)

    def read(name: str, stop=None):
        analyser = Analyser(planted.AffectClipModel(), detector=planted.Detector(film))
        files = resumable.Files(tmp_path / f"{name}.rows", tmp_path / f"{name}.mark")
        return resumable.read_film(path, "film.mkv", analyser, files, stop=stop)

    asked = iter(range(1000))
    assert read("cut", lambda: next(asked) == 100) is None and (tmp_path / "cut.mark").is_file()
    assert read("cut") == read("whole")
    assert (tmp_path / "cut.rows").read_bytes() == (tmp_path / "whole.rows").read_bytes()
    columns = read_columns(tmp_path / "whole.rows")
    assert len(columns["time"]) == 120 and (columns["agreement"] > 0.5).mean() > 0.9
    assert list(columns)[-6:-3] == ["agreement", "valence", "arousal"] and columns["valence"].max() > 0.5
