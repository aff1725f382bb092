"""Wrong labels that a run plants on purpose: kept beside it, and held against what its method decided."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tronie.core.atomic import replacing
from tronie.lab.sources import Part

NOISY = "noisy"
"""The verdict that methods give to rows whose label they think wrong."""


@dataclass(frozen=True)
class Told:
    """How a method's last verdicts on its training rows compare with the labels that were planted wrong.

    ``rows`` were learnt from, ``wrong`` of them with a wrong label; ``called`` were called noisy, ``rightly`` of these.
    """

    rows: int
    wrong: int
    called: int
    rightly: int

    def __str__(self) -> str:
        planted = f"{self.wrong:,} of {self.rows:,} labels were wrong on purpose"
        if not self.called:
            return f"{planted}; none was called noisy."
        return (f"{planted}; {self.called:,} were called noisy, {self.rightly:,} of them rightly (precision "
                f"{self.rightly / self.called:.2f}, recall {self.rightly / max(self.wrong, 1):.2f}).")  # fmt: skip


def keep(folder: Path, parts: Sequence[Part]) -> None:
    """Write the noise of each source to ``noise-<source>.csv``, by row id. Raises OutputError."""
    for part in parts:
        if part.planted is not None:
            part.planted.save(folder / f"noise-{part.name.replace('/', '-')}.csv")


def wrong_ids(parts: Sequence[Part]) -> set[str]:
    """Ids of the rows learnt from whose label is wrong on purpose."""
    wrong: set[str] = set()
    for part in parts:
        if part.planted is not None:
            wrong |= set(part.planted.ids[part.planted.corruption.flipped].tolist()) & set(part.manifest.id.tolist())
    return wrong


def told_apart(folder: Path, samples: Path, parts: Sequence[Part]) -> Told | None:
    """Hold the last verdicts in ``samples`` against what was planted, and keep that as ``noise.json``.

    None where nothing was planted. Raises OutputError.
    """
    if not any(part.planted is not None for part in parts):
        return None
    verdict: dict[str, str] = {}
    if samples.is_file():
        with samples.open(encoding="utf-8", newline="") as file:
            verdict = {row["id"]: row["verdict"] for row in csv.DictReader(file)}  # later lines win
    wrong = wrong_ids(parts)
    called = {name for name, word in verdict.items() if word == NOISY}
    found = Told(int(np.sum([len(part.rows) for part in parts])), len(wrong), len(called), len(called & wrong))
    with replacing(folder / "noise.json") as temporary:
        temporary.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")
    return found
