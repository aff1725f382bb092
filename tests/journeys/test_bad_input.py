"""What people give by mistake, through the real command: one sentence, the documented exit code, nothing lost.

The detector is the real one; the model is planted where its answers do not matter.
"""

from __future__ import annotations

import errno
import importlib.util
import io
import itertools
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import wave
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tronie import cli
from tronie.core import timeline_io
from tronie.core.timeline import Timeline
from tronie.models.catalog import load_model, shipped
from tronie.video.write import VideoWriter

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
READ, OPTION, SOURCE, MODEL, OUTPUT, STOPPED = 0, 2, 3, 4, 5, 130
needs_model = pytest.mark.skipif("default" not in shipped(), reason="the default model is not in this tree")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")


def module(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


planted = module(ROOT / "tests" / "planted.py")


@pytest.fixture
def tronie(monkeypatch, capsys, tmp_path):
    """The command, run in an empty folder with a planted model; gives exit code, output and lines of errors."""

    def loaded(name: str, **how: object) -> object:
        return planted.Model() if name == "default" else load_model(name, **how)

    monkeypatch.setattr("tronie.pipeline.analyser.load_model", loaded)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        code = cli.main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "bug" not in err
        lines = err.splitlines()
        assert all(re.fullmatch(r"tronie: .+[.?]|tronie: Written: .+", line) for line in lines), err
        return code, out, lines

    return run


def in_parallel(*arguments: str, **more) -> subprocess.Popen[str]:
    here = {**os.environ, "PYTHONPATH": str(SRC), "COLUMNS": "100", "TERM": "xterm"}
    return subprocess.Popen([sys.executable, "-m", "tronie", *arguments], env=here, text=True, **more)


def mistake(answer: tuple[int, str, list[str]], code: int, says: str) -> None:
    """One sentence, nothing else."""
    assert answer[0] == code, answer
    assert answer[1] == "" and len(answer[2]) == 1
    assert re.search(says, answer[2][0]), answer[2][0]


# Films and pictures


def noise(number: int) -> np.ndarray:
    """A picture that codes to a few kB, so that a film of them has a middle to be broken."""
    return np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8).repeat(2, 0).repeat(2, 1)


def film(name: str, seconds: float = 4.0) -> Path:
    with VideoWriter(Path(name), keyframes=10) as writer:
        for i in range(round(seconds * 10)):
            writer.write(noise(i), i / 10)
    return Path(name)


def cut(name: str, share: float) -> None:
    """A film that ends too soon."""
    data = film(name).read_bytes()
    Path(name).write_bytes(data[: int(share * len(data))])


def sound_only(name: str) -> None:
    with av.open(name, "w") as out:
        tone = out.add_stream("aac", rate=16000)
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        heard.sample_rate = 16000
        out.mux(tone.encode(heard))
        out.mux(tone.encode(None))


def renamed_sound(name: str) -> None:
    with wave.open(name, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))


