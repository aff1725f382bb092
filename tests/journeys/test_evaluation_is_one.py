"""One way to evaluate, stated in the result; what is left out is said; folders hold one thing each."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie import cli

RECIPE = """
labels = []
[[train]]
data = "set"
split = ""
folds = "manifest"
[config]
encoder = "small"
size = 32
[loop]
epochs = 1
batch = 8
half = false
"""


def pictures(folder: Path, names: tuple[str, ...], each: int, seed: int) -> Path:
    """A folder of noise for each name: brighter on the left, so that a mirror image is another picture."""
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(each):
            face = rng.integers(0, 128, (40, 40, 3), np.uint8)
            face[:, :20] += 120
            Image.fromarray(face).save(folder / name / f"{seed}-{i}.png")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``prepared/set`` of two classes and two folds, and ``run``, a net trained on it for one epoch."""
    root = tmp_path_factory.mktemp("one")
    pictures(root / "faces", ("happiness", "sadness"), 6, 0)
    given = ["prepare", "folder", str(root / "faces"), "-o", str(root / "prepared" / "set"), "--size", "32", "-q"]
    assert cli.main([*given, "--folds", "2", "--detector", "whole"]) == 0
    (root / "mine.toml").write_text(RECIPE)
    train = ["train", str(root / "mine.toml"), "--data", str(root / "prepared"), "--out", str(root / "runs"), "-q"]
    assert cli.main(train) == 0
    (made,) = (root / "runs").iterdir()
    made.rename(root / "run")
    return root


