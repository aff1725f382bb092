"""Tables as people and spreadsheets leave them: names, coders, corrected tables, segments, and their faults."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tronie import cli
from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import BASIC7
from tronie.core.people import read_names
from tronie.core.sheet import opened, text_cell
from tronie.core.timeline import Looked, Timeline
from tronie.output.coder import read_spans
from tronie.output.coder_table import Clock
from tronie.output.export import export

OPTION, SOURCE = 2, 3
SPELLS = [(0, 0, 4, "happiness"), (0, 4, 9, "sadness"), (1, 0, 6, "neutral"), (1, 7, 9, "uncertain")]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = cli.main([str(word) for word in words])
    return code, " ".join(" ".join(capsys.readouterr()).split())


@pytest.fixture
def film(timeline_of: Callable[..., Timeline], tmp_path: Path) -> Path:
    """The table of a film of nine seconds at 10 frames/s with two people, with its sidecar."""
    timeline_of(SPELLS, fps=10).save(tmp_path / "film.csv")
    return tmp_path / "film.csv"


NAMES = {
    "plain": b"track,name\n0,Anna\n1,Ben\n",
    "German Excel": "track;name\r\n0;Anna\r\n1;Ben\r\n".encode("utf-8-sig"),
    "Unicode text": "track\tname\r\n0\tAnna\r\n1\tBen\r\n".encode("utf-16"),
    "old Mac": b"Track,Name\r0,Anna\r1,Ben\r",
    "numbers": b'track;name;note\n0,0;"Anna";x\n1.0; Ben ;\n\n;;\n',
    "films by another word": b"Film,track,name\nother.mp4,1,Cleo\nFILM.mp4,0,Anna\nfilm.mp4,1,Ben\n",
    "a whole study": b"source,track,name\nother.mp4,7,Cleo\nfilm.mp4,0,Anna\nC:\\study\\film.mp4,1,Ben\n",
}


@pytest.mark.parametrize("how", NAMES)
def test_names_in_every_spelling(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    (tmp_path / "names.csv").write_bytes(NAMES[how])
    code, _ = run(capsys, "segments", film, "--names", tmp_path / "names.csv", "-o", tmp_path / "s.csv", "-q")
    people = {line["person"] for line in csv.DictReader((tmp_path / "s.csv").open())}
    assert code == 0 and people == {"Anna", "Ben"}


def test_names_of_other_films_alone_are_refused(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.csv").write_text("source,track,name\nother.mp4,0,Anna\n")
    code, said = run(capsys, "segments", film, "--names", tmp_path / "names.csv", "-o", tmp_path / "s.csv")
    assert code == OPTION and "about other.mp4 and other films, not about film.mp4" in said


def test_a_film_of_the_same_name_in_another_folder_is_another(
    timeline_of: Callable[..., Timeline], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timeline_of(SPELLS, fps=10, source="study/a/film.mp4").save(tmp_path / "t.csv")
    names, out = tmp_path / "names.csv", tmp_path / "s.csv"
    names.write_text("source,track,name\nstudy/b/film.mp4,0,Eve\n")
    code, said = run(capsys, "segments", tmp_path / "t.csv", "--names", names, "-o", out)
    assert code == OPTION and "about study/b/film.mp4 and other films" in said
    names.write_text("source,track,name\nstudy/b/film.mp4,0,Eve\na/film.mp4,0,Anna\nD:\\x\\study\\a\\film.mp4,1,Ben\n")
    assert run(capsys, "segments", tmp_path / "t.csv", "--names", names, "-o", out, "-q")[0] == 0
    assert {line["person"] for line in csv.DictReader(out.open())} == {"Anna", "Ben"}


CODED = {
    "seconds": "tier,start,end,label\nA,0,4,happiness\nA,4,9,sadness\n",
    "decimal commas": "tier;start;end;label\nA;0,0;4,0;happiness\nA;4,0;9,0;sadness\n",
    "milliseconds by name": "tier,start_ms,end_ms,label\nA,0,4000,happy\nA,4000,9000,sad\n",
    "milliseconds in brackets": "Tier,Onset (ms),Duration [ms],Code\nA,0,4000,Happy\nA,4000,5000,Sad\n",
    "ELAN's export": "Tier\tBegin Time - hh:mm:ss.ms\tBegin Time - msec\tEnd Time - hh:mm:ss.ms\tEnd Time - msec\t"
    "Annotation\n"
    "A\t00:00:00.000\t0\t00:00:04.000\t4000\thappy\nA\t00:00:04.000\t4000\t00:00:09.000\t9000\tsad\n",
    "BORIS": "Subject,Behavior,Start (s),Stop (s)\nA,happy,0,4\nA,sad,4,9\n",
    "Praat's table": "tmin\ttier\ttext\ttmax\n0\tA\thappy\t4\n4\tA\tsad\t9\n",
    "clock": 'person,begin,end,emotion\nA,00:00:00,00:00:04.0,happy\nA,0:04,"0:09,0",sad\n',
    "frames by name": "tier,start_frame,end_frame,label\nA,0,40,happy\nA,40,90,sad\n",
    "timecode": "tier,start,end,label\nA,00:00:00:00,00:00:04:00,happy\nA,00:00:04:00,00:00:08:10,sad\n",
}


@pytest.mark.parametrize("how", CODED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_coder_s_table_in_every_spelling(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, encoding: str
) -> None:
    (tmp_path / "coder.csv").write_text(CODED[how].replace("08:10", "08:09"), encoding=encoding)
    (tmp_path / "names.csv").write_text("track,name\n0,A\n1,B\n")
    out = tmp_path / "out.json"
    code, said = run(capsys, "compare", film, tmp_path / "coder.csv", "--names", tmp_path / "names.csv", "-o", out)
    assert code == 0, said
    found = json.loads(out.read_text())
    assert found["accuracy"][0] == 1.0 and found["coverage"] == 1.0 and found["blocks"] == 1
    assert sum(map(sum, found["table"])) == pytest.approx(90, abs=1.1)


BEYOND = {
    "ms": (
        "tier,start,end,label\nA,0,4000,happy\nA,4000,9000,sad\n",
        "they look like milliseconds; if they are, say so",
    ),
    "frames": (
        "tier,start,end,label\nA,0,40,happy\nA,40,90,sad\n",
        "they look like numbers of frames; if they are, say so",
    ),
    "10:00:00": ("tier,start,end,label\nA,10:00:00,10:00:04,happy\nA,10:00:04,10:00:09,sad\n", "say --zero 10:00:00"),
    "another film": ("tier,start,end,label\nA,0.5,4,happy\nA,4,61.25,sad\n", "another film"),
    "after the end": ("tier,start,end,label\nA,31,40.5,happy\n", "another film"),
}


@pytest.mark.parametrize("how", BEYOND)
def test_times_beyond_the_film_are_refused_with_their_likely_unit(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    table, told = BEYOND[how]
    coder, names, out = tmp_path / "coder.csv", tmp_path / "names.csv", tmp_path / "out.json"
    coder.write_text(table)
    names.write_text("track,name\n0,A\n1,B\n")
    code, said = run(capsys, "compare", film, coder, "--names", names, "-o", out)
    assert code == OPTION and told in said and "the film ends at 9 s" in said and not out.exists()
    if how in ("ms", "frames", "10:00:00"):
        option = ("--zero", how) if ":" in how else ("--times", how)
        code, _ = run(capsys, "compare", film, coder, "--names", names, "-o", out, *option)
        assert code == 0 and json.loads(out.read_text())["accuracy"][0] == 1.0


def test_times_are_asked_about_only_where_the_end_of_the_film_is_known(
    film: Path, timeline_of: Callable[..., Timeline], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A coder may write a little over the end, and go on where the reading of a film was stopped."""
    coder = tmp_path / "coder.csv"
    coder.write_text("tier,start,end,label\nperson 0,0,4,happy\nperson 0,4,9.9,sad\n")
    assert run(capsys, "compare", film, coder)[0] == 0
    coder.write_text("tier,start,end,label\nperson 0,0,4,happy\nperson 0,4,30,sad\n")
    assert run(capsys, "compare", film, coder)[0] == OPTION
    assert run(capsys, "compare", film, coder, "--times", "s")[0] == 0, "whoever says seconds means seconds"
    told = timeline_of(SPELLS, fps=10)
    stopped = Timeline(told.columns, told.labels, looked=told.looked, warnings=("film.mp4 was stopped at 9.00 s.",))
    stopped.save(film)
    assert run(capsys, "compare", film, coder)[0] == 0


