"""The analysis of the agreement that RDFER announces: what looks agree on, and what follows from it.

    python benchmarks/accuracy/rdfer_agreement.py PACK                 everything, three seeds: about 40 CPU minutes
    python benchmarks/accuracy/rdfer_agreement.py PACK --table > benchmarks/accuracy/rdfer_agreement.md

Networks learn from clips with 20 % wrong labels (symmetric) and a fifth of the expressive ones made hard. Looks are
random clips by the final weights: nine of each training clip, and of each clip of unseen actors. Clips are relative to
the person, as in ``rdfer_tracks.py``; the network looks at 16 frames, 8 and 2 × 4 of them.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tracks import SHORT, Tracks, Trial, answered, command, do, fit, found, main_of, plain, reported, roles, score
from tracks_noise import RULE, Probabilities, auroc, corrupted, looked

from tronie.metrics.agreement import NOISY, VERDICTS, Settings, agreement, rule

NOISE = "symmetric:0.2"
LOOKS = 9
BASE: dict[str, Any] = {"looks": 5, "warmup": 6, "every": 4, "settings": {"tau": RULE.tau, "gap": RULE.gap}}
ROWS: dict[str, dict[str, Any]] = {
    "nothing": {"looking": {"looks": 0}},
    "reinforce only": {"looking": BASE | {"cap": 0.0}},
    "drop": {"looking": BASE},
    "drop, no reinforcing": {"looking": BASE | {"beta": 0.0}},
    "down-weight to 0.2": {"looking": BASE | {"noisy_weight": 0.2}},
    "relabel": {"looking": BASE | {"noisy": "relabel"}},
    "drop, every epoch": {"looking": BASE | {"every": 1}},
    "drop, every sixth epoch": {"looking": BASE | {"every": 6}},
    "drop, the opposite rule": {"looking": BASE | {"strategy": "opposite"}},
    "drop, consistent clips": {"looking": BASE, "consistency": 0.5},
    "drop, no channel gate": {"looking": BASE, "channels": False},
    "drop, w_KI = 0": {"looking": BASE, "key": 0.0},
    "drop, w_KI = 1": {"looking": BASE, "key": 1.0},
}
STUDIED = "drop"
"""The row whose looks are studied."""


def packed(out: Path, trial: Trial) -> Path:
    """Where the looks of a run lie."""
    return out.parent / "looks" / f"{trial.seed}-{trial.key()['settings']}.npz"


def run(trial: Trial, tracks: Tracks, out: Path) -> dict[str, Any]:
    """Train one row; keep the looks of the row that is studied."""
    made = corrupted(tracks, trial.seed, NOISE)
    method, learn = fit(trial, made.tracks, made.label)
    if trial.row == STUDIED:
        path, report = packed(out, trial), roles(tracks, trial.seed)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            learn=looked(method, made.tracks, learn, LOOKS, trial.seed),
            given=made.label[learn],
            truth=tracks.manifest.label[learn],
            wrong=made.wrong[learn],
            hard=made.hard[learn],
            report=looked(method, tracks, report, LOOKS, trial.seed),
            right=tracks.manifest.label[report],
        )
    return reported(trial, method, tracks)


def table(head: str, rows: list[list[Any]]) -> str:
    """Markdown; ``head`` names the columns."""
    columns = head.split("|")
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return "\n".join(lines + [f"| {' | '.join(map(str, row))} |" for row in rows]) + "\n"


def verdicts(z: dict[str, NDArray[Any]], names: tuple[str, ...]) -> list[list[Any]]:
    """Per label given: share of each verdict, and the mean agreement of right, hard and wrong clips."""
    looks = agreement(z["learn"])
    verdict, rows = rule(looks, z["given"], RULE), []
    right = ~z["wrong"] & ~z["hard"]
    for label, name in (*enumerate(names), (-1, "all")):
        mine = (z["given"] == label) | (label < 0)
        said = [f"{100 * np.mean(verdict[mine] == v):.0f} %" for v in range(len(VERDICTS))]
        mean = [
            f"{looks.majority[mine & kind].mean():.2f}" if (mine & kind).any() else "–"
            for kind in (right, z["hard"] & ~z["wrong"], z["wrong"])
        ]
        rows.append([name, int(mine.sum()), *said, *mean])
    return rows


def accuracy(z: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """Held-out clips: share, and accuracy of the vote, by how many of the nine looks agree."""
    looks, rows = agreement(z["report"]), []
    for low, high in ((1, 4), (5, 6), (7, 8), (9, 9)):
        counts = np.rint(looks.majority * LOOKS).astype(int)
        mine = (counts >= low) & (counts <= high)
        hits = f"{100 * np.mean(looks.vote[mine] == z['right'][mine]):.0f} %" if mine.any() else "–"
        rows.append([f"{low}–{high}" if low < high else str(low), f"{100 * mean_of(mine):.0f} %", hits])
    return rows


def mean_of(mask: NDArray[np.bool_]) -> float:
    """Share of rows that are marked."""
    return float(np.mean(mask))


def measures(z: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """How well each measure, and softmax confidence of one look, tells right answers on held-out clips; hard ones."""
    held, seen = agreement(z["report"]), agreement(z["learn"])
    right, fair = held.vote == z["right"], ~z["wrong"] & (z["truth"] > 0)
    hard = z["hard"][fair]
    found = [
        [name, f"{auroc(getattr(held, name), right):.3f}", f"{auroc(1 - getattr(seen, name)[fair], hard):.3f}"]
        for name in ("majority", "pairwise", "jsd")
    ]
    for name, p, q in (
        ("confidence of one look", z["report"][0], z["learn"][0]),
        ("confidence of the mean of nine", held.mean, seen.mean),
    ):
        ok = (p.argmax(1) == z["right"]) if name.endswith("look") else right
        found.append([name, f"{auroc(p.max(1), ok):.3f}", f"{auroc(1 - q.max(1)[fair], hard):.3f}"])
    return found


def grid(z: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """Precision / recall of "noisy" over the number of looks and the threshold."""
    return [
        [k, *(precision_recall(z["learn"][:k], z, replace(RULE, tau=tau)) for tau in (0.4, 0.6, 0.8, 1.0))]
        for k in (3, 5, 7, 9)
    ]


def gaps(z: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """The same over the gap, of five looks."""
    return [[gap, precision_recall(z["learn"][:5], z, replace(RULE, gap=gap))] for gap in (0.0, 0.1, 0.2, 0.3, 0.5)]


def precision_recall(p: Probabilities, z: dict[str, NDArray[Any]], settings: Settings) -> str:
    """Of the spec's rule."""
    noisy = rule(agreement(p), z["given"], settings) == NOISY
    hits = int((noisy & z["wrong"]).sum())
    return f"{hits / max(int(noisy.sum()), 1):.2f} / {hits / int(z['wrong'].sum()):.2f}"


