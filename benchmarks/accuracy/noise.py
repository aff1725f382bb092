"""The image noise table: how methods that expect wrong labels fare on RAF-DB's training part with planted ones.

    python benchmarks/accuracy/noise.py PACK_OR_FOLDER                          everything, on the CPU: many hours
    python benchmarks/accuracy/noise.py PACK_OR_FOLDER --subset 128 --epochs 2 --seeds 0        a rehearsal
    python benchmarks/accuracy/noise.py PACK_OR_FOLDER --device cuda --shard 0/8   one of eight processes on a GPU
    python benchmarks/accuracy/noise.py PREPARED/rafdb --cached CACHE   on features that cached.py kept: half an hour
    python benchmarks/accuracy/noise.py PACK_OR_FOLDER --table                     only print what is there

Every finished run is a line of ``--out``; a run that is there already is skipped, so the command can be stopped and
given again, and several shards may write one file.

Who sees what: seed s reports on fold s mod 5 with its *clean* labels, chooses the epoch on the next fold with its
*noisy* labels (nobody with wrong labels has clean ones), and learns from the other three, noisy. Five seeds make the
report out-of-fold over the whole training part. With one seed and noise, all rows of the table see the same wrong
labels, the same batches and the same varied pictures. The default encoder is not pre-trained, and no average of
weights is kept, so that "last epoch" means what it says. Co-teaching is told the true share of wrong labels, as its
paper has it; the others are not. EAC compares maps of 2 × 2 places at 64 px (its paper: 7 × 7 at 224).

With ``--cached`` every method trains the same small net on what a frozen encoder saw (see ``cached.py``), which must
not have learnt from RAF-DB's labels. EAC is given the places it compares, the others their mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cached import Cache, described, fit, open_cache, predict
from noise_table import Ints, digits, integers, score, tables
from numpy.typing import NDArray

from tronie.core import config
from tronie.core.errors import SettingError, TronieError
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment
from tronie.data.loader import Rows
from tronie.data.noise.files import apply
from tronie.data.noise.labels import plant
from tronie.data.prepared import read_folds
from tronie.datasets.pictures import read_picture
from tronie.datasets.rafdb import read
from tronie.methods.method import Method
from tronie.train.loop import Listeners, Loop, answer, train
from tronie.train.optim import Optim
from tronie.train.precision import fast_precision
from tronie.train.recipe import Recipe, Source, resolved
from tronie.train.run import make_method

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("baseline", {"smoothing": 0.0, "dropout": 0.0}),
    "smoothing": ("baseline", {"smoothing": 0.1, "dropout": 0.0}),
    "gce": ("gce", {}),
    "elr": ("elr", {}),
    "coteaching": ("coteaching", {}),
    "scn": ("scn", {}),
    "eac": ("eac", {}),
    "ke2nt": ("ke2nt", {}),
    "ke2nt+agreement": ("ke2nt", {"looking": {"looks": 3, "noisy": "relabel", "every": 1}}),
}
"""Rows of the table: method and what differs from its defaults."""

PLACES = ("eac",)
"""Rows that need maps of several places."""

PLAIN = "plain"
"""The row that the others are compared with."""

NOISES = ("symmetric:0", "symmetric:0.1", "symmetric:0.2", "symmetric:0.3", "pair:0.2")
FOLDS = 5


@dataclass(frozen=True)
class Trial:
    """One run: a row of the table under one noise with one seed."""

    row: str
    noise: str
    seed: int

    def recipe(self, args: argparse.Namespace) -> Recipe:
        """Everything that the run depends on besides the faces; its hash is kept beside the result."""
        method, differing = ROWS[self.row]
        settings = {"encoder": args.encoder, "size": args.size} | differing
        if "looking" in settings:  # papers warm up for a fixed number of epochs; here a fifth of the run
            settings["looking"] = settings["looking"] | {"warmup": max(args.epochs // 5, 1)}
        half = fast_precision(args.device).bf16  # written out: results in bf16 and in float32 are not one line
        name, loop = "noise", Loop(epochs=args.epochs, seed=self.seed, judge_every=1, half=half)
        if args.cached:
            name, loop = f"noise on {args.about['encoder']}", replace(loop, batch=256, half=False)
        optim = Optim(ema=0.0, rate=args.rate)
        return resolved(
            Recipe(
                name,
                (Source("rafdb", folds="rafdb-train"),),
                fold=self.seed % FOLDS,
                method=method,
                config=settings,
                balance=0.0,
                loop=loop,
                optim=optim,
            )
        )


@dataclass(frozen=True, eq=False)
class Faces:
    """The training part in memory: ``pixels`` ``(n, 1, s, s, 3)`` uint8 and the fold ``(n,)`` of each face."""

    manifest: Manifest
    pixels: NDArray[np.uint8]
    fold: Ints
    cache: Cache | None = None

    def rows(self, index: Ints, label: Ints) -> Rows:
        """The faces ``index`` with labels ``(n,)`` to learn from or to be compared with."""
        target = np.eye(len(self.manifest.labels), dtype=np.float32)[label[index]]
        return Rows(self.pixels, index, target, np.ones(len(index), np.float32))


def read_faces(root: Path) -> Faces:
    """RAF-DB's training part, from the official folder or the pack."""
    manifest = read(root)
    manifest = manifest.select(manifest.split == "train").relabel(BASIC7)
    pixels = np.stack([read_picture(manifest, row) for row in range(len(manifest))])[:, None]
    return Faces(manifest, pixels, read_folds("rafdb-train", manifest))


