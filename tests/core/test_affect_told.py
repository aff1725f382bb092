"""Valence and arousal, from the columns to what people and programs read of them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from tronie.core.timeline import Provenance, Timeline
from tronie.core.timeline_io import save_segments
from tronie.output.export import export
from tronie.output.plot import plot_timeline
from tronie.output.report import write_report
from tronie.output.summary import curves, facts
from tronie.output.text import film_text

COLUMNS = ["valence", "arousal"]


@pytest.fixture
def plain(timeline_of) -> Timeline:
    return timeline_of([(0, 0, 2, "happiness"), (0, 2, 3, "sadness"), (1, 1, 2, "anger")], fps=10)


@pytest.fixture
def told(plain) -> Timeline:
    """A ramp of valence, its tenth as arousal; the face is poor in the first half second, and one row has no value."""
    valence = np.round(np.linspace(-0.5, 1, len(plain)), 5)
    valence[4] = np.nan
    columns = {**plain.columns, "valence": valence, "arousal": valence / 10, "usable": plain["time"] >= 0.45}
    return replace(plain, columns=columns, provenance=Provenance(affect=True))


def test_segments_carry_the_mean_of_usable_time(told) -> None:
    for segment in told.segments():
        total, seconds = np.zeros(2), 0.0
        for i in range(len(told)):
            inside = told["track"][i] == segment.track and segment.start <= told["time"][i] < segment.end - 1e-9
            if inside and told["usable"][i]:
                total += told["duration"][i] * np.array([told[name][i] for name in COLUMNS])
                seconds += told["duration"][i]
        assert [segment.valence, segment.arousal] == pytest.approx(total / seconds, abs=1e-5)


def test_where_no_row_counts_all_do_and_where_none_has_a_value_there_is_none(told) -> None:
    poor = replace(told, columns={**told.columns, "usable": np.zeros(len(told), bool)})
    first = poor.segments()[0]
    rows = (told["track"] == 0) & (told["time"] < 2 - 1e-9)
    assert first.valence == pytest.approx(np.nanmean(told["valence"][rows]), abs=1e-5)
    empty = np.where(told["track"] == 1, np.nan, told["valence"])
    found = replace(told, columns={**told.columns, "valence": empty}).segments()
    assert [s.valence is None for s in found] == [s.track == 1 for s in found]


def test_a_table_without_them_is_as_it_was(plain, tmp_path) -> None:
    assert {(s.valence, s.arousal) for s in plain.segments()} == {(None, None)}
    plain.save(tmp_path / "a.csv")
    written = [
        tmp_path / "a.csv",
        tmp_path / "a.meta.json",
        save_segments(plain.segments(), tmp_path / "s.csv"),
        export(plain, tmp_path / "b.csv"),
        write_report(plain, tmp_path / "a.html"),
    ]
    assert not [path.name for path in written if "valence" in path.read_text("utf-8")]
    assert "affect" not in (tmp_path / "a.meta.json").read_text()
    assert "valence" not in film_text(plain) and "valence" not in str(facts(plain, 3.0))


def test_a_timeline_without_rows_names_the_columns(plain) -> None:
    empty = Timeline.empty(plain.labels, Provenance(affect=True, clips=3))
    assert list(empty.columns)[-6:-3] == ["agreement", *COLUMNS]
    assert list(Timeline.empty(plain.labels, Provenance(affect=True)).columns)[-5:-3] == COLUMNS


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_saved_table_tells_the_same(told, tmp_path, ending) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    told.save(tmp_path / f"a.{ending}")
    again = Timeline.load(tmp_path / f"a.{ending}")
    assert again == told and again.provenance.affect and again.segments() == told.segments()


def test_tables_with_and_without_them_are_joined(told, plain) -> None:
    for parts in ([told, plain], [plain, told]):
        joined = Timeline.concat(parts)
        assert joined.provenance.affect and np.isnan(joined["valence"]).sum() == len(plain) + 1
    assert not Timeline.concat([plain, plain]).provenance.affect


def test_programs_read_them(told, tmp_path) -> None:
    wanted = [(f"{s.valence:.5f}", f"{s.arousal:.5f}") for s in told.segments()]
    for path in (export(told, tmp_path / "a.csv"), save_segments(told.segments(), tmp_path / "b.csv")):
        with path.open(newline="") as file:
            assert [(row["valence"], row["arousal"]) for row in csv.DictReader(file)] == wanted
    told.save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["segments"][0]["valence"] == told.segments()[0].valence
    assert document["rows"][4]["valence"] is None and document["provenance"]["affect"] is True


def test_curves_and_facts_hold_them(told, timeline_of) -> None:
    first, second = curves(told)
    assert first.affect is not None and first.affect.shape == (len(first.time), 2)
    assert first.affect[:, 0] == pytest.approx(told["valence"][told["track"] == 0], nan_ok=True)
    assert first.values == pytest.approx(told.probabilities[told["track"] == 0]) and second.affect is not None
    usable = told["usable"]
    means = [f"{told[name][usable].mean():+.2f}" for name in COLUMNS]  # rows of one length; the NaN is not usable
    assert dict(facts(told, 3.0))["mean valence, arousal"] == ", ".join(means)
    long = timeline_of([(0, 0, 100, "neutral"), (0, 110, 200, "anger")])
    columns = {**long.columns, "valence": np.where(long["time"] < 105, 0.5, -0.5), "arousal": np.zeros(len(long))}
    (thin,) = curves(replace(long, columns=columns), most=200)
    assert thin.affect is not None and len(thin.affect) == 200
    assert thin.affect[thin.time < 99, 0] == pytest.approx(0.5)
    assert thin.affect[thin.time > 111, 0] == pytest.approx(-0.5)


def test_a_report_draws_them_under_the_segments(told, plain, tmp_path) -> None:
    page = write_report(told, tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count('class="affect"') == 2 and page.count("valence (solid), arousal (dashed)") == 2
    assert "mean valence, arousal" in page
    assert write_report(plain, tmp_path / "b.html").read_text(encoding="utf-8").count('class="affect"') == 0


def test_a_plot_has_a_panel_for_them(told, plain, tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    words = plot_timeline(told, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert words.count(">valence<") == 2 and words.count(">arousal<") == 2
    assert ">valence<" not in plot_timeline(plain, tmp_path / "b.svg").read_text(encoding="utf-8")
    one = np.where(told["track"] == 1, np.nan, told["valence"])  # joined tables: a person without them
    mixed = replace(told, columns={**told.columns, "valence": one, "arousal": one})
    assert plot_timeline(mixed, tmp_path / "c.svg").read_text(encoding="utf-8").count(">valence<") == 1
