"""The log of a run: one line of JSON an epoch. Works without PyTorch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tronie.core.atomic import unwritable
from tronie.core.errors import SettingError
from tronie.core.registry import nearest

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
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


@dataclass(frozen=True)
class Figures:
    """One score three ways: at the epoch that validation chose, at the last one, and at its own best.

    The third is what many papers report; the test rows chose it, so it is no estimate of anything.
    """

    chosen: float
    last: float
    best: float
    chosen_epoch: int
    best_epoch: int


def figures(log: Sequence[Mapping[str, Any]], select: str, report: str) -> Figures:
    """The score ``report`` where ``select`` was highest (the earliest of equals), last, and highest.

    Both are keys of the log, such as ``"ferplus/valid/uar"``; epochs count from 1. Raises SettingError.
    """
    known = [line for line in log if line.get(select) is not None and line.get(report) is not None]
    if not known:
        keys = sorted({key for line in log for key in line if "/" in key})
        wrong = select if select not in keys else report
        raise SettingError(f"The log has no score '{wrong}'.{nearest(wrong, keys)}")
    chosen, best = (max(known, key=lambda line: float(line[key])) for key in (select, report))
    return Figures(chosen[report], known[-1][report], best[report], chosen["epoch"] + 1, best["epoch"] + 1)
