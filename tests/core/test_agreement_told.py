"""What a video model's clips said, from the column to the words that people and programs read."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from tronie.core.timeline import Provenance, Timeline
from tronie.core.timeline_io import save_segments
from tronie.output.export import export
from tronie.output.report import write_report
from tronie.output.text import film_text


@pytest.fixture
def told(timeline_of) -> Timeline:
    """Two seconds of happiness (5 of 8 clips), one of uncertain (sadness leads, with 3 of 8), one of anger (8 of 8)."""
    plain = timeline_of([(0, 0, 2, "happiness"), (0, 2, 3, "uncertain"), (0, 3, 4, "anger")], fps=10)
    columns = {**plain.columns, "agreement": np.repeat([5 / 8, 5 / 8, 3 / 8, 1.0], 10)}
    columns["p_sadness"] = np.where(plain["label"] == "uncertain", 0.3, plain["p_sadness"])
    return replace(plain, columns=columns, provenance=Provenance(clips=8))


def test_segments_say_how_many_clips_agree(told) -> None:
    assert [s.told for s in told.segments()] == [
        "5 of 8 clips say happiness",
        "3 of 8 clips say sadness",
        "8 of 8 clips say anger",
    ]
    assert [s.agreement for s in told.segments()] == [0.625, 0.375, 1.0]
    assert [(s.said, s.clips) for s in told.segments()][1] == ("sadness", 8)
    unknown = replace(told, provenance=Provenance())  # a table of several models, or one without its sidecar
    assert next(s.told for s in unknown.segments()) == "62% of its clips say happiness"


def test_an_uncertain_stretch_is_about_the_label_that_leads_most_of_it(told) -> None:
    column = told["agreement"].copy()
    angry = np.arange(40) >= 26  # of the uncertain rows 20..29 anger leads in the last four
    column[20:26], column[26:30] = 0.5, 0.1
    p = np.where((told["label"] == "uncertain") & angry, 0.4, told["p_anger"])
    mixed = replace(told, columns={**told.columns, "agreement": column, "p_anger": p})
    assert mixed.segments()[1].told == "4 of 8 clips say sadness"


def test_a_table_without_clips_is_as_it_was(timeline_of, tmp_path) -> None:
    plain = timeline_of([(0, 0, 2, "happiness")], fps=10)
    (segment,) = plain.segments()
    assert (segment.agreement, segment.said, segment.clips, segment.told) == (None, "", 0, "")
    plain.save(tmp_path / "a.csv")
    assert "clips" not in (tmp_path / "a.meta.json").read_text()
    assert "agreement" not in (tmp_path / "a.csv").read_text() and "agreement" not in film_text(plain)
    assert "agreement" not in save_segments(plain.segments(), tmp_path / "s.csv").read_text()
    assert "<th>agreement</th>" not in write_report(plain, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "agreement" in Timeline.empty(plain.labels, Provenance(clips=3)).columns


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_saved_table_tells_the_same(told, tmp_path, ending) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    told.save(tmp_path / f"a.{ending}")
    again = Timeline.load(tmp_path / f"a.{ending}")
    assert again == told and again.segments() == told.segments()


def test_joined_tables_keep_a_number_of_clips_that_all_share(told) -> None:
    other = replace(told, provenance=Provenance(clips=5))
    assert Timeline.concat([told, told]).provenance.clips == 8
    assert Timeline.concat([told, other]).provenance.clips == 0


def test_people_and_programs_read_it(told, tmp_path) -> None:
    assert film_text(told).splitlines()[2].endswith("5 of 8 clips say happiness")
    cues = export(told, tmp_path / "a.vtt").read_text(encoding="utf-8")
    assert "uncertain (3 of 8 clips say sadness)" in cues and "happiness 80 % (5 of 8 clips say happiness)" in cues
    for path in (export(told, tmp_path / "a.csv"), save_segments(told.segments(), tmp_path / "b.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(r["agreement"], r["said"], r["clips"]) for r in rows][1] == ("0.37500", "sadness", "8")
    page = write_report(told, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<th>agreement</th>" in page and page.count("3 of 8 clips say sadness") == 3  # tooltip twice, and the table
    told.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["segments"][1]["said"] == "sadness"