def honest_cache(folder: Path, prepared: Path, side: int = 1) -> Cache:
    """What a frozen encoder saw of RAF-DB. Raises SettingError for one that learnt from the labels under test."""
    cache = open_cache(folder, prepared, side)
    if "rafdb" in cache.about["seen"]:
        raise SettingError(f"The encoder of {folder} has learnt from RAF-DB's labels: it proves nothing about others.")
    return cache


def read_cached(folder: Path, prepared: Path, side: int) -> Faces:
    """RAF-DB's training part as a frozen encoder saw it."""
    cache = honest_cache(folder, prepared, side)
    manifest = cache.manifest.relabel(BASIC7)
    if not (manifest.split == "train").all():
        raise SettingError(f"{prepared} holds more than RAF-DB's training part: prepare that alone.")
    return Faces(manifest, np.zeros((len(manifest), 1, 1, 1, 3), np.uint8), read_folds("rafdb-train", manifest), cache)


def roles(faces: Faces, seed: int, subset: int) -> tuple[Ints, Ints, Ints]:
    """Positions of the faces that ``seed`` learns from, chooses the epoch by and reports on; ``subset`` of each."""
    report, choose = seed % FOLDS, (seed + 1) % FOLDS
    learn = ~np.isin(faces.fold, (report, choose, -1))
    rng = np.random.default_rng(seed)
    found = [np.flatnonzero(mask) for mask in (learn, faces.fold == choose, faces.fold == report)]
    return tuple(np.sort(rng.permutation(part)[: subset or None]) for part in found)  # type: ignore[return-value]


def run(trial: Trial, faces: Faces, args: argparse.Namespace) -> dict[str, Any]:
    """Train one trial and return the line that is kept of it."""
    began, recipe = time.monotonic(), trial.recipe(args)
    kind, _, rate = trial.noise.partition(":")
    noise = plant(faces.manifest, kind, rate=float(rate), seed=trial.seed)
    learn, choose, report = roles(faces, trial.seed, args.subset)
    told = recipe
    if trial.row == "coteaching":
        told = replace(recipe, config=dict(recipe.config) | {"forget": noise.realised})
    method = make_method(told)
    sample = torch.from_numpy(np.ascontiguousarray(faces.pixels[learn[:512], 0])).permute(0, 3, 1, 2)
    method.prepare(apply(faces.manifest, noise).select(learn), sample.float())
    chooses, reports = faces.rows(choose, noise.after), faces.rows(report, noise.before)
    watched: list[float] = []
    answers: list[Ints] = []

    def answered(weights: Method, rows: Rows) -> Ints:
        if faces.cache is not None:
            return predict(weights, faces.cache, rows.index).logits.argmax(1)
        return answer(weights, rows, half=recipe.loop.half is True).logits.argmax(1)

    def judge(weights: Method) -> dict[str, float]:
        watched.append(float(np.mean(answered(weights, chooses) == noise.after[choose])))
        answers.append(answered(weights, reports))
        return {"noisy_accuracy": watched[-1]}

    rows = faces.rows(learn, noise.after)
    if faces.cache is not None:
        fit(method, faces.cache, rows, args.epochs, trial.seed, recipe.optim, recipe.loop.batch, judge)
    else:
        loop = replace(recipe.loop, device=args.device, threads=args.threads)
        with tempfile.TemporaryDirectory() as folder:
            train(method, [rows], loop, recipe.optim, Augment(), Path(folder), Listeners(judge=judge))
    chosen = int(np.argmax(watched))
    return key(trial, args) | {
        "wrong": round(float(np.mean(noise.flipped[learn])), 4),
        "faces": [len(learn), len(choose), len(report)],
        "reported": faces.manifest.select(report).hash(),
        "seconds": round(time.monotonic() - began, 1),
        "noisy_accuracy": [round(value, 4) for value in watched],
        "epoch": chosen + 1,
        "truth": digits(noise.before[report]),
        "chosen": digits(answers[chosen]),
        "last": digits(answers[-1]),
    }


