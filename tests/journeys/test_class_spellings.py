"""Labels as people spell them: one class by one rule, told where it was joined, refused where it is in doubt."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tronie import cli
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet, canonical, classes
from tronie.core.manifest import Manifest

SOURCE = 3


def draw(root: Path, *names: str) -> None:
    """A different small picture at each of ``names`` below ``root``."""
    rng = np.random.default_rng(len(names))
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(root / name)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = cli.main([str(word) for word in words])
    return code, " ".join(" ".join(capsys.readouterr()).split())


@pytest.mark.parametrize(
    ("folders", "told", "joined"),
    [
        (
            ["Happy", "happy", "Neutral", "neutral "],
            "happiness 2, neutral 2",
            "'Happy', 'happy' are spellings of one class, happiness",
        ),
        (
            ["happy", "happiness", "joy", "neutral"],
            "happiness 3, neutral 1",
            "'happiness', 'happy', 'joy' are spellings",
        ),
        (
            ["train/happy", "train/sad", "Validation/Happy", "Validation/sad"],
            "happiness 1, sad 1",
            "'Happy', 'happy' are",
        ),
        (
            ["bored", "Bored", "BORED ", "alert"],
            "alert 1, bored 3",
            "'BORED ', 'Bored', 'bored' are spellings of one class, bored",
        ),
        (["very  sad", "Very sad", "awe"], "awe 1, very sad 2", "'Very sad', 'very sad' are spellings of one class"),
        (["happy", "sad"], "happy 1, sad 1", ""),
        (["1", "2"], "1 1, 2 1", ""),
    ],
)
def test_folders_of_one_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folders: list[str], told: str, joined: str
) -> None:
    draw(tmp_path, *(f"{folder}/1.png" for folder in folders))
    code, said = run(capsys, "datasets", "folder", tmp_path, "--no-pixels")
    assert code == 0 and f"by label: {told}." in said and joined in said and ("spellings" in said) == bool(joined)
    out = tmp_path / "p"
    code, _ = run(capsys, "prepare", "folder", tmp_path, "-o", out, "--size", "32", "--detector", "whole", "-q")
    wanted = tuple(word.rpartition(" ")[0] for word in told.split(", "))
    assert code == 0 and Manifest.load(out / "manifest.csv").labels.names == wanted


@pytest.mark.parametrize(
    ("folders", "pair"),
    [
        (("surprise", "suprise", "neutral"), ("suprise", "surprise")),
        (("happy", "hapiness"), ("hapiness", "happiness")),
        (("very-sad", "very sad"), ("very sad", "very-sad")),
        (("angry", "Happy", "anrgy"), ("anrgy", "angry")),
    ],
)
def test_what_may_be_one_class_is_named_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folders: tuple[str, ...], pair: tuple[str, str]
) -> None:
    draw(tmp_path, *(f"{folder}/1.png" for folder in folders))
    code, said = run(capsys, "datasets", "folder", tmp_path, "--no-pixels")
    assert code == SOURCE and f"'{pair[0]}' and '{pair[1]}' may be one label in two spellings" in said
    listed = "labels=[" + ",".join(f"'{folder}'" for folder in folders) + "]"
    code, said = run(capsys, "datasets", "folder", tmp_path, "--no-pixels", "--set", listed)
    assert code == 0, "whoever names the classes knows them"


ROWS = [(f"img/{i}.jpg", "happy" if i % 2 else "neutral") for i in range(4)]


def as_csv(rows: list[tuple[str, str]], head: str = "path,label", sep: str = ",", end: str = "\n") -> str:
    return "".join(line.replace(",", sep) + end for line in [head, *map(",".join, rows)])


SPELLED = {
    "bom": as_csv(ROWS, end="\r\n").encode("utf-8-sig"),
    "semicolons": as_csv(ROWS, sep=";", end="\r\n").encode("utf-8-sig"),
    "tabs": as_csv(ROWS, sep="\t").encode(),
    "sep line": b"sep=;\r\n" + as_csv(ROWS, sep=";", end="\r\n").encode(),
    "utf-16": as_csv(ROWS, end="\r\n").encode("utf-16"),
    "utf-16 without a mark": as_csv(ROWS, sep="\t").encode("utf-16-le"),
    "utf-16 big endian": as_csv(ROWS).encode("utf-16-be"),
    "capitals": as_csv(ROWS, "Path, Label ").encode(),
    "backslashes": as_csv([(path.replace("/", "\\"), label) for path, label in ROWS]).encode(),
    "spaces": as_csv([(path, f" {label} ") for path, label in ROWS]).encode(),
    "case of labels": as_csv(
        [(path, label.title() if i > 1 else label) for i, (path, label) in enumerate(ROWS)]
    ).encode(),
    "case of paths": as_csv(
        [(path.replace(".jpg", ".JPG").replace("img", "Img"), label) for path, label in ROWS]
    ).encode(),
    "lone CR": as_csv(ROWS, end="\r").encode(),
    "blank lines": (as_csv(ROWS) + "\n , \n\n").encode(),
    "more columns": as_csv([(path, f"{label},x,") for path, label in ROWS], "path,label,note,").encode(),
    "quotes": as_csv([(f'"{path}"', f' "{label}"') for path, label in ROWS]).encode(),
}


@pytest.mark.parametrize("how", SPELLED)
def test_a_table_of_pictures_in_every_spelling(tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    draw(tmp_path, *(path for path, _ in ROWS))
    (tmp_path / "t.csv").write_bytes(SPELLED[how])
    code, said = run(capsys, "datasets", "csv", tmp_path / "t.csv", "--no-pixels")
    assert code == 0 and "holds 4 rows" in said
    assert ("happiness 2, neutral 2" if how == "case of labels" else "happy 2, neutral 2") in said


def test_numbers_as_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path, *(path for path, _ in ROWS))
    for cells in (("1", "2", "1.0", "2"), ("1,0", "2", "1", "2,00"), ("1.0", "2.0", "1.0", "2.0")):
        text = "path;label\n" + "".join(f"{path};{cell}\n" for (path, _), cell in zip(ROWS, cells, strict=True))
        (tmp_path / "t.csv").write_text(text)
        code, said = run(capsys, "datasets", "csv", tmp_path / "t.csv", "--no-pixels")
        assert code == 0 and "by label: 1 2, 2 2." in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (as_csv([*ROWS, ROWS[0]]), "line 6: 'img/0.jpg' stands on line 2 already: take"),
        (as_csv([*ROWS, (ROWS[0][0], "happy")]), "line 2 already with another label ('neutral', then 'happy')"),
        (as_csv(ROWS, "path,label,Label"), "2 columns called 'label'"),
        ('path,label,valence\nimg/0.jpg,happy,"0,125"\n', "'0,125' cannot stand in column 'valence': the comma"),
        ("path,label,valence\nimg/0.jpg,happy,inf\n", "line 2: 'inf' cannot stand in column 'valence'"),
        ("path,label,fold\nimg/0.jpg,happy,99999999999999999999\n", "line 2: '99999999999999999999' cannot stand"),
        ("path,label,votes_joy,votes_happy\nimg/0.jpg,happy,1,2\n", "two columns of votes for one label"),
        ("path,label,votes_angry\nimg/0.jpg,happy,1\n", "Unknown label 'angry'"),
        ("path,label\nimg/0.jpg,suprise\nimg/1.jpg,surprised\n", "'suprise' and 'surprise' may be one label"),
    ],
)
def test_a_table_of_pictures_with_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    draw(tmp_path, *(path for path, _ in ROWS))
    (tmp_path / "t.csv").write_text(text)
    code, said = run(capsys, "datasets", "csv", tmp_path / "t.csv", "--no-pixels")
    assert code == SOURCE and told in said


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_bytes("path,label\nimg/0.jpg,fröhlich\n".encode("cp1252"))
    code, said = run(capsys, "datasets", "csv", tmp_path / "t.csv", "--no-pixels")
    assert code == SOURCE and "neither UTF-8 nor UTF-16" in said and "Save it as 'CSV UTF-8'" in said


def test_a_manifest_that_went_through_a_spreadsheet(tmp_path: Path) -> None:
    draw(tmp_path, *(path for path, _ in ROWS))
    (tmp_path / "t.csv").write_text(as_csv(ROWS))
    assert (
        cli.main(
            [
                "prepare",
                "csv",
                str(tmp_path / "t.csv"),
                "-o",
                str(tmp_path / "p"),
                "--size",
                "32",
                "--detector",
                "whole",
                "-q",
            ]
        )
        == 0
    )
    kept = tmp_path / "p" / "manifest.csv"
    before = Manifest.load(kept)
    meta, *lines = kept.read_text().splitlines()
    in_quotes = ",".join('"' + part.replace('"', '""') + '"' for part in meta.split(","))
    for text in (
        "\r\n".join([in_quotes + ",,,", *lines, ""]),
        "\n".join([meta, *(line.replace(",", ";") for line in lines)]),
    ):
        (tmp_path / "p" / "again.csv").write_text(text, encoding="utf-16")
        again = Manifest.load(tmp_path / "p" / "again.csv")
        assert again.hash() == before.hash() and again.root == before.root


def test_one_rule_for_names() -> None:
    assert canonical(" ＨＡＰＰＹ\u200b ") == canonical("joy") == "happiness"
    composed, apart = unicodedata.normalize("NFC", "müde"), unicodedata.normalize("NFD", "MÜDE")
    assert canonical(composed) == canonical(apart) and canonical("STRASSE") == canonical("straße")
    assert LabelSet(("Neutral ", "Sad")).neutral == 0, "KE2NT turns faces into the neutral that the data spells so"
    assert LabelSet(("Sad", "NEUTRAL")).index("neutral") == 1
    for names in (("Happy", "happy"), ("joy", "happiness"), ("a", "a"), ("bored", "Bored ")):
        with pytest.raises(SettingError, match="repeat"):
            LabelSet(names)
    with pytest.raises(SettingError, match="kept for rows without a label"):
        LabelSet(("Uncertain", "sad"))
    assert classes(["b", "A", "B"]).names == ("A", "b") and classes(["b", "B"], ["B", "C"]).spellings == (("B", "b"),)
    assert classes(["unhappy", "happy", "fearless", "fear"]).names == ("fear", "fearless", "happy", "unhappy")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * 201, "letters"),
        ("\ud800", "surrogate|visible"),
        (" ", "name"),
    ],
)
def test_names_that_cannot_be_written_are_refused(name: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        LabelSet((name, "sad"))


def test_two_spellings_as_two_classes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As an older Tronie prepared them: a model would have an output that no row can teach."""
    meta = '# {"tronie_manifest": 1, "labels": ["Happy", "happy"]}'
    (tmp_path / "m.csv").write_text(f"{meta}\nid,path,label,split,fold,subject,group\n")
    code, said = run(capsys, "datasets", "csv", tmp_path / "m.csv", "--no-pixels")
    assert code == SOURCE and "'Happy' and 'happy' are one" in said
