"""Options that would have no effect are refused: who gave one believes that it did something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from tronie.cli.common import Reading
from tronie.core.errors import SettingError, SourceError

if TYPE_CHECKING:
    from tronie.video.sources import Source

NEEDS = (
    ("plot", "track", "where"),
    ("datasets", "root", "name"),
    ("datasets", "pixels", "root"),
    ("datasets", "set", "root"),
    ("prepare", "seed", "folds"),
    ("compare", "csv_safe", "out"),
    ("selfcheck", "csv_safe", "out"),
    ("evaluate", "robustness", "out"),  # its scores are only in the files
)
"""Command, option, and the option or argument without which it does nothing."""
EXCLUDES = (
    ("plot", "summary", "where"),
    ("selfcheck", "worst", "quiet"),
    ("watch", "display", "quiet"),
    ("audit", "features", "probabilities"),
    ("audit", "views", "probabilities"),
    ("train", "out", "resume"),
    ("train", "folds", "resume"),  # those that were begun are gone on with
)
"""Command, option, and the option with which it does nothing."""
_ARGUMENTS = ("name", "root")  # of `datasets`: given by their place


def refuse_idle(command: str, given: Collection[str]) -> None:
    """Raise SettingError for an option among those ``given`` that does nothing without, or with, another."""
    for _, option, other in (rule for rule in NEEDS if rule[0] == command):
        if option in given and other not in given:
            raise SettingError(f"{_named(option)} has no effect without {_named(other)}: give both, or leave it out.")
    for _, option, other in (rule for rule in EXCLUDES if rule[0] == command):
        if option in given and other in given:
            raise SettingError(f"{_named(option)} has no effect with {_named(other)}: leave one of them out.")


def _named(option: str) -> str:
    return option.upper() if option in _ARGUMENTS else f"--{option.replace('_', '-')}"


def refuse_reading(reading: Reading, table: str | Path) -> None:
    """Raise SettingError where options say how to read a film, and its ``table`` has been read already."""
    given = [_named(one.name) for one in fields(reading) if getattr(reading, one.name) != one.default]
    if given:
        raise SettingError(
            f"{' and '.join(given)} would say how a film is read, and {table} is what was read of it: "
            "leave that out, or give the film instead."
        )


def refuse_for_photos(sources: Sequence[str], reading: Reading, baseline: str = "model") -> None:
    """Raise SettingError where options are for films, and all the sources there are are photos."""
    given = ["--fps"] * (reading.fps is not None) + ["--baseline"] * (baseline != "model")
    if given:
        found = _sources(sources)
        if found and all(source.kind == "image" for source in found):
            raise SettingError(f"{' and '.join(given)} has no effect on photos, and no film is named: leave it out.")


def _sources(given: Sequence[str]) -> list[Source]:
    """What is there of the sources; of what is missing the command itself will speak."""
    from tronie.video.sources import expand

    found: list[Source] = []
    for one in given:
        try:
            found += expand([one])
        except SourceError:
            continue
    return found
