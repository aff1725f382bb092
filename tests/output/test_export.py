"""Segments for other programs, read back by readers that others wrote."""

from __future__ import annotations

import csv
import os
import re
from itertools import pairwise
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from tronie import cli
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.output.coder import read_spans
from tronie.output.elan import linked
from tronie.output.export import export
from tronie.output.tier import tiers

NAMES = {("film.mp4", 0): 'Zoë "Z" <Müller> & Söhne', ("film.mp4", 2): "李"}
SPELLS = [
    (0, 0.0, 1.2, "neutral"),
    (0, 1.2, 2.0, "happiness"),
    (0, 3.0, 3.4, "uncertain"),
    (1, 0.4, 2.2, "anger"),
    (2, 3601.0, 3602.48, "sadness"),
]


@pytest.fixture
def told(timeline_of):
    return timeline_of(SPELLS, fps=30000 / 1001, length=3700.0)


def expected(told) -> list:
    called = {0: NAMES["film.mp4", 0], 1: "person 1", 2: "李"}
    return sorted((called[s.track], s.start, s.end, s.label) for s in told.segments())


def same(found, told) -> None:
    wanted = expected(told)
    assert [(name, label) for name, _, _, label in sorted(found)] == [(name, label) for name, _, _, label in wanted]
    apart = np.array([row[1:3] for row in sorted(found)]) - np.array([row[1:3] for row in wanted])
    assert np.abs(apart).max() <= 0.001


def test_elan_by_pympi(told, tmp_path) -> None:
    elan = pytest.importorskip("pympi.Elan", reason="pympi-ling is not installed")
    document = elan.Eaf(str(export(told, tmp_path / "film.eaf", names=NAMES)))
    names = list(document.get_tier_names())
    assert names == [NAMES["film.mp4", 0], "person 1", "李"]  # one tier per person
    found = [
        (tier, row[0] / 1000, row[1] / 1000, row[2])
        for tier in names
        for row in document.get_annotation_data_for_tier(tier)
    ]
    same(found, told)
    assert document.media_descriptors[0]["RELATIVE_MEDIA_URL"] == "./film.mp4"
    _, entries, _ = document.controlled_vocabularies["expressions"]
    assert [values[0][0] for values, _ in entries.values()] == [*told.labels.names, "uncertain"]
    assert document.get_parameters_for_tier("person 1")["PARTICIPANT"] == "person 1"


def elan_finds(eaf: Path, descriptor: dict[str, str]) -> Path | None:
    """The film as ELAN 6 and 7 look for it when they open a file: a small model of their way.

    Nothing is decoded. First the path after the address' colon; then a neighbour of that name; then the relative path,
    which counts from the file only where it begins with "./" or "../"; then the folders Media and media beside its own.
    """
    path = descriptor["MEDIA_URL"].split(":", 1)[-1].replace("\\", "/")
    name, folder = path.rsplit("/", 1)[-1], eaf.parent
    places = [Path(path) if path.startswith("/") else None, folder / name]
    relative = descriptor.get("RELATIVE_MEDIA_URL")
    if relative is not None and relative.startswith(("./", "../")):
        fields = relative.split("/")
        up = next(i for i, field in enumerate(fields) if field != "..")
        base = folder.as_posix().split("/")
        rest = fields[1:] if fields[0] == "." else fields[up:]
        places.append(Path("/".join([*base[: len(base) - up], *rest])))
    places += [folder / "../Media" / name, folder / "../media" / name]
    return next((place for place in places if place is not None and place.is_file()), None)


