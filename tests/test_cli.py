"""The command line: what it prints, where it writes, and how it ends."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tronie import __version__, cli
from tronie.core.timeline import Timeline
from tronie.models.catalog import shipped

_SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).parent / "planted.py")
planted = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(planted)

FILM = planted.two_people("n" * 45 + "h" * 45)
PICTURES = {1000: [(20, 30, "h")], 1001: [(20, 30, "s"), (150, 30, "n")], 1002: []}


@pytest.fixture
def detector(monkeypatch):
    """The planted detector and model in the place of the real ones."""
    found = planted.Detector({**dict(enumerate(FILM)), **PICTURES})
    monkeypatch.setattr("tronie.pipeline.analyser.load_model", lambda name, provider="cpu": planted.Model())
    monkeypatch.setattr("tronie.pipeline.analyser.make_detector", lambda name, provider: found)
    return found


@pytest.fixture
def place(tmp_path, monkeypatch, detector):
    planted.write_film(tmp_path / "film.mkv", FILM)
    for index, faces in PICTURES.items():
        planted.write_picture(tmp_path / f"p{index}.png", faces, index)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_film_is_printed_as_segments(place, capsys) -> None:
    assert cli.main(["predict", "film.mkv"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "film.mkv: 1 person (0:00.00-0:03.00, 90 frames looked at)"
    assert lines[1].split() == ["person", "from", "to", "expression", "confidence", "usable"]
    assert [line.split()[3] for line in lines[2:4]] == ["neutral", "happiness"]
    assert lines[2].split()[1] == "0:00.00"
    assert lines[3].split()[2] == "0:03.00"
    assert err == ""


def test_pictures_are_printed_under_one_heading(place, capsys) -> None:
    assert cli.main(["predict", "p1000.png", "p1001.png", "p1002.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["p1000.png", "0", "happiness"],
        ["p1001.png", "0", "sadness"],
        ["p1001.png", "1", "neutral"],
        ["p1002.png", "-", "no"],
    ]


def test_out_writes_a_table_and_says_where(place, capsys) -> None:
    assert cli.main(["predict", "film.mkv", "-o", "tables/film.csv"]) == 0
    assert "Written: tables/film.csv, tables/film.meta.json" in capsys.readouterr().err
    assert len(Timeline.load("tables/film.csv")) == 90


def test_out_folder_gets_a_table_per_film(place, capsys) -> None:
    assert cli.main(["predict", ".", "--out", "results", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(p.name for p in Path("results").iterdir() if p.name != ".tronie") == [
        "film.csv",
        "film.meta.json",
        "jobs.jsonl",
        "photos.csv",
        "photos.meta.json",
        "segments.csv",
    ]
    assert len(list(csv.DictReader(Path("results/segments.csv").read_text().splitlines()))) == 5


def test_json_is_one_document(place, capsys) -> None:
    assert cli.main(["predict", "film.mkv", "p1000.png", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [s["label"] for s in document["segments"]] == ["neutral", "happiness", "happiness"]
    assert len(document["rows"]) == 91


def test_a_film_without_faces_says_so(place, monkeypatch, capsys) -> None:
    detector = planted.Detector({i: [] for i in range(90)})
    monkeypatch.setattr("tronie.pipeline.analyser.make_detector", lambda name, provider: detector)
    assert cli.main(["predict", "film.mkv"]) == 0
    assert capsys.readouterr().out.strip() == "film.mkv: no face found (0:00.00-0:03.00, 90 frames looked at)"


def mistakes(capsys, *arguments) -> tuple[int, str]:
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("tronie: ")
    assert "Traceback" not in err
    return code, err


def test_mistakes_are_one_sentence_and_an_exit_code(place, capsys) -> None:
    Path("empty.mp4").write_bytes(b"")
    Path("text.mp4").write_text("this is no film " * 40)
    Path("file").write_text("")
    assert mistakes(capsys, "predict", "nowhere.mp4")[0] == 3
    assert mistakes(capsys, "predict")[0] == 3
    assert mistakes(capsys, "predict", "empty.mp4")[0] == 3
    assert mistakes(capsys, "predict", "text.mp4")[0] == 3
    assert mistakes(capsys, "predict", "film.mkv", "--out", "film.xlsx")[0] == 2
    assert mistakes(capsys, "predict", "film.mkv", "--fps", "0")[0] == 2
    assert mistakes(capsys, "predict", "film.mkv", "--speed", "9")[0] == 2
    assert mistakes(capsys, "predikt", "film.mkv")[0] == 2
    code, sentence = mistakes(capsys, "predict", "p1000.png", "--out", "file/x.csv")  # before any work
    assert code == 5
    assert "is a file" in sentence


def test_one_bad_file_among_many_is_a_warning_and_an_exit_code(place, capsys) -> None:
    Path("bad.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    assert cli.main(["predict", "p1000.png", "bad.png", "p1001.png", "-o", "all.csv"]) == 3
    out, err = capsys.readouterr()
    assert "Warning: " in err
    assert "bad.png" in err
    assert out.count("png") == 3
    assert len(Timeline.load("all.csv")) == 3


def test_ctrl_c_keeps_what_is_done(place, detector, monkeypatch, capsys) -> None:
    near = detector.near

    def pressed(image, faces):
        if len(detector.nears) == 40:
            os.kill(os.getpid(), signal.SIGINT)
        return near(image, faces)

    monkeypatch.setattr(detector, "near", pressed)
    before = signal.getsignal(signal.SIGINT)
    assert cli.main(["predict", "film.mkv", "p1000.png", "--out", "film.csv"]) == 130
    assert signal.getsignal(signal.SIGINT) is before
    out, err = capsys.readouterr()
    assert "Stopped. What was done is saved." in err
    rows = len(Timeline.load("film.csv"))
    assert 40 <= rows < 60
    assert "neutral" in out


def test_a_bug_asks_for_a_report_and_keeps_what_is_done(place, detector, monkeypatch, capsys) -> None:
    scan = detector.detect

    def buggy(image):
        if int(image[0, 0, 0]) * 256 + int(image[0, 0, 1]) == 1001:
            raise ZeroDivisionError("division by zero")
        return scan(image)

    monkeypatch.setattr(detector, "detect", buggy)
    arguments = ["predict", "p1000.png", "p1001.png", "-o", "all.csv"]
    assert cli.main(arguments) == 70
    err = capsys.readouterr().err
    assert "bug in Tronie (ZeroDivisionError" in err
    assert "Traceback" not in err
    assert len(Timeline.load("all.csv")) == 1
    with pytest.raises(ZeroDivisionError):
        cli.main([*arguments, "--debug"])


HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}


def test_models_lists_what_ships(capsys) -> None:
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines[1:]]
    assert names == shipped() or lines == ["No model ships with this copy of Tronie."]


def run(*arguments):
    command = [sys.executable, "-m", "tronie", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=HERE)


def test_help_imports_nothing_heavy_and_says_what_there_is() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    assert "predict" in answer.stdout
    assert "models" in answer.stdout
    code = "import sys, tronie.cli; print([m for m in ('numpy', 'cv2', 'onnxruntime', 'torch') if m in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=HERE)
    assert seen.stdout.strip() == "[]"


def test_version_and_module() -> None:
    assert run("--version").stdout.strip() == __version__


def test_a_closed_pipe_is_no_bug() -> None:
    code = "import sys, tronie.cli as c; sys.exit(c.main(['models']))"
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        answer = subprocess.run([sys.executable, "-c", code], stdout=pipe, stderr=subprocess.PIPE, text=True, env=HERE)
    assert answer.returncode == 141
    assert answer.stderr == ""
