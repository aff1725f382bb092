"""The commands under every standard output that people meet: other encodings, closed, full, left; and odd names.

Nothing that was computed is lost, nobody is told of a bug, and the exit code says what happened.
"""

from __future__ import annotations

import codecs
import errno
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tronie import cli
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.core.timeline import Timeline
from tronie.output.export import export

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
DONE, OPTION, OUTPUT, READER_LEFT = 0, 2, 5, 141
NAME = "김 😀 é"
COMMANDS = [name for name in cli.app if not name.startswith("-")]
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")


def module(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


planted = module(ROOT / "tests" / "planted.py")


@pytest.fixture
def place(tmp_path, monkeypatch, timeline_of):
    """An empty folder with a film, a picture, a table and its segments; the detector and the model are planted."""
    faces = planted.two_people("n" * 5 + "h" * 5)
    pictures = {1000: [(20, 30, "h")], 1001: [(20, 30, "s")]}
    found = planted.Detector({**dict(enumerate(faces)), **pictures})
    monkeypatch.setattr("tronie.pipeline.analyser.load_model", lambda name, provider="cpu": planted.Model())
    monkeypatch.setattr("tronie.pipeline.analyser.make_detector", lambda name, provider: found)
    monkeypatch.chdir(tmp_path)
    planted.write_film(Path(f"{NAME}.mkv"), faces)
    for number, there in pictures.items():
        planted.write_picture(Path(f"{NAME} {number}.png"), there, number)
    told = timeline_of([(0, 0, 1, "neutral"), (0, 1, 2, "happiness")], fps=10, source=f"{NAME}.mkv")
    told.save("table.csv")
    export(told, "coder.csv", names={(f"{NAME}.mkv", 0): NAME})
    return tmp_path


def shown_on(monkeypatch, encoding: str, *arguments: str) -> tuple[int, str]:
    """Run a command whose output has an encoding; its exit code, and what was printed, decoded."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = cli.main(arguments)
    err.flush()
    told = err.buffer.getvalue().decode(encoding)
    assert "bug" not in told and "Traceback" not in told, told
    return code, out.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "cp949", "utf-8", "utf-16"])
def test_what_is_printed_fits_any_encoding(place, monkeypatch, encoding) -> None:
    def known(letter: str) -> str:
        lacking = codecs.lookup(encoding).encode(letter, "ignore")[0] == b"" if encoding != "utf-16" else False
        units = letter.encode("utf-16-be")
        return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)) if lacking else letter

    name = "".join(map(known, NAME))
    sources = [f"{NAME}.mkv", f"{NAME} 1000.png", f"{NAME} 1001.png"]
    code, printed = shown_on(monkeypatch, encoding, "predict", *sources, "--out", f"{NAME}.csv")
    assert code == DONE and len(Timeline.load(f"{NAME}.csv")) == 12
    assert f"{name}.mkv: 1 person" in printed and f"{name} 1001.png" in printed
    code, printed = shown_on(monkeypatch, encoding, "predict", *sources, "--json")
    assert code == DONE
    document = json.loads(printed)  # what the encoding lacks is escaped as JSON escapes it
    assert {row["source"] for row in document["rows"]} == set(sources)
    code, printed = shown_on(monkeypatch, encoding, "predict", ".", "--out", "results")
    assert code == DONE and Path("results/photos.csv").is_file()
    code, printed = shown_on(monkeypatch, encoding, "compare", "table.csv", "coder.csv", "--out", "c.json")
    assert code == DONE and f"Compared: {name} with person 0" in printed and Path("c.json").is_file()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_any_encoding(monkeypatch, command, encoding) -> None:
    code, printed = shown_on(monkeypatch, encoding, *command.split(), "--help")
    assert code == DONE and "Usage: tronie" in printed


def test_the_list_of_data_sets_and_mistakes_fit_any_encoding(place, monkeypatch) -> None:
    code, printed = shown_on(monkeypatch, "ascii", "datasets")
    assert code == DONE and "rafdb" in printed
    assert shown_on(monkeypatch, "ascii", "predict", f"{NAME} nowhere.mkv")[0] == 3
    assert shown_on(monkeypatch, "ascii", f"predict{NAME}")[0] == OPTION


def shell(line: str, place: Path) -> tuple[int, str, str]:
    """A line for the shell, in which ``tronie`` is the command; exit code, output, errors."""
    here = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONIOENCODING": "utf-8"}
    whole = f'set -o pipefail; tronie() {{ "{sys.executable}" -m tronie "$@"; }}; {line}'
    answer = subprocess.run(["bash", "-c", whole], capture_output=True, env=here, cwd=place, encoding="utf-8")
    assert "bug" not in answer.stderr and "Traceback" not in answer.stderr, answer.stderr
    assert "Exception ignored" not in answer.stderr, answer.stderr
    return answer.returncode, answer.stdout, answer.stderr


COMPARED = "tronie compare table.csv coder.csv"


@pytest.mark.parametrize("gone", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_cost_nothing_that_goes_into_a_file(place, gone) -> None:
    code, _, errors = shell(f"{COMPARED} --out c.json {gone}", place)
    assert code == DONE and json.loads(Path("c.json").read_text("utf-8"))["pairs"]
    assert errors in ("", "tronie: Written: c.json\n")


def test_a_photo_is_read_with_every_stream_closed(tmp_path, samples) -> None:
    """The libraries' own words must not run into the table, which would get a closed stream's number."""
    shutil.copy(samples / "astronaut.jpg", tmp_path)
    for gone, table in ((">&-", "a.csv"), ("2>&-", "b.csv"), ("<&- >&- 2>&-", "c.csv")):
        assert shell(f"tronie predict astronaut.jpg --out {table} {gone}", tmp_path)[0] == DONE
    tables = [(tmp_path / name).read_bytes() for name in ("a.csv", "b.csv", "c.csv")]
    assert tables[0] == tables[1] == tables[2] and len(Timeline.load(tmp_path / "a.csv")) == 1


def test_output_that_was_asked_for_and_has_no_place_is_said(place) -> None:
    code, _, errors = shell(f"{COMPARED} >&-", place)
    assert code == OUTPUT and len(errors.splitlines()) == 1 and "standard output is closed" in errors
    assert shell(f"{COMPARED} >&- 2>&-", place)[0] == OUTPUT
    assert shell("tronie --help >&-", place)[0] == OUTPUT
    assert shell("tronie segments table.csv --out s.vtt -q >&-", place) == (DONE, "", "")


@needs_full
def test_a_full_disk_behind_standard_output(place) -> None:
    for line in (COMPARED, "tronie models", "tronie --help"):
        code, _, errors = shell(f"{line} >/dev/full", place)
        assert code == OUTPUT and len(errors.splitlines()) == 1 and "the disk is full" in errors
    code, _, errors = shell(f"{COMPARED} --out c.json >/dev/full", place)
    assert code == OUTPUT and "the disk is full" in errors and Path("c.json").is_file()
    assert shell(f"{COMPARED} --out d.json 2>/dev/full", place)[0] == DONE and Path("d.json").is_file()


@pytest.mark.parametrize(("more", "expected"), [([], READER_LEFT), (["--out", "c.json"], DONE)])
def test_a_reader_that_has_left(place, more, expected) -> None:
    """Without --out there is nothing left to do; with it, the work goes on."""
    read, write = os.pipe()
    os.close(read)
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-m", "tronie", "compare", "table.csv", "coder.csv", *more]
    answer = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=here)
    os.close(write)
    assert answer.returncode == expected
    assert answer.stderr == ("tronie: Written: c.json\n" if more else "") and Path("c.json").is_file() == bool(more)


@pytest.mark.parametrize("command", ["--help", "--version", "predict --help", "models", "compare table.csv coder.csv"])
def test_a_reader_that_has_left_is_one_exit_code_whatever_it_read(place, command) -> None:
    """The help texts are printed by a library, which would end the program with 1."""
    assert shell(f"tronie {command} | true", place) == (READER_LEFT, "", "")


def test_reading_goes_on_for_the_table_where_nobody_reads_what_is_printed(place, monkeypatch, capsys) -> None:
    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    planted.write_film(Path("second.mkv"), planted.two_people("n" * 5 + "h" * 5))
    for more, code, rows in ((["--out", "t.csv"], DONE, 20), ([], READER_LEFT, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", Left())
            assert cli.main(["predict", f"{NAME}.mkv", "second.mkv", *more]) == code
        assert (len(Timeline.load("t.csv")) if more else 0) == rows


TOO_LONG = [251, 255, 256, 300, 5000]  # letters before the ending


@pytest.mark.parametrize("letters", [200, 245, *TOO_LONG])
def test_names_of_any_length(place, capsys, letters) -> None:
    """Either the whole table is there, or it was said before the work that the name is too long."""
    out = Path("n" * letters + ".csv")
    code = cli.main(["predict", f"{NAME}.mkv", "--out", str(out)])
    printed, errors = capsys.readouterr()
    if letters in TOO_LONG:
        assert code == OUTPUT and printed == "" and len(errors.splitlines()) == 1, errors
        assert "long" in errors and not list(place.glob("n*"))
    else:
        assert code == DONE and len(Timeline.load(out)) == 10
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_the_hidden_name_is_no_longer_than_the_name(place, capsys) -> None:
    from tronie.core.atomic import replacing

    for name in ("a." + "e" * 253, "é" * 127, "e" * 251 + ".csv"):
        with replacing(Path(name)) as temporary:
            temporary.write_text("whole")
        assert Path(name).read_text() == "whole"


WITH_OUT = {
    "predict": (["predict", f"{NAME}.mkv"], ".csv"),
    "predict into a folder": (["predict", f"{NAME}.mkv"], "/"),
    "annotate": (["annotate", f"{NAME}.mkv"], ".mp4"),
    "segments": (["segments", "table.csv"], ".eaf"),
    "plot": (["plot", "table.csv"], ".png"),
    "report": (["report", "table.csv"], ".html"),
    "compare": (["compare", "table.csv", "coder.csv"], ".json"),
    "selfcheck": (["selfcheck", f"{NAME}.mkv"], ".json"),
    "watch": (["watch", f"{NAME}.mkv", "--display", "lines"], ".csv"),
    "prepare": (["prepare", "folder", "faces", "--detector", "whole"], ""),
    "corrupt": (["corrupt", "manifest.csv", "symmetric:0.5"], ".csv"),
    "evaluate": (["evaluate", "default", "faces", "--cut", "whole"], ""),
}


PLACES = [
    (which, where)
    for which in WITH_OUT
    for where in ("n" * 300, "file/inside", "/proc/inside", "folder")
    if where != "folder" or which in ("annotate", "segments", "plot", "report", "compare", "selfcheck", "watch")
]


@pytest.mark.parametrize(("which", "where"), PLACES)
def test_a_place_that_cannot_be_written_is_said_before_the_work(place, monkeypatch, capsys, which, where) -> None:
    arguments, ending = WITH_OUT[which]
    Path("file").touch()
    Path(f"folder{ending}").mkdir()
    ids = np.array([f"f{i}.png" for i in range(8)])
    Manifest(ids, ids, np.arange(8) % 2, LabelSet(("anger", "neutral"))).save(Path("manifest.csv"))
    for i, label in enumerate(["happiness", "sadness"] * 3):
        Path(f"faces/{label}").mkdir(parents=True, exist_ok=True)
        planted.write_picture(Path(f"faces/{label}/{i}.png"), [(20, 30, "h")], 2000 + i)
    work = []
    monkeypatch.setattr(planted.Detector, "detect", lambda *given: work.append("a frame was searched") or [])
    before = sorted(place.rglob("*"))
    assert cli.main([*arguments, "--out", f"{where}{ending}"]) == OUTPUT
    printed, errors = capsys.readouterr()
    assert printed == "" and len(errors.splitlines()) == 1 and "bug" not in errors, errors
    assert work == [] and sorted(place.rglob("*")) == before


def test_the_machine_s_trouble_is_no_bug(monkeypatch, capsys) -> None:
    def fails() -> None:
        raise OSError(errno.EIO, "Input/output error", "weights.onnx")

    monkeypatch.setattr("tronie.models.listing.models", fails)
    assert cli.main(["models"]) == OUTPUT
    out, err = capsys.readouterr()
    assert out == "" and err == "tronie: weights.onnx cannot be read or written: Input/output error.\n"
    with pytest.raises(OSError, match="weights"):
        cli.main(["models", "--debug"])


@pytest.mark.skipif(sys.platform == "win32", reason="a process is not sent ctrl-C there in this way")
def test_another_ctrl_c_after_the_last_word_prints_no_traceback() -> None:
    """The command has ended, and Python still waits for what its libraries began."""
    code = (
        "import sys, threading, time, tronie.cli\n"
        "sys.argv = ['tronie', '--version']\n"
        "code = tronie.cli.main()\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "print('ended', flush=True)\n"
        "sys.exit(code)\n"
    )
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    begun = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=here
    )
    assert begun.stdout is not None
    while begun.stdout.readline().strip() != "ended":
        assert begun.poll() is None
    begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=120)
    assert "Traceback" not in err and begun.returncode == -signal.SIGINT
