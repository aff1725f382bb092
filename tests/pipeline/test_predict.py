"""``predict`` on files, folders, bytes and arrays, good and bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tronie
from tronie.core.errors import ModelError, SettingError, SourceError
from tronie.core.timeline import Timeline
from tronie.pipeline.predict import predict
from tronie.pipeline.results import Results, is_folder

FILM = "n" * 45 + "h" * 45
PEOPLE = [[(20, 30, "h")], [(20, 30, "s"), (150, 30, "n")], []]


@pytest.fixture
def place(planted, tmp_path):
    """A folder with three pictures and a film, and what a prediction needs to read them."""
    film = planted.two_people(FILM)
    planted.write_film(tmp_path / "film.mkv", film)
    for i, faces in enumerate(PEOPLE):
        planted.write_picture(tmp_path / f"p{i}.png", faces, 1000 + i)
    detector = planted.Detector({**dict(enumerate(film)), **{1000 + i: faces for i, faces in enumerate(PEOPLE)}})
    return tmp_path, {"model": planted.Model(), "detector": detector}


def test_a_film_is_answered_with_its_true_times(place) -> None:
    folder, how = place
    timeline = predict(folder / "film.mkv", **how)
    assert len(timeline) == 90
    assert timeline["time"][45] == pytest.approx(1.5, abs=2e-3)
    assert [(s.label, round(s.start, 1)) for s in timeline.segments()] == [("neutral", 0.0), ("happiness", 1.5)]
    assert timeline.looked[0].kind == "video"
    assert timeline.warnings == ()


def test_fps_thins_a_film(place) -> None:
    folder, how = place
    timeline = predict(str(folder / "film.mkv"), fps=10, **how)
    assert len(timeline) == 30
    assert np.diff(timeline["time"]) == pytest.approx(0.1, abs=2e-3)
    assert timeline.provenance.settings["fps"] == 10


def test_a_film_is_measured_against_the_person_where_that_is_asked_for(place) -> None:
    folder, how = place
    plain = predict(folder / "film.mkv", **how)
    person = predict(folder / "film.mkv", baseline="person", **how)
    assert person.provenance.settings["baseline"] == "person"
    assert person.provenance.settings_hash != plain.provenance.settings_hash
    assert not np.array_equal(person.probabilities, plain.probabilities)
    both = predict([folder / "p0.png", folder / "p1.png"], baseline="person", **how)
    assert len(both.warnings) == 1  # not one per photo
    with pytest.raises(SettingError, match="'model' or 'person'"):
        predict(folder / "film.mkv", baseline="mother", **how)


def test_a_folder_gives_one_timeline(place) -> None:
    folder, how = place
    timeline = predict(folder, **how)
    names = [one.source.rsplit("/", 1)[-1] for one in timeline.looked]
    assert names == ["film.mkv", "p0.png", "p1.png", "p2.png"]
    assert [len(timeline.select(source=one.source)) for one in timeline.looked] == [90, 1, 2, 0]
    assert timeline == predict([folder, folder / "p0.png"], **how)  # a file named twice comes once


def test_bytes_and_arrays(place, planted) -> None:
    folder, how = place
    data = (folder / "p0.png").read_bytes()
    image = planted.paint(PEOPLE[1], 1001)
    timeline = predict([data, image], **how)
    assert timeline["source"].tolist() == ["bytes 0", "array 1", "array 1"]
    assert timeline["label"].tolist() == ["happiness", "sadness", "neutral"]
    film = np.stack([planted.paint([(20, 30, c)], i) for i, c in enumerate(FILM)])
    assert len(predict(film, fps=30, **how)) == 90


def test_one_bad_file_among_many_is_a_warning(place) -> None:
    folder, how = place
    (folder / "broken.png").write_bytes((folder / "p0.png").read_bytes()[:200])
    timeline = predict([folder / "p0.png", folder / "broken.png", folder / "nowhere.jpg"], **how)
    assert len(timeline) == 1
    assert len(timeline.warnings) == 2
    assert "broken.png" in timeline.warnings[0]
    assert "nowhere.jpg" in timeline.warnings[1]
    assert [one.source.endswith("p0.png") for one in timeline.looked] == [True]


def test_a_single_bad_source_raises(place) -> None:
    folder, how = place
    (folder / "broken.png").write_bytes(b"")
    for source in (folder / "broken.png", folder / "nowhere.jpg", [folder / "nowhere.jpg"], b"nothing"):
        with pytest.raises(SourceError):
            predict(source, **how)
    with pytest.raises(SourceError, match="None of the 2 sources"):
        predict([folder / "nowhere.jpg", folder / "broken.png"], **how)
    with pytest.raises(SourceError, match="No source"):
        predict([], **how)


def test_a_film_cut_short_keeps_its_rows(place) -> None:
    folder, how = place
    whole = (folder / "film.mkv").read_bytes()
    (folder / "half.mkv").write_bytes(whole[: len(whole) // 2])
    timeline = predict(folder / "half.mkv", **how)
    assert 20 < len(timeline) < 70
    assert "breaks off" in timeline.warnings[0]


def test_unknown_names_are_errors(place) -> None:
    folder, how = place
    with pytest.raises(ModelError, match="no model 'defualt'"):
        predict(folder / "p0.png", model="defualt", detector=how["detector"])
    with pytest.raises(SettingError, match="fps"):
        predict(folder / "film.mkv", fps=0, **how)


def test_stopping_keeps_what_is_done(place) -> None:
    folder, how = place
    asked = iter(range(10**6))
    sources = [folder / "p0.png", folder / "film.mkv", folder / "p1.png"]
    timeline = predict(sources, stop=lambda: next(asked) > 30, **how)
    assert 20 < len(timeline) < 40
    assert "was stopped at" in timeline.warnings[0]
    none = predict(folder / "film.mkv", stop=lambda: True, **how)
    assert len(none) == 0


def test_reports_say_which_source_of_how_many(place) -> None:
    folder, how = place
    heard = []
    predict(folder, report=heard.append, **how)
    assert {p.count for p in heard} == {4}
    assert [p.place for p in heard] == sorted(p.place for p in heard)
    film = [p for p in heard if p.source.endswith("film.mkv")]
    assert film[0].done == 0
    assert film[-1].done == pytest.approx(film[-1].length, abs=0.05)


def test_results_in_one_table(place) -> None:
    folder, how = place
    results = Results(folder / "all.json")
    results.add(predict(folder / "film.mkv", **how))
    results.add(predict(folder / "p1.png", **how))
    assert results.close() == [folder / "all.json"]
    assert len(Timeline.load(folder / "all.json")) == 92
    assert len(json.loads((folder / "all.json").read_text())["segments"]) == 4
    with pytest.raises(SettingError, match="Tables end in"):
        is_folder(folder / "all.xlsx")
    (folder / "v1.2").mkdir()
    assert [is_folder(folder / name) for name in ("all.csv", "all", "v1.2")] == [False, True, True]


def test_the_package_opens_in_milliseconds_and_names_its_things() -> None:
    code = (
        "import sys, time; t = time.process_time(); import tronie; print(time.process_time() - t);"
        "print([m for m in ('numpy', 'cv2', 'onnxruntime', 'torch') if m in sys.modules]); tronie.predict;"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'scipy', 'rich') if m in sys.modules])"
    )
    here = {**os.environ, "PYTHONPATH": str(Path(tronie.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=here)
    seconds, early, late = run.stdout.splitlines()
    assert float(seconds) < 0.1
    assert early == "[]"
    assert late == "[]"
    assert set(tronie.__all__) <= set(dir(tronie))
    with pytest.raises(AttributeError, match="no attribute 'predcit'"):
        tronie.predcit  # noqa: B018


@pytest.mark.parametrize("nothing", [3, None])
def test_what_is_no_source_is_said_in_one_sentence(nothing) -> None:
    with pytest.raises(SourceError, match="is no source"):
        predict(nothing)


def test_what_a_folder_holds_without_pictures_is_a_warning_and_named_it_is_an_error(place) -> None:
    folder, how = place
    (folder / "index.ts").write_text("export const x: number = 1\n")
    timeline = predict(folder, **how)
    assert timeline.warnings == (f"Passed over, because there are no pictures in it: {folder / 'index.ts'}.",)
    assert len(timeline.looked) == 4
    with pytest.raises(SourceError, match="is a text, such as a program, and no film"):
        predict(folder / "index.ts", **how)


@pytest.mark.parametrize("by", ["rename", "writing"])
def test_a_film_that_is_replaced_while_it_is_read_is_told(place, by) -> None:
    folder, how = place
    film, times = folder / "film.mkv", iter(range(10**6))
    other = film.read_bytes() + b"\0" * 8

    def meddle() -> bool:
        if next(times) == 30:
            (folder / "new" if by == "rename" else film).write_bytes(other)
            if by == "rename":
                (folder / "new").replace(film)
        return False

    timeline = predict(film, stop=meddle, **how)
    assert len(timeline) == 90
    assert timeline.warnings == (f"{film} was changed or replaced while it was read: read it again.",)
    assert predict(film, **how).warnings == ()
