"""Scripts of the benchmarks import each other by bare names, so no two of them, nor a test's helper, may share one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def test_scripts_and_helpers_have_names_of_their_own() -> None:
    scripts = [p for p in (REPO / "benchmarks").rglob("*.py") if "peers" not in p.parts]
    helpers = [p for p in (REPO / "tests").rglob("*.py") if not p.name.startswith("test_") and p.name != "conftest.py"]
    tools = (REPO / "tools").glob("*.py")
    names = Counter(p.stem for p in (*scripts, *helpers, *tools))
    assert [name for name, count in names.items() if count > 1] == []
