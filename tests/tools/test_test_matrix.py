"""The matrix of settings: what a run is told, what is counted, and that a failure is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "test_matrix.py"
TESTS = """
import os, pytest
def test_fine(): assert os.environ["LC_ALL"] == "C" and "OPENBLAS_CORETYPE" not in os.environ
@pytest.mark.skip
def test_left_out(): pass
@pytest.mark.parametrize("x", [1, 2])
def test_bad(x): assert x == {wanted}
"""


@pytest.mark.parametrize(("wanted", "failed"), [("x", []), ("1", ["test_bad[2]"])])
def test_one_setting(wanted: str, failed: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS.format(wanted=wanted))
    told = [
        sys.executable,
        str(TOOL),
        "--only",
        "LC_ALL",
        "--jobs",
        "0",
        "--",
        str(tmp_path),
        "-p",
        "no:cacheprovider",
        f"--rootdir={tmp_path}",
        "-c",
        os.devnull,
    ]
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Zen"}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(told, capture_output=True, text=True, env=environment, check=False)
    head, _, row, *rest = done.stdout.splitlines()
    assert head.startswith("| setting | passed"), done.stdout + done.stderr
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["LC_ALL=C", str(3 - len(failed)), str(len(failed)), "1"]
    assert [line.split("::")[1] for line in rest] == failed and done.returncode == bool(failed)
