"""Wrong labels and hard clips at once, on RAVDESS' tracks: what they cost, and whether they are told apart.

    python benchmarks/accuracy/rdfer_noise.py PACK --seeds 0 1 2       all rows, three seeds: about 30 CPU minutes
    python benchmarks/accuracy/rdfer_noise.py PACK --table > benchmarks/accuracy/rdfer_noise.md

One network, RDFER's, learns from sixteen actors; rows differ in what is done about wrong labels. "SCN-style": one look,
relabelled where the answer beats the label by 0.2. "DivideMix-style": two Gaussians over the loss of one look, the high
one dropped. "RDFER": five random clips, its rule and its actions. Wrong labels are planted among training clips only;
a fifth of their expressive clips is made hard in every run. Reports are on clean, whole clips of unseen actors. Clips
are relative to the person, as in ``rdfer_tracks.py``; the network looks at 16 frames, 8 and 2 × 4 of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tracks import (
    SHORT,
    Answered,
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
)
from tracks_noise import RULE, auroc, corrupted, looked

from tronie.methods.rdfer import RDFER
from tronie.metrics.agreement import NOISY, agreement, losses, margin, rule
from tronie.metrics.intervals import bootstrap

NOISES = ("symmetric:0", "symmetric:0.1", "symmetric:0.2", "symmetric:0.3", "pair:0.3")
LOOKS = 5
Runs = Mapping[str, Sequence[Mapping[str, Any]]]
WHEN: dict[str, Any] = {"warmup": 6, "every": 4}
ROWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "SCN-style": {"looks": 1, "settings": {"tau": 0.0, "gap": 0.2}, "noisy": "relabel", "relabel_from": 0, "beta": 0},
    "DivideMix-style": {"looks": 1, "strategy": "mixture", "beta": 0, "keep": 0},
    "RDFER": {"looks": LOOKS, "settings": {"tau": RULE.tau, "gap": RULE.gap}},
}
PLAIN, OURS, CLEAN = "plain", "RDFER", "symmetric:0"


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
    decided = method.verdict.cpu().numpy() if (method.verdict >= 0).any() else rule(looks, given, RULE)
    line |= {
        "noise by margin": auroc(margin(looks, given), wrong),
        "noise by loss": auroc(losses(p[0], given), wrong),
        "noise by mean loss": auroc(losses(looks.mean, given), wrong),
        "margins": np.round(margin(looks, given), 4).tolist(),
        "losses": np.round(losses(p[0], given), 4).tolist(),
        "mean losses": np.round(losses(looks.mean, given), 4).tolist(),
        "flipped": np.flatnonzero(wrong).tolist(),
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


def better(tracks: Tracks, runs: Sequence[Mapping[str, Any]], ours: str, rival: str) -> str:
    """How much the AUROC of the values ``ours`` exceeds that of ``rival``, over all runs, by bootstrap over actors."""
    runs = [run for run in runs if run["flipped"]]
    if not runs:
        return "–"
    values = np.full((len(runs), 2, len(tracks.manifest)), np.nan)
    wrong = np.zeros((len(runs), len(tracks.manifest)), bool)
    for run, value, flip in zip(runs, values, wrong, strict=True):
        learn = roles(tracks, run["seed"])[0]
        value[:, learn] = run[ours], run[rival]
        flip[learn[run["flipped"]]] = True

    def difference(at: Ints) -> float:
        gaps = []
        for value, flip in zip(values, wrong, strict=True):
            seen = at[np.isfinite(value[0, at])]
            gaps.append(auroc(value[0, seen], flip[seen]) - auroc(value[1, seen], flip[seen]))
        return float(np.nanmean(gaps))

    gap = bootstrap(difference, len(tracks.manifest), groups=tracks.manifest.group, draws=500)
    return f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"


def halved(tracks: Tracks, clean: Mapping[str, Answered], noisy: Mapping[str, Answered]) -> str:
    """What each row loses by a noise, and what RDFER loses beyond half of what plain loses, paired over actors."""
    clips = np.flatnonzero((noisy[OURS].answer >= 0).any(1))

    def lost(name: str, at: Ints) -> float:
        return clean[name].recall(clips[at]) - noisy[name].recall(clips[at])

    each = ", ".join(f"{name} {lost(name, np.arange(len(clips))):.1f}" for name in noisy if name in clean)
    excess = bootstrap(
        lambda at: lost(OURS, at) - lost(PLAIN, at) / 2, len(clips), groups=tracks.manifest.group[clips], draws=500
    )
    return f"lost {each}; RDFER beyond half of plain: {plain(excess)}"


HEAD = """# Wrong labels and hard clips, RAVDESS tracks