def answers(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "answers.csv").open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_training_and_evaluate_read_the_same_run_alike(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = str(home / "prepared" / "set"), home / "again"
    given = ["evaluate", str(home / "run"), data, "--folds", "manifest", "--fold", "0", "--out", str(out), "-q"]
    assert cli.main(given) == 0
    first, second = answers(home / "run"), answers(out)
    assert first.keys() == second.keys() and len(first) > 0
    for id_, row in first.items():
        assert row["reading"] == second[id_]["reading"] == "aligned faces, each averaged with its mirror image"
        # The graph is stored as fp16, and the run calibrates nothing on so few rows.
        assert float(row["p_happiness"]) == pytest.approx(float(second[id_]["p_happiness"]), abs=5e-3)
    capsys.readouterr()
    assert cli.main(["compare-models", str(home / "run"), str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(abs(d["difference"]["value"]) < 5e-3 for d in found if d["score"] == "nll")
    assert "mirror image" in (out / "report.html").read_text(encoding="utf-8")


def test_unlike_readings_are_not_compared(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(home / "prepared" / "set")
    for name, cut in (("a", "aligned"), ("b", "whole")):
        given = ["evaluate", str(home / "run"), data, "--cut", cut, "--out", str(tmp_path / name), "-q"]
        assert cli.main(given) == 0
    capsys.readouterr()
    assert cli.main(["compare-models", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    told = capsys.readouterr().err
    assert "read in unlike ways" in told and "pictures as they are" in told and "evaluate both" in told


def test_what_is_left_out_is_said_first_and_most_of_it_is_an_error(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = pictures(tmp_path / "few", ("happiness", "sadness", "boredom"), 2, 1)
    assert cli.main(["evaluate", str(home / "run"), str(few)]) == 0
    heard = capsys.readouterr()
    first = heard.err.splitlines()[0]
    assert "2 of 6 rows of 'few' are left out" in first and "boredom 2" in first
    assert "4 of 6" in heard.out and "accuracy" in heard.out and "mirror image" in heard.out
    most = pictures(tmp_path / "most", ("happiness", "boredom", "envy"), 2, 2)
    assert cli.main(["evaluate", str(home / "run"), str(most)]) == 3
    assert "4 of 6 rows of 'most' are left out" in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_a_fold_that_is_not_there_is_refused(home: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    if command == "evaluate":
        given = ["evaluate", str(home / "run"), str(home / "prepared" / "set"), "--folds", "manifest", "--fold", "9"]
    else:
        given = ["train", str(home / "mine.toml"), "--data", str(home / "prepared"), "--set", "fold=9"]
        given += ["--out", str(home / "none")]
    assert cli.main(given) == 2
    assert "There is no fold 9 in 'manifest': it has 0, 1." in capsys.readouterr().err


def test_folds_of_another_data_set_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["evaluate", str(home / "run"), str(home / "prepared" / "set"), "--folds", "rafdb-train", "--fold", "0"]
    assert cli.main(given) == 3
    assert "does not know row" in capsys.readouterr().err


def test_a_failed_start_leaves_no_run_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"start=/nowhere": 3, "weights=/nowhere.pt": 4, "config.dropout=7": 2}
    for change, code in wrong.items():
        given = ["train", str(home / "mine.toml"), "--data", str(home / "prepared"), "--out", str(tmp_path / "runs")]
        assert cli.main([*given, "--set", change, "-q"]) == code, change
        assert list((tmp_path / "runs").iterdir()) == [], change
        assert cli.main([*given, "--set", change, "--folds", "all", "-q"]) == code, change
        assert list((tmp_path / "runs").iterdir()) == [], change
    assert "bug" not in capsys.readouterr().err


def test_two_writers_do_not_share_a_run_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While one process goes on with a run, a second one is refused and changes nothing."""
    from tronie.train.run import claimed

    run = Path(shutil.copytree(home / "run", tmp_path / "run"))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with claimed(run):
            held.set()
            done.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(60)
    try:
        before = sorted((p.name, p.stat().st_mtime_ns) for p in run.iterdir())
        assert cli.main(["train", "--resume", str(run), "--data", str(home / "prepared")]) == 5
        assert "Another job" in capsys.readouterr().err
        assert sorted((p.name, p.stat().st_mtime_ns) for p in run.iterdir()) == before
    finally:
        done.set()
        other.join()


def test_prepare_does_not_write_over_another_data_set(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = (pictures(tmp_path / name, ("happiness", "sadness"), 2, 3) for name in ("mine", "other"))
    given = ["--out", str(tmp_path / "set"), "--size", "32", "--detector", "whole", "-q"]
    assert cli.main(["prepare", "folder", str(mine), *given]) == 0
    before = (tmp_path / "set" / "faces.npy").read_bytes()
    assert cli.main(["prepare", "folder", str(other), *given]) == 2  # the same names of files, in another folder
    told = capsys.readouterr().err
    assert "holds folder of" in told and "give another folder with --out" in told
    assert (tmp_path / "set" / "faces.npy").read_bytes() == before
    files = sorted(other.rglob("*"))
    assert cli.main(["prepare", "folder", str(other), "--out", str(other), "--detector", "whole", "-q"]) == 2
    assert "is the data set itself" in capsys.readouterr().err and sorted(other.rglob("*")) == files
    assert cli.main(["prepare", "folder", str(mine), *given, "--folds", "2"]) == 0  # the same data set once more
    shutil.copytree(home / "prepared" / "set", tmp_path / "old")
    note = json.loads((tmp_path / "old" / "prepared.json").read_text())
    (tmp_path / "old" / "prepared.json").write_text(json.dumps({k: v for k, v in note.items() if k != "dataset"}))
    given[1] = str(tmp_path / "old")  # made before folders said what they hold
    assert cli.main(["prepare", "folder", str(mine), *given]) == 2
    assert "holds other rows" in capsys.readouterr().err


def test_an_evaluation_is_not_written_over_another(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's own figures are of the rows that it held out; nothing makes them again but the training."""
    run = Path(shutil.copytree(home / "run", tmp_path / "run"))
    before = {name: (run / name).read_bytes() for name in ("evaluation.json", "answers.csv")}
    given = ["evaluate", str(run), str(home / "prepared" / "set"), "-q", "--out"]
    assert cli.main([*given, str(run)]) == 2
    assert "is the folder of a run" in capsys.readouterr().err
    assert before == {name: (run / name).read_bytes() for name in before}
    assert cli.main([*given, str(tmp_path / "judged")]) == 0
    assert cli.main([*given, str(tmp_path / "judged")]) == 0  # the same once more
    fold = ["--folds", "manifest", "--fold", "0"]
    assert cli.main([*given, str(tmp_path / "judged"), *fold]) == 2
    assert "judged holds the evaluation of" in capsys.readouterr().err
    given[1] = "default"
    assert cli.main([*given, str(tmp_path / "judged")]) == 2


def test_missing_pictures_are_answered_with_what_a_command_takes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "img", ("happiness",), 2, 4)
    lines = ["path,label", "happiness/4-0.png,happiness", "happiness/4-1.png,sadness", "gone.png,sadness"]
    (tmp_path / "img" / "labels.csv").write_text("\n".join(lines) + "\n")
    given = ["prepare", "csv", str(tmp_path / "img" / "labels.csv"), "--out", str(tmp_path / "x"), "--size", "32"]
    assert cli.main([*given, "--detector", "whole"]) == 3
    told = capsys.readouterr().err
    assert "--set skip_missing=true" in told
    assert cli.main([*given, "--detector", "whole", "--set", "skip_missing=true", "-q"]) == 0


def test_a_method_without_verdicts_is_not_said_to_have_called_none(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["train", str(home / "mine.toml"), "--data", str(home / "prepared"), "--out", str(tmp_path)]
    assert cli.main([*given, "--set", "train.0.noise=symmetric:0.3"]) == 0
    printed = capsys.readouterr().out
    assert "gives no verdicts" in printed and "none was called" not in printed
    assert "set/fold0 accuracy" in printed and "/war" not in printed and "/uar" not in printed
