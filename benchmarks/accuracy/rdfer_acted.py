"""Acted talking clips, each actor held out in turn: one picture at a time, the usual means for clips, and RDFER.

    git show 311525e:src/tronie/zoo/models/default/encoder.onnx > static-1/encoder.onnx     (and model.json, card.md)
    tronie prepare acted-clips PACK --out prepared/acted-clips
    tronie prepare rafdb RAFDB --out prepared/rafdb
    python benchmarks/accuracy/rdfer_acted.py prepared/acted-clips static-1 --photos prepared/rafdb    25 CPU minutes
    python benchmarks/accuracy/rdfer_acted.py prepared/acted-clips static-1 --table > benchmarks/accuracy/rdfer_acted.md

192 clips of 8 actors, 16 frames each. The frames are seen by an image model that has learnt from no acted clip (a model
that has is refused): static-1, the default model of commit 311525e, knows RAF-DB and FERPlus alone. The image model's
own rows need no training: its probabilities are added up by code (fear and disgust together), and of five codes those
of fear and disgust are left out; then frames are averaged, or vote. The other rows learn from seven actors' clips of
the same model's features and answer the eighth's. Settings were chosen on actors 1 to 4.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from acted_clips import PEOPLE, Clips, Trial, chosen, do, found, opened_model, read_clips, read_photos, ridge
from acted_risk import CONFIDENCES, Kept, accuracy_at, aurc, kept
from numpy.typing import NDArray
from tracks import main_of, plain

from tronie.metrics.intervals import Interval, bootstrap

LOOKS = 8
SHORT: dict[str, Any] = {"frames": 16, "synopsis": 8, "keys": 2, "look_frames": 8}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear statistics": ("sequence", {"pool": "statistics", "frames": 16, "drop": 0.5}),
    "mean": ("sequence", {"pool": "mean", "frames": 16, "drop": 0.5}),
    "BiLSTM": ("sequence", {"pool": "bilstm", "frames": 16, "drop": 0.5}),
    "transformer": ("sequence", {"pool": "transformer", "frames": 16, "drop": 0.5}),
    "RDFER": ("rdfer", SHORT),
}
FULL, AGREED = "RDFER", f"RDFER, mean of {LOOKS} looks"
PHOTOS = "RDFER, photos as still clips"
"""Learns from as many of RAF-DB's photos as clips, in batches twice as large; of people whose mean is not known."""
PARTLY = ", from stretches"
"""Learns from random stretches of at least a quarter of a clip: a second of four, as films are read."""
STRETCH = 0.25
CODES = {"six codes": True, "without the unsure code": False}
TITLES = {"alone": "each clip by itself", "person": "against the person's own mean"}
BATCH = {6: 64, 5: 47}  # of seven actors' clips, by number of codes: three steps an epoch either way
CHOSEN = (1, 2, 3, 4)  # actors that settings were chosen on

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Said:
    """Answers of a row ``(passes, n)``, one pass per seed, beside the truth ``(n,)`` and whose clip it is ``(n,)``."""

    answer: Ints
    truth: Ints
    actor: Ints

    def share(self, at: Ints) -> float:
        """Accuracy in per cent over the clips ``at``, averaged over passes."""
        return 100 * float((self.answer[:, at] == self.truth[at]).mean())

    def against(self, other: Said | None = None) -> Interval:
        """Accuracy, or how much it exceeds ``other``'s, with a bootstrap over actors."""
        return bootstrap(
            lambda at: self.share(at) - (other.share(at) if other else 0),
            len(self.truth),
            groups=self.actor,
            draws=1000,
        )

    def among(self, actors: Sequence[int], inside: bool = True) -> float:
        """Accuracy on these actors, or on all others."""
        return self.share(np.flatnonzero(np.isin(self.actor, actors) == inside))

    def recall(self, code: int) -> float:
        """Recall of one code in per cent."""
        return self.share(np.flatnonzero(self.truth == code))

    def deviation(self) -> str:
        """Standard deviation over passes; a dash for one."""
        each = 100 * (self.answer == self.truth).mean(1)
        return f"{np.std(each, ddof=1):.1f}" if len(each) > 1 else "–"


def framewise(clips: Clips) -> dict[str, Said]:
    """The image model alone: the mean of its frames' probabilities, and the majority of their answers."""
    mean = np.stack([p.mean(0) for p in clips.per_clip(clips.image)])
    votes = np.stack([np.bincount(p.argmax(1), minlength=p.shape[1]) for p in clips.per_clip(clips.image)])
    vote = (votes + 0.5 * mean).argmax(1)  # of equals the one with the larger mean
    return {
        f"image model, {name}": Said(said[None], clips.label, clips.actor)
        for name, said in (("mean of frames", mean.argmax(1)), ("majority of frames", vote))
    }


def trained(trials: Sequence[Trial], clips: Clips, out: Path, model: str) -> dict[str, Said]:
    """The rows that learnt, and the mean of RDFER's looks."""
    rows = {}
    for name in (*ROWS, FULL + PARTLY, PHOTOS, PHOTOS + PARTLY):
        runs = found([t for t in trials if t.row == name], out, model)
        if not runs:
            continue
        rows[name] = Said(np.stack([r["one"].argmax(1) for r in runs]), clips.label, clips.actor)
        if name.startswith(FULL):
            mean = np.stack([r["looks"].mean(0).argmax(1) for r in runs])
            rows[AGREED.replace(FULL, name)] = Said(mean, clips.label, clips.actor)
    return rows