@pytest.mark.parametrize("ending", [".csv", "-table.csv", ".eaf"])
def test_a_coder_s_file_of_another_film_is_recognised(
    film: Path, timeline_of: Callable[..., Timeline], tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    """The same moments and people, as in a study: nothing else would tell the two apart."""
    other = timeline_of(SPELLS, fps=10, source="study/other film.mp4")
    coder = tmp_path / f"coder{ending}"
    other.save(coder) if "table" in ending else export(other, coder)
    for one, two in ((film, coder), (coder, film)):
        code, said = run(capsys, "compare", one, two)
        assert code == 0 and "are they one film?" in said and "other film.mp4" in said
    again = timeline_of(SPELLS, fps=10, source="C:\\archive\\Film.mkv")
    again.save(coder) if "table" in ending else export(again, coder)
    code, said = run(capsys, "compare", film, coder)
    assert code == 0 and "are they one film?" not in said, "one film in two folders and two formats"


def test_of_a_study_s_segments_those_of_the_film_count(
    film: Path, timeline_of: Callable[..., Timeline], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [(track, start, end, "fear") for track, start, end, _ in SPELLS]
    study = tmp_path / "segments.csv"
    both = Timeline.concat([timeline_of(SPELLS, fps=10), timeline_of(wrong, fps=10, source="other.mp4")])
    export(both, study)
    code, said = run(capsys, "compare", film, study, "-o", tmp_path / "out.json")
    assert code == 0 and "one film" not in said
    assert json.loads((tmp_path / "out.json").read_text())["accuracy"][0] == 1.0
    timeline_of(SPELLS, fps=10, source="third.mp4").save(film)
    code, said = run(capsys, "compare", film, study)
    assert code == OPTION and "these are about 2 (film.mp4, other.mp4)" in said


@pytest.mark.parametrize(
    ("coder", "options", "told"),
    [
        ("coder.eaf", ("--times", "ms"), "coder.eaf says itself in which unit its times are"),
        ("film.csv", ("--times", "s"), "film.csv is a table of Tronie"),
        ("film.csv", ("--zero", "1"), "table of Tronie"),
        ("ms.csv", ("--times", "frames"), "says in the names of its columns that times are in ms"),
        ("s.csv", ("--zero", "noon"), "'noon' is no time"),
        ("s.csv", ("--zero", "nan"), "'nan' is no time"),
        ("s.csv", ("--zero", "10:00:00"), "ends at 9 s, before --zero 10:00:00"),
    ],
)
def test_an_option_without_effect_is_refused(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], coder: str, options: tuple[str, ...], told: str
) -> None:
    export(Timeline.load(film), tmp_path / "coder.eaf")
    (tmp_path / "ms.csv").write_text(CODED["milliseconds by name"])
    (tmp_path / "s.csv").write_text(CODED["seconds"].replace("A,", "person 0,"))
    code, said = run(capsys, "compare", film, tmp_path / coder, *options)
    assert code in (OPTION, SOURCE) and told in said


def test_an_elan_file_from_another_zero(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(Timeline.load(film), tmp_path / "coder.eaf")
    text = (tmp_path / "coder.eaf").read_text()
    for time in (9000, 7000, 6000, 4000, 0):
        text = text.replace(f'TIME_VALUE="{time}"', f'TIME_VALUE="{time + 36_000_000}"')
    (tmp_path / "coder.eaf").write_text(text)
    code, said = run(capsys, "compare", film, tmp_path / "coder.eaf")
    assert code == OPTION and "say --zero 10:00:00" in said
    code, said = run(capsys, "compare", film, tmp_path / "coder.eaf", "--zero", "10:00:00", "-o", tmp_path / "o.json")
    assert code == 0 and json.loads((tmp_path / "o.json").read_text())["accuracy"][0] == 1.0


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("00:00:10:00", 10.01),
        ("00:01:00;02", 60.06),
        ("00:10:00;00", 600.0),
        ("01:00:00;00", 3600.0),
    ],
)
def test_timecode_at_29_97(words: str, seconds: float) -> None:
    """SMPTE 12M: without drops an hour of code is 3.6 s more than an hour; with drops it keeps to the clock."""
    assert Clock(rate=30000 / 1001).seconds(words, "") == pytest.approx(seconds, abs=0.005)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("start,end,label\n0,1e9,happy\n", "line 2: '1e9' cannot stand in column 'end': that is 11,574 days of film"),
        ("start,end,label\n0,1e308,happy\n", "'1e308' cannot stand in column 'end': that is 1.1574e+303 days of film"),
        ("start,end,label\n0,1200000,happy\n", "days of film; if it is in milliseconds, say so (--times ms)"),
        ("start,end,label\n0,inf,happy\n", "line 2: 'inf' cannot stand in column 'end'"),
        ("start,end,label\n0,nan,happy\n", "line 2: 'nan' cannot stand in column 'end'"),
        ("start,end,label\n5,4,happy\n", "line 2: it ends at 4 s, before it starts"),
        ("start,end,label\n0,00:61:00:00,happy\n", "line 2: '00:61:00:00' cannot stand"),
        ("start,end,label\n0,10:00:00:01,happy\n", "frames need the film's frame rate"),
        ("start,end_ms,label\n0,1,happy\n", "in the unit of 'start'"),
        ("start,end,start,label\n0,1,2,x\n", "two columns"),
        ("start_ms,end_ms,label\n0,00:00:01,happy\n", "a number of ms is needed"),
        ('start,end,label\n0,"1,500",happy\n', "the comma may part decimals or thousands"),
    ],
)
def test_a_coder_s_table_with_a_fault(tmp_path: Path, table: str, told: str) -> None:
    (tmp_path / "coder.csv").write_text(table)
    with pytest.raises(SourceError) as error:
        read_spans(tmp_path / "coder.csv")
    assert told in str(error.value) and "coder.csv" in str(error.value)


