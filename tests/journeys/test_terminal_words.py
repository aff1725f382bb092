"""Names that others chose do nothing to a terminal, wherever a command prints them."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tronie import cli
from tronie.core.labels import LabelSet
from tronie.core.timeline import Timeline

ROOT = Path(__file__).parents[2]
ODD = "a\x1b]0;owned\x07\x1b[2J\r\n\u202egnp\x9b31m\u2028\u200bb"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def planted():
    spec = importlib.util.spec_from_file_location("planted", ROOT / "tests" / "planted.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def tronie(monkeypatch, capsys, tmp_path):
    """The command in an empty folder, with a planted model; gives exit code, output and errors as one text."""
    monkeypatch.setattr("tronie.pipeline.analyser.load_model", lambda name, **how: planted().Model())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(list(arguments))
        out, err = capsys.readouterr()
        for text in (out, err):
            assert not OBEYED.search(text), repr(text)
        assert "Traceback" not in err and "bug" not in err, err
        return code, out, err

    return run


def grey(path: str | bytes) -> None:
    with open(path, "wb") as file:
        Image.fromarray(np.full((40, 40, 3), 128, np.uint8)).save(file, "PNG")


def sample() -> Path:
    return next(p for p in sorted((ROOT / "examples" / "samples").iterdir()) if p.suffix in (".jpg", ".png"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", [ODD + ".png", "\x1b[1;31m.png", "-\x07.png", "a\nb.png", "\u202egnp.png"])
def test_predict_prints_names_of_files_harmlessly(tronie, name) -> None:
    Path(name).write_bytes(sample().read_bytes())
    for more in ((), ("--json",), ("--out", "t.csv"), ("--out", "many/")):
        assert tronie("predict", "./" + name, *more)[0] == 0
    assert json.loads(tronie("predict", "./" + name, "--json")[1])["looked"][0]["source"] == name
    grey("./" + name + ".x.png")
    assert "no face found" in tronie("predict", "./" + name + ".x.png")[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
@pytest.mark.parametrize("more", [(), ("--json",), ("--out", "t.csv"), ("--out", "t.json"), ("--out", "many/")])
def test_names_that_are_no_text_are_read_all_the_same(tronie, more) -> None:
    name = b"\xff\xfe.png"
    with open(name, "wb") as file:
        file.write(sample().read_bytes())
    code, _, _ = tronie("predict", os.fsdecode(name), *more)
    assert code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_errors_and_warnings_repeat_names_harmlessly(tronie) -> None:
    Path(ODD + ".png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    Path(ODD + ".csv").write_text("rubbish")
    Path(ODD).mkdir()
    (Path(ODD) / "model.json").write_text(json.dumps({"name": ODD, ODD: 1}))
    Path("coder.csv").write_text(f"start,end,label\n0,1,{ODD.splitlines()[0]}\n")
    for line in (
        ("predict", ODD + ".png"),
        ("predict", ODD + "absent.png"),
        ("segments", ODD + ".csv", "--out", "a.csv"),
        ("predict", ODD + ".png", "--model", ODD),
        ("predict", ODD + ".png", "--" + ODD),
        ("compare", ODD + ".csv", "coder.csv"),
        (ODD,),
        ("evaluate", ODD, "x"),
        ("datasets", ODD, "."),
        ("plot", ODD + ".csv", "--out", ODD + ".xyz"),
    ):
        code, _, err = tronie(*line)
        assert code in (2, 3, 4, 5), line
        assert len(err.splitlines()) == 1, err


def test_labels_names_and_tables_of_others_are_printed_harmlessly(tronie) -> None:
    """What a coder calls an expression, and what a table says of its film."""
    labels = LabelSet(("anger", "neutral"))
    empty = Timeline.empty(labels)
    columns = {name: np.zeros(2) for name in empty.columns}
    for name in ("model", "settings", "version"):
        columns[name] = np.array(["x"] * 2, object)
    columns |= {
        "source": np.array([ODD] * 2, object),
        "label": np.array(["anger", "neutral"], object),
        "time": np.array([0.0, 1.0]),
        "duration": np.ones(2),
        "frame": np.arange(2),
        "track": np.zeros(2, int),
        "usable": np.ones(2, bool),
    }
    Timeline(columns, labels, empty.provenance).save("t.csv")
    Path("coder.csv").write_text(f'start,end,label,tier\n0,1,"{ODD}","{ODD}"\n1,2,neutral,"{ODD}"\n', newline="")
    for line in (("compare", "t.csv", "coder.csv"), ("compare", "t.csv", "coder.csv", "--tier", ODD)):
        assert tronie(*line)[0] in (0, 2, 3), line
    for ending in ("csv", "eaf", "vtt", "TextGrid"):
        assert tronie("segments", "t.csv", "--out", f"s.{ending}")[0] == 0


def seen_by_two(timeline_of) -> None:
    timeline_of([(0, 0, 1, "neutral"), (1, 1, 2, "happiness")], fps=5, source="film.mp4").save("t.csv")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_plots_of_oddly_named_people_print_nothing_odd(tronie, timeline_of, ending) -> None:
    """Matplotlib names the letters that its font lacks in warnings of its own, and writes any letter into an SVG."""
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    seen_by_two(timeline_of)
    Path("n.csv").write_text(f'track,name\n0,"{ODD}"\n', encoding="utf-8", newline="")
    for more in ((), ("--summary",)):
        code, _, err = tronie("plot", "t.csv", "--names", "n.csv", "--out", f"p.{ending}", *more)
        assert (code, err.splitlines()) == (0, [f"tronie: Written: p.{ending}"]), err
    if ending == "svg":
        ElementTree.parse("p.svg")


@pytest.mark.parametrize(("ending", "said"), [("png", "no 伟"), ("svg", "")])
def test_letters_that_a_plot_cannot_draw_are_one_sentence(tronie, timeline_of, ending, said) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    seen_by_two(timeline_of)
    Path("n.csv").write_text("track,name\n0,伟伟\n1,伟\n", encoding="utf-8")
    code, _, err = tronie("plot", "t.csv", "--names", "n.csv", "--out", f"p.{ending}")
    assert code == 0 and said in err and len(err.splitlines()) == 1 + bool(said), err
    assert "Warning:" in err or not said


def test_every_command_prints_through_the_three_functions() -> None:
    """No other ``print`` in the package, so that none can forget to."""
    found = []
    for path in sorted((ROOT / "src" / "tronie").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append(path.relative_to(ROOT / "src" / "tronie").as_posix())
    assert set(found) == {"cli/common.py"}, found
