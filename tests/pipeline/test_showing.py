"""The verbs that show: from a timeline, a table or a film to a file."""

from __future__ import annotations

import numpy as np
import pytest

from tronie.core.errors import MissingExtraError, SettingError, SourceError
from tronie.core.face import Face
from tronie.core.labels import BASIC7
from tronie.output.coder import read_spans
from tronie.pipeline.plot import plot
from tronie.pipeline.report import report
from tronie.pipeline.segments import segments
from tronie.video.write import VideoWriter

SPELLS = [(0, 0, 2, "neutral"), (1, 2, 4, "happiness"), (2, 0, 4, "anger")]


class Detector:
    def detect(self, image):
        return [Face((10, 10, 40, 40), 0.9)]

    def near(self, image, faces):
        return self.detect(image)


class Model:
    name, hash, labels, size = "fixed", "0123456789ab", BASIC7, 48

    def predict(self, crops):
        return np.tile(np.array([0.02, 0.02, 0.02, 0.9, 0.02, 0.01, 0.01], np.float32), (len(crops), 1))


@pytest.fixture
def film(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for i in range(20):
            writer.write(noise, i / 10)
    return tmp_path / "film.mp4"


def test_segments_of_a_table_with_names(timeline_of, tmp_path) -> None:
    timeline_of(SPELLS, fps=10).save(tmp_path / "film.csv")
    (tmp_path / "names.csv").write_text("track,name\n0,Anna\n1,Anna\n2,Ben\n")
    out = segments(tmp_path / "film.csv", tmp_path / "film.eaf", names=tmp_path / "names.csv")
    assert [(s.tier, s.start, s.end, s.label) for s in read_spans(out.path)] == [
        ("Anna", 0, 2, "neutral"),
        ("Anna", 2, 4, "happiness"),
        ("Ben", 0, 4, "anger"),
    ]
    seated = segments(tmp_path / "film.csv", tmp_path / "film.TextGrid", seats=2)
    assert {s.tier for s in read_spans(seated.path)} == {"person 1", "person 2"}


def test_a_film_is_read_first(film, tmp_path) -> None:
    out = segments(film, tmp_path / "film.vtt", model=Model(), detector=Detector())
    assert "person 0: happiness" in out.path.read_text()
    page = report(film, tmp_path / "pages" / "film.html", model=Model(), detector=Detector())
    assert 'src="../film.mp4"' in page.path.read_text() and "happiness" in page.path.read_text()


def test_the_report_finds_its_film(timeline_of, film, tmp_path, monkeypatch) -> None:
    told = timeline_of(SPELLS, fps=10, source="somewhere/else/film.mp4")
    told.save(tmp_path / "film.csv")
    assert 'src="film.mp4"' in report(tmp_path / "film.csv", tmp_path / "a.html").path.read_text()  # beside the table
    assert "made without its film" in report(told, tmp_path / "b.html").path.read_text()
    assert 'src="../film.mp4"' in report(told, tmp_path / "deep" / "c.html", film=film).path.read_text()
    monkeypatch.chdir(tmp_path)
    near = timeline_of(SPELLS, fps=10)
    assert 'src="film.mp4"' in report(near, "d.html").path.read_text()  # from here


def test_plots(timeline_of, tmp_path, monkeypatch) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    told = timeline_of(SPELLS, fps=10)
    assert "probability" in plot(told, tmp_path / "a.svg").path.read_text()
    assert "Changes" in plot(told, tmp_path / "b.svg", summary=True).path.read_text()
    with pytest.raises(SettingError, match=r"Plots end in"):
        plot(tmp_path / "not read.mp4", tmp_path / "a.gif")
    monkeypatch.setattr("tronie.output.paper.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError):  # before anything is read
        plot(tmp_path / "not read.mp4", tmp_path / "a.svg")


def test_what_cannot_be_shown(timeline_of, tmp_path) -> None:
    told = timeline_of(SPELLS, fps=10)
    with pytest.raises(SettingError, match=r"A report ends in \.html"):
        report(told, tmp_path / "a.pdf")
    with pytest.raises(SettingError, match="There is no film"):
        report(told, tmp_path / "a.html", film=tmp_path / "gone.mp4")
    with pytest.raises(SourceError):
        segments(tmp_path / "gone.csv", tmp_path / "a.eaf")
    (tmp_path / "names.csv").write_text("track,name\n7,Anna\n")
    with pytest.raises(SettingError, match="track 7, which is not there"):
        segments(told, tmp_path / "a.eaf", names=tmp_path / "names.csv")