def test_a_grid_that_no_memory_holds_is_refused(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "coder.csv").write_text("tier,start,end,label\nperson 0,0,9,happy\n")
    for option in (("--step", "1e-9"), ("--step", "1e-7", "--block", "1e-6")):
        code, said = run(capsys, "compare", film, tmp_path / "coder.csv", *option)
        assert code == OPTION and "too finely" in said


@pytest.mark.parametrize("out", ["a.vtt", "a.eaf", "a.TextGrid", "a.csv", "a.html", "a.png"])
def test_segments_stand_wherever_a_table_may(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    given = export(Timeline.load(film), tmp_path / "segments.csv", names={("film.mp4", 1): "Ben"})
    command = {".html": "report", ".png": "plot"}.get(Path(out).suffix, "segments")
    if command == "plot":
        pytest.importorskip("matplotlib")
    code, said = run(capsys, command, given, "-o", tmp_path / out)
    assert code == 0 and "read from segments" in said
    made = (tmp_path / out).read_bytes()
    if out == "a.csv":
        assert made == given.read_bytes()
    elif out != "a.png":
        assert b"Ben" in made and b"happiness" in made


def test_segments_are_compared_and_say_what_they_do_not_know(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], samples: Path
) -> None:
    given = export(Timeline.load(film), tmp_path / "segments.csv")
    for one, other in ((given, film), (film, given), (given, given), (film, film)):
        code, said = run(capsys, "compare", one, other, "-o", tmp_path / "out.json")
        assert code == 0, said
        assert json.loads((tmp_path / "out.json").read_text())["accuracy"][0] == 1.0
    code, said = run(capsys, "segments", given, "--seats", "2", "-o", tmp_path / "s.csv")
    assert code == OPTION and "where faces were, which segments do not say" in said
    photo = samples / "astronaut.jpg"
    text = given.read_text().replace("film.mp4", photo.name)
    (tmp_path / "photo.csv").write_text(text)
    for more in ((), ("--anonymise",)):
        code, said = run(capsys, "annotate", photo, "--table", tmp_path / "photo.csv", "-o", tmp_path / "x.png", *more)
        assert code == OPTION and "which segments do not say" in said and not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("seed", range(8))
