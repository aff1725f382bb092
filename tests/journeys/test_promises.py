"""SECURITY.md's promises about what the commands do to the machine, each tested from its sentence.

One process runs the practitioner's commands one after the other, on photos, a film and tables, with a guard that hears
of every program started, file written, connection made and object unpickled; further ones run out of room at any byte.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tronie.video.write import VideoWriter

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "samples" / "astronaut.jpg"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="the system tells of opened files in this way on Linux only")

COMMANDS = [
    ["predict", "in/film.mp4", "in/photo.jpg", "--out", "out/t.csv"],
    ["predict", "in/photo.jpg", "--json"],
    ["predict", "in", "--out", "out/many/"],
    ["predict", "in", "--out", "out/many/"],
    ["predict", "in/film.mp4", "--out", "out/film.csv"],
    ["predict", "in/film.mp4", "--out", "out/film.json"],
    ["segments", "out/film.csv", "--out", "out/s.eaf"],
    ["segments", "out/film.csv", "--out", "out/s.vtt"],
    ["segments", "out/film.csv", "--out", "out/s.TextGrid"],
    ["segments", "out/film.csv", "--out", "out/s.csv"],
    ["compare", "out/film.csv", "in/coder.csv", "--out", "out/c.json"],
    ["report", "out/film.csv", "--out", "out/r.html", "--film", "in/film.mp4"],
    ["annotate", "in/film.mp4", "--out", "out/a.mp4", "--table", "out/film.csv"],
    ["annotate", "in/photo.jpg", "--out", "out/a.png", "--anonymise"],
    ["selfcheck", "in/photo.jpg", "--out", "out/k.csv"],
    ["models"],
    ["predict", "bad/broken.jpg"],
]

GUARDED = """
import json, os, sys
from pathlib import Path
scripts, commands = sys.argv[1], json.loads(sys.argv[2])
sys.path.insert(0, scripts)
from outside import Guard
from tronie import cli
told = []
guard = Guard(Path("out"), (Path("in"), Path.home()))
for line in commands:
    code = cli.main(line)
    told.append([line, code, guard.seen()])
