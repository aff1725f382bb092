"""RAVDESS as tracks of 68 points: clips in memory, training runs on them, runs kept as lines, paired intervals.

Seed s reports on fold s mod 5 (four actors) and learns from the other sixteen actors: five seeds make the report
out-of-fold over all twenty actors, and every row of a table meets the same clips, noise and batches. No epoch is
chosen: the running average of weights at the last one answers. A run takes tens of CPU seconds on one thread.

Relative to the person means that everyone was given the same face (:func:`tronie.clips.points.refaced`), by the mean
over all clips of each actor, those that are reported on included, without any label.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from noise import append, lines
from noise_table import digits, integers
from numpy.typing import NDArray

from tronie.clips.points import IBUG68_MIRROR, SMOOTH, normalised, person_shapes, refaced, smoothed
from tronie.core import config
from tronie.core.errors import TronieError
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment
from tronie.data.loader import Rows
from tronie.datasets.ravdess import LABELS, recording
from tronie.datasets.tracks import read
from tronie.methods.method import Method
from tronie.metrics import scores
from tronie.metrics.intervals import Interval, bootstrap
from tronie.train.loop import Listeners, Loop, answer, train
from tronie.train.optim import Optim
from tronie.train.recipe import Recipe, Source, resolved
from tronie.train.run import make_method

FOLDS = 5
SMALL = {"width": 64, "hidden": 48, "layers": 1, "heads": 4, "dropout": 0.1}
"""Sizes for a thousand clips; the same for every row."""
WHOLE: dict[str, Any] = {"frames": 32, "locate": "steps", "target": "label"}
"""RDFER with those of our choices that find the needle (``rdfer_needle.py``)."""
SHORT = WHOLE | {"frames": 16, "synopsis": 8, "keys": 2}
"""The same for half as many frames, at half the cost, where many runs are compared with one another."""
OPTIM = Optim(rate=2e-3, ema=0.98, decay=0.05)
AUGMENT = Augment(noise=0.003)  # of the distance between the eyes; more drowns what speeds say

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tracks:
    """Clips one after another: ``points`` ``(total, 68, 2)`` smoothed, clip i at ``starts[i]:starts[i + 1]``."""

    manifest: Manifest
    points: Floats
    starts: Ints
    strong: NDArray[np.bool_]

    def rows(self, index: Ints, label: Ints) -> Rows:
        """Clips ``index`` with labels ``(n,)``; rare labels weigh more, by the root of their share."""
        number = np.bincount(label[index], minlength=len(self.manifest.labels)).clip(1)
        weight = ((number.mean() / number) ** 0.5)[label[index]].astype(np.float32)
        target = np.eye(len(number), dtype=np.float32)[label[index]]
        return Rows(self.points, index, target, weight, starts=self.starts, kind="points", mirror=IBUG68_MIRROR)

    def length(self) -> Ints:
        """Frames of each clip."""
        return np.diff(self.starts)


def read_tracks(pack: Path, *, person: bool = False, smooth: int = SMOOTH) -> Tracks:
    """The pack, averaged over ``smooth`` frames; ``person``: relative to each actor's own face. Raises SourceError."""
    manifest = read(pack)
    with np.load(pack if pack.is_file() else pack / "ravdess_tracks_train.npz") as z:
        delta, starts = z["delta"], z["offsets"].astype(np.int64)
    tracks = (delta[:, a:b].astype(np.int64).cumsum(1).T.reshape(-1, 68, 2) for a, b in pairwise(starts))
    clips = [smoothed(normalised(track), smooth) for track in tracks]
    if person:
        face, own = person_shapes(clips, manifest.subject.tolist())
        clips = [refaced(clip, own[who], face) for clip, who in zip(clips, manifest.subject.tolist(), strict=True)]
    strong = np.array([recording(str(i)).intensity == "strong" for i in manifest.id])
    return Tracks(manifest, np.concatenate(clips), starts, strong)


def roles(tracks: Tracks, seed: int) -> tuple[Ints, Ints]:
    """Positions of the clips that ``seed`` learns from and reports on."""
    report = tracks.manifest.fold == seed % FOLDS
    return np.flatnonzero(~report), np.flatnonzero(report)


@dataclass(frozen=True)
class Trial:
    """One run: a row of a table under one condition with one seed; ``settings`` of the method ``method``.

    ``person``: on clips relative to the person, which is part of the condition.
    """

    row: str
    method: str
    settings: Mapping[str, Any]
    seed: int
    condition: str = ""
    epochs: int = 20
    person: bool = False

    def recipe(self) -> Recipe:
        """Everything that the run depends on besides clips and labels."""
        small = SMALL | {"kind": "points", "inputs": 68} | dict(self.settings)
        loop = Loop(epochs=self.epochs, batch=32, seed=self.seed, half=False, judge_every=1000)
        source = Source("ravdess-tracks", folds="manifest")
        return resolved(
            Recipe(
                "tracks",
                (source,),
                labels=LABELS.names,
                fold=self.seed % FOLDS,
                method=self.method,
                config=small,
                loop=loop,
                optim=OPTIM,
                augment=AUGMENT,
            )
        )

    def key(self) -> dict[str, Any]:
        """What tells its line from others."""
        condition = " ".join([self.condition, "person"]).strip() if self.person else self.condition
        return {
            "row": self.row,
            "condition": condition,
            "seed": self.seed,
            "settings": config.settings_hash(self.recipe()),
        }


