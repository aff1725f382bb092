"""The picture of where a video model looked: its sums by hand, that it is drawn, and who cannot have one."""

from __future__ import annotations

import math
from dataclasses import replace
from xml.etree import ElementTree as xml

import numpy as np
import pytest

from tronie.cli import main
from tronie.core.errors import SettingError
from tronie.output.where import Close, attention, plot_where
from tronie.pipeline.where import where

pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")


@pytest.fixture(scope="module")
def film(planted, tmp_path_factory):
    """Three seconds of two people, and how to read them."""
    told = planted.two_people("n" * 45 + "h" * 45, "s" * 60)
    path = tmp_path_factory.mktemp("where") / "film.mkv"
    planted.write_film(path, told)
    return path, lambda: {"model": planted.ClipModel(), "detector": planted.Detector(told)}


def test_attention_counts_close_frames_against_an_even_spread() -> None:
    where_ = np.array([[[0.1, 0.2], [1.9, 1.95]], [[0.3, 0.4], [0.6, 0.7]]])
    edges = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    share = attention([Close(0, 0.0, 2.0, where_, ("a", "b"))], edges)
    assert share[:3] == pytest.approx([4 / 2, 2 / 2, 2 / 4]) and math.isnan(share[3])
    other = Close(1, 0.5, 1.5, np.array([[[1.1, 1.2]]]), ("a",))
    share = attention([Close(0, 0.0, 2.0, where_, ("a", "b")), other], edges)
    assert share[:3] == pytest.approx([4 / 2, 2 / 3, 4 / 5])


def test_a_picture_is_drawn_of_the_person_seen_longest(film, tmp_path) -> None:
    path, how = film
    heard: list[object] = []
    made = where(path, tmp_path / "a.svg", report=heard.append, **how())
    words = " ".join("".join(e.itertext()) for e in xml.fromstring(made.path.read_bytes()).iter() if "text" in e.tag)
    for word in (
        "film.mkv: where the looks at person 0 were close",
        "Ha  happiness",
        "looks, 3 a window",
        "probability",
    ):
        assert word in words, word
    content = made.path.read_text()
    assert "<image" in content and len(heard) > 2 and len(made.timeline) == 150
    assert where(path, tmp_path / "b.svg", **how()).path.read_bytes() == made.path.read_bytes()
    second = where(path, tmp_path / "c.svg", track=1, **how()).path.read_text()
    assert "person 1" in second and "Sa  sadness" in second and "Ha  happiness" not in second
    assert where(path, tmp_path / "d.png", fps=5, **how()).path.read_bytes()[:4] == b"\x89PNG"


def test_a_long_film_shows_sums_alone_and_a_short_one_a_window(timeline_of, tmp_path) -> None:
    face = np.zeros((8, 8, 3), np.uint8)
    one = Close(0, 0.0, 2.0, np.array([[[0.2, 0.4]]] * 3), ("anger",) * 3)
    long, short = timeline_of([(0, 0, 90, "neutral")], fps=5), timeline_of([(0, 0, 1, "neutral")], fps=25)
    drawn = plot_where(
        long, [one, replace(one, number=3, start=50.0, end=52.0)], [(1.0, face)], tmp_path / "a.svg", title="t", reach=4
    ).read_text()
    assert "Single looks are drawn for films of up to 40 s." in drawn and "a window" not in drawn
    assert (
        "looks, 3 a window"
        in plot_where(short, [one], [(0.5, face)], tmp_path / "b.svg", title="t", reach=4).read_text()
    )


def test_who_cannot_have_one_is_told_why(film, planted, tmp_path, capsys) -> None:
    path, how = film
    with pytest.raises(SettingError, match=r"a\.csv is a table, which has no pictures"):
        where(tmp_path / "a.csv", tmp_path / "a.svg", **how())
    planted.write_picture(tmp_path / "photo.png", [(20, 30, "h")])
    with pytest.raises(SettingError, match="is no single film"):
        where(tmp_path / "photo.png", tmp_path / "a.svg", **how())
    with pytest.raises(SettingError, match="Plots end in"):
        where(path, tmp_path / "a.gif", **how())
    with pytest.raises(SettingError, match=r"There is no track 9 in this film; there are 0, 1\."):
        where(path, tmp_path / "a.svg", track=9, **how())
    keyless = planted.ClipModel(replace(planted.ClipModel.INFO, each=0))
    for model in (planted.Model(), keyless):
        with pytest.raises(SettingError, match="does not choose moments to look at closely"):
            where(path, tmp_path / "a.svg", model=model, detector=how()["detector"])
    empty = planted.two_people("." * 30)
    planted.write_film(tmp_path / "empty.mkv", empty)
    with pytest.raises(SettingError, match="No face was found"):
        where(tmp_path / "empty.mkv", tmp_path / "a.svg", model=planted.ClipModel(), detector=planted.Detector(empty))
    assert not list(tmp_path.glob("*.svg"))
    assert main(["plot", str(path), "--where", "--summary", "-o", str(tmp_path / "a.svg")]) == 2
    assert "--summary has no effect with --where" in capsys.readouterr().err
