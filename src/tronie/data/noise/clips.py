"""Make clips *hard* without making them wrong: most frames are replaced by neutral ones, the label stays.

Pure on indices: a plan says which frame of which clip is shown at each place, and whoever reads pixels follows it. With
label noise beside it, hard and wrong clips are known at once.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError, SourceError
from tronie.core.files import parse_json
from tronie.core.manifest import Integers, Manifest

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

    def among(self, rows: NDArray[np.bool_]) -> HardPlan:
        """The plan for the clips of a mask ``(n,)``; others, and clips whose donor is none of them, are left alone."""
        kept = self.hard & rows & rows[self.donor]
        return replace(
            self,
            donor=np.where(kept, self.donor, -1),
            start=np.where(kept, self.start, 0),
            kept=np.where(kept, self.kept, self.length),
        )

    def places(self, starts: Integers) -> Integers:
        """``(total,)``: which frame is shown at each place, where clip i is frames ``starts[i]`` to ``starts[i+1]``."""
        shown = np.arange(starts[-1])
        for row in np.flatnonzero(self.hard).tolist():
            clip, frame = self.frames(row).T
            shown[starts[row] : starts[row + 1]] = starts[clip] + frame
        return shown

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


def hard(
    length: ArrayLike,
    neutral: ArrayLike,
    rate: float,
    seed: int,
    *,
    keep: float = 0.25,
    subject: ArrayLike | None = None,
    rows: ArrayLike | None = None,
) -> HardPlan:
    """Plan hard clips: each one that can be is chosen with probability ``rate``.

    ``length`` ``(n,)`` frames per clip; ``neutral`` ``(n,)`` mask of clips that show a neutral face (never chosen, they
    donate). ``keep`` is the share of frames, at least one and never all, that stay: one run at a random place. With
    ``subject`` ``(n,)`` a donor is of the same person, and a clip whose person has none is left alone; without it any
    neutral clip may donate, so the person may change. ``rows`` ``(n,)`` is a mask of the clips that take part: others
    are neither chosen nor donate. Raises SettingError for a rate outside 0..1 or no neutral clip.
    """
    frames, calm = np.asarray(length, np.int64), np.asarray(neutral, bool)
    inside = np.ones(len(frames), bool) if rows is None else np.asarray(rows, bool)
    if not 0 <= rate <= 1 or not 0 < keep < 1:
        raise SettingError(f"Hard clips need a rate from 0 to 1 and a share to keep between, not {rate} and {keep}.")
    if frames.shape != calm.shape or frames.ndim != 1 or (frames < 1).any():
        raise SettingError("Hard clips need one length of at least 1 and one neutral mark per clip.")
    if rate and not (calm & inside).any():
        raise SettingError("Hard clips need neutral clips to take frames from: none is marked neutral.")
    person = np.zeros(len(frames), np.int64) if subject is None else np.unique(subject, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    donor, start, kept = np.full(len(frames), -1), np.zeros(len(frames), np.int64), frames.copy()
    for row in range(len(frames)):
        chosen, pick, place = rng.random(3)  # always three, so that a row's draw does not hang on other rows' lengths
        donors = np.flatnonzero(calm & inside & (person == person[row]))
        if calm[row] or not inside[row] or frames[row] < 2 or not len(donors) or chosen >= rate:
            continue
        donor[row] = donors[int(pick * len(donors))]
        kept[row] = min(max(1, round(keep * int(frames[row]))), int(frames[row]) - 1)
        start[row] = int(place * (frames[row] - kept[row] + 1))
    return HardPlan(frames, donor.astype(np.int64), start, kept, seed, rate, keep)


def named(
    manifest: Manifest, length: ArrayLike, how: float | str, seed: int, rows: ArrayLike | None = None
) -> HardPlan:
    """Plan hard clips: ``how`` is a share of the expressive training clips (0.2), or a file that :func:`save` wrote.

    ``length`` ``(n,)`` are the clips' frames. Donors show the label *neutral*, and the same person where the manifest
    knows everybody. ``rows`` ``(n,)`` is a mask of the clips that are learnt from, None for all: others are left alone
    and donate nothing (so a file that was made for all of them may make fewer hard). Which clips are chosen hangs on
    ``seed`` alone, which files do not use. Raises SettingError for a word that is none, or without neutral
    clips, SourceError for a file that cannot be read or was made for other clips.
    """
    frames = np.asarray(length, np.int64)
    inside = np.isin(manifest.split, ("train", "")) & (manifest.label >= 0)
    inside &= True if rows is None else np.asarray(rows, bool)
    if isinstance(how, str) and how.endswith(".csv"):
        plan = load(Path(how), manifest.id)
        if not np.array_equal(plan.length, frames):
            raise SourceError(f"The plan of hard clips {how} was made for clips of other lengths: prepare them alike.")
        return plan.among(inside)
    try:
        rate = float(how)
    except ValueError:
        raise SettingError(f"'{how}' is no share of clips to make hard, such as 0.2, and no plan (.csv).") from None
    known = bool((manifest.subject != "").all())
    neutral = manifest.label == manifest.labels.neutral if manifest.labels.neutral is not None else manifest.label < -1
    return hard(frames, neutral, rate, seed, subject=manifest.subject if known else None, rows=inside)


def save(plan: HardPlan, ids: NDArray[np.str_], path: Path) -> None:
    """Write one row per clip ``(n,)``, the donor by id. Raises OutputError if the file cannot be written."""
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
    """The plan that :func:`save` wrote, for the clips ``ids`` ``(n,)`` in their order. Raises SourceError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            meta, table = parse_json(file.readline().removeprefix("# ")), list(csv.reader(file))
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
