"""The tracer counts calls between modules of the package, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("walk_tool", REPO / "tools" / "walk.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(name: str, code: str, **names: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(names)
    exec(code, module.__dict__)
    return module


def test_moves_are_distinct_pairs_and_libraries_are_seen_through(tool: ModuleType) -> None:
    core = made("tronie.core.x", "def low():\n    return helper()\ndef helper():\n    return 1")
    library = made("json.other", "def through(f):\n    return f()")
    cli = made("tronie.cli.y", "def top():\n    return through(low) + low()", low=core.low, through=library.through)
    found = tool.Walk()
    before = sys.getprofile()
    sys.setprofile(found.trace)
    try:
        assert cli.top() == 2
    finally:
        sys.setprofile(before)
    assert found.moves == {("cli.y", "core.x")} and found.rooms == ["cli", "core"]


def test_a_command_is_walked(tmp_path: Path) -> None:
    command = [sys.executable, str(REPO / "tools" / "walk.py"), "models"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("walk: ") and "cli" in last and " moves" in last
