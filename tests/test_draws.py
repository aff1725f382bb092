"""Tests draw the same numbers on every machine: what they draw from is seeded, here or by tests/conftest.py."""

from __future__ import annotations

import ast
import random
import zlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

TESTS = Path(__file__).parent
OWN = {"default_rng", "RandomState", "Random", "SystemRandom"}
"""Makers of generators that conftest.py cannot seed: without an argument each draws what nobody can draw again."""


def unseeded(source: str) -> list[int]:
    """Lines that make a generator without a seed, or that share one of the module between tests: order then counts."""
    found = []
    for node in ast.walk(tree := ast.parse(source)):
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in OWN:
                found.append(node.lineno)
    seeded = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "manual_seed"}
    found += [
        n.lineno
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and id(n) not in seeded and ast.unparse(n.func) in ("torch.Generator", "Generator")
    ]
    makers = {*OWN, "Generator", "manual_seed"}
    shared = {
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "attr", getattr(node.value.func, "id", "")) in makers
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found += [n.lineno for f in functions for n in ast.walk(f) if isinstance(n, ast.Name) and n.id in shared]
    return sorted(found)


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("rng = np.random.default_rng()", True),
        ("rng = np.random.default_rng(3)", False),
        ("rng = random.Random()", True),
        ("rng = random.Random(seed)", False),
        ("rng = torch.Generator()", True),
        ("rng = torch.Generator().manual_seed(0)", False),
        ("def test(): R.random()\nR = np.random.default_rng(3)", True),
        ("R = np.random.default_rng(3)\nA = R.random()", False),
    ],
)
def test_what_is_seeded(line: str, bad: bool) -> None:
    assert unseeded(line) == ([1] if bad else [])


def test_every_generator_of_the_tests_has_a_seed() -> None:
    found = {
        str(p.relative_to(TESTS)): lines
        for p in sorted(TESTS.rglob("*.py"))
        if (lines := unseeded(p.read_text(encoding="utf-8")))
    }
    assert found == {}


def _drawn() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(1))]  # noqa: NPY002  # those that all share


def _expected(config: pytest.Config, name: str) -> list[float]:
    seed = zlib.crc32(f"{config.getoption('draw')} {name}".encode())
    one = torch.rand(1, generator=torch.Generator().manual_seed(seed))
    return [random.Random(seed).random(), float(np.random.RandomState(seed).rand()), float(one)]


@pytest.fixture
def drawn() -> list[float]:
    return _drawn()


def test_what_fixtures_and_tests_draw_hangs_on_their_names_alone(
    drawn: list[float], request: pytest.FixtureRequest
) -> None:
    assert drawn == _expected(request.config, "tests/test_draws.py::drawn")
    assert _drawn() == _expected(request.config, request.node.nodeid)