def scores(rows: dict[str, Said], names: Sequence[str]) -> list[str]:
    """Markdown: accuracy, paired against RDFER, and recall of each code."""
    codes = " | ".join(names)
    lines = [
        f"| | passes | accuracy | sd | RDFER is better by | actors 1–4 | actors 5–8 | {codes} |",
        "| --- |" + " ---: |" * (6 + len(names)),
    ]
    for name, said in rows.items():
        gap = plain(rows[FULL].against(said)) if FULL in rows and name != FULL else ""
        halves = [f"{said.among(CHOSEN, inside):.1f}" for inside in (True, False)]
        recalls = [f"{said.recall(code):.0f}" for code in range(len(names))]
        passes = str(len(said.answer)) if "image" not in name and "ridge" not in name else "–"
        cells = [name, passes, plain(said.against()), said.deviation(), gap, *halves, *recalls]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def risks(runs: Sequence[dict[str, NDArray[Any]]], clips: Clips) -> list[str]:
    """Markdown: how well each kind of confidence tells right answers from wrong ones, paired against the first."""
    lines = [
        "| confidence | AURC (less is better) | less than the first by | accuracy of the surest 80 % | 50 % |",
        "| --- |" + " ---: |" * 4,
    ]
    made = {name: [kept(run["one"], run["looks"], clips.label, name) for run in runs] for name in CONFIDENCES}
    first = made[next(iter(made))]

    def interval(of: Sequence[Kept], without: Sequence[Kept] = ()) -> Interval:
        def mean(passes: Sequence[Kept], at: Ints) -> float:
            return float(np.mean([aurc(p.confidence[at], p.right[at]) for p in passes])) if passes else 0.0

        return bootstrap(
            lambda at: mean(without, at) - mean(of, at) if without else mean(of, at),
            len(clips.label),
            groups=clips.actor,
            draws=1000,
        )

    for name, of in made.items():
        gain = three(interval(of, first)) if of is not first else ""
        shares = [f"{100 * np.mean([accuracy_at(p.confidence, p.right, c) for p in of]):.1f}" for c in (0.8, 0.5)]
        lines.append(f"| {' | '.join([name, three(interval(of)), gain, *shares])} |")
    return lines


def three(interval: Interval) -> str:
    """``0.512 [0.480, 0.551]``."""
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


HEAD = """# Acted talking clips, each actor held out in turn

`python benchmarks/accuracy/rdfer_acted.py prepared/acted-clips {folder} --seeds {seeds} --photos prepared/rafdb`

Features of {name} (graph {hash}), which has learnt from {seen}. {clips} clips of {actors} actors. Accuracy
in %, which is mean recall too, as every code has as many clips; 95 % intervals by bootstrap over the actors (eight
tend to give too narrow ones), paired for differences; sd over seeds; the last columns are recalls. Settings were chosen
on actors 1 to 4: the column of actors 5 to 8 chose nothing. *Against the person's own mean*: features are standardised
over all frames of the actor's clips, of the held-out actor too, without labels; the codes are balanced there,
which a film's are not. *Passes*: seeds that were run; a row that stands in no table was not."""


def main() -> None:
    """Do the runs that are not there yet, then print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("data", type=Path, help="a folder that `tronie prepare acted-clips` wrote")
    parser.add_argument("model", help="an image model's folder; it must not have learnt from acted clips")
    parser.add_argument("--out", type=Path, default=Path("out/rdfer/acted"), help="where features and runs are kept")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--photos", type=Path, help="RAF-DB as `tronie prepare rafdb` wrote it, for one more row")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--table", action="store_true", help="run nothing, only print what is there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = opened_model(args.model)
    whole = read_clips(args.data, model, args.out)
    conditions = {
        f"{TITLES[who]}, {codes}": chosen(whole, unsure, who == "person")
        for who in PEOPLE
        for codes, unsure in CODES.items()
    }
    trials = [
        Trial(
            row,
            *ROWS[row],
            seed,
            condition,
            clips.feature.shape[1],
            clips.manifest.labels.names,
            args.epochs,
            LOOKS if row == FULL else 0,
            BATCH[len(clips.manifest.labels)],
        )
        for seed in args.seeds
        for condition, clips in conditions.items()
        for row in args.rows
    ]
    alone = [t for t in trials if t.row == FULL and TITLES["alone"] in t.condition]
    more = alone + [replace(t, row=PHOTOS, photos=True, batch=2 * t.batch) for t in alone]
    trials += more[len(alone) :] + [replace(t, row=t.row + PARTLY, stretch=STRETCH) for t in more]
    if args.photos is None and not args.table:
        do([t for t in trials if not t.photos], conditions, args.out, model.hash)
    elif not args.table:
        photos = {
            name: read_photos(args.photos, model, args.out, clips.manifest.labels.names)
            for name, clips in conditions.items()
        }
        do(trials, conditions, args.out, model.hash, photos)
    print(
        HEAD.format(
            folder=model.name,
            seeds=" ".join(map(str, args.seeds)),
            name=model.name,
            hash=model.hash,
            seen=" and ".join(s.partition(":")[0] for s in model.info.seen),
            clips=len(whole.label),
            actors=len(np.unique(whole.actor)),
        )
    )
    for condition, clips in conditions.items():
        mine = [t for t in trials if t.condition == condition]
        plainly = {"ridge on mean and deviation": Said(ridge(clips)[None], clips.label, clips.actor)}
        rows = framewise(clips) | plainly | trained(mine, clips, args.out, model.hash)
        print(f"\n## {condition[0].upper()}{condition[1:]}\n")
        print("\n".join(scores(rows, clips.manifest.labels.names)))
        for row in (FULL, PHOTOS):
            if runs := found([t for t in mine if t.row == row], args.out, model.hash):
                print(f"\nRight answers told from wrong ones, {row}, {LOOKS} looks:\n")
                print("\n".join(risks(runs, clips)))


if __name__ == "__main__":
    sys.exit(main_of(main))
