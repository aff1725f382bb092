"""Wrong labels and hard clips that a run plants on purpose: kept beside it, held against what its method decided."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tronie.core.atomic import replacing
from tronie.train.sources import Part

NOISY, HARD = "noisy", "hard"
"""The verdicts that methods give to rows whose label they think wrong, and to rows that are hard to read."""


@dataclass(frozen=True)
class Told:
    """How a method's last verdicts on its training rows compare with what was planted among them.

    ``rows`` were learnt from, ``wrong`` of them with a wrong label; ``called`` were called noisy, ``rightly`` of these.
    ``hard`` are clips that were made hard and whose label is right; ``called_hard``, ``rightly_hard`` likewise.
    ``verdicts``: whether the method gives any; where it does not, there is nothing to compare.
    """

    rows: int
    wrong: int
    called: int
    rightly: int
    hard: int = 0
    called_hard: int = 0
    rightly_hard: int = 0
    verdicts: bool = True

    def __str__(self) -> str:
        told = []
        if self.wrong or not self.hard:
            told.append(
                f"{self.wrong:,} of {self.rows:,} labels were wrong on purpose; "
                f"{self._told(NOISY, self.called, self.rightly, self.wrong)}"
            )
        if self.hard:
            told.append(
                f"{self.hard:,} of {self.rows:,} clips with right labels were hard on purpose; "
                f"{self._told(HARD, self.called_hard, self.rightly_hard, self.hard)}"
            )
        return " ".join(told)

    def _told(self, verdict: str, called: int, rightly: int, planted: int) -> str:
        if not self.verdicts:
            return "this method gives no verdicts on its rows."
        if not called:
            return f"none was called {verdict}."
        return (
            f"{called:,} were called {verdict}, {rightly:,} of them rightly (precision {rightly / called:.2f}, recall "
            f"{rightly / max(planted, 1):.2f})."
        )


def keep(folder: Path, parts: Sequence[Part]) -> None:
    """Write what each source plants to ``noise-<source>.csv`` and ``hard-<source>.csv``, by id. Raises OutputError."""
    for part in parts:
        for kind, made in (("noise", part.planted), ("hard", part.hard)):
            if made is not None:
                made.save(folder / f"{kind}-{part.name.replace('/', '-')}.csv")


def wrong_ids(parts: Sequence[Part]) -> set[str]:
    """Ids of the rows learnt from whose label is wrong on purpose."""
    wrong: set[str] = set()
    for part in parts:
        if part.planted is not None:
            wrong |= set(part.planted.ids[part.planted.corruption.flipped].tolist()) & set(part.manifest.id.tolist())
    return wrong


def hard_ids(parts: Sequence[Part]) -> set[str]:
    """Ids of the rows learnt from that are clips made hard on purpose."""
    made: set[str] = set()
    for part in parts:
        if part.hard is not None:
            made |= set(part.hard.ids[part.hard.plan.hard].tolist())
    return made


def told_apart(folder: Path, samples: Path, parts: Sequence[Part]) -> Told | None:
    """Hold the last verdicts in ``samples`` against what was planted, and keep that as ``noise.json``.

    None where nothing was planted. Raises OutputError.
    """
    if not any(part.planted is not None or part.hard is not None for part in parts):
        return None
    verdict: dict[str, str] = {}
    if samples.is_file():
        with samples.open(encoding="utf-8", newline="") as file:
            verdict = {row["id"]: row["verdict"] for row in csv.DictReader(file)}  # later lines win
    wrong = wrong_ids(parts)
    hard = hard_ids(parts) - wrong
    called, called_hard = ({name for name, word in verdict.items() if word == kind} for kind in (NOISY, HARD))
    found = Told(
        int(np.sum([len(part.rows) for part in parts])),
        len(wrong),
        len(called),
        len(called & wrong),
        len(hard),
        len(called_hard),
        len(called_hard & hard),
        bool(verdict),
    )
    with replacing(folder / "noise.json") as temporary:
        temporary.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")
    return found
