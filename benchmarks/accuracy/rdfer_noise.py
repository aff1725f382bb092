"""Wrong labels and hard clips at once, on RAVDESS' tracks: what they cost, and whether they are told apart.

    python benchmarks/accuracy/rdfer_noise.py PACK                     all rows, five seeds: about an hour of CPU time
    python benchmarks/accuracy/rdfer_noise.py PACK --table > benchmarks/accuracy/rdfer_noise.md

One network, RDFER's, learns from sixteen actors; rows differ in what is done about wrong labels. "SCN-style": one look,
relabelled where the answer beats the label by 0.2. "DivideMix-style": two Gaussians over the loss of one look, the high
one dropped. "RDFER": five random clips, its rule and its actions. Wrong labels are planted among training clips only;
a fifth of their expressive clips is made hard in every run. Reports are on clean, whole clips of unseen actors.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tracks import WHOLE, Tracks, Trial, answered, command, do, fit, found, main_of, plain, reported, score
from tracks_noise import auroc, corrupted, looked

from tronie.measure.agreement import NOISY, agreement, losses, margin, rule
from tronie.methods.rdfer import RDFER

NOISES = ("symmetric:0", "symmetric:0.1", "symmetric:0.2", "symmetric:0.3", "pair:0.3")
LOOKS = 5
WHEN: dict[str, Any] = {"warmup": 8, "every": 3}
ROWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "SCN-style": {"looks": 1, "settings": {"tau": 0.0, "gap": 0.2}, "noisy": "relabel", "relabel_from": 0, "beta": 0},
    "DivideMix-style": {"looks": 1, "strategy": "mixture", "beta": 0, "keep": 0},
    "RDFER": {"looks": LOOKS},
}
PLAIN, OURS = "plain", "RDFER"


def run(trial: Trial, tracks: Tracks) -> dict[str, Any]:
    """Train one row; how well wrong and hard clips are told apart by its looks and by its last decisions."""
    made = corrupted(tracks, trial.seed, trial.condition)
    method, learn = fit(trial, made.tracks, made.label)
    line = reported(trial, method, tracks)
    p = looked(method, made.tracks, learn, LOOKS, trial.seed)
    looks, given = agreement(p), made.label[learn]
    wrong, hard = made.wrong[learn], made.hard[learn]
    neutral = tracks.manifest.labels.names.index("neutral")
    expressive = ~wrong & (tracks.manifest.label[learn] != neutral)
    own = expressive & ~hard
    assert isinstance(method, RDFER)
    decided = method.verdict.cpu().numpy() if (method.verdict >= 0).any() else rule(looks, given)
    line |= {
        "noise by margin": auroc(margin(looks, given), wrong),
        "noise by loss": auroc(losses(p[0], given), wrong),
        "called": int((decided == NOISY).sum()),
        "rightly": int(((decided == NOISY) & wrong).sum()),
        "wrong": int(wrong.sum()),
        "hard by 1 - A": auroc(1 - looks.majority[expressive], hard[expressive]),
        "hard by 1 - A, soft": auroc(1 - looks.jsd[expressive], hard[expressive]),
        "hard, ceiling": auroc(losses(looks.mean, given)[expressive], hard[expressive]),
        "normal by 1 - A": auroc(1 - looks.jsd[own], ~tracks.strong[learn][own]),
    }
    return {k: round(v, 4) if isinstance(v, float) and np.isfinite(v) else v for k, v in line.items() if v == v}


def mean(runs: Sequence[Mapping[str, Any]], name: str) -> str:
    """Mean of a figure over the runs that have it."""
    each = [run[name] for run in runs if name in run]
    return f"{np.mean(each):.2f}" if each else "–"


def shares(runs: Sequence[Mapping[str, Any]]) -> str:
    """Precision and recall of "noisy" over all runs."""
    right, called, wrong = (sum(run[k] for run in runs) for k in ("rightly", "called", "wrong"))
    return " / ".join(f"{right / total:.2f}" if total else "–" for total in (called, wrong))


HEAD = """# Wrong labels and hard clips, RAVDESS tracks

`python benchmarks/accuracy/rdfer_noise.py PACK --seeds {seeds} --epochs {epochs}`

Mean recall in % on clean clips of unseen actors, 95 % intervals by bootstrap over actors; against plain, paired.
Precision / recall of the last decisions "noisy" (plain: of RDFER's rule on its last looks). AUROC of planted noise by
the margin over five looks, and by the loss of one. AUROC of planted hardness by 1 - A (soft variant in brackets) among
expressive, rightly labelled clips, its ceiling (the loss of the right label), and of hardness that nobody planted:
normal against strong intensity, by 1 - A.

| noise | row | runs | mean recall | against plain | noisy P / R | margin | loss | hard | ceiling | normal |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def main() -> None:
    """Do the runs that are not there yet, then print the table."""
    args = command(str(__doc__), "rdfer/noise.jsonl").parse_args()
    names = [n for n in ROWS if n in (args.rows or ROWS)]
    settings = {n: WHOLE | ({"looking": WHEN | ROWS[n]} if ROWS[n] else {}) for n in ROWS}
    trials = [Trial(n, "rdfer", settings[n], seed=s, condition=noise, epochs=args.epochs)
              for s in args.seeds for noise in NOISES for n in names]  # fmt: skip
    tracks = do([] if args.table else trials, args.out, args.data, run)
    print(HEAD.format(seeds=" ".join(map(str, args.seeds)), epochs=args.epochs))
    for noise in NOISES:
        rows = {n: r for n in names if (r := found(trials, args.out, n, noise))}
        for name, runs in rows.items():
            mine = answered(tracks, runs)
            gap = plain(score(tracks, mine, answered(tracks, rows[PLAIN]))) if PLAIN in rows and name != PLAIN else ""
            cells = [noise, name, len(runs), plain(score(tracks, mine)), gap, shares(runs),
                     mean(runs, "noise by margin"), mean(runs, "noise by loss"),
                     f"{mean(runs, 'hard by 1 - A')} ({mean(runs, 'hard by 1 - A, soft')})",
                     mean(runs, "hard, ceiling"), mean(runs, "normal by 1 - A")]  # fmt: skip
            print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    sys.exit(main_of(main))
