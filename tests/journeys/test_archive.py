"""An archive through the real command: killed, starved of disk, shared by processes, and by a Ray cluster."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tronie.models.catalog import shipped
from tronie.video.write import VideoWriter

SRC = Path(__file__).parents[2] / "src"
OUTPUT = 5

pytestmark = [
    pytest.mark.skipif("default" not in shipped(), reason="the default model is not in this tree"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Three films of noise that drifts, read as if every frame were a face: no network is to be waited for."""
    root = tmp_path_factory.mktemp("archive")
    for number in range(3):
        film(root / f"film{number}.mp4", number, 14 if number else 8)
    return root


def film(path: Path, seed: int, seconds: float, rate: int = 5) -> None:
    big = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, quality=35, keyframes=20) as writer:
        for i in range(round(seconds * rate)):
            writer.write(np.roll(big, i, 1), i / rate)


def begin(*arguments: str, **more) -> subprocess.Popen[str]:
    here = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tronie", "predict", *arguments, "--detector", "whole"],
        env=here,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **more,
    )


def run(*arguments: str, **more) -> tuple[int, str]:
    process = begin(*arguments, **more)
    _, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors
    return process.returncode, errors


@pytest.fixture(scope="module")
def whole(archive, tmp_path_factory) -> dict[str, bytes]:
    """What an uninterrupted run leaves."""
    out = tmp_path_factory.mktemp("whole")
    assert run(str(archive), "-o", str(out))[0] == 0
    return tables(out)


def tables(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file() and path.name != "jobs.jsonl"}


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "jobs.jsonl").read_text().splitlines()[1:]]


