"""Without a terminal: a line now and then says how far the work is and how long it will still take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tronie.cli import progress
from tronie.pipeline.analyser import Progress

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def lines(monkeypatch, capsys):
    """Gives the lines said about a report: the work began ``spent`` seconds ago with the report ``first``."""
    monkeypatch.setattr(progress, "EVERY", 0.02)

    def told(first: Progress, now: Progress, spent: float) -> list[str]:
        with progress.bar() as report:
            report(first)
            report.__self__._begun -= spent
            report(now)
            until = time.monotonic() + 20
            found: list[str] = []
            while not found and time.monotonic() < until:
                time.sleep(0.01)
                found = capsys.readouterr().err.splitlines()
        return found

    return told


HOUR, LOUD = 3600, "a\x1b[2J.mp4"


@pytest.mark.parametrize(
    ("first", "now", "spent", "says"),
    [
        (
            Progress("film.mp4", 0, 600),
            Progress("film.mp4", 150, 600),
            60,
            "film.mp4 at 2:30 of 10:00, 25 % done, about 3 min left.",
        ),
        (
            Progress("film.mp4", 0, 2 * HOUR),
            Progress("film.mp4", HOUR + 61, 2 * HOUR),
            9_000,
            "film.mp4 at 1:01:01 of 2:00:00, 50 % done, about 2 h 25 min left.",
        ),
        (Progress("film.mp4"), Progress("film.mp4", 75), 60, "film.mp4 at 1:15."),
        (
            Progress("a.mp4", 0, 10, 0, 4),
            Progress("c.mp4", 5, 10, 2, 4),
            50,
            "2 of 4 sources, c.mp4 at 0:05 of 0:10, 62 % done, about 30 s left.",
        ),
        (
            Progress("a.mp4", 0, 10, 30, 40, 0.0),
            Progress("", 0, None, 35, 40, 0.5),
            600,
            "35 of 40 sources, 50 % done, about 10 min left.",
        ),
        (Progress(LOUD, 0, 10), Progress(LOUD, 5, 10), 5, "a\\x1b[2J.mp4 at 0:05 of 0:10, 50 % done, about 5 s left."),
    ],
)
def test_how_far_and_how_long_still(lines, first, now, spent, says) -> None:
    assert lines(first, now, spent)[0] == f"tronie: {says}"


def test_nothing_is_said_of_short_work_or_where_it_is_not_wanted(capsys, monkeypatch) -> None:
    with progress.bar() as report:
        report(Progress("film.mp4", 1, 2))
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with progress.bar(hidden=True) as report:
        assert report is None
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_reader_of_the_log_that_has_gone_ends_nothing(monkeypatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        with progress.bar() as report:
            report(Progress("film.mp4", 1, 2))
            time.sleep(0.1)
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            gone.close()


COMMAND = (
    "import sys, tronie.cli.progress as p, tronie.pipeline.archive as j\n"
    "p.EVERY, j._LOOK = 0.05, 0.05\n"
    "from tronie.cli import main\nif __name__ == '__main__': sys.exit(main(sys.argv[1:]))\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--out", "res"], ["--out", "res", "--jobs", "2"]])
def test_the_command_says_how_far_it_is(tmp_path, more) -> None:
    import numpy as np

    from tronie.video.write import VideoWriter

    for name in ("a", "b"):
        with VideoWriter(tmp_path / f"{name}.mp4") as writer:
            for i in range(40):
                writer.write(np.full((90, 160, 3), 5 * i, np.uint8), i / 5)
    (tmp_path / "command.py").write_text(COMMAND)
    here = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "command.py", "predict", "a.mp4", "b.mp4", "--detector", "whole", *more],
        cwd=tmp_path,
        env=here,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "of 2 sources" in line and "% done" in line]
    assert told and any("left." in line for line in told), done.stderr