def test_segments_of_segments_are_the_same_to_the_byte(
    timeline_of: Callable[..., Timeline], tmp_path: Path, seed: int
) -> None:
    """With gaps inside and between them, faces that are partly unusable, and segments of one row."""
    rng = np.random.default_rng(seed)
    spells, at = [], 0.0
    for _ in range(12):
        length, gap = rng.integers(1, 20) / 10, rng.choice([0, 0.1, 0.3, 0.6])
        spells.append((int(rng.integers(3)), at, at + length, str(rng.choice(["anger", "fear", "uncertain"]))))
        at = round(at + length + gap, 1)
    told = timeline_of(spells, fps=10)
    more = {
        "usable": rng.random(len(told)) < 0.6,
        "confidence": rng.random(len(told)),
        "valence": rng.uniform(-1, 1, len(told)),
        "agreement": rng.integers(0, 9, len(told)) / 8,
    }
    before = export(Timeline({**told.columns, **more}, told.labels), tmp_path / "a.csv")
    assert export(Timeline.load(before), tmp_path / "b.csv").read_bytes() == before.read_bytes()


def test_labels_corrected_by_hand_are_joined_as_everywhere(film: Path, tmp_path: Path) -> None:
    given = export(Timeline.load(film), tmp_path / "s.csv")
    given.write_text(given.read_text().replace(",sadness,", ", Sad,").replace("uncertain", "Uncertain"))
    assert {one.label for one in Timeline.load(given).segments()} == {"happiness", "Sad", "neutral", "uncertain"}
    given.write_text(given.read_text().replace(",neutral,", ",SADNESS,"))
    assert {one.label for one in Timeline.load(given).segments()} == {"happiness", "sadness", "uncertain"}


