"""Needle: does re-sampling find the one expressive stretch of a neutral clip, and does finding it help.

    python benchmarks/accuracy/rdfer_needle.py PACK                    all rows, five seeds: about 15 CPU minutes
    python benchmarks/accuracy/rdfer_needle.py PACK --table > benchmarks/accuracy/rdfer_needle.md

Every expressive clip keeps one run of 15 to 40 % of its frames, around its own middle, at a random place of a neutral
clip of the same actor; neutral clips stay. Training and held-out clips are made so alike, and anew for each seed. Face
and pose may jump at both ends: each is moved onto the other's mean place there, expressions are faded over five frames.
Tracks are as they come, neither averaged over frames nor relative to the person.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from tracks import (
    FOLDS,
    Floats,
    Ints,
    Tracks,
    Trial,
    answered,
    command,
    do,
    fit,
    found,
    main_of,
    plain,
    reported,
    roles,
    score,
    spread,
)

from tronie.data.augmentation import Augment
from tronie.data.loader import batches
from tronie.methods.rdfer import RDFER

T = 64
FADE = 5
SHARE = (0.15, 0.4)
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "BiLSTM, 16 frames": ("sequence", {"pool": "bilstm", "frames": 16}),
    "synopsis only": ("rdfer", {"frames": T, "streams": "synopsis"}),
    "uniform": ("rdfer", {"frames": T, "resampling": "uniform"}),
    "random": ("rdfer", {"frames": T, "resampling": "random"}),
    "peak probability": ("rdfer", {"frames": T, "resampling": "peak"}),
    "learned, no target (w_KI = 0)": ("rdfer", {"frames": T, "key": 0.0}),
    "learned": ("rdfer", {"frames": T, "target": "label"}),
    "learned by steps": ("rdfer", {"frames": T, "target": "label", "locate": "steps"}),
}
"""Where the detail looks. "learned": the paper's heads, with targets by the true label's probability."""
LEARNED = "learned by steps"


@dataclass(frozen=True, eq=False)
class Needles:
    """The clips, and where each one's stretch lies: shares ``(n,)`` of its length; both 0 for neutral clips."""

    tracks: Tracks
    first: Floats
    last: Floats


def needles(tracks: Tracks, seed: int) -> Needles:
    """Plant every expressive clip's stretch in a neutral clip of its actor."""
    rng, length, actor = np.random.default_rng((seed, 17)), tracks.length(), tracks.manifest.group
    calm = tracks.manifest.label == tracks.manifest.labels.names.index("neutral")
    clips: list[Floats] = []
    first, last = np.zeros(len(length), np.float32), np.zeros(len(length), np.float32)
    for row in range(len(length)):
        own = tracks.points[tracks.starts[row] : tracks.starts[row + 1]]
        share, place, pick = rng.uniform(*SHARE), rng.random(), rng.random()
        if calm[row]:
            clips.append(own)
            continue
        donors = np.flatnonzero(calm & (actor == actor[row]))
        donor = donors[int(pick * len(donors))]
        base = tracks.points[tracks.starts[donor] : tracks.starts[donor + 1]]
        count = min(round(share * len(base)), len(own))
        start, source = int(place * (len(base) - count + 1)), (len(own) - count) // 2
        clips.append(planted(base, own[source : source + count], start))
        first[row], last[row] = start / len(base), (start + count) / len(base)
    starts = np.concatenate([[0], np.cumsum([len(c) for c in clips])])
    return Needles(replace(tracks, points=np.concatenate(clips), starts=starts), first, last)


def planted(base: Floats, stretch: Floats, start: int) -> Floats:
    """``base`` ``(t, 68, 2)`` with ``stretch`` from frame ``start`` on, moved to where the face is there; faded."""
    made, under = base.copy(), base[start : start + len(stretch)]
    moved = stretch - stretch.mean((0, 1)) + under.mean((0, 1))
    edge = np.minimum(np.arange(len(stretch)), np.arange(len(stretch))[::-1])
    share = np.clip((edge + 1) / (FADE + 1), 0, 1)[:, None, None]
    made[start : start + len(stretch)] = share * moved + (1 - share) * under
    return np.asarray(made, np.float32)


def inside(method: RDFER, made: Needles, report: Ints) -> dict[str, float]:
    """Share of key centres, and of the detail's frames, within the stretch; what chance would give."""
    rows = [r for r in report if made.last[r] > 0]
    part = made.tracks.rows(np.array(rows), made.tracks.manifest.label)
    order = np.stack([np.zeros(len(rows), np.int64), np.arange(len(rows))], 1)
    cuts = batches([part], order, method.views(False), 128, how=Augment(), seed=0, epoch=0)
    with torch.no_grad():
        seen = [method.look(method.encode(cut.clips[0])).position for cut in cuts]
    place = (np.concatenate([p.numpy() for p in seen if p is not None]) + 0.5) / T
    centre = place.reshape(len(rows), method.config.keys, -1).mean(2)
    first, last = made.first[rows][:, None], made.last[rows][:, None]
    return {
        "centres": float(((centre >= first) & (centre <= last)).mean()),
        "frames": float(((place >= first) & (place <= last)).mean()),
        "chance": float((last - first).mean()),
    }


def run(trial: Trial, tracks: Tracks) -> dict[str, Any]:
    """Train one row on its seed's needles."""
    made = needles(tracks, trial.seed)
    method, _ = fit(trial, made.tracks)
    line = reported(trial, method, made.tracks)
    if isinstance(method, RDFER) and method.config.streams == "both":
        line |= inside(method, made, roles(tracks, trial.seed)[1])
    return line


HEAD = """# Needle: an expressive stretch of 15 to 40 % in a neutral clip

`python benchmarks/accuracy/rdfer_needle.py PACK --seeds {seeds} --epochs {epochs}`

Mean recall in %, unseen actors, 95 % intervals by bootstrap over actors (a seed holds out one of {folds} folds); what
"{learned}" has over the row, paired; shares of key centres and of the detail's frames within the stretch.

| where the detail looks | runs | mean recall | sd | learned is better by | centres inside | frames inside |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


def main() -> None:
    """Do the runs that are not there yet, then print the table."""
    args = command(str(__doc__), "rdfer/needle.jsonl").parse_args()
    names = [n for n in ROWS if n in (args.rows or ROWS)]
    trials = [Trial(n, *ROWS[n], seed=s, condition="needle", epochs=args.epochs) for s in args.seeds for n in names]
    tracks = do([] if args.table else trials, args.out, args.data, run, smooth=1)
    rows = {n: r for n in names if (r := found(trials, args.out, n, "needle"))}
    print(HEAD.format(seeds=" ".join(map(str, args.seeds)), epochs=args.epochs, folds=FOLDS, learned=LEARNED))
    best = answered(tracks, rows[LEARNED]) if LEARNED in rows else None
    for name, runs in rows.items():
        mine = answered(tracks, runs)
        gap = plain(score(tracks, best, mine)) if best and name != LEARNED else ""
        shares = [f"{100 * np.mean([r[k] for r in runs]):.0f} %" if k in runs[0] else "" for k in ("centres", "frames")]
        deviation = spread(tracks, mine, [r["seed"] for r in runs])
        cells = [name, len(runs), plain(score(tracks, mine)), deviation, gap, *shares]
        print(f"| {' | '.join(map(str, cells))} |")
    chance = [r["chance"] for runs in rows.values() for r in runs if "chance" in r]
    if chance:
        print(f"\nA place drawn at random lies within the stretch in {100 * np.mean(chance):.0f} % of cases.")


if __name__ == "__main__":
    sys.exit(main_of(main))