def report(z: dict[str, NDArray[Any]], names: tuple[str, ...]) -> None:
    """Print what the looks of the studied row say."""
    print("## Verdicts and agreement by the label given\n")
    print(table("label|clips|clean|hard|noisy|A right|A made hard|A wrong", verdicts(z, names)))
    print("## Accuracy on unseen actors against agreement\n")
    print(table("looks that agree|share of clips|accuracy", accuracy(z)))
    print("## Measures: AUROC of right answers (unseen actors) and of planted hardness (1 - measure)\n")
    print(table("measure|right|hard", measures(z)))
    print("## Precision / recall of noisy, by looks K and threshold tau, and by the gap\n")
    print(table("K|tau 0.4|0.6|0.8|1", grid(z)))
    print(table("gap, five looks|precision / recall", gaps(z)))


def main() -> None:
    """Do the runs that are not there yet, then print the report."""
    args = command(str(__doc__), "rdfer/agreement.jsonl", range(3)).parse_args()
    names = [n for n in ROWS if n in (args.rows or ROWS)]
    trials = [
        Trial(n, "rdfer", SHORT | ROWS[n], seed=s, condition=NOISE, epochs=args.epochs, person=True)
        for s in args.seeds
        for n in names
    ]
    tracks = do([] if args.table else trials, args.out, args.data, lambda t, c: run(t, c, args.out), person=True)
    print(
        f"# What looks agree on\n\n`python benchmarks/accuracy/rdfer_agreement.py PACK --seeds "
        f"{' '.join(map(str, args.seeds))} --epochs {args.epochs}`\n"
    )
    there = [path for t in trials if t.row == STUDIED and (path := packed(args.out, t)).is_file()]
    if there:
        parts = [dict(np.load(path)) for path in there]
        joined = {k: np.concatenate([p[k] for p in parts], int(k in ("learn", "report"))) for k in parts[0]}
        report(joined, tracks.manifest.labels.names)
    rows = {n: r for n in names if (r := found(trials, args.out, n, NOISE))}
    if STUDIED in rows:
        print("## What is done with verdicts: mean recall in % on unseen actors, and against `drop`, paired\n")
        drop = answered(tracks, rows[STUDIED])
        cells = [
            [
                n,
                len(r),
                plain(score(tracks, mine := answered(tracks, r))),
                plain(score(tracks, mine, drop)) if n != STUDIED else "",
            ]
            for n, r in rows.items()
        ]
        print(table("action|runs|mean recall|against drop", cells))


if __name__ == "__main__":
    sys.exit(main_of(main))