def key(trial: Trial, args: argparse.Namespace) -> dict[str, Any]:
    """What tells one line from another."""
    return {
        "row": trial.row,
        "noise": trial.noise,
        "seed": trial.seed,
        "subset": args.subset,
        "settings": config.settings_hash(trial.recipe(args)),
    }


def lines(path: Path) -> list[dict[str, Any]]:
    """The runs that are there; a line that was cut short by a kill is no run."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            print(f"{path}: a line is cut short and left out", file=sys.stderr)
    return found


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line in one write, so that shards that write at once do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(line) + "\n"
    if path.is_file() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        text = "\n" + text
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line. Raises SettingError for a row, noise or shard that does not exist."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="RAF-DB: the official folder or the pack; with --cached: prepared")
    parser.add_argument("--out", type=Path, default=Path("out/noise/runs.jsonl"), help="where runs are kept")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rates", nargs="+", default=list(NOISES), metavar="KIND:RATE", help="symmetric:… pair:…")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="default: 40, or 8 on cached features")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--cached", type=Path, help="a folder that cached.py wrote")
    parser.add_argument("--subset", type=int, default=0, help="so many faces for each role (0: all), to rehearse")
    parser.add_argument("--encoder", default="resnet18-half")
    parser.add_argument("--size", type=int, default=64, help="side of the crops in pixels")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="do every N-th run, from the I-th (of 0..N-1) on")
    parser.add_argument("--table", action="store_true", help="run nothing")
    args = parser.parse_args(given)
    args.epochs = args.epochs or (8 if args.cached else 40)
    if args.cached:
        args.encoder, args.about = "cached:Tail", described(args.cached)
        torch.set_num_threads(args.threads)
    unknown = [row for row in args.rows if row not in ROWS]
    if unknown:
        raise SettingError(f"There is no row '{unknown[0]}': use {', '.join(ROWS)}.")
    for noise in args.rates:
        kind, _, rate = noise.partition(":")
        if kind not in ("symmetric", "pair") or not rate.replace(".", "", 1).isdecimal():
            raise SettingError(f"'{noise}' is no noise: write symmetric:0.3 or pair:0.2.")
    first, _, of = args.shard.partition("/")
    if not (first.isdecimal() and of.isdecimal() and int(first) < int(of)):
        raise SettingError(f"'{args.shard}' is no shard: write 0/8 for the first of eight.")
    return args


def main(given: Sequence[str] | None = None) -> int:
    """Do the runs that are not there yet, then print the table."""
    try:
        args = arguments(given)
        wanted = [Trial(row, noise, seed) for seed in args.seeds for noise in args.rates for row in args.rows]
        first, of = (int(part) for part in args.shard.split("/"))
        mine = [] if args.table else wanted[first::of]
        there = lines(args.out)
        todo = [t for t in mine if not any(key(t, args).items() <= line.items() for line in there)]
        opened: dict[int, Faces] = {}
        for number, trial in enumerate(todo, 1):
            side = 2 if trial.row in PLACES or not args.cached else 1
            if side not in opened:
                opened[side] = read_cached(args.cached, args.data, side) if args.cached else read_faces(args.data)
            line = run(trial, opened[side], args)
            append(args.out, line)
            accuracy = score(integers(line["truth"]), integers(line["last"]))[0]
            print(
                f"{number} of {len(todo)}: {trial.row}, {trial.noise}, seed {trial.seed}: "
                f"{accuracy:.1f} % at the end, {line['seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )
        compared = {*wanted, *(replace(trial, row=PLAIN) for trial in wanted)}
        keys, there = [key(trial, args) for trial in compared], lines(args.out)
        found = [match[-1] for k in keys if (match := [line for line in there if k.items() <= line.items()])]
    except TronieError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(tables(found, args.rows, args.rates, PLAIN)) if found else "No run is there yet.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