ODD = ["film.mp4", "my film ü.mp4", "100%20 #1 & more?.mp4", "a:b 'c' \"d\".mp4", "김 😀.mkv", "u\u0308 [x] (y).webm"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("folder", [".", "sub folder/ü", "..", "../beside", "../beside/deep"])
def test_elan_finds_the_film(timeline_of, tmp_path, monkeypatch, capsys, folder, name) -> None:
    """From the table, by the command, wherever the film lies; and when everything has been moved together."""
    elan = pytest.importorskip("pympi.Elan", reason="pympi-ling is not installed")
    study = tmp_path / "one" / "study ö"
    study.mkdir(parents=True)
    film = Path(os.path.normpath(study / folder / name))
    film.parent.mkdir(parents=True, exist_ok=True)
    film.write_bytes(b"a film")
    monkeypatch.chdir(study)
    timeline_of(SPELLS[:2], source=f"{folder}/{name}".removeprefix("./")).save("table.csv")
    assert cli.main(["segments", "table.csv", "--out", "out.eaf"]) == 0
    (descriptor,) = elan.Eaf("out.eaf").media_descriptors
    assert descriptor["RELATIVE_MEDIA_URL"].endswith(name) and "\\" not in descriptor["RELATIVE_MEDIA_URL"]
    found = elan_finds(study / "out.eaf", descriptor)
    assert found is not None and found.samefile(film)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").rename(tmp_path / "two")
    found = elan_finds(tmp_path / "two" / "study ö" / "out.eaf", descriptor)
    assert found is not None and found.samefile(tmp_path / "two" / film.relative_to(tmp_path / "one"))


def test_elan_is_led_to_a_neighbour_where_the_film_is_not_known(timeline_of, tmp_path) -> None:
    told = timeline_of(SPELLS[:2], source="elsewhere/my film ü.mp4")
    words = export(told, tmp_path / "out.eaf").read_text("utf-8")
    assert 'RELATIVE_MEDIA_URL="./my film ü.mp4"' in words
    (tmp_path / "my film ü.mp4").write_bytes(b"a film")
    links = dict(re.findall(r'(\w+)="([^"]*)"', re.search(r"<MEDIA_DESCRIPTOR ([^>]+)>", words)[1]))
    assert elan_finds(tmp_path / "out.eaf", links) == tmp_path / "my film ü.mp4"


@pytest.mark.parametrize(
    ("eaf", "film", "url", "relative"),
    [
        ("C:\\Study\\out.eaf", "C:\\Study\\my film.mp4", "file:///C:/Study/my film.mp4", "./my film.mp4"),
        ("C:\\Study\\x\\out.eaf", "c:\\study\\films ü\\a.mp4", "file:///c:/study/films ü/a.mp4", "../films ü/a.mp4"),
        ("C:\\Study\\out.eaf", "D:\\films\\a.mp4", "file:///D:/films/a.mp4", None),
        ("\\\\server\\share\\s\\out.eaf", "\\\\server\\share\\f\\a.mp4", "file://server/share/f/a.mp4", "../f/a.mp4"),
        ("C:\\out.eaf", "\\\\server\\share\\a.mp4", "file://server/share/a.mp4", None),
    ],
)
def test_elan_links_on_windows(eaf, film, url, relative) -> None:
    """As ELAN itself writes addresses: three slashes before a drive, two before a server, no relative path across."""
    media = linked(PureWindowsPath(eaf), PureWindowsPath(film))
    assert (media.url, media.relative) == (url, relative)


def test_textgrid_by_pympi(told, tmp_path) -> None:
    praat = pytest.importorskip("pympi.Praat", reason="pympi-ling is not installed")
    grid = praat.TextGrid(str(export(told, tmp_path / "film.TextGrid", names=NAMES)), codec="utf-8")
    found = []
    for tier in grid.get_tiers():
        rows = list(tier.get_intervals())
        assert rows[0][0] == 0 and rows[-1][1] == 3700.0  # Praat wants every tier to cover everything
        assert all(a[1] == b[0] for a, b in pairwise(rows))
        # this reader keeps doubled quotes as they stand in the file
        found += [(tier.name.replace('""', '"'), *row) for row in rows if row[2]]
    same(found, told)


def test_webvtt_by_a_small_parser_of_its_own(told, tmp_path) -> None:
    content = export(told, tmp_path / "film.vtt", names=NAMES).read_text(encoding="utf-8")
    blocks = content.split("\n\n")
    assert blocks[0] == "WEBVTT"
    cue = re.compile(r"(\d+)\n(\d\d+):(\d\d):(\d\d\.\d{3}) --> (\d\d+):(\d\d):(\d\d\.\d{3})\n([^\n]+)\n?")
    found, starts = [], []
    for block in blocks[2:]:
        match = cue.fullmatch(block)
        assert match is not None, block
        clock = [float(match[i]) * 3600 + float(match[i + 1]) * 60 + float(match[i + 2]) for i in (2, 5)]
        assert "<" not in match[8] and "-->" not in match[8]
        words = match[8].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        name, said = words.rsplit(": ", 1)
        label, _, number = said.partition(" ")
        assert number == ("" if label == "uncertain" else "80 %")
        found.append((name, *clock, label))
        starts.append(clock[0])
    assert starts == sorted(starts)
    same(found, told)


def test_webvtt_by_another_reader(told, tmp_path) -> None:
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py is not installed")
    cues = webvtt.read(str(export(told, tmp_path / "film.vtt")))
    apart = [(c.start_in_seconds, c.end_in_seconds) for c in cues]
    assert len(apart) == len(SPELLS)


@pytest.mark.parametrize("ending", [".csv", ".eaf", ".TextGrid"])
def test_read_back_by_our_own_reader(told, tmp_path, ending) -> None:
    spans = read_spans(export(told, tmp_path / f"film{ending}", names=NAMES))
    same([(s.tier, s.start, s.end, s.label) for s in spans], told)


def test_csv_names_people_and_takes_photos(timeline_of, tmp_path) -> None:
    told = timeline_of([(0, 0, 0.04, "neutral")], source="a.jpg")
    photo = type(told)({**told.columns, "duration": np.zeros(1)}, told.labels, looked=())
    rows = list(csv.DictReader(export(photo, tmp_path / "a.csv", names={("a.jpg", 0): "Anna"}).open()))
    assert [(row["person"], row["start"], row["end"], row["label"], row["confidence"]) for row in rows] == [
        ("Anna", "0.000000", "0.000000", "neutral", "0.80000"),
    ]
    with pytest.raises(SettingError, match="is a photo, which has no time"):
        export(photo, tmp_path / "a.eaf")


def test_segments_that_meet_also_meet_in_milliseconds(timeline_of) -> None:
    frames = [(0, i / 29.97, (i + 1) / 29.97, "neutral" if i % 2 else "anger") for i in range(300)]
    told = timeline_of(frames, fps=29.97)
    cues = tiers(told)[0].cues
    assert len(cues) == 300 and all(cue.end > cue.start for cue in cues)
    assert all(a.end == b.start for a, b in pairwise(cues))


def test_a_film_without_faces_gives_empty_files(timeline_of, tmp_path) -> None:
    told = timeline_of([], length=5.0)
    for ending in (".vtt", ".eaf", ".TextGrid", ".csv"):
        assert export(told, tmp_path / f"none{ending}").stat().st_size > 0
    assert read_spans(tmp_path / "none.eaf") == read_spans(tmp_path / "none.TextGrid") == []


def test_what_cannot_be_exported(timeline_of, tmp_path) -> None:
    told = timeline_of(SPELLS)
    with pytest.raises(SettingError, match=r"end in \.csv, \.vtt, .eaf, .TextGrid"):
        export(told, tmp_path / "film.srt")
    two = type(told).concat([told, timeline_of(SPELLS, source="b.mp4")])
    with pytest.raises(SettingError, match="about one film, and this table holds 2"):
        export(two, tmp_path / "film.vtt")
    assert list(tmp_path.iterdir()) == []


def test_labels_with_odd_characters_stay_legal(timeline_of, tmp_path) -> None:
    labels = LabelSet(('a"b', "c<d>&", "e,f;g"))
    told = timeline_of([(0, 0, 1, 'a"b'), (0, 1, 2, "c<d>&"), (0, 2, 3, "e,f;g")], labels=labels)
    for ending in (".eaf", ".TextGrid", ".csv"):
        spans = read_spans(export(told, tmp_path / f"odd{ending}"))
        assert [s.label for s in spans] == ['a"b', "c<d>&", "e,f;g"]


ODD = 'A\r\n\n00:00:01.000 --> 00:00:02.000\x1b[2J<b>\x01&",;\x85\u2028B'


def test_names_with_odd_characters_stay_legal(timeline_of, tmp_path) -> None:
    """A name with line breaks, escapes and every format's own marks begins no cue, line or tag of its own."""
    told = timeline_of([(0, 0, 1, "anger"), (0, 1, 2, "neutral")])
    names = {(source, 0): ODD for source in told["source"]}
    files = {e: export(told, tmp_path / f"odd{e}", names=names) for e in (".vtt", ".eaf", ".TextGrid", ".csv")}
    blocks = files[".vtt"].read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [1, 1, 3, 3]
    assert all(block.count("-->") == 1 for block in blocks[2:])
    for ending in (".eaf", ".TextGrid", ".csv"):
        found = read_spans(files[ending])
        assert [(s.start, s.end, s.label) for s in found] == [(0, 1, "anger"), (1, 2, "neutral")]
        assert all(s.tier.startswith("A") and s.tier.endswith("B") for s in found)
