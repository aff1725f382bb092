"""Files of others: each fault is one sentence, and what a file may hold is bounded."""

from __future__ import annotations

import ast
import json
import os
import time
from pathlib import Path

import pytest

from tronie.core.errors import ModelError, SourceError
from tronie.core.files import parse_json, read_bytes, read_json


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 33 + "]" * 33, "33|nested more than 32"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 50_000, "nested"),
        ('{"a": 1, "b": 2, "a": 3}', "says 'a' twice"),
        ("1" + "0" * 400, "more than 64 bits"),
        ("9223372036854775808", "more than 64 bits"),
        ("-9223372036854775809", "more than 64 bits"),
        ("1e999", "not finite"),
        ("[NaN]", "not finite"),
        ('{"x": -Infinity}', "not finite"),
        ('"\\ud800"', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("{", "no JSON"),
        ("", "no JSON"),
        (b"\xff\xfe", "utf-8"),
        ('{"' + "k" * 5000 + '": 1, "' + "k" * 5000 + '": 1}', "says 'kkk.*…' twice"),
    ],
)
def test_what_no_reader_should_take_is_said_in_half_a_sentence(text, says) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "[{[{"], "b": {"c": -(2**63), "d": 2**63 - 1}},
        '\\"[[',
        "😀 \u202e",
        [],
        {},
        0,
        "",
        [[[[[[[[]]]]]]]],
    ],
)
@pytest.mark.parametrize("ascii_", [True, False])
def test_what_json_writes_is_read_back(value, ascii_) -> None:
    text = json.dumps(value, ensure_ascii=ascii_)
    assert parse_json(text) == parse_json(text.encode()) == parse_json(b"\xef\xbb\xbf" + text.encode()) == value


def test_a_large_table_is_read_in_linear_time() -> None:
    rows = json.dumps([{"x": 0.5, "name": "a \\ [", "n": i} for i in range(40_000)])
    began = time.process_time()
    assert len(parse_json(rows)) == 40_000
    assert time.process_time() - began < 10  # 0.2 s; a quadratic reader would take minutes


def test_files_are_regular_and_bounded(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1]}')
    assert read_json(tmp_path / "a.json") == {"a": [1]}
    with pytest.raises(SourceError, match=r"a\.json has 10 bytes, and such a file may have 9"):
        read_json(tmp_path / "a.json", most=9)
    with pytest.raises(ModelError, match=r"missing\.json cannot be read: No such file"):
        read_json(tmp_path / "missing.json", error=ModelError)
    with pytest.raises(ModelError, match="nested more than 1 levels"):
        read_json(tmp_path / "a.json", deepest=1, error=ModelError)
    with pytest.raises(SourceError, match="no regular file"):
        read_bytes(tmp_path)
    with pytest.raises(SourceError, match="no name that a file can have"):
        read_bytes(tmp_path / "a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(SourceError, match="no regular file"):
        read_json(tmp_path / "pipe.json")


OWN = {"core/mark.py"}
"""Reads a mark as Python does: it may hold infinities, and counts only where it has the hash that stands above it."""


def test_json_and_arrays_of_others_have_one_reader() -> None:
    """A new place that reads JSON or NumPy's files by itself is noticed here."""
    package = Path(__file__).parents[2] / "src" / "tronie"
    found = {"json": set(), "np": set(), "pickle": set()}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in ("load", "loads"):
                found.get(node.value.id, set()).add(path.relative_to(package).as_posix())
    assert found["json"] - OWN == {"core/files.py"}
    assert found["np"] == {"core/arrays.py", "nn/text/shipped.py"}  # the second reads what the package itself carries
    assert found["pickle"] == set()
