"""Watching, with a film as the camera, a planted detector and a planted model."""

from __future__ import annotations

import itertools
import time

import pytest

from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.timeline import Timeline
from tronie.pipeline import watch as module
from tronie.pipeline.predict import predict
from tronie.pipeline.watch import watch
from tronie.video.camera import Shot


@pytest.fixture
def film(planted, tmp_path):
    told = planted.two_people("n" * 45 + "h" * 45, "." * 30 + "s" * 60)
    planted.write_film(tmp_path / "film.mkv", told)
    return tmp_path / "film.mkv", {"model": planted.Model(), "detector": planted.Detector(dict(enumerate(told)))}


def test_a_film_as_the_camera_is_read_whole_and_answered_at_once(film, tmp_path) -> None:
    path, with_fakes = film
    seen = []
    timeline = watch(str(path), tmp_path / "out.csv", show=seen.append, **with_fakes)
    assert len(seen) == 90 and [s.time for s in seen] == pytest.approx([i / 30 for i in range(90)], abs=1e-3)
    assert [mark.person for mark in seen[60].marks] == ["person 0", "person 1"]
    assert [seen[i].marks[0].label for i in (30, 89)] == ["neutral", "happiness"]
    assert set(seen[0].looks) == {"happiness", "sadness", "neutral", "uncertain"}
    assert Timeline.load(tmp_path / "out.csv") == timeline
    whole = predict(path, **with_fakes)
    assert [s.label for s in timeline.segments()] == [s.label for s in whole.segments()]
    assert timeline.looked[0].source == whole.looked[0].source  # so that `annotate --table` finds the film
    assert timeline.looked[0].end == pytest.approx(whole.looked[0].end, abs=0.002)
    assert timeline.warnings == ()


def test_a_slow_reader_leaves_pictures_out_and_says_how_many(film, tmp_path) -> None:
    path, with_fakes = film
    begun = time.monotonic()
    timeline = watch(str(path), realtime=True, show=lambda seen: time.sleep(0.12), **with_fakes)
    assert time.monotonic() - begun > 2.8
    frames = timeline.looked[0].frames
    assert 1 < frames < 30
    (warning,) = timeline.warnings
    assert warning.startswith(f"{90 - frames} of 90 pictures of ")


def test_fps_thins_a_film(film) -> None:
    path, with_fakes = film
    assert watch(str(path), fps=10, **with_fakes).looked[0].frames == 30


@pytest.mark.parametrize("realtime", [False, True])
def test_stopping_saves_what_was_read(film, tmp_path, realtime) -> None:
    path, with_fakes = film
    asked = itertools.count()
    timeline = watch(str(path), tmp_path / "out.csv", realtime=realtime, stop=lambda: next(asked) > 20, **with_fakes)
    assert 0 < timeline.looked[0].frames < 25
    assert Timeline.load(tmp_path / "out.csv") == timeline


def test_a_bug_or_a_second_ctrl_c_loses_nothing(film, tmp_path) -> None:
    path, with_fakes = film
    seen = []

    def shows(picture) -> None:
        seen.append(picture)
        if len(seen) == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(str(path), tmp_path / "out.csv", show=shows, **with_fakes)
    assert Timeline.load(tmp_path / "out.csv").looked[0].frames == 40


def test_a_camera_and_a_stream_that_end_are_kept_and_said(planted, monkeypatch, tmp_path) -> None:
    told = planted.two_people("h" * 30)

    def shots(_, fails=None):
        for i, faces in enumerate(told):
            yield Shot(i / 30, lambda i=i, faces=faces: planted.paint(faces, i))
        if fails is not None:
            raise fails

    fakes = {"model": planted.Model(), "detector": planted.Detector(dict(enumerate(told)))}
    monkeypatch.setattr(module, "camera_shots", shots)
    monkeypatch.setattr(module, "address_shots", lambda address: shots(address, SourceError("The line is torn.")))
    camera = watch("0", tmp_path / "a.json", **fakes)
    assert camera.looked[0].source == "camera 0" and set(camera["source"]) == {"camera 0"}
    assert camera.warnings[0] == "camera 0 stopped sending; what came before was read."
    stream = watch("rtsp://anna:secret@here/1", tmp_path / "b.json", **fakes)
    assert "The line is torn." in stream.warnings
    assert "secret" not in (tmp_path / "b.json").read_text() and "rtsp://here/1" in (tmp_path / "b.json").read_text()


def test_what_cannot_be_watched_is_said_before_the_work(film, tmp_path) -> None:
    path, with_fakes = film
    for source, out, error in (
        (str(tmp_path / "none.mp4"), None, SourceError),
        (str(tmp_path), "x.xlsx", SettingError),
        (str(path), path / "x.csv", OutputError),
        ("http://127.0.0.1:9/x", None, SourceError),
    ):
        with pytest.raises(error):
            watch(source, out, **with_fakes)
    planted_picture = tmp_path / "p.png"
    planted_picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(SourceError, match="no single film"):
        watch(str(planted_picture), **with_fakes)