def test_agreement_and_affect_survive_in_segments(timeline_of: Callable[..., Timeline], tmp_path: Path) -> None:
    told = timeline_of(SPELLS, fps=10)
    more = {
        "agreement": np.full(len(told), 0.625),
        "valence": np.full(len(told), -0.5),
        "arousal": np.full(len(told), 0.25),
    }
    whole = Timeline({**told.columns, **more}, told.labels)
    before = export(whole, tmp_path / "a.csv")
    assert export(Timeline.load(before), tmp_path / "b.csv").read_bytes() == before.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("happiness", "hapiness", ""),
        ("4.000000", "1e400", "line 2: '1e400' cannot stand in column 'end'"),
        (",40\n", ",99999999999\n", "claims more than 20,000,000 rows"),
        (",40\n", ",0\n", "a segment has 1 or more"),
        ("0.000000,4.000000", "5.000000,4.000000", "it ends before it starts"),
        (",40\n", "\n", "line 2: 8 cells for 9"),
    ],
)
def test_segments_that_were_changed(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    given = export(Timeline.load(film), tmp_path / "segments.csv")
    given.write_text(given.read_text().replace(old, new, 1))
    code, said = run(capsys, "segments", given, "-o", tmp_path / "s.vtt")
    assert code == (SOURCE if told else 0) and told in said


def german(cell: str) -> str:
    """A cell of ours as Excel in German saves it."""
    if cell in ("true", "false"):
        return {"true": "WAHR", "false": "FALSCH"}[cell]
    return cell.replace(".", ",") if cell[:1].isdigit() else cell


def test_a_table_that_a_spreadsheet_saved_is_the_same_table(film: Path) -> None:
    before = Timeline.load(film)
    lines = list(csv.reader(film.open()))
    text = "\r\n".join(";".join(german(cell) for cell in line) for line in lines)
    film.write_text(text + "\r\n", encoding="utf-16")
    after = Timeline.load(film)
    assert all(
        np.array_equal(after[name], before[name], equal_nan=before[name].dtype == float) for name in before.columns
    )
    assert (
        after.warnings == ("film.csv was changed or cut short after Tronie wrote it.",) or "lines" in after.warnings[0]
    )


@pytest.mark.parametrize(("yes", "no"), [("VRAI", "FAUX"), ("VERDADERO", "FALSO"), ("ИСТИНА", "ЛОЖЬ"), ("1", "0")])
def test_a_spreadsheet_writes_true_in_its_own_language(film: Path, yes: str, no: str) -> None:
    text = film.read_text()
    head, *lines = text.replace(",true,", f",{yes},").splitlines()
    lines[0] = lines[0].replace(f",{yes},", f",{no},")
    film.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8-sig")
    usable = Timeline.load(film)["usable"]
    assert not usable[0] and usable[1:].all()


def test_columns_that_a_person_or_pandas_added_are_passed_over(film: Path) -> None:
    before = Timeline.load(film)
    lines = film.read_text().splitlines()
    made = [f",{lines[0]},note,Note,", *(f"{i},{line},why?,x," for i, line in enumerate(lines[1:]))]
    film.write_text("\n".join(made) + "\n")
    after = Timeline.load(film)
    assert list(after.columns) == list(before.columns) and after.segments() == before.segments()


def test_what_was_changed_since_it_was_written_is_said(
    film: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    meta, text = film.with_name("film.meta.json"), film.read_text()
    about = meta.read_text()
    assert Timeline.load(film).warnings == ()
    film.write_text(text.replace(",sadness,", ",Sad,", 1))
    assert Timeline.load(film).warnings == ("film.csv was changed or cut short after Tronie wrote it.",)
    assert set(Timeline.load(film)["label"]) == {"happiness", "sadness", "neutral", "uncertain"}, "joined as everywhere"
    film.write_text("".join(text.splitlines(keepends=True)[:50]))
    code, said = run(capsys, "segments", film, "-o", tmp_path / "s.csv")
    assert code == 0 and "changed or cut short after Tronie wrote it (49 lines, 170 were written)" in said
    film.write_text(text)
    meta.write_text(about.replace('"end": 9.0', '"end": 90.0'))
    assert Timeline.load(film).warnings == ("film.meta.json was changed after Tronie wrote it.",)
    meta.unlink()
    code, said = run(capsys, "compare", film, film)
    assert code == 0 and "film.meta.json is missing beside film.csv" in said
    meta.write_text('{"schema": 1}')
    code, said = run(capsys, "segments", film, "-o", tmp_path / "s.csv")
    assert code == SOURCE and "damaged" in said


HOSTILE = {
    "time": ["inf", "nan", "", "1e400", "-1e300", "1_0", "٣", "0x1", "soon"],
    "duration": ["-1", "inf", "nan"],
    "track": ["9999999999999999999999", "1.5", "", "x"],
    "frame": ["-99999999999999999999"],
    "label": ["nobody", "", "x" * 5000],
    "x": ["inf", "abc"],
    "usable": ["maybe", ""],
    "p_anger": ["-inf", "x"],
}


@pytest.mark.parametrize(("column", "value"), [(c, v) for c, values in HOSTILE.items() for v in values])
def test_a_hostile_cell_is_one_sentence(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, value: str
) -> None:
    head, *lines = list(csv.reader(film.open()))
    lines[3][head.index(column)] = value
    with film.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *lines])
    code, said = run(capsys, "segments", film, "-o", tmp_path / "s.csv")
    assert code == SOURCE and "bug" not in said and len(said) < 1000
    assert column in said or "label" in said
    film.with_name("film.meta.json").unlink()
    assert run(capsys, "plot", film, "-o", tmp_path / "s.png")[0] == SOURCE


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"," * 10_000_000 + b"\n", "longer than 1,000,000 letters"),
        (b"a," * 20_000 + b"\n", "20,000 columns"),
        (b"a" * 3_000_000, "longer than 1,000,000 letters"),
        (b'"' + b"x\n" * 2000, "lacks the column"),
        (b"track,name\n0," + b"x" * 5000 + b"\n", "a name has at most 200 letters"),
        (b"track,name\n0," + b"x" * 2_000_000, "line 2: it is longer"),
        (b"track,name\n0," + b"x" * 200_000, "field larger"),
        (b"track,name\n0,\xed\xa0\x80\n", "neither UTF-8 nor UTF-16"),
        (b"track,name\n99999999999999999999,A\n", "a whole number is needed"),
        (b'track,name\n"1,000",A\n', "a whole number is needed"),
        (b"track;name\n1.000;A\n", "a whole number is needed"),
        ("track,name\n0,\ud800\n".encode("utf-16", "surrogatepass"), "neither UTF-8 nor UTF-16"),
    ],
)
def test_a_hostile_table_is_refused_at_once(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "names.csv").write_bytes(content)
    with pytest.raises(SourceError) as error:
        read_names(tmp_path / "names.csv")
    assert told in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rows": [{"time": 1e400}]}, "finite"),
        ({"labels": ["\ud800", "x"]}, "half a character"),
        ({"labels": ["a", "A"]}, "are one"),
        ({"rows": [{"frame": 10**30}]}, "more than 64 bits"),
        ({"schema": 99}, "update Tronie"),
    ],
)
def test_a_hostile_json_is_one_sentence(
    timeline_of: Callable[..., Timeline], tmp_path: Path, change: dict[str, object], told: str
) -> None:
    timeline_of([(0, 0, 1, "anger")], fps=5).save(tmp_path / "t.json")
    document = json.loads((tmp_path / "t.json").read_text())
    if "rows" in change:
        document["rows"][0] |= change["rows"][0]  # type: ignore[index]
    else:
        document |= change
    (tmp_path / "t.json").write_text(json.dumps(document))
    with pytest.raises(SourceError, match=told):
        Timeline.load(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("looked", 0, "end"), "x"),
        (("looked", 0, "end"), None),
        (("looked", 0, "end"), "nan"),
        (("looked", 0, "kind"), 3),
        (("looked", 0, "source"), 7),
        (("looked", 0, "empty"), [[1]]),
        (("looked", 0, "frames"), "many"),
        (("looked",), {"a": 1}),
        (("provenance", "clips"), "x"),
        (("provenance", "settings"), 3),
        (("provenance",), 3),
        (("warnings",), [3]),
        (("labels",), 5),
        (("labels",), [1, 2]),
        (("labels",), ["anger"]),
        (("schema",), "x"),
        (("looked", 0), None),
    ],
)
def test_a_hostile_sidecar_is_one_sentence(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: tuple[str | int, ...], value: object
) -> None:
    meta = film.with_name("film.meta.json")
    about = json.loads(meta.read_text())
    inner = about
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    meta.write_text(json.dumps(about))
    for command in (("report", film, "-o", tmp_path / "r.html"), ("segments", film, "-o", tmp_path / "s.eaf")):
        code, said = run(capsys, *command)
        assert code == SOURCE and "film" in said and "bug" not in said


