"""Plots on paper: written whole, the same every time, with everybody's text as it is."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as xml

import pytest

from tronie.core.errors import MissingExtraError, OutputError, SettingError
from tronie.output.page import plot_summary
from tronie.output.plot import plot_timeline

pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")

SPELLS = [(0, 0, 4, "neutral"), (0, 4, 6, "happiness"), (0, 6, 7, "uncertain"), (1, 1, 5, "anger"), (1, 6, 8, "fear")]
NAMES = {("film.mp4", 0): "Zoë $x_1$ <&>"}


@pytest.mark.parametrize("plot", [plot_timeline, plot_summary])
def test_an_svg_names_people_labels_and_times_and_is_the_same_again(timeline_of, tmp_path, plot) -> None:
    told = timeline_of(SPELLS, fps=5, length=9)
    first = plot(told, tmp_path / "a.svg", names=NAMES).read_bytes()
    words = " ".join("".join(element.itertext()) for element in xml.fromstring(first).iter() if "text" in element.tag)
    for word in ("film.mp4: expressions shown", "Zoë $x_1$ <&>", "person 1", "Ha  happiness", "?  uncertain", "0:05"):
        assert word in words, word
    assert "disgust" not in words  # nobody shows it
    assert plot(told, tmp_path / "b.svg", names=NAMES).read_bytes() == first


def test_the_summary_counts_and_says_what_may_not_be_done(timeline_of, tmp_path) -> None:
    content = plot_summary(timeline_of(SPELLS, fps=5, length=9), tmp_path / "a.svg").read_text(encoding="utf-8")
    for word in ("Time per expression and person", "Changes: from (row) to (column)", "not what a person feels", "AI"):
        assert word in content, word


@pytest.mark.parametrize("plot", [plot_timeline, plot_summary])
@pytest.mark.parametrize(("ending", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_other_formats_and_a_film_without_faces(timeline_of, tmp_path, plot, ending, magic) -> None:
    assert plot(timeline_of([], length=3), tmp_path / f"a{ending}").read_bytes().startswith(magic)


def test_more_people_than_fit_are_told(timeline_of, tmp_path) -> None:
    told = timeline_of([(i, 0, 2 + i / 10, "neutral") for i in range(14)], fps=5)
    content = plot_timeline(told, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "2 more people, each seen more briefly" in content and "person 13" in content and ">person 0<" not in content


def test_what_cannot_be_plotted(timeline_of, tmp_path, monkeypatch) -> None:
    told = timeline_of(SPELLS, fps=5)
    with pytest.raises(SettingError, match=r"Plots end in \.png"):
        plot_timeline(told, tmp_path / "a.txt")
    with pytest.raises(SettingError, match="is about one film"):
        plot_summary(type(told).concat([told, timeline_of(SPELLS, fps=5, source="b.mp4")]), tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        plot_timeline(told, tmp_path / "folder.png")
    monkeypatch.setattr("tronie.output.paper.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "tronie\[plot\]"'):
        plot_timeline(told, tmp_path / "a.png")


def test_matplotlib_is_imported_only_to_plot() -> None:
    modules = "tronie.output.plot, tronie.output.page, tronie.output.report"
    code = f"import sys, {modules}; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
