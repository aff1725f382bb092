"""Extras are named in one way, and every extra that is named anywhere exists."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tronie.core.errors import MissingExtraError, installed_by
from tronie.core.registry import EXTRAS

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
KNOWN = PROJECT["optional-dependencies"]


def errors_raised() -> list[tuple[str, str]]:
    """Every extra that the code raises MissingExtraError about, with its place."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id in ("MissingExtraError", "installed_by"):
                extra = node.args[-1]
                if isinstance(extra, ast.Constant):
                    found.append((extra.value, f"{path.name}:{node.lineno}"))
    return found


def test_every_extra_that_an_error_names_exists() -> None:
    found = errors_raised()
    assert {extra for extra, _ in found} >= {"plot", "table", "polars", "cluster", "train", "text"}
    assert [place for extra, place in found if extra not in KNOWN] == []


def test_every_extra_in_words_exists_and_is_installed_by_one_line() -> None:
    shape = re.compile(r"""(?:pip install )?(?P<quote>['"]?)(?:tronie|\.)\[(?P<extras>[a-z, ]+)\](?P=quote)""")
    told, named = set(), 0
    for path in [*SOURCES, *PAGES]:
        words = path.read_text("utf-8")
        for match in shape.finditer(words):
            named += 1
            assert set(re.split(", *", match["extras"])) <= set(KNOWN), (path, match[0])
            assert match["quote"] == '"', f"{path} writes {match[0]}: double quotes are what every shell takes"
        told |= {(extra, path.name) for extra in re.findall(r"""extra ['"`]([a-z]+)['"`]""", words)}
    assert named >= 6 and len(told) >= 8
    assert [place for extra, place in told if extra not in KNOWN] == []


def test_the_table_of_packages_agrees_with_the_project() -> None:
    """The import names of what extras install; a package that is in two belongs to the one that is about it."""
    for package, extra in EXTRAS.items():
        wanted = package.replace("_", "-")
        required = {re.split(r"[<>=]", one)[0].removesuffix("-ng") for one in KNOWN[extra]}
        assert wanted in required, (package, extra)


@pytest.mark.parametrize("extra", [name for name in KNOWN if name != "dev"])
def test_the_error_says_the_line(extra) -> None:
    assert installed_by(extra) == f'pip install "tronie[{extra}]"'
    assert str(MissingExtraError("Plotting", extra)) == f"Plotting needs the extra '{extra}': {installed_by(extra)}"


CALLS = {
    "matplotlib": (["plot", "film.csv", "--out", "a.png"], "plot"),
    "pyarrow": (["predict", "nothing.mp4", "--out", "a.parquet"], "table"),
    "torch": (["train", "baseline-static"], "train"),
}


@pytest.mark.parametrize("package", CALLS)
def test_a_command_without_its_extra_says_the_line_before_any_work(tmp_path, package) -> None:
    arguments, extra = CALLS[package]
    code = f"import sys; sys.modules['{package}'] = None; from tronie import cli; sys.exit(cli.main({arguments}))"
    here = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=here, cwd=tmp_path)
    assert answer.returncode == MissingExtraError.exit_code, answer.stderr
    assert answer.stdout == "" and len(answer.stderr.splitlines()) == 1 and installed_by(extra) in answer.stderr
    assert list(tmp_path.iterdir()) == []