def test_a_timeline_of_python_is_checked_too(timeline_of: Callable[..., Timeline]) -> None:
    told = timeline_of([(0, 0, 1, "anger")], fps=5)
    for name, values in (
        ("time", [np.inf] * 5),
        ("duration", [-1.0] * 5),
        ("label", ["joyful?"] * 5),
        ("source", ["\ud800"] * 5),
    ):
        with pytest.raises(SettingError):
            Timeline({**told.columns, name: values}, told.labels)


FORMULAS = [
    "=cmd|'/c calc'!A1.mp4",
    "+1+1.mp4",
    "-2+3.mp4",
    "@SUM(A1).mp4",
    "\t=1.mp4",
    "\r=1.mp4",
    "＝1.mp4",
    "a;=1+1;b.mp4",
    "a;\t=1\n=2.mp4",
    "'=quoted.mp4",
    "''-x",
    "-0.5",
    "plain.mp4",
    "'tis.mp4",
]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("safe", [False, True])
def test_text_that_a_spreadsheet_would_run(
    timeline_of: Callable[..., Timeline], tmp_path: Path, name: str, safe: bool
) -> None:
    told = timeline_of([(0, 0, 1, "anger"), (0, 1, 2, "neutral")], fps=5, source=name)
    moved = Timeline({**told.columns, "x": np.full(len(told), -0.5)}, told.labels, looked=told.looked)
    moved.save(tmp_path / "t.csv", csv_safe=safe)
    people = {(name, 0): name}
    export(moved, tmp_path / "s.csv", names=people, csv_safe=safe)
    for file, column in (("t.csv", "source"), ("s.csv", "source"), ("s.csv", "person")):
        with (tmp_path / file).open(newline="", encoding="utf-8") as lines:
            cells = [line[column] for line in csv.DictReader(lines)]
        if safe:
            parts = [part for cell in cells for part in re.split("[;\t\r\n]", cell)]  # as Excel cuts in Germany
            assert all(part == "-0.5" or part[:1] not in tuple("=+-@＝") for part in parts)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as lines:
        assert {line["x"] for line in csv.DictReader(lines)} == {"-0.50"}, "numbers stay numbers"
    assert Timeline.load(tmp_path / "t.csv") == moved
    assert set(Timeline.load(tmp_path / "s.csv")["source"]) == {name}
    again = export(Timeline.load(tmp_path / "t.csv"), tmp_path / "again.csv", names=people, csv_safe=safe)
    assert again.read_bytes() == (tmp_path / "s.csv").read_bytes()