Path("told.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with ``in`` (a photo, a film of it, a coder's file, a secret) and an empty home."""
    folder = tmp_path_factory.mktemp("promises")
    for name in ("in", "bad", "out", "home"):
        (folder / name).mkdir()
    with Image.open(SAMPLE) as opened:
        picture = opened.convert("RGB").resize((160, 160))
    picture.save(folder / "in" / "photo.jpg")
    with VideoWriter(folder / "in" / "film.mp4") as writer:
        for i in range(5):
            writer.write(np.asarray(picture), i / 5)
    (folder / "in" / "coder.csv").write_text("start,end,label\n0,0.5,happiness\n0.5,1,neutral\n")
    (folder / "bad" / "broken.jpg").write_bytes((folder / "in" / "photo.jpg").read_bytes()[:200])
    (folder / "in" / ".secret").write_text("nobody reads this")
    return folder


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def told(room):
    """What the guard heard, by command; and that nothing but ``out`` has changed."""
    before = {name: files(room / name) for name in ("in", "home")}
    home = {"HOME": str(room / "home"), "XDG_CACHE_HOME": str(room / "home"), "MPLCONFIGDIR": str(room / "home")}
    run = subprocess.run(
        [sys.executable, "-c", GUARDED, str(ROOT / "benchmarks" / "robustness"), json.dumps(COMMANDS)],
        cwd=room,
        env={**ENVIRONMENT, **home},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert {name: files(room / name) for name in ("in", "home")} == before
    return [(" ".join(line), code, seen) for line, code, seen in json.loads((room / "told.json").read_text())]


@linux
def test_no_command_starts_a_program_connects_unpickles_or_writes_outside_its_output(told) -> None:
    assert [(line, seen) for line, _, seen in told if seen] == []
    assert [code for _, code, _ in told] == [0] * (len(COMMANDS) - 1) + [3]


@linux
def test_the_guard_hears_what_it_is_for(tmp_path) -> None:
    """Else the test above could not fail."""
    script = """
import os, socket, subprocess, sys, pickle, ctypes
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from outside import Guard
for name in ("out", "in"):
    Path(name).mkdir()
Path("in/secret.txt").write_text("x")
guard = Guard(Path("out"), (Path("in"),))
def connect():
    try:
        socket.create_connection(("127.0.0.1", 9), 0.1)
    except OSError:
        pass
def library():
    handle = ctypes.CDLL(None).open(b"in/secret.txt", 0)
    os.close(handle)
deeds = {"inside": lambda: Path("out/a").write_text("x"), "read": lambda: Path("out/a").read_text(),
         "outside": lambda: Path("b").write_text("x"),
         "program": lambda: subprocess.run(["true"]), "connect": connect,
         "pickle": lambda: pickle.loads(pickle.dumps(print)), "library": library,
         "rename": lambda: os.rename("out/a", "c"), "remove": lambda: os.remove("c")}
heard = {name: bool((deed(), guard.seen())[1]) for name, deed in deeds.items()}
if not (child := os.fork()):
    os._exit(0)
heard["child"] = "a child process" in guard.seen()
print(heard)
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(ROOT / "benchmarks" / "robustness")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ast.literal_eval(run.stdout) == {
        "inside": False,
        "read": False,
        "outside": True,
        "program": True,
        "connect": True,
        "pickle": True,
        "library": True,
        "rename": True,
        "remove": True,
        "child": True,
    }


NETWORK = {
    "socket",
    "http",
    "urllib",
    "ssl",
    "ftplib",
    "smtplib",
    "asyncio",
    "requests",
    "httpx",
    "aiohttp",
    "telnetlib",
    "xmlrpc",
    "webbrowser",
    "socketserver",
    "imaplib",
    "poplib",
}


def test_no_module_of_the_package_brings_a_client_of_the_network() -> None:
    """``urllib.parse`` takes addresses apart and opens none; ``socket`` may name this machine."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            )
            found += [(path.name, n) for n in names if n.split(".")[0] in NETWORK and n != "urllib.parse"]
    assert [one for one in found if one != ("team.py", "socket")] == []


CRAMPED = """
import contextlib, io, json, resource, signal, sys
from pathlib import Path
from tronie import cli
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
told = []
for name, line in json.loads(sys.argv[1]).items():
    for most in (0, 90):
        out = Path(f"{most}") / name
        out.parent.mkdir(exist_ok=True)
        out.write_text("the result before")
        said = io.StringIO()
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = cli.main([*line, str(out)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        told.append([name, most, code, said.getvalue(), out.read_text(errors="replace")])
Path("told.json").write_text(json.dumps(told))
"""
RESULTS = {
    "t.csv": ["predict", "in/film.mp4", "--out"],
    "t.json": ["predict", "in/film.mp4", "--out"],
    "s.eaf": ["segments", "film.csv", "--out"],
    "s.vtt": ["segments", "film.csv", "--out"],
    "s.TextGrid": ["segments", "film.csv", "--out"],
    "s.csv": ["segments", "film.csv", "--out"],
    "c.json": ["compare", "film.csv", "in/coder.csv", "--out"],
    "r.html": ["report", "film.csv", "--film", "in/film.mp4", "--out"],
    "a.mp4": ["annotate", "in/film.mp4", "--table", "film.csv", "--out"],
    "a.png": ["annotate", "in/photo.jpg", "--out"],
    "p.svg": ["plot", "film.csv", "--out"],
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_result_for_which_there_is_no_room_leaves_the_one_before_whole(room, tmp_path) -> None:
    """No file may grow beyond 0 or 90 bytes: what lies there stays, and nothing half-written lies beside it."""
    (tmp_path / "in").symlink_to(room / "in")
    subprocess.run(
        [sys.executable, "-m", "tronie", "predict", "in/film.mp4", "--out", "film.csv", "-q"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        check=True,
    )
    subprocess.run([sys.executable, "-c", CRAMPED, json.dumps(RESULTS)], cwd=tmp_path, env=ENVIRONMENT, check=True)
    told = json.loads((tmp_path / "told.json").read_text())
    assert len(told) == 2 * len(RESULTS)
    for name, most, code, said, left in told:
        assert (code, left) == (5, "the result before"), (name, most, said)
        assert len(said.splitlines()) == 1 and "bug" not in said, said
    for most in ("0", "90"):
        assert sorted(p.name for p in (tmp_path / most).iterdir()) == sorted(RESULTS)


def test_every_promise_names_a_test_that_is_there() -> None:
    """The table of SECURITY.md: each row has a file of tests or a page, and each of them exists."""
    rows = [
        line.split("|")[1:3]
        for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ][2:]
    assert len(rows) >= 14
    for promise, held in rows:
        named = [word.strip("`").split("::") for word in held.replace(",", " ").split() if word.startswith("`tests/")]
        assert named, promise
        for path, *test in named:
            assert (ROOT / path).exists(), path
            assert not test or f"def {test[0]}(" in (ROOT / path).read_text(encoding="utf-8"), (path, test)
