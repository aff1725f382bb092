"""The lock: one holder at a time, and none that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tronie.core.errors import OutputError
from tronie.core.lock import Taken, locked

SRC = Path(__file__).parents[2] / "src"
HOLD = (
    "import sys, time; from pathlib import Path; from tronie.core.lock import locked\n"
    "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE, env=here)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_told_who_the_first_is(holder, tmp_path) -> None:
    with pytest.raises(Taken, match=rf"Another job \(process {holder.pid}\) holds .*lock: wait until"):
        locked(tmp_path / "lock").__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_killed_holder_holds_nothing_though_its_file_is_there(holder, tmp_path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").exists()
    with locked(tmp_path / "lock"):
        pass
    assert not (tmp_path / "lock").exists()


def test_who_is_patient_gets_it_when_it_is_free(holder, tmp_path) -> None:
    begin = time.monotonic()
    with pytest.raises(Taken):
        locked(tmp_path / "lock", patience=0.2).__enter__()
    assert time.monotonic() - begin >= 0.2
    holder.kill()
    with locked(tmp_path / "lock", patience=60):
        pass


def test_within_one_process_too_and_the_body_s_own_errors_pass(tmp_path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(Taken):
        locked(tmp_path / "lock").__enter__()
    with pytest.raises(FileNotFoundError, match="mine"), locked(tmp_path / "lock"):
        raise FileNotFoundError("mine")
    with locked(tmp_path / "lock"):
        pass


def test_where_no_file_can_be_made(tmp_path) -> None:
    with pytest.raises(OutputError, match="Cannot write"):
        locked(tmp_path / "nowhere" / "lock").__enter__()


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_something_else_at_the_lock_s_place_is_named(tmp_path, kind) -> None:
    path = tmp_path / "lock"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        (tmp_path / "mine").write_text("mine")
        path.symlink_to(tmp_path / "mine")
    elif hasattr(os, "mkfifo"):
        os.mkfifo(path)
    else:
        pytest.skip("this system has no named pipes")
    with pytest.raises(OutputError, match=r"lock must be a regular file of Tronie's own, .*: remove it"):
        locked(path).__enter__()
    assert kind != "link" or (tmp_path / "mine").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nobody may forbid root to write")
def test_a_folder_that_may_only_be_read_is_one_sentence(tmp_path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="writing there is not allowed"):
            locked(tmp_path / "lock").__enter__()
    finally:
        tmp_path.chmod(0o700)