def test_csv_safe_at_the_terminal(
    timeline_of: Callable[..., Timeline],
    tmp_path: Path,
    samples: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeline_of([(0, 0, 1, "anger")], fps=5, source="=1+1.mp4").save(tmp_path / "t.csv")
    assert run(capsys, "segments", tmp_path / "t.csv", "-o", tmp_path / "s.csv", "--csv-safe")[0] == 0
    assert (tmp_path / "s.csv").read_text().splitlines()[1].startswith("'=1+1.mp4,")
    code, said = run(capsys, "segments", tmp_path / "t.csv", "-o", tmp_path / "s.vtt", "--csv-safe")
    assert code == OPTION and "leave it out" in said
    coder, names = tmp_path / "coder.csv", tmp_path / "names.csv"
    coder.write_text("tier,start,end,label\n=2+2,0,1,anger\n")
    names.write_text("track,name\n0,=2+2\n")
    compared = ("compare", tmp_path / "t.csv", coder, "--names", names)
    assert run(capsys, *compared, "-o", tmp_path / "c.csv", "--csv-safe")[0] == 0
    assert "\npair,'=2+2,'=2+2," in (tmp_path / "c.csv").read_text()
    assert run(capsys, *compared, "--csv-safe")[0] == OPTION
    assert run(capsys, *compared, "-o", tmp_path / "c.json", "--csv-safe")[0] == OPTION
    monkeypatch.chdir(tmp_path)
    (tmp_path / "=1+1.jpg").write_bytes((samples / "astronaut.jpg").read_bytes())
    assert run(capsys, "selfcheck", "=1+1.jpg", "-o", "k.csv", "--csv-safe")[0] == 0
    kept = csv.DictReader((tmp_path / "k.csv").open())
    assert {line["source"] for line in kept} == {"'=1+1.jpg"}
    assert run(capsys, "selfcheck", "=1+1.jpg", "--csv-safe")[0] == OPTION
    code, said = run(capsys, "predict", samples / "astronaut.jpg", "--csv-safe")
    assert code == OPTION and "--out TABLE.csv" in said


def test_a_sheet_gives_back_what_text_cell_was_given(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = ["".join(rng.choice(list("'=;\t\n-1a"), rng.integers(1, 9))) for _ in range(500)]
    words = [*FORMULAS, "", "a", "'", "''", "'=", "=", "1e5", "+49 30 1234", *made]
    for safe in (False, True):
        with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["a", "b"], *([text_cell(word, csv_safe=safe), "x"] for word in words)])
        with opened(tmp_path / "t.csv", exact=True) as sheet:
            assert [row[0] for _, row in sheet.rows()] == words


def test_a_film_without_faces_has_a_table_too(tmp_path: Path) -> None:
    looked = (Looked("film.mp4", "video", 9, 0.0, 9.0, ((0.0, 9.0),)),)
    made = Timeline(Timeline.empty(BASIC7).columns, BASIC7, looked=looked)
    made.save(tmp_path / "none.csv")
    assert Timeline.load(tmp_path / "none.csv") == made
