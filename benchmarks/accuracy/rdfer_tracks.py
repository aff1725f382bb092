"""RDFER and its parts against the usual means, on RAVDESS' tracks: mean recall of eight labels on unseen actors.

    python benchmarks/accuracy/rdfer_tracks.py PACK                    all rows, five seeds: about 30 CPU minutes
    python benchmarks/accuracy/rdfer_tracks.py PACK --seeds 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14     three passes
    python benchmarks/accuracy/rdfer_tracks.py PACK --table > benchmarks/accuracy/rdfer_tracks.md

All rows see the same normalised shapes, speeds and pose of 32 frames, with the same sizes, batches and augmentation:
once of clips relative to the person (``tracks.py``), and once as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from tracks import (
    FOLDS,
    WHOLE,
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
    score,
    spread,
)

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear statistics": ("sequence", {"pool": "statistics", "frames": 32, "drop": 0.3}),
    "mean": ("sequence", {"pool": "mean", "frames": 32}),
    "BiLSTM": ("sequence", {"pool": "bilstm", "frames": 32}),
    "transformer": ("sequence", {"pool": "transformer", "frames": 32}),
    "M3DFEL-style": ("sequence", {"pool": "m3dfel", "frames": 32}),
    "RDFER synopsis only": ("rdfer", WHOLE | {"streams": "synopsis"}),
    "RDFER detail only": ("rdfer", WHOLE | {"streams": "detail"}),
    "RDFER without re-sampling": ("rdfer", WHOLE | {"resampling": "uniform"}),
    "RDFER without channel gate": ("rdfer", WHOLE | {"channels": False}),
    "RDFER, w_KI = 0": ("rdfer", WHOLE | {"key": 0.0}),
    "RDFER, synopsis' loss weighs 1": ("rdfer", WHOLE | {"coarse": 1.0}),
    "RDFER, centres from the pooled synopsis": ("rdfer", WHOLE | {"locate": "pooled", "target": "peaks"}),
    "RDFER": ("rdfer", WHOLE),
}
FULL = "RDFER"


HEAD = """# RAVDESS tracks, unseen actors, 8 labels

`python benchmarks/accuracy/rdfer_tracks.py PACK --seeds {seeds} --epochs {epochs}`

Mean recall in %, 95 % intervals by bootstrap over actors (a seed holds out one of {folds} folds), standard deviation
over seeds, and what the whole RDFER has over the row, paired."""
CLIPS = {
    "person": "Clips relative to the person: the mean face of each actor's clips, without labels, is taken out",
    "none": "Clips as they are: nothing is known of the person",
}
COLUMNS = """| | runs | mean recall | sd | RDFER is better by | CPU-s a run |
| --- | ---: | ---: | ---: | ---: | ---: |"""


def rows_of(tracks: Tracks, rows: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """The table's lines."""
    best = answered(tracks, rows[FULL]) if FULL in rows else None
    for name, runs in rows.items():
        mine = answered(tracks, runs)
        gap = plain(score(tracks, best, mine)) if best and name != FULL else ""
        deviation = spread(tracks, mine, [r["seed"] for r in runs])
        seconds = f"{np.mean([r['seconds'] for r in runs]):.0f}"
        yield f"| {' | '.join([name, str(len(runs)), plain(score(tracks, mine)), deviation, gap, seconds])} |"


def main() -> None:
    """Do the runs that are not there yet, then print the tables."""
    parser = command(str(__doc__), "rdfer/tracks.jsonl")
    parser.add_argument("--baselines", nargs="+", choices=CLIPS, default=list(CLIPS), help="what clips are relative to")
    args = parser.parse_args()
    names = [n for n in ROWS if n in (args.rows or ROWS)]
    print(HEAD.format(seeds=" ".join(map(str, args.seeds)), epochs=args.epochs, folds=FOLDS))
    for baseline in args.baselines:
        trials = [
            Trial(n, *ROWS[n], seed=s, epochs=args.epochs, person=baseline == "person")
            for s in args.seeds
            for n in names
        ]
        tracks = do(
            [] if args.table else trials,
            args.out,
            args.data,
            lambda t, c: reported(t, fit(t, c)[0], c),
            person=baseline == "person",
        )
        rows = {n: r for n in names if (r := found(trials, args.out, n))}
        print(f"\n## {CLIPS[baseline]}\n\n{COLUMNS}")
        print("\n".join(rows_of(tracks, rows)))


if __name__ == "__main__":
    sys.exit(main_of(main))
