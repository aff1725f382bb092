"""Counting is shown to people who watch, and to nobody else."""

from __future__ import annotations

import io
import sys

import pytest

from tronie.cli import counting as module
from tronie.cli.counting import counting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with counting() as count:
        count("x", 1, 2)
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_how_far_it_is_and_is_left_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with counting() as count:
        count("cutting", 0, 4000)
        assert terminal.getvalue() == ""  # too early to say anything
        now += 10
        count("cutting", 1000, 4000)
        now += 0.05
        count("cutting", 1001, 4000)  # too soon again
        now += 390
        count("cutting", 2000, 4000)
    lines = terminal.getvalue().split("\r")
    assert lines[1] == "cutting: 1,000 of 4,000 (30 s left)"
    assert lines[2].rstrip() == "cutting: 2,000 of 4,000 (7 min left)"
    assert lines[3].strip() == "" and lines[4] == ""


def test_hidden_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with counting(hidden=True) as count:
        count("x", 1, 2)
    assert terminal.getvalue() == ""