def grown(out: Path, size: int) -> None:
    """Come back when so many bytes of rows are there."""
    until = time.monotonic() + 120
    while (
        sum(path.stat().st_size for path in out.rglob("*.rows"))
        + sum(path.stat().st_size for path in out.glob("*.csv"))
        < size
        and time.monotonic() < until
    ):
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_at_random_moments_and_gone_on(archive, whole, tmp_path) -> None:
    total = sum(len(data) for name, data in whole.items() if name.startswith("film") and name.endswith(".csv"))
    moments = sorted(random.Random(5).randrange(total // 20, total) for _ in range(4))
    killed = 0
    for moment in moments:
        process = begin(str(archive), "-o", str(tmp_path), "-q")
        grown(tmp_path, moment)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    code, _ = run(str(archive), "-o", str(tmp_path), "-q")
    assert code == 0 and killed >= 2
    assert tables(tmp_path) == whole
    assert sorted(line["source"][-9:] for line in lines(tmp_path) if line["state"] == "done") == [
        "film0.mp4",
        "film1.mp4",
        "film2.mp4",
    ]
    assert [path.name for path in (tmp_path / ".tronie").iterdir() if path.suffix != ".csv"] == []


def children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, line = (folder / "stat").read_text(), (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) == parent and "spawn_main" in line:
            found.append(int(folder.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_killed_worker_costs_its_film_in_flight_only(archive, whole, tmp_path) -> None:
    for attempt in range(5):  # on a busy machine all may be read before the kill: then once more
        out = tmp_path / str(attempt)
        process = begin(str(archive), "-o", str(out), "--jobs", "2", "-q")
        grown(out, 5_000)
        with suppress(IndexError, ProcessLookupError):
            os.kill(children(process.pid)[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=300)
        assert (process.returncode, errors) == (0, "")
        assert tables(out) == whole
        if again := [line for line in lines(out) if line["state"] == "again"]:
            break
    states = [line["state"] for line in lines(out)]
    assert (states.count("done"), states.count("again"), states.count("failed")) == (3, 1, 0)
    assert "ended without a word" in again[0]["error"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_workers_go_when_their_parent_is_killed(archive, whole, tmp_path) -> None:
    process = begin(str(archive), "-o", str(tmp_path), "--jobs", "2", "-q")
    grown(tmp_path, 5_000)
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait()
    code, errors = run(str(archive), "-o", str(tmp_path), "-q")  # at once: it waits for films that are still held
    assert (code, errors) == (0, "")
    assert not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers)
    assert tables(tmp_path) == whole


def killed_early(out: Path, process: subprocess.Popen[str], times: int, how: int, when: str) -> int:
    """Send a signal to the process that reads, once there is a file ``when``, so many times; how often one was hit."""
    hit: list[int] = []
    until = time.monotonic() + 200
    while len(hit) < times and process.poll() is None and time.monotonic() < until:
        for worker in children(process.pid):
            if worker not in hit and len(hit) < times and any((out / ".tronie").glob(when)):
                hit.append(worker)
                os.kill(worker, how)
        time.sleep(0.02)
    return len(hit)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_healthy_film_gets_through_though_its_reader_is_killed_five_times_at_once(archive, whole, tmp_path) -> None:
    process = begin(str(archive / "film0.mp4"), "-o", str(tmp_path), "--jobs", "2", "-q")
    assert killed_early(tmp_path, process, 5, signal.SIGKILL, "*.rows") == 5
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert tables(tmp_path)["film0.csv"] == whole["film0.csv"]
    assert [line["state"] for line in lines(tmp_path)].count("again") == 5


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_film_that_crashes_its_reader_is_given_up_after_three_and_the_crash_is_named(archive, tmp_path) -> None:
    process = begin(str(archive / "film0.mp4"), "-o", str(tmp_path), "--jobs", "2")
    assert killed_early(tmp_path, process, 4, signal.SIGSEGV, "*.crash") == 3
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 3
    assert "it crashed (Segmentation fault)" in errors and "happened 3 times at 0 s" in errors
    assert not any((tmp_path / ".tronie").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_machine_that_is_taken_away_again_and_again_condemns_nothing(archive, whole, tmp_path, jobs) -> None:
    for _ in range(3):
        process = begin(str(archive / "film0.mp4"), "-o", str(tmp_path), "--jobs", jobs, "-q")
        while process.poll() is None and not any((tmp_path / ".tronie").glob("*.rows")):
            time.sleep(0.01)
        process.kill()
        process.wait()
        process.stderr.close()
        for rows in (tmp_path / ".tronie").glob("*.rows"):
            rows.unlink()
    assert run(str(archive / "film0.mp4"), "-o", str(tmp_path), "--jobs", jobs, "-q") == (0, "")
    assert tables(tmp_path)["film0.csv"] == whole["film0.csv"]


def test_two_jobs_at_once(archive, tmp_path) -> None:
    first = begin(str(archive), "-o", str(tmp_path), "-q")
    grown(tmp_path, 100)
    first.send_signal(signal.SIGSTOP)  # it holds the folder, however long the second takes to begin
    code, errors = run(str(archive), "-o", str(tmp_path))
    first.kill()
    first.wait()
    first.stderr.close()
    assert code == OUTPUT
    assert errors.count("\n") == 1 and "is being written by another job: wait until it has ended" in errors
    assert f"process {first.pid}" in errors


def test_ctrl_c_keeps_what_is_done(archive, whole, tmp_path) -> None:
    for attempt in range(5):  # on a busy machine all may be read before the key is pressed: then once more
        out = tmp_path / str(attempt)
        process = begin(str(archive), "-o", str(out), "--jobs", "2")
        grown(out, 5_000)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        if process.returncode != 0:
            break
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "tronie: Stopped. What is done is kept; the same command goes on from there."
    assert run(str(archive), "-o", str(out), "-q") == (0, "")
    assert tables(out) == whole


@pytest.mark.parametrize("wait", [0.1, 0.4])
def test_ctrl_c_while_workers_start_is_one_sentence(archive, tmp_path, wait) -> None:
    """A terminal sends it to every process of the command, also to those that do not ignore it yet."""
    process = begin(str(archive), "-o", str(tmp_path), "--jobs", "2", start_new_session=True)
    until = time.monotonic() + 120
    while not ((tmp_path / "jobs.jsonl").is_file() and lines(tmp_path)):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in errors and "KeyboardInterrupt" not in errors, errors


def test_a_disk_that_fills_up_is_one_sentence_and_nothing_is_lost(archive, whole, tmp_path) -> None:
    import resource

    def no_more() -> None:  # files may not grow beyond this: what a full disk is to a process
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    code, errors = run(str(archive), "-o", str(tmp_path), "-q", preexec_fn=no_more)
    assert code == OUTPUT
    assert errors.count("\n") == 1 and "Cannot write" in errors
    assert run(str(archive), "-o", str(tmp_path), "-q") == (0, "")
    assert tables(tmp_path) == whole


def test_a_place_that_may_not_be_written(archive) -> None:
    if not Path("/proc/version").exists():
        pytest.skip("there is no folder that nobody may write")
    code, errors = run(str(archive), "-o", "/proc/tronie")
    assert code == OUTPUT and errors.count("\n") == 1 and "Cannot write" in errors


@pytest.mark.slow
def test_a_ray_cluster_of_two_workers_one_killed(archive, whole, tmp_path) -> None:
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    process = begin(str(archive), "-o", str(tmp_path / "out"), "--engine", "ray", "--jobs", "2", "-q")
    grown(tmp_path / "out", 5_000)
    (victim, *_) = ray_workers()
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert tables(tmp_path / "out") == whole
    done = [line["source"] for line in lines(tmp_path / "out") if line["state"] == "done"]
    assert len(done) == len(set(done)) == 3


def ray_workers() -> list[int]:
    """Processes of ours that do a shard just now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "ray::_shard" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
