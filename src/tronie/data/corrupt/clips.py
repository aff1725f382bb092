"""Make clips *hard* without making them wrong: most frames are replaced by neutral ones, the label stays.

Pure on indices: a plan says which frame of which clip is shown at each place, and whoever reads pixels follows it. With
label noise beside it, hard and wrong clips are known at once.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError, SourceError
from tronie.core.manifest import Integers

_VERSION = 1
_COLUMNS = ["id", "frames", "donor", "donor_frames", "start", "kept"]


@dataclass(frozen=True, eq=False)
class HardPlan:
    """Which clips are made hard, and how. All columns ``(n,)``.

    ``length`` frames of each clip; ``donor`` the row whose neutral frames fill it, -1 where a clip is left alone;
    frames ``start`` to ``start + kept`` (exclusive) stay the clip's own.
    """

    length: Integers
    donor: Integers
    start: Integers
    kept: Integers
    seed: int
    rate: float
    keep: float

    @property
    def hard(self) -> NDArray[np.bool_]:
        """Mask of the clips that were made hard."""
        return self.donor >= 0

    def frames(self, row: int) -> Integers:
        """``(length, 2)``: row and frame shown at each place of a clip. The donor's film is spread over the clip's."""
        number = int(self.length[row])
        shown = np.stack([np.full(number, row), np.arange(number)], 1)
        if self.donor[row] >= 0:
            donor = int(self.donor[row])
            place = np.arange(number) / max(number - 1, 1) * (self.length[donor] - 1)
            filled = np.stack([np.full(number, donor), np.rint(place).astype(np.int64)], 1)
            own = slice(int(self.start[row]), int(self.start[row] + self.kept[row]))
            filled[own] = shown[own]
            shown = filled
        return shown


def hard(length: ArrayLike, neutral: ArrayLike, rate: float, seed: int, *, keep: float = 0.25,
         subject: ArrayLike | None = None) -> HardPlan:  # fmt: skip
    """Plan hard clips: each one that can be is chosen with probability ``rate``.

    ``length`` ``(n,)`` frames per clip; ``neutral`` ``(n,)`` mask of clips that show a neutral face (never chosen, they
    donate). ``keep`` is the share of frames, at least one and never all, that stay: one run at a random place. With
    ``subject`` ``(n,)`` a donor is of the same person, and a clip whose person has none is left alone; without it any
    neutral clip may donate, so the person may change. Raises SettingError for a rate outside 0..1 or no neutral clip.
    """
    frames, calm = np.asarray(length, np.int64), np.asarray(neutral, bool)
    if not 0 <= rate <= 1 or not 0 < keep < 1:
        raise SettingError(f"Hard clips need a rate from 0 to 1 and a share to keep between, not {rate} and {keep}.")
    if frames.shape != calm.shape or frames.ndim != 1 or (frames < 1).any():
        raise SettingError("Hard clips need one length of at least 1 and one neutral mark per clip.")
    if rate and not calm.any():
        raise SettingError("Hard clips need neutral clips to take frames from: none is marked neutral.")
    person = np.zeros(len(frames), np.int64) if subject is None else np.unique(subject, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    donor, start, kept = np.full(len(frames), -1), np.zeros(len(frames), np.int64), frames.copy()
    for row in range(len(frames)):
        chosen, pick, place = rng.random(3)  # always three, so that a row's draw does not hang on other rows' lengths
        donors = np.flatnonzero(calm & (person == person[row]))
        if calm[row] or frames[row] < 2 or not len(donors) or chosen >= rate:
            continue
        donor[row] = donors[int(pick * len(donors))]
        kept[row] = min(max(1, round(keep * int(frames[row]))), int(frames[row]) - 1)
        start[row] = int(place * (frames[row] - kept[row] + 1))
    return HardPlan(frames, donor.astype(np.int64), start, kept, seed, rate, keep)


def save(plan: HardPlan, ids: NDArray[np.str_], path: Path) -> None:
    """Write one row per clip, the donor by id. Raises OutputError if the file cannot be written."""
    meta = {"tronie_hard_clips": _VERSION, "seed": plan.seed, "rate": plan.rate, "keep": plan.keep}
    names = [*ids.tolist(), ""]  # index -1 is the empty word
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {json.dumps(meta)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row, donor in enumerate(plan.donor):
            other = int(plan.length[donor]) if donor >= 0 else ""
            writer.writerow([names[row], plan.length[row], names[donor], other, plan.start[row], plan.kept[row]])


def load(path: Path, ids: NDArray[np.str_]) -> HardPlan:
    """The plan that :func:`save` wrote, for the clips ``ids`` in their order. Raises SourceError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            meta, table = json.loads(file.readline().removeprefix("# ")), list(csv.reader(file))
        rows = {row[0]: row for row in table[1:]}
        if meta["tronie_hard_clips"] != _VERSION or table[0] != _COLUMNS:
            raise ValueError("its first two lines are not those of such a file")
        place = {name: i for i, name in enumerate(ids.tolist())} | {"": -1}
        chosen = [rows[name] for name in ids.tolist()]
        columns = [[int(r[1]), place[r[2]], int(r[4]), int(r[5])] for r in chosen]
        length, donor, start, kept = np.array(columns, np.int64).reshape(-1, 4).T
        return HardPlan(length, donor, start, kept, int(meta["seed"]), float(meta["rate"]), float(meta["keep"]))
    except KeyError as error:
        raise SourceError(f"The plan of hard clips {path} does not know {error}: it is of other data.") from error
    except (OSError, ValueError, IndexError, csv.Error, TypeError) as error:
        raise SourceError(f"The plan of hard clips {path} cannot be read: {error}.") from error
