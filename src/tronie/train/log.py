"""The log of a run: one line of JSON an epoch. Works without PyTorch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tronie.core.atomic import unwritable
from tronie.core.files import parse_json
from tronie.train.scores import WORDS

LOG = "log.jsonl"


def append_log(folder: Path, row: Mapping[str, float]) -> None:
    """One line: numbers to six decimals, ``null`` for what is no number. Raises OutputError."""
    plain = {k: round(v, 6) if math.isfinite(v) else None for k, v in row.items()}
    try:
        with (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(plain) + "\n")
    except OSError as error:
        raise unwritable(folder / LOG, error) from error


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of ``log.jsonl``; a last one that was cut short by a kill is left out."""
    path = folder / LOG
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(parse_json(line))
        except ValueError:
            break
    return found


@dataclass(frozen=True)
class Figures:
    """A score ("war" or "uar", shares) of one source three ways, among the epochs that were judged (counted from 1).

    ``last``: after the last epoch. ``chosen``: at the epoch where the source ``by`` was highest (the earliest of
    equals); None where no other source was judged, or only test parts, which choose nothing. ``best``: where it was
    highest itself, as many papers report it; the rows chose it, so it is no estimate of anything.
    """

    source: str
    score: str
    last: float
    best: float
    best_epoch: int
    by: str = ""
    chosen: float | None = None
    chosen_epoch: int = 0

    @property
    def test(self) -> bool:
        """Whether the source is its owners' test part."""
        return _is_test(self.source)

    def __str__(self) -> str:
        words = f"{self.source}, {WORDS[self.score]}: {self.last:.2%} after the last epoch; "
        if self.chosen is not None:
            words += f"{self.chosen:.2%} after epoch {self.chosen_epoch}, chosen by {self.by}; "
        return f"{words}test-best, as many papers report it, {self.best:.2%} (epoch {self.best_epoch})"


def figures(log: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Both scores of every source that was judged while a run went on, in the log's order; empty where none was."""
    keys = dict.fromkeys(key for line in log for key in line if key.rpartition("/")[2] in ("war", "uar"))
    found = []
    for key in keys:
        source, _, score = key.rpartition("/")
        lines = [line for line in log if line.get(key) is not None]
        if not lines:
            continue
        best = max(lines, key=lambda line: float(line[key]))
        one = Figures(source, score, lines[-1][key], best[key], best["epoch"] + 1)
        by = next((k for k in keys if k != key and k.endswith(f"/{score}") and not _is_test(k[: -len(score) - 1])), "")
        both = [line for line in lines if line.get(by) is not None]
        if both:
            at = max(both, key=lambda line: float(line[by]))
            one = replace(one, by=by.rpartition("/")[0], chosen=at[key], chosen_epoch=at["epoch"] + 1)
        found.append(one)
    return found


def _is_test(source: str) -> bool:
    return "test" in source.split("/")[1:]