`python benchmarks/accuracy/rdfer_noise.py PACK --seeds {seeds} --epochs {epochs} --noises {noises}`

Mean recall in % on clean clips of unseen actors, 95 % intervals by bootstrap over actors; against plain, paired.
Precision / recall of the last decisions "noisy". AUROC of planted noise by the margin over five looks, by the loss of
one look and by the loss of their mean. AUROC of planted hardness by 1 - A (soft variant in brackets) among expressive,
rightly labelled clips, its ceiling (the loss of the right label), and of hardness that nobody planted: normal against
strong intensity, by 1 - A.

| noise | row | runs | mean recall | against plain | noisy P / R | margin | loss | mean loss | hard | ceiling | normal |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def summary(tracks: Tracks, rows: Mapping[str, Runs], said: Mapping[str, Mapping[str, Answered]]) -> list[str]:
    """What is compared across rows and noises: noise against loss ranking, and what noise costs."""
    made = [
        "\nRDFER's runs, AUROC of planted noise, paired: the margin against the loss of one look; the loss of the",
        "mean of five looks against that of one:\n",
    ]
    for noise, mine in rows.items():
        if any(run["flipped"] for run in mine.get(OURS, [])):
            gaps = (better(tracks, mine[OURS], ours, "losses") for ours in ("margins", "mean losses"))
            made.append(f"- {noise}: {'; '.join(gaps)}")
    clean = said.get(CLEAN, {})
    noisy = {n: s for n, s in said.items() if n != CLEAN and {PLAIN, OURS} <= set(s) & set(clean)}
    if noisy:
        made.append(f"\nMean recall lost against {CLEAN}:\n")
    return made + [f"- {noise}: {halved(tracks, clean, mine)}" for noise, mine in noisy.items()]


def main() -> None:
    """Do the runs that are not there yet, then print the table."""
    parser = command(str(__doc__), "rdfer/noise.jsonl")
    parser.add_argument("--noises", nargs="+", default=list(NOISES))
    args = parser.parse_args()
    names = [n for n in ROWS if n in (args.rows or ROWS)]
    settings = {n: SHORT | ({"looking": WHEN | ROWS[n]} if ROWS[n] else {}) for n in ROWS}
    trials = [
        Trial(n, "rdfer", settings[n], seed=s, condition=noise, epochs=args.epochs, person=True)
        for s in args.seeds
        for noise in args.noises
        for n in names
    ]
    tracks = do([] if args.table else trials, args.out, args.data, run, person=True)
    print(HEAD.format(seeds=" ".join(map(str, args.seeds)), epochs=args.epochs, noises=" ".join(args.noises)))
    rows = {noise: {n: r for n in names if (r := found(trials, args.out, n, noise))} for noise in args.noises}
    said = {noise: {n: answered(tracks, r) for n, r in mine.items()} for noise, mine in rows.items()}
    for noise in args.noises:
        for name, runs in rows[noise].items():
            mine = said[noise][name]
            gap = plain(score(tracks, mine, said[noise][PLAIN])) if PLAIN in said[noise] and name != PLAIN else ""
            cells = [
                noise,
                name,
                len(runs),
                plain(score(tracks, mine)),
                gap,
                shares(runs) if name != PLAIN else "–",
                *(mean(runs, f"noise by {by}") for by in ("margin", "loss", "mean loss")),
                f"{mean(runs, 'hard by 1 - A')} ({mean(runs, 'hard by 1 - A, soft')})",
                mean(runs, "hard, ceiling"),
                mean(runs, "normal by 1 - A"),
            ]
            print(f"| {' | '.join(map(str, cells))} |")
    print("\n".join(summary(tracks, rows, said)))


if __name__ == "__main__":
    sys.exit(main_of(main))
