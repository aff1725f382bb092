"""A film's timeline against a coder's file: who is compared with whom, what counts, and what is printed."""

from __future__ import annotations

import csv
import json

import pytest

from tronie import cli
from tronie.core.errors import SettingError, SourceError
from tronie.output.export import export
from tronie.study.compare import compare, compared_text, save_compared

SPELLS = [(0, 0, 10, "neutral"), (0, 10, 20, "happiness"), (0, 20, 30, "neutral"), (1, 0, 30, "anger")]


@pytest.fixture
def told(timeline_of):
    return timeline_of(SPELLS, fps=10)


def coded(tmp_path, *rows, name="coder.csv"):
    lines = ["tier,start,end,label", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path / name


@pytest.mark.parametrize("ending", [".eaf", ".TextGrid", ".csv"])
def test_a_film_agrees_with_its_own_export(told, tmp_path, ending) -> None:
    found = compare(told, export(told, tmp_path / f"coder{ending}"))
    assert found.pairs == (("person 0", "person 0"), ("person 1", "person 1")) and found.left_out == ()
    a = found.agreement
    assert a.labels == ("happiness", "anger", "neutral")
    assert a.kappa.value == a.f1.value == a.coverage == a.accuracy.value == 1.0 and a.lag == 0 and a.pieces == 1
    assert a.table.sum() == 600


def test_synonyms_names_and_tables_from_disk(told, tmp_path) -> None:
    told.save(tmp_path / "film.csv")
    (tmp_path / "names.csv").write_text("track,name\n0,Anna\n1,Ben\n")
    coder = coded(tmp_path, ("anna", 0, 12, "calm"), ("anna", 12, 20, "Happy"), ("Cleo", 0, 30, "sad"))
    found = compare(tmp_path / "film.csv", coder, names=tmp_path / "names.csv")
    assert found.pairs == (("anna", "Anna"),) and set(found.left_out) == {"Cleo", "Ben"}
    a = found.agreement
    row = dict(zip((*a.labels, "uncertain", "no face"), a.table[a.labels.index("happiness")].tolist(), strict=True))
    assert row["happiness"] == 80 and sum(row.values()) == 80
    assert a.per_label["happiness"] == (1.0, 1, 1) and a.per_label["calm"][1:] == (1, 0)  # our labels know no "calm"


def test_one_tier_and_one_person_need_no_common_name(told, tmp_path) -> None:
    coder = coded(tmp_path, ("my codes", 0, 30, "neutral"))
    assert compare(told.select(track=0), coder).pairs == (("my codes", "person 0"),)
    with pytest.raises(SettingError, match=r"'my codes'.*'person 0', 'person 1'.*table of names"):
        compare(told, coder)


def test_a_comparison_is_written_as_what_its_name_says(told, tmp_path, capsys) -> None:
    told.save(tmp_path / "film.csv")
    coder = coded(tmp_path, ("person 0", 0, 12, "neutral"), ("person 0", 12, 20, "happiness"), ("Cleo", 0, 9, "sad"))
    run = ["compare", str(tmp_path / "film.csv"), str(coder), "--out"]
    assert cli.main([*run, str(tmp_path / "c.csv")]) == cli.main([*run, str(tmp_path / "c.json")]) == 0
    assert "Written: " in capsys.readouterr().err
    rows = list(csv.DictReader((tmp_path / "c.csv").open(encoding="utf-8")))
    document = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert list(rows[0]) == ["figure", "coder", "found", "value", "low", "high"]
    by = {(row["figure"], row["coder"], row["found"]): row for row in rows}
    assert len(by) == len(rows) and ("pair", "person 0", "person 0") in by and ("left_out", "Cleo", "") in by
    numbers = [float(by["kappa", "", ""][name]) for name in ("value", "low", "high")]
    assert numbers == pytest.approx(document["kappa"], nan_ok=True)
    assert float(by["seconds", "neutral", "happiness"]["value"]) == 2.0
    assert float(by["seconds", "happiness", "happiness"]["value"]) == 8.0
    assert sum(float(row["value"]) for row in rows if row["figure"] == "seconds") == 20.0
    assert by["segments_coder", "neutral", ""]["value"] == "1" and by["segments_found", "", "neutral"]["value"] == "1"
    assert cli.main([*run, str(tmp_path / "c.html")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and ".json or .csv" in err and not (tmp_path / "c.html").exists()


def test_what_was_mistaken_is_said(told, tmp_path) -> None:
    coder = coded(tmp_path, ("person 0", 11, 20, "happiness"))
    with pytest.raises(SettingError, match=r"'neutrl' is no label of the film or the coder\. Did you mean 'neutral'"):
        compare(told, coder, blank="neutrl")
    with pytest.raises(SettingError, match="compare-models"):
        compare(tmp_path, tmp_path)


def test_blank_time_counts_only_if_it_means_something(told, tmp_path) -> None:
    coder = coded(tmp_path, ("person 0", 11, 20, "happiness"), ("person 0", 22, 25, "uncertain"))
    alone = compare(told, coder).agreement
    assert alone.table.sum() == 90 and alone.accuracy.value == 1.0
    filled = compare(told, coder, blank="neutral").agreement
    assert filled.table.sum() == 270  # all 30 s but the coder's own "uncertain"
    assert filled.accuracy.value == pytest.approx(260 / 270) and filled.f1.value < 1


def test_two_coders(told, tmp_path) -> None:
    first = coded(tmp_path, ("A", 0, 10, "happy"), ("A", 10, 20, "sad"), name="one.csv")
    second = coded(tmp_path, ("A", 0, 10, "happiness"), ("A", 10, 20, "anger"), name="two.csv")
    found = compare(first, second).agreement
    assert found.labels == ("anger", "happiness", "sadness") and found.accuracy.value == 0.5


def test_tiers_are_chosen(told, tmp_path) -> None:
    coder = coded(tmp_path, ("person 0", 0, 30, "neutral"), ("person 1", 0, 30, "anger"))
    assert compare(told, coder, tiers=["person 1"]).pairs == (("person 1", "person 1"),)
    with pytest.raises(SettingError, match=r"no tier 'x' with annotations; it has 'person 0', 'person 1'"):
        compare(told, coder, tiers=["x"])


def test_what_is_printed_and_saved(told, tmp_path) -> None:
    coder = coded(tmp_path, ("person 0", 0, 12, "neutral"), ("person 0", 12, 20, "happiness"), ("x", 0, 1, "fear"))
    found = compare(told, coder)
    words = compared_text(found)
    for word in ("Cohen's kappa", "segment F1", "2 blocks of one person", "they are rough", "left out: x, person 1"):
        assert word in words, word
    saved = json.loads(save_compared(found, tmp_path / "out.json").read_text())
    assert saved["kappa"][0] == found.agreement.kappa.value and saved["table"] == found.agreement.table.tolist()
    assert saved["per_label"]["fear"]["f1"] is None and saved["pairs"] == [["person 0", "person 0"]]


def test_what_cannot_be_compared(told, timeline_of, tmp_path) -> None:
    coder = coded(tmp_path, ("person 0", 0, 30, "neutral"))
    for bad in ({"step": 0}, {"step": 20}):
        with pytest.raises(SettingError, match="must be above 0"):
            compare(told, coder, **bad)
    with pytest.raises(SettingError, match="A comparison is about one film"):
        compare(type(told).concat([told, timeline_of(SPELLS, source="b.mp4", fps=10)]), coder)
    with pytest.raises(SettingError, match="holds no annotation"):
        compare(told, coded(tmp_path, name="empty.csv"))
    with pytest.raises(SourceError, match="There is no file"):
        compare(tmp_path / "gone.csv", coder)


@pytest.mark.parametrize("zero", ["10:00:00", "10:00:00:00"])
@pytest.mark.parametrize(("rate", "colon"), [(25, ":"), (30000 / 1001, ":"), (30000 / 1001, ";")])
def test_a_timecode_and_the_zero_are_read_off_one_clock(timeline_of, tmp_path, rate, colon, zero) -> None:
    """At 29.97 frames a second a code without ";" shows 10:00:00 after 10 h and 36 s; the coder wrote what she saw."""
    told = timeline_of([(0, 0, 4, "neutral"), (0, 4, 8, "happiness")], fps=rate, source="film.mp4")
    times = [f"10:00:{second:02d}{colon}00" for second in (0, 4, 8)]
    coder = coded(tmp_path, ("person 0", *times[:2], "neutral"), ("person 0", *times[1:], "happiness"))
    found = compare(told, coder, zero=zero.replace("00:00:00", f"00:00{colon}00")).agreement
    assert found.kappa.value > 0.95, found.table