def giant(name: str) -> None:
    """A whole PNG of 20,000 x 20,000 white pixels in 50 kB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compressobj(1)
    body = b"".join(rows.compress(b"\x00" + b"\xff" * 2500) for _ in range(20_000)) + rows.flush()
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    Path(name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def half_picture(name: str) -> None:
    Image.fromarray(noise(1)).save(name)
    Path(name).write_bytes(Path(name).read_bytes()[:4000])


UNREADABLE = {
    "missing.mp4": (lambda name: None, "does not exist"),
    "missing.jpg": (lambda name: None, "does not exist"),
    "folder": (lambda name: Path(name).mkdir(), "holds no picture and no film"),
    "photos_*.jpg": (lambda name: None, "No picture and no film matches"),
    "empty.mp4": (lambda name: Path(name).touch(), r"is empty \(0 bytes\)"),
    "empty.jpg": (lambda name: Path(name).touch(), r"is empty \(0 bytes\)"),
    "text.mp4": (lambda name: Path(name).write_text("Dear diary, " * 900), "no film at all"),
    "text.jpg": (lambda name: Path(name).write_text("Dear diary, " * 900), "not in a picture format"),
    "notes.txt": (lambda name: Path(name).write_text("Dear diary"), "neither a picture nor a film"),
    "sound.mp4": (sound_only, "holds no moving pictures"),
    "wav.mp4": (renamed_sound, "holds no moving pictures"),
    "giant.png": (giant, "more than 100 megapixels: reduce it"),
    "half.png": (half_picture, "damaged or cut short"),
    "half.mp4": (lambda name: cut(name, 0.5), "cut short"),  # its index was at the end
    "http://example.org/film.mp4": (lambda name: None, "download it"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read(tronie, name) -> None:
    make, says = UNREADABLE[name]
    make(name)
    mistake(tronie("predict", name, "-o", "out.csv"), SOURCE, says)
    assert not list(Path().glob("out*"))  # no empty table, nothing left behind


@pytest.mark.parametrize("command", ["annotate", "segments", "report"])
def test_other_commands_say_the_same(tronie, command) -> None:
    ending = {"annotate": ".mp4", "segments": ".vtt", "report": ".html"}[command]
    Path("text.mp4").write_text("Dear diary, " * 900)
    mistake(tronie(command, "text.mp4", "-o", f"out{ending}"), SOURCE, "no film at all")
    mistake(tronie(command, "missing.mp4", "-o", f"out{ending}"), SOURCE, "does not exist")
    mistake(tronie(command, "text.mp4", "-o", "out.xyz"), OPTION, r"out\.xyz")
    Path("file").touch()
    mistake(tronie(command, "text.mp4", "-o", f"file/out{ending}"), OUTPUT, "is a file, not a folder")  # before reading
    assert sorted(p.name for p in Path().iterdir()) == ["file", "text.mp4"]


def upright(samples: Path) -> Image.Image:
    with Image.open(samples / "astronaut.jpg") as picture:
        return picture.convert("RGB").crop((80, 0, 420, 340))


def sideways(picture: Image.Image, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: to be turned a quarter clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(name, exif=exif, quality=95)


PICTURES = {
    "plain.png": lambda p, name: p.save(name),
    "grey.jpg": lambda p, name: p.convert("L").save(name),
    "cmyk.jpg": lambda p, name: p.convert("CMYK").save(name, quality=95),
    "sixteen.png": lambda p, name: Image.fromarray(np.asarray(p.convert("L")).astype(np.uint16) * 257).save(name),
    "clear.png": lambda p, name: p.convert("RGBA").save(name),
    "sideways.jpg": sideways,
    "palette.gif": lambda p, name: p.save(name),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_shows_the_same_face(tronie, samples, name) -> None:
    PICTURES[name](upright(samples), name)
    code, out, errors = tronie("predict", name, "-o", "out.csv")
    assert (code, len(errors)) == (READ, 1)
    (row,) = [line for line in out.splitlines() if name in line]
    assert "no face" not in row
    timeline = Timeline.load("out.csv")
    box = [float(timeline[side][0]) for side in ("x", "y", "width", "height")]
    assert box == pytest.approx([97.6, 58.3, 93.5, 116.8], abs=6)  # the plain picture's, which lies on the face


def test_a_picture_of_one_pixel_holds_no_face(tronie) -> None:
    Image.new("RGB", (1, 1)).save("dot.png")
    code, out, errors = tronie("predict", "dot.png")
    assert (code, errors) == (READ, []) and "no face found" in out


def test_good_files_among_bad_ones_are_read_and_each_bad_one_is_named(tronie, samples) -> None:
    bad = [name for name in UNREADABLE if re.fullmatch(r"(empty|text|sound|half)\.\w+", name)]
    for name in bad:
        UNREADABLE[name][0](name)
    for name in ("plain.png", "cmyk.jpg"):
        PICTURES[name](upright(samples), name)
    code, out, errors = tronie("predict", ".", "-o", "out.csv")
    assert code == SOURCE
    assert len(errors) == len(bad) + 1
    assert all(sum(name in line for line in errors) == 1 for name in bad)
    assert len(Timeline.load("out.csv")) == 2
    assert all(re.search(rf"{name} +0 ", out) for name in ("plain.png", "cmyk.jpg"))


# Films that break


def test_a_film_that_ends_in_the_middle_is_read_up_to_there(tronie) -> None:
    cut("half.mkv", 0.5)
    code, out, errors = tronie("predict", "half.mkv", "-o", "out.csv")
    assert code == READ and "half.mkv" in out
    assert re.search(r"Warning: Film half\.mkv breaks off at \d\.\d s of 4\.0 s: only what comes before", errors[0])
    (looked,) = Timeline.load("out.csv").looked
    assert 1 < looked.end < 3


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_film_with_a_broken_middle_is_read_around_it(tronie, ending) -> None:
    path = film(f"torn.{ending}")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = np.random.default_rng(0).bytes(20_000)
    path.write_bytes(data)
    code, out, errors = tronie("predict", path.name, "-o", "out.csv")
    assert code == READ and path.name in out
    said = r"(: damaged pieces were skipped \(\d\)| lacks pictures for 0\.\d s in all, first at 2\.\d s)"
    assert re.search(rf"Warning: Film torn\.{ending}{said}", errors[0])
    (looked,) = Timeline.load("out.csv").looked
    assert looked.frames < 40 and looked.end == pytest.approx(4.0, abs=0.15)  # it goes on behind the damage


# Places to write to


def test_places_that_cannot_be_written_are_said_before_the_work(tronie) -> None:
    film("film.mp4", 0.5)
    Path("taken.csv").mkdir()
    Path("file").touch()
    before = sorted(Path().rglob("*"))
    mistake(tronie("predict", "film.mp4", "-o", "file/out.csv"), OUTPUT, "is a file, not a folder")
    mistake(tronie("predict", "film.mp4", "-o", "out.xlsx"), OPTION, r"\.csv, \.json, \.parquet")
    mistake(tronie("watch", "film.mp4", "-o", "taken.csv"), OUTPUT, "it is a folder")
    mistake(tronie("watch", "film.mp4", "-o", "film.vtt"), OPTION, r"\.csv, \.json, \.parquet")
    mistake(tronie("segments", "film.mp4", "-o", "file/out.eaf"), OUTPUT, "is a file, not a folder")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="nothing is forbidden to this user")
def test_a_folder_that_may_not_be_written(tronie) -> None:
    film("film.mp4", 0.5)
    Path("locked").mkdir(mode=0o500)
    mistake(tronie("predict", "film.mp4", "-o", "locked/out.csv"), OUTPUT, "not allowed")


@needs_full
@pytest.mark.parametrize("command", ["predict", "watch"])
def test_a_table_that_does_not_fit_on_the_disk_is_kept_elsewhere(tronie, monkeypatch, tmp_path, command) -> None:
    film("film.mp4", 0.5)
    (tmp_path / "spare").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    text = timeline_io._text
    monkeypatch.setattr(timeline_io, "_text", lambda path: text(path if "spare" in str(path) else Path("/dev/full")))
    code, _, errors = tronie(command, "film.mp4", "-o", str(tmp_path / "out.csv"))
    assert code == OUTPUT
    assert "the disk is full" in errors[-1]
    kept = re.search(r"What was read is kept in (.+)\.$", errors[-1])[1]
    assert Timeline.load(kept).looked[0].frames == 5
    assert not list(tmp_path.glob("*.csv"))


@pytest.mark.parametrize("command", ["predict", "watch"])
def test_printing_onto_a_full_disk_loses_no_table(tronie, samples, monkeypatch, command) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    picture = np.asarray(upright(samples))
    with VideoWriter(Path("film.mp4")) as writer:
        for i in range(5):
            writer.write(picture, i / 10)
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main([command, "film.mp4", "-o", "out.csv"]) == OUTPUT
    assert Timeline.load("out.csv").looked[0].frames == 5  # the work goes on for the table


@needs_full
def test_a_full_standard_output_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        process = in_parallel("models", stdout=full, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=300)
    assert process.returncode == OUTPUT
    assert err == (
        "tronie: What was to be printed cannot be written: the disk is full. Free some space or print elsewhere.\n"
    )


# Names and numbers


def test_wrong_names_and_numbers(tronie) -> None:
    film("film.mp4", 0.5)
    for fps in ("0", "-1", "nan"):
        mistake(tronie("predict", "film.mp4", "--fps", fps), OPTION, "fps")
    mistake(tronie("predict", "film.mp4", "--fps", "fast"), OPTION, "fps")
    mistake(tronie("predict", "film.mp4", "--detector", "retinafase"), OPTION, "retinaface")
    mistake(tronie("predict", "film.mp4", "--model", "defualt"), MODEL, "defualt")
    Path("hollow").mkdir()
    mistake(tronie("predict", "film.mp4", "--model", "hollow"), MODEL, "hollow")
    mistake(tronie("predict", "film.mp4", "--bogus"), OPTION, "bogus")
    mistake(tronie("predikt", "film.mp4"), OPTION, "predikt")


@needs_model
def test_a_tampered_model_is_refused(tronie) -> None:
    film("film.mp4", 0.5)
    shutil.copytree(SRC / "tronie" / "models" / "shipped" / "default", "mine")
    with Path("mine/encoder.onnx").open("r+b") as graph:
        graph.seek(1000)
        graph.write(b"tampered")
    mistake(tronie("predict", "film.mp4", "--model", "mine"), MODEL, "hash")
    Path("mine/model.json").write_text("{")
    mistake(tronie("predict", "film.mp4", "--model", "mine"), MODEL, r"model\.json")


# Ctrl-C


@pytest.fixture(scope="module")
def portraits(tmp_path_factory) -> Path:
    """The first shot of the sample film, six times over: 18 s."""
    make = module(ROOT / "examples" / "make_film.py")
    path = tmp_path_factory.mktemp("film") / "portraits.mp4"
    frames = list(itertools.islice(make.frames(), 75))
    with VideoWriter(path, quality=35) as writer:
        for i in range(450):
            writer.write(frames[i % 75], i / make.RATE)
    return path


def read_until(terminal: int, word: bytes) -> bytes:
    heard = b""
    while word not in heard:
        piece = os.read(terminal, 4096)
        assert piece, heard
        heard += piece
    return heard


def drained(terminal: int) -> bytes:
    heard = b""
    try:
        while piece := os.read(terminal, 4096):
            heard += piece
    except OSError:  # how a terminal says that its last writer has gone
        pass
    return heard


@needs_model
@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal to press ctrl-C in")
@pytest.mark.parametrize(("command", "sign"), [("predict", b"film speed"), ("watch", b"happiness")])
def test_ctrl_c_in_the_middle_of_a_film_saves_what_is_done_and_says_so(portraits, tmp_path, command, sign) -> None:
    import pty

    ours, theirs = pty.openpty()
    # The bars of `watch` are on standard output, the progress of `predict` on standard error: both are this terminal.
    process = in_parallel(command, str(portraits), "-o", str(tmp_path / "out.csv"), stdout=theirs, stderr=theirs)
    os.close(theirs)
    heard = read_until(ours, sign)
    process.send_signal(signal.SIGINT)
    heard += drained(ours)
    os.close(ours)
    assert process.wait(300) == STOPPED, heard
    assert b"Stopping; what is done is kept" in heard and b"is saved." in heard and b"Traceback" not in heard
    (looked,) = Timeline.load(tmp_path / "out.csv").looked
    assert 0 < looked.frames < 440


@needs_model
@pytest.mark.skipif(sys.platform == "win32", reason="a signal there ends the tests too")
def test_ctrl_c_without_a_terminal(portraits, tmp_path) -> None:
    process = in_parallel(
        "watch",
        str(portraits),
        "--realtime",
        "-o",
        str(tmp_path / "out.csv"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == STOPPED, err
    assert re.fullmatch(r"0:0\d\.\d\d  person 0  \w+( +\d\.\d\d)?\n", first)
    assert err.splitlines()[-1] == "tronie: Stopped. What was read is saved."
    assert Timeline.load(tmp_path / "out.csv").looked[0].frames > 0