def fit(trial: Trial, tracks: Tracks, label: Ints | None = None) -> tuple[Method, Ints]:
    """Train on the trial's clips with ``label`` ``(n,)``; the averaged weights, and the clips learnt from."""
    learn, recipe = roles(tracks, trial.seed)[0], trial.recipe()
    label = tracks.manifest.label if label is None else label
    torch.manual_seed(trial.seed)
    method = make_method(recipe)
    middle = (tracks.starts[learn] + tracks.starts[learn + 1]) // 2
    method.prepare(replace(tracks.manifest, label=label).select(learn), torch.from_numpy(tracks.points[middle[::2]]))
    with tempfile.TemporaryDirectory() as folder:
        rows = [tracks.rows(learn, label)]
        return train(method, rows, recipe.loop, OPTIM, AUGMENT, Path(folder), Listeners()), learn


def reported(trial: Trial, method: Method, tracks: Tracks) -> dict[str, Any]:
    """The line of a run: answers to the clips that were held out."""
    report = roles(tracks, trial.seed)[1]
    logits = answer(method, tracks.rows(report, tracks.manifest.label)).logits
    return trial.key() | {"answered": digits(logits.argmax(1))}


def do(
    trials: Sequence[Trial],
    out: Path,
    pack: Path,
    run: Callable[[Trial, Tracks], dict[str, Any]],
    *,
    person: bool = False,
    smooth: int = SMOOTH,
) -> Tracks:
    """Run what is not there yet, keep each as a line of ``out``; the clips, as :func:`read_tracks` gives them."""
    tracks, there = read_tracks(pack, person=person, smooth=smooth), lines(out)
    todo = [t for t in trials if not any(t.key().items() <= line.items() for line in there)]
    for number, trial in enumerate(todo, 1):
        began = time.process_time()
        append(out, run(trial, tracks) | {"seconds": round(time.process_time() - began, 1)})
        print(f"{number} of {len(todo)}: {trial.row} {trial.condition} seed {trial.seed}", file=sys.stderr, flush=True)
    return tracks


def found(trials: Sequence[Trial], out: Path, row: str, condition: str = "") -> list[dict[str, Any]]:
    """The lines of a row under a condition that these trials made, by seed."""
    mine = [t.key() for t in trials if (t.row, t.condition) == (row, condition)]
    there = lines(out)
    return [match[-1] for k in mine if (match := [line for line in there if k.items() <= line.items()])]


@dataclass(frozen=True, eq=False)
class Answered:
    """What the runs of a row answered to each clip: one column per pass over the folds, -1 where none."""

    truth: Ints
    answer: Ints

    def recall(self, at: Ints) -> float:
        """Mean recall in per cent over the clips ``at``, averaged over passes."""
        found = [
            scores.mean_recall(scores.confusion(self.truth[at][keep], column[keep], 10))
            for column in self.answer[at].T
            if (keep := column >= 0).any()
        ]
        return 100 * float(np.mean(found))


def answered(tracks: Tracks, found: Sequence[Mapping[str, Any]]) -> Answered:
    """The answers of runs, each to its own held-out clips."""
    passes = max((line["seed"] // FOLDS for line in found), default=0) + 1
    column = np.full((len(tracks.manifest), passes), -1, np.int64)
    for line in found:
        column[roles(tracks, line["seed"])[1], line["seed"] // FOLDS] = integers(line["answered"])
    return Answered(tracks.manifest.label, column)


def score(tracks: Tracks, one: Answered, other: Answered | None = None) -> Interval:
    """Mean recall, or how much that of ``one`` exceeds ``other``'s, with a bootstrap over the actors both answered."""
    keep = (one.answer >= 0).any(1) & (True if other is None else (other.answer >= 0).any(1))
    clips = np.flatnonzero(keep)
    return bootstrap(
        lambda at: one.recall(clips[at]) - (other.recall(clips[at]) if other else 0),
        len(clips),
        groups=tracks.manifest.group[clips],
        draws=500,
    )


def spread(tracks: Tracks, one: Answered, seeds: Sequence[int]) -> str:
    """Standard deviation over the seeds of their mean recalls; a dash for one seed."""
    each = [Answered(one.truth, one.answer[:, s // FOLDS][:, None]).recall(roles(tracks, s)[1]) for s in seeds]
    return f"{np.std(each, ddof=1):.1f}" if len(each) > 1 else "–"


def plain(interval: Interval) -> str:
    """``71.2 [68.0, 74.1]``."""
    return f"{interval.value:.1f} [{interval.low:.1f}, {interval.high:.1f}]"


def command(description: str, out: str, seeds: Sequence[int] = range(5)) -> argparse.ArgumentParser:
    """What all these benchmarks take."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("data", type=Path, help="the pack ravdess_tracks_train.npz, or its folder")
    parser.add_argument("--out", type=Path, default=Path("out") / out, help="where runs are kept, a line each")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(seeds))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rows", nargs="+", default=[], help="only these rows")
    parser.add_argument("--table", action="store_true", help="run nothing, only print what is there")
    return parser


def main_of(main: Callable[[], None]) -> int:
    """Run ``main``; a user's mistake is one sentence."""
    try:
        main()
    except TronieError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
