"""The table itself: columns, joining, segments, and the files it becomes."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import MissingExtraError, OutputError, SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.segment import SegmentCalibration
from tronie.core.timeline import AFTER, BEFORE, Looked, Provenance, Timeline

LABELS = LabelSet(("happiness", "sadness", "neutral"))
ABOUT = Provenance("tiny", "abc123", {"fps": None, "kernel": 0.3}, "def456", "0.1.0")


def make(rows, labels=LABELS, **more) -> Timeline:
    """A timeline from (source, time, duration, track, label, confidence, usable) rows."""
    n = len(rows)
    source, time, duration, track, label, confidence, usable = zip(*rows, strict=True) if rows else [()] * 7
    columns = {name: np.zeros(n) for name in BEFORE}
    columns |= {
        "source": source,
        "frame": np.arange(n),
        "time": time,
        "duration": duration,
        "track": track,
        "label": label,
        "confidence": confidence,
        "usable": usable,
    }
    columns |= {f"p_{name}": np.full(n, 1 / len(labels)) for name in labels.names}
    columns |= {name: ["x"] * n for name in AFTER}
    return Timeline(columns, labels, more.pop("provenance", ABOUT), **more)


def film(spec, source="film.mp4", track=0, step=0.1) -> list:
    """Rows of one track, one letter per frame: h, s, n, u (uncertain), '.' no face, a capital: not usable."""
    words = {"h": "happiness", "s": "sadness", "n": "neutral", "u": "uncertain"}
    return [
        (source, round(i * step, 6), step, track, words[c.lower()], 0.8, c.islower())
        for i, c in enumerate(spec)
        if c != "."
    ]


def spans(timeline) -> list:
    return [(s.track, s.start, s.end, s.label) for s in timeline.segments()]


def test_segments_join_equal_neighbours() -> None:
    found = make(film("nnnhhhnn")).segments()
    assert [(s.start, s.end, s.label, s.rows) for s in found] == [
        (0.0, 0.3, "neutral", 3),
        (0.3, 0.6, "happiness", 3),
        (0.6, 0.8, "neutral", 2),
    ]
    assert found[0].duration == pytest.approx(0.3)


def test_segments_bridge_half_a_second_and_no_more() -> None:
    assert spans(make(film("nn.....nn"))) == [(0, 0.0, 0.9, "neutral")]
    assert spans(make(film("nn......nn"))) == [(0, 0.0, 0.2, "neutral"), (0, 0.8, 1.0, "neutral")]


def test_segments_keep_people_and_sources_apart() -> None:
    rows = film("nn", track=1) + film("hh", track=0) + film("nn", source="a.mp4")
    assert [(s.source, s.track) for s in make(rows).segments()] == [("film.mp4", 0), ("film.mp4", 1), ("a.mp4", 0)]


def test_segment_confidence_is_that_of_usable_time() -> None:
    rows = film("nnN")
    rows[0] = (*rows[0][:5], 0.9, True)
    rows[1] = (*rows[1][:2], 0.3, *rows[1][3:5], 0.5, True)
    rows[2] = (*rows[2][:1], 0.4, *rows[2][2:5], 0.1, False)
    (segment,) = make(rows).segments()
    assert segment.confidence == pytest.approx((0.1 * 0.9 + 0.3 * 0.5) / 0.4)
    assert segment.usable == pytest.approx(0.4 / 0.5)


CALIBRATED = replace(ABOUT, segments=SegmentCalibration(0.5, -0.25, {"sadness": 1.0}))


def test_a_film_s_segments_say_how_often_such_segments_are_right() -> None:
    plain, sure = make(film("nnhhssuu")), make(film("nnhhssuu"), provenance=CALIBRATED)
    found = {s.label: s.confidence for s in sure.segments()}
    half = 0.5 * np.log(0.8 / 0.2) - 0.25
    assert found["neutral"] == found["happiness"] == pytest.approx(1 / (1 + np.exp(-half)), abs=1e-5)
    assert found["sadness"] == pytest.approx(1 / (1 + np.exp(-half - 1)), abs=1e-5)
    assert found["uncertain"] == 0.8  # claims nothing that could be right
    assert {s.confidence for s in plain.segments()} == {0.8}
    assert sure["confidence"].tolist() == plain["confidence"].tolist()
    (photo,) = make([("a.jpg", 0.0, 0.0, 0, "happiness", 0.7, True)], provenance=CALIBRATED).segments()
    assert photo.confidence == 0.7


@pytest.mark.parametrize("numbers", [(-0.1, 0.0), (float("nan"), 0.0), (1.0, float("inf")), (1.0, 0.0, {"joy": 99.0})])
def test_numbers_that_no_fit_gives_are_refused(numbers) -> None:
    with pytest.raises(ValueError, match="segment calibration with"):
        SegmentCalibration(*numbers)


def test_a_calibration_survives_only_where_it_holds_for_all() -> None:
    sure, plain = make(film("nn"), provenance=CALIBRATED), make(film("hh", "b.mp4"))
    assert Timeline.concat([sure, sure]).provenance.segments == CALIBRATED.segments
    assert Timeline.concat([sure, plain]).provenance.segments is None
    assert sure.select(track=0).provenance.segments == CALIBRATED.segments


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_saved_table_gives_the_same_segments(tmp_path, suffix) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    sure = make(film("nnhhssuu"), provenance=CALIBRATED)
    path = tmp_path / f"film{suffix}"
    sure.save(path)
    assert Timeline.load(path) == sure
    assert Timeline.load(path).segments() == sure.segments()


def test_a_calibration_that_is_none_is_a_damaged_file(tmp_path) -> None:
    make(film("nn"), provenance=CALIBRATED).save(tmp_path / "film.json")
    text = (tmp_path / "film.json").read_text()
    (tmp_path / "film.json").write_text(text.replace('"a": 0.5', '"a": -3'))
    with pytest.raises(SourceError, match="damaged"):
        Timeline.load(tmp_path / "film.json")
    (tmp_path / "film.json").write_text(text.replace('"segments": {', '"other": {', 1))
    with pytest.raises(SourceError, match="damaged"):
        Timeline.load(tmp_path / "film.json")


def test_a_table_from_before_segments_were_calibrated_loads(tmp_path) -> None:
    make(film("nn")).save(tmp_path / "film.csv")
    meta = json.loads((tmp_path / "film.meta.json").read_text())
    del meta["provenance"]["segments"]
    (tmp_path / "film.meta.json").write_text(json.dumps(meta))
    assert Timeline.load(tmp_path / "film.csv").provenance.segments is None


def test_a_gap_counts_as_not_usable_time() -> None:
    (segment,) = make(film("nn..nn")).segments()
    assert segment.usable == pytest.approx(4 / 6, abs=1e-5)


def test_a_photo_is_a_segment_without_length() -> None:
    (segment,) = make([("a.jpg", 0.0, 0.0, 0, "happiness", 0.7, True)]).segments()
    assert (segment.start, segment.end, segment.confidence, segment.usable, segment.rows) == (0, 0, 0.7, 1.0, 1)


def test_agreement_is_averaged_where_there_is_one() -> None:
    plain = make(film("nn"))
    assert plain.segments()[0].agreement is None
    columns = {**plain.columns, "agreement": np.array([0.5, np.nan])}
    assert replace(plain, columns=columns).segments()[0].agreement == 0.5


def test_summary_adds_up_time_per_person() -> None:
    totals = make(film("nnhnn") + film("hh", track=1)).summary()
    assert [(t.track, t.label, t.seconds, t.rows) for t in totals] == [
        (0, "neutral", 0.4, 4),
        (0, "happiness", 0.1, 1),
        (1, "happiness", 0.2, 2),
    ]


def test_select_and_concat_undo_each_other() -> None:
    looked = tuple(Looked(name, "video", 3, 0.0, 0.3) for name in ("a", "b"))
    both = make(film("nhn", "a") + film("ss", "b"), looked=looked)
    parts = [both.select(source=name) for name in ("a", "b")]
    assert [len(part) for part in parts] == [3, 2]
    assert Timeline.concat(parts) == both
    assert both.select(label="neutral", start=0.1, end=0.3)["time"].tolist() == [0.2]
    assert len(both.select(track=7)) == 0


def test_concat_fills_optional_columns_and_refuses_other_labels() -> None:
    plain = make(film("nn"))
    rich = replace(plain, columns={**plain.columns, "valence": np.array([0.25, -0.5])})
    assert np.array_equal(Timeline.concat([plain, rich])["valence"], [np.nan, np.nan, 0.25, -0.5], equal_nan=True)
    with pytest.raises(SettingError, match="different labels"):
        Timeline.concat([plain, make(film("n"), LabelSet(("neutral", "happiness")))])
    other = replace(plain, provenance=replace(ABOUT, model_hash="zzz"))
    assert "different models" in Timeline.concat([plain, other]).warnings[0]


def test_columns_are_checked_and_read_only() -> None:
    plain = make(film("nn"))
    with pytest.raises(SettingError, match="'time'"):
        Timeline({k: v for k, v in plain.columns.items() if k != "time"}, LABELS)
    with pytest.raises(SettingError, match="'mood'"):
        Timeline({**plain.columns, "mood": np.zeros(2)}, LABELS)
    with pytest.raises(SettingError, match="unequal"):
        Timeline({**plain.columns, "time": np.zeros(3)}, LABELS)
    with pytest.raises(SettingError, match="no column 'p_joy'"):
        plain["p_joy"]
    with pytest.raises(ValueError, match="read-only"):
        plain["time"][0] = 3


def test_optional_columns_stand_before_the_origin() -> None:
    plain = make(film("n"))
    more = {"au_12": [0.5], "au_4": [0.5], "arousal": [0.1], "agreement": [1.0]}
    names = list(replace(plain, columns={**plain.columns, **more}).columns)
    assert names[-7:] == ["agreement", "arousal", "au_4", "au_12", "model", "settings", "version"]


numbers = st.floats(-1e4, 1e4)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@st.composite
def timelines(draw):
    n = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    base = make(
        [
            (
                draw(texts),
                draw(numbers),
                draw(st.floats(0, 5)),
                draw(st.integers(0, 9)),
                draw(st.sampled_from([*LABELS.names, "uncertain"])),
                draw(st.floats(0, 1)),
                draw(st.booleans()),
            )
            for _ in range(n)
        ]
    )
    columns = {**base.columns, "x": rng.normal(0, 300, n), "p_neutral": rng.random(n)}
    if draw(st.booleans()):
        columns |= {"agreement": np.where(rng.random(n) < 0.5, np.nan, rng.random(n)), "au_4": rng.random(n)}
    looked = tuple(Looked(draw(texts), "video", 5, 0.0, 1.5, ((0.25, 0.5),)) for _ in range(draw(st.integers(0, 2))))
    return Timeline(columns, LABELS, ABOUT, looked, tuple(draw(st.lists(texts, max_size=2))))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
@given(timeline=timelines())
@settings(max_examples=40, deadline=None)
def test_saved_and_loaded_is_the_same_to_the_byte(tmp_path_factory, suffix, timeline) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("table")
    first, second = folder / f"a{suffix}", folder / f"b{suffix}"
    timeline.save(first)
    loaded = Timeline.load(first)
    assert loaded == timeline
    loaded.save(second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == []


def test_csv_loads_without_its_sidecar(tmp_path) -> None:
    timeline = make(film("nhU"), looked=(Looked("film.mp4", "video", 3, 0.0, 0.3),))
    table, meta = timeline.save(tmp_path / "film.csv")
    assert meta == tmp_path / "film.meta.json"
    meta.unlink()
    loaded = Timeline.load(table)
    assert loaded.labels == LABELS
    assert loaded.looked == ()
    assert loaded.provenance.model_hash == "x"
    assert all(np.array_equal(loaded[name], timeline[name]) for name in timeline.columns)


def test_the_files_are_plain(tmp_path) -> None:
    timeline = make(film("nhU"), looked=(Looked("film.mp4", "video", 3, 0.0, 0.3),))
    timeline.save(tmp_path / "film.csv")
    timeline.save(tmp_path / "film.json")
    lines = list(csv.DictReader((tmp_path / "film.csv").open()))
    assert lines[1]["time"] == "0.100000"
    assert lines[1]["p_neutral"] == "0.33333"
    assert [line["usable"] for line in lines] == ["true", "true", "false"]
    document = json.loads((tmp_path / "film.json").read_text())
    assert document["schema"] == 1
    assert [s["label"] for s in document["segments"]] == ["neutral", "happiness", "uncertain"]
    assert document["rows"][2]["usable"] is False


def test_a_spreadsheets_csv_loads(tmp_path) -> None:
    timeline = make(film("nhU"))
    table, meta = timeline.save(tmp_path / "film.csv")
    meta.unlink()
    text = table.read_text().replace("true", "TRUE").replace("false", "FALSE").replace("\n", "\r\n")
    table.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert np.array_equal(Timeline.load(table)["usable"], timeline["usable"])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.csv", None, "no file"),
        ("empty.csv", "", "needs the column"),
        ("other.csv", "a,b\n1,2\n", "needs the column"),
        ("other.json", "{}", "damaged or not a table"),
        ("broken.json", "{", "damaged or not a table"),
        ("broken.parquet", "PAR1", "damaged or not a table"),
    ],
)
def test_what_is_no_table_is_named_in_a_sentence(tmp_path, name, content, says) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=says):
        Timeline.load(tmp_path / name)


def test_damage_inside_a_table_is_named(tmp_path) -> None:
    table, _ = make(film("nhn")).save(tmp_path / "film.csv")
    text = table.read_text()
    table.write_text(text[:-30])
    with pytest.raises(SourceError, match=r"line 4: 16 cells for 21 columns \(cut short"):
        Timeline.load(table)
    table.write_text(text.replace("0.100000", "soon", 1))
    with pytest.raises(SourceError, match="line 2: 'soon' cannot stand in column 'duration'"):
        Timeline.load(table)


def test_a_newer_schema_is_refused(tmp_path) -> None:
    (table,) = make(film("n")).save(tmp_path / "film.json")
    table.write_text(table.read_text().replace('"schema": 1', '"schema": 2', 1))
    with pytest.raises(SourceError, match="schema 2"):
        Timeline.load(table)


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path) -> None:
    timeline = make(film("n"))
    with pytest.raises(SettingError, match=r"\.csv, \.json, \.parquet"):
        timeline.save(tmp_path / "film.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder"):
        timeline.save(tmp_path / "file" / "film.csv")
    (tmp_path / "film.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        timeline.save(tmp_path / "film.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "film.csv"]


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch) -> None:
    import errno

    from tronie.core import timeline_io

    table, _ = make(film("n")).save(tmp_path / "film.csv")
    old = table.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(timeline_io, "writer", full)
    with pytest.raises(OutputError, match="disk is full"):
        make(film("hh")).save(table)
    assert table.read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.csv", "film.meta.json"]


def test_other_libraries_take_the_columns() -> None:
    pandas = pytest.importorskip("pandas")
    timeline = make(film("nhU"))
    frame = timeline.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["label"].tolist() == timeline["label"].tolist()
    table = timeline.to_arrow()
    assert table.column_names == list(timeline.columns)
    assert table["usable"].to_pylist() == [True, True, False]


def test_polars_takes_the_columns() -> None:
    polars = pytest.importorskip("polars", reason='polars is not installed: pip install "tronie[polars]"')
    timeline = make(film("nhU"))
    frame = timeline.to_polars()
    assert isinstance(frame, polars.DataFrame) and frame.columns == list(timeline.columns)
    for name, column in timeline.columns.items():
        assert frame[name].to_list() == column.tolist()
    assert [str(frame[name].dtype) for name in ("label", "frame", "time", "usable")] == [
        "String",
        "Int64",
        "Float64",
        "Boolean",
    ]
    assert make([]).to_polars().height == 0


@pytest.mark.parametrize(
    ("missing", "call", "extra"),
    [("pandas", "to_pandas", "table"), ("pyarrow", "to_arrow", "table"), ("polars", "to_polars", "polars")],
)
def test_a_library_that_is_not_there_is_named(missing, call, extra, monkeypatch) -> None:
    if missing == "polars":
        pytest.importorskip("pyarrow")
    monkeypatch.setitem(sys.modules, missing, None)  # as Python marks what cannot be imported
    with pytest.raises(MissingExtraError, match=rf"{call}\(\) needs the extra '{extra}': pip install"):
        getattr(make(film("nh")), call)()
