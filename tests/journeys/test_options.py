"""An option that would do nothing is refused: one sentence, exit code 2, before any work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tronie import cli
from tronie.cli.options import EXCLUDES, NEEDS
from tronie.output.export import export

ROOT = Path(__file__).parents[2]
OPTION = 2


def module(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


planted = module(ROOT / "tests" / "planted.py")

IDLE = [
    (["plot", "film.csv", "--out", "a.png", "--track", "0"], "--track", "--where"),
    (["plot", "film.mkv", "--out", "a.png", "--where", "--summary"], "--summary", "--where"),
    (["plot", "film.mkv", "--out", "a.png", "--where", "--seats", "2"], "--seats", "--where"),
    (["plot", "film.csv", "--out", "a.png", "--fps", "5"], "--fps", "film.csv"),
    (["segments", "film.csv", "--out", "a.vtt", "--model", "mine"], "--model", "film.csv"),
    (["report", "film.csv", "--out", "a.html", "--detector", "whole"], "--detector", "film.csv"),
    (["annotate", "film.mkv", "--table", "film.csv", "--out", "a.mp4", "--provider", "cuda"], "--provider", "film.csv"),
    (["annotate", "photo.png", "--out", "a.png", "--fps", "5"], "--fps", "photos"),
    (["predict", "photo.png", "--fps", "5"], "--fps", "photos"),
    (["predict", "photo.png", "*.png", "--out", "results", "--baseline", "person"], "--baseline", "photos"),
    (["predict", "film.mkv", "--out", "a.csv", "--jobs", "2"], "--jobs", "folder"),
    (["predict", "film.mkv", "--no-resume"], "--no-resume", "folder"),
    (["selfcheck", "photo.png", "--fps", "5"], "--fps", "photos"),
    (["selfcheck", "film.mkv", "--out", "a.json", "--quiet", "--worst", "3"], "--worst", "--quiet"),
    (["watch", "film.mkv", "--quiet", "--display", "lines"], "--display", "--quiet"),
    (["watch", "0", "--realtime"], "realtime", "live"),
    (["watch", "rtsp://nobody:secret@nowhere/", "--realtime"], "realtime", "live"),
    (["compare", "coder.TextGrid", "coder.csv", "--names", "names.csv"], "--names", "coder.TextGrid"),
    (["compare", "coder.TextGrid", "coder.csv", "--seats", "2"], "--seats", "coder.TextGrid"),
    (["datasets", "rafdb", "--no-pixels"], "--pixels", "ROOT"),
    (["datasets", "folder", "--set", "labels=x"], "--set", "ROOT"),
    (["prepare", "folder", "faces", "--out", "a", "--seed", "3"], "--seed", "--folds"),
    (["prepare", "folder", "faces", "--out", "a", "--frames", "3"], "frames", "photos"),
    (["evaluate", "default", "faces", "--robustness"], "--robustness", "--out"),
    (["audit", "faces", "--out", "a", "--probabilities", "p.csv", "--views", "2"], "--views", "--probabilities"),
    (["audit", "faces", "--out", "a", "--probabilities", "p.csv", "--features", "r"], "--features", "--probabilities"),
    (["train", "--resume", "runs/1", "--out", "runs"], "--out", "--resume"),
    (["train", "--resume", "runs/1", "--folds", "0,2"], "--folds", "--resume"),
    (["corrupt", "manifest.csv", "eac:noise.txt", "--out", "a.csv", "--seed", "3"], "seed", "eac:noise.txt"),
]


@pytest.fixture
def place(tmp_path, monkeypatch, timeline_of):
    monkeypatch.chdir(tmp_path)
    told = timeline_of([(0, 0, 1, "neutral"), (0, 1, 2, "happiness")], fps=10, source="film.mkv")
    told.save("film.csv")
    export(told, "coder.csv")
    export(told, "coder.TextGrid")
    Path("names.csv").write_text("track,name\n0,Anna\n")
    planted.write_film(Path("film.mkv"), planted.two_people("nnhh"))
    planted.write_picture(Path("photo.png"), [(20, 30, "h")], 1)
    for i, label in enumerate(["happiness", "sadness"] * 3):
        Path(f"faces/{label}").mkdir(parents=True, exist_ok=True)
        planted.write_picture(Path(f"faces/{label}/{i}.png"), [(20, 30, "h")], 2 + i)
    return tmp_path


@pytest.mark.parametrize(("arguments", "option", "why"), IDLE, ids=lambda given: str(given[0]) if given else "")
def test_an_option_without_effect_is_refused(place, capsys, arguments, option, why) -> None:
    before = sorted(place.rglob("*"))
    assert cli.main(arguments) == OPTION
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1, err
    assert option in err and why in err and "secret" not in err
    assert sorted(place.rglob("*")) == before


def test_the_same_options_with_effect_are_taken(place, capsys) -> None:
    assert cli.main(["segments", "film.csv", "--out", "a.vtt", "--seats", "1"]) == 0
    assert cli.main(["segments", "film.csv", "--out", "b.vtt", "--model", "default", "--detector", "retinaface"]) == 0
    assert cli.main(["compare", "film.csv", "coder.csv", "--names", "names.csv"]) == 0
    prepare = ["prepare", "folder", "faces", "--out", "cut", "--detector", "whole", "--folds", "2", "--seed", "3"]
    assert cli.main(prepare) == 0
    assert cli.main(["predict", "photo.png", "film.mkv", "--fps", "5", "--out", "mixed.csv", "-q"]) == 0


def test_the_rules_name_options_that_there_are() -> None:
    for command, *names in (*NEEDS, *EXCLUDES):
        found = cli.app[command].assemble_argument_collection()
        known = {argument.field_info.name for argument in found}
        assert set(names) <= known, (command, known)
