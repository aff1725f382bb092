"""Folders as people have them, through the real command: sound beside films, programs, pipes, odd names, dead links."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tronie.models.catalog import shipped
from tronie.video.write import VideoWriter

SRC = Path(__file__).parents[2] / "src"
SOURCE = 3

pytestmark = pytest.mark.skipif("default" not in shipped(), reason="the default model is not in this tree")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def run(*arguments: str, where: Path, limit: float = 120) -> tuple[int, str, str]:
    """Exit code, output and errors of the command; a hang fails the test."""
    here = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tronie", *arguments]
    done = subprocess.run(command, cwd=where, env=here, text=True, capture_output=True, timeout=limit)
    assert "Traceback" not in done.stderr and "bug in Tronie" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def read(*arguments: str, where: Path) -> tuple[int, str, str]:
    return run("predict", *arguments, "--detector", "whole", where=where)


def film(path: Path, frames: int = 3) -> None:
    with VideoWriter(path.with_name("made.mp4")) as writer:
        for i in range(frames):
            writer.write(np.full((90, 160, 3), 40 + 30 * i, np.uint8), i / 5)
    path.with_name("made.mp4").rename(path)


def sound(path: Path, codec: str, form: str) -> None:
    with av.open(f"file:{path}", "w", format=form) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        for i in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 48_000, 960 * i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def picture(path: Path) -> None:
    Image.new("RGB", (64, 64), (90, 80, 70)).save(path)


def states(out: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (out / "jobs.jsonl").read_text().splitlines()]
    return {Path(line["source"]).name: line["state"] for line in lines if "path" in line}


@pytest.fixture
def special(tmp_path):
    """A folder with a film and a picture, and beside them a pipe and links to a pipe and to a device, called alike."""
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "film.mp4")
    picture(tmp_path / "in" / "photo.png")
    os.mkfifo(tmp_path / "in" / "pipe.mp4")
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    (tmp_path / "in" / "device.png").symlink_to("/dev/zero")
    (tmp_path / "in" / "link.mp4").symlink_to("pipe.mp4")
    (tmp_path / "real.png").write_bytes((tmp_path / "in" / "photo.png").read_bytes())
    (tmp_path / "in" / "linked.png").symlink_to("../real.png")
    return tmp_path


@needs_pipes
def test_only_files_and_links_to_files_of_a_folder_are_opened(special) -> None:
    code, _, errors = read("in", "--out", "res", where=special)
    assert (code, sorted(states(special / "res"))) == (0, ["film.mp4", "linked.png", "photo.png"]), errors
    code, _, errors = read("in/*", "--out", "all.csv", where=special)
    assert code == 0, errors


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("out", [(), ("--out", "res"), ("--out", "t.csv")])
def test_links_that_lead_to_themselves_are_one_sentence_and_cost_nothing(tmp_path, out) -> None:
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "photo.png")
    (tmp_path / "in" / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "in" / "one.mp4").symlink_to("two.mp4")
    (tmp_path / "in" / "two.mp4").symlink_to("one.mp4")
    code, printed, errors = read("in", *out, where=tmp_path)
    assert code == SOURCE and "photo.png" in printed, (printed, errors)
    assert all(f"in/{name} " in errors for name in ("loop.jpg", "one.mp4", "two.mp4")), errors


@needs_pipes
def test_a_pipe_or_device_given_by_its_name_is_one_sentence(special) -> None:
    names = ["in/pipe.mp4", "in/link.mp4", "in/pipe.jpg", "in/device.png", "/dev/zero"]
    code, _, errors = read(*names, "in/photo.png", where=special)
    assert (code, errors.count("\n")) == (SOURCE, len(names))
    for name in names:
        assert f"{name} is a pipe or a device and no file" in errors


@needs_pipes
@pytest.mark.parametrize(("kind", "ending"), [("folder", "png"), ("video-folder", "mp4")])
def test_readers_of_data_sets_open_no_pipes(tmp_path, kind, ending) -> None:
    for name in ("happiness", "sadness"):
        (tmp_path / "set" / name).mkdir(parents=True)
        make = picture if ending == "png" else film
        make(tmp_path / "set" / name / f"a.{ending}")
        os.mkfifo(tmp_path / "set" / name / f"b.{ending}")
    code, told, errors = run("datasets", kind, "set", where=tmp_path)
    assert code == 0, errors
    assert "2" in told


@needs_pipes
def test_a_pipe_in_a_table_of_pictures_is_one_sentence(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    picture(tmp_path / "photo.png")
    (tmp_path / "set.csv").write_text("path,label\npipe.png,happiness\nphoto.png,sadness\n")
    code, told, _ = run("datasets", "csv", "set.csv", where=tmp_path)
    assert code == 1 and "pipe.png is a pipe or a device and no file" in " ".join(told.split())


@pytest.mark.skipif(sys.platform == "win32", reason="these names cannot exist there")
def test_a_file_is_read_whatever_its_name_resembles(tmp_path) -> None:
    names = [
        "a:b.mp4",
        "file.mp4?x",
        "http:x.mp4",
        "concat:a|b.mp4",
        "camera:0",
        "pipe:0.mp4",
        "file:film.mp4",
        "%d.mp4",
        "sub:x/film.mp4",
        "take[1]*.mp4",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        film(tmp_path / name)
    code, _, errors = read(*names, "--out", "all.csv", where=tmp_path)
    assert code == 0, errors
    assert (tmp_path / "all.csv").read_text().count("\n") == 1 + 3 * len(names)
    code, _, errors = read(".", "--out", "res", where=tmp_path)
    assert code == 0, errors
    assert states(tmp_path / "res") == {Path(name).name: "done" for name in names}


@pytest.mark.skipif(sys.platform == "win32", reason="these names cannot exist there")
def test_a_drawn_film_goes_where_its_name_says(tmp_path) -> None:
    (tmp_path / "a:b").mkdir()
    film(tmp_path / "a:b" / "film.mp4")
    code, _, errors = run("annotate", "a:b/film.mp4", "--detector", "whole", "--out", "a:b/c:d.mp4", where=tmp_path)
    assert code == 0, errors
    assert (tmp_path / "a:b" / "c:d.mp4").stat().st_size > 500


@pytest.fixture
def recording(tmp_path):
    """What a video conference leaves, and what lies beside it: a film, its sound alone, a program, a damaged film."""
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "zoom_0.mp4")
    sound(tmp_path / "in" / "audio_only.m4a", "aac", "ipod")
    sound(tmp_path / "in" / "voice.webm", "libopus", "webm")
    sound(tmp_path / "in" / "music.mp4", "aac", "mp4")
    sound(tmp_path / "in" / "voice.mka", "libopus", "matroska")
    (tmp_path / "in" / "code.ts").write_text("export const x: number = 1\n")
    (tmp_path / "in" / "words.ts").write_text('<?xml version="1.0"?><!DOCTYPE TS><TS language="de"></TS>\n')
    return tmp_path


SILENT = ["audio_only.m4a", "code.ts", "music.mp4", "voice.mka", "voice.webm", "words.ts"]


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_sound_and_programs_in_a_folder_are_passed_over(recording, jobs) -> None:
    for _ in range(2):  # the second run does not try them again
        code, _, errors = read("in", "--out", "res", "--jobs", jobs, where=recording)
        assert code == 0, errors
        told = [line for line in errors.splitlines() if "no pictures" in line]
        assert told == [
            "tronie: Passed over, because there are no pictures in them: in/audio_only.m4a, in/code.ts, "
            "in/music.mp4 and 3 more."
        ]
        assert "Warning" not in errors and "failed" not in errors
    assert states(recording / "res") == {"zoom_0.mp4": "done", **dict.fromkeys(SILENT, "passed")}
    assert (recording / "res" / "jobs.jsonl").read_text().count("started") == 7
    assert not list((recording / "res").glob("code*"))


def test_they_are_passed_over_without_a_folder_of_results_too(recording) -> None:
    for source in ("in", "in/*"):
        code, told, errors = read(source, "--json", where=recording)
        assert code == 0, errors
        assert errors.count("no pictures") == 1 and "and 3 more" in errors
        assert len(json.loads(told)["rows"]) == 3


def test_a_damaged_film_beside_them_is_still_a_failure_and_so_is_sound_by_its_name(recording) -> None:
    whole = (recording / "in" / "zoom_0.mp4").read_bytes()
    (recording / "in" / "cut.mp4").write_bytes(whole[:60])
    (recording / "in" / "cut.ts").write_bytes(bytes([0x47, 0x40, 0, 0x10]) + bytes(400))
    (recording / "in" / "empty.ts").write_bytes(b"")
    code, _, errors = read("in", "--out", "res", where=recording)
    assert code == SOURCE
    assert {name for name, state in states(recording / "res").items() if state == "failed"} == {
        "cut.mp4",
        "cut.ts",
        "empty.ts",
    }
    code, _, errors = read("in/voice.webm", "--out", "one", where=recording)
    assert code == SOURCE and "holds no moving pictures, only sound" in errors
    code, _, errors = read("in/code.ts", where=recording)
    assert code == SOURCE and "is a text, such as a program, and no film" in errors


def test_a_folder_of_nothing_but_sound_says_so(recording) -> None:
    (recording / "in" / "zoom_0.mp4").unlink()
    for out in ([], ["--out", "res"]):
        code, _, errors = read("in", *out, where=recording)
        assert code == SOURCE and errors.count("\n") == 1
        assert "Nothing to read was found. Passed over" in errors
