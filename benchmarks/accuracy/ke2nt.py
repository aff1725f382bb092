"""What each part of KE2NT is worth on RAF-DB: fold 0 of the training part, paired with a linear head.

    python benchmarks/accuracy/ke2nt.py PREPARED/rafdb --from dlib-resnet29 RUN_FOLDER      the table in ke2nt.md
    python benchmarks/accuracy/ke2nt.py PREPARED/rafdb --train resnet18-half --size 64      whole nets: many hours

``--from`` names frozen encoders, an encoder's published start or a finished run's, whose features ``cached.py`` keeps
once below ``--out``; a small net is trained on them for every row and seed. Encoders that have learnt from RAF-DB's
labels are refused. ``--train`` trains a real net from its start, end to end, for every row and seed.

Nothing is chosen on fold 0: every run learns from folds 1 to 4 for a fixed number of epochs and is judged once, at the
end. Rows of one seed see the same batches and varied views. Every finished run is a line of ``runs.jsonl``; a run that
is there already is skipped. The text encoder is MiniLM: a sentence encoder that has never seen a picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cached import SIZE, Cache, fit, make, predict
from noise import append, honest_cache, lines
from noise_table import cell, difference, digits, integers, score
from numpy.typing import NDArray

from tronie.core import config
from tronie.core.errors import TronieError
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment
from tronie.data.loader import Rows
from tronie.data.prepared import open_prepared, read_folds
from tronie.train.loop import SILENT, Loop, answer, train
from tronie.train.optim import Optim
from tronie.train.precision import fast_precision
from tronie.train.recipe import Recipe, Source, resolved
from tronie.train.run import make_method

HEAD, ALL = "linear head", "all three"
DRAWS = 3
ROWS: dict[str, dict[str, Any]] = {
    "matching": {"transform": 0.0, "contrast": 0.0},
    "matching + transformation": {"contrast": 0.0},
    "matching + self-contrast": {"transform": 0.0},
    ALL: {},
    "all, self-contrast over all pairs": {"pairs": "all-pairs"},
    "all, bare words": {"prompts": "words"},
    "all, muscles described": {"prompts": "muscles"},
    "all, texts centred": {"centre": True},
    "all, scale learned": {"scale": "learned"},
    "all, residual": {"residual": True},
    **{f"all, random vectors {draw}": {"text": f"random-orthogonal:{draw}"} for draw in range(1, DRAWS + 1)},
}
"""Rows of the table: what differs from KE2NT's defaults."""

POOLED = f"all, random vectors, {DRAWS} draws"


@dataclass(frozen=True, eq=False)
class Data:
    """RAF-DB's training part: prepared faces, their folds, and a frozen encoder's cache or None."""

    manifest: Manifest
    faces: NDArray[np.uint8]
    fold: NDArray[np.int64]
    cache: Cache | None

    def rows(self, held: bool) -> Rows:
        """Fold 0, or the other four."""
        index = np.flatnonzero((self.fold == 0) == held)
        target = np.eye(len(BASIC7), dtype=np.float32)[self.manifest.label[index]]
        return Rows(self.faces, index, target, np.ones(len(index), np.float32))


def recipe_of(row: str, seed: int, source: str, args: argparse.Namespace) -> Recipe:
    """Everything that a run depends on besides the faces; its hash is kept beside the result."""
    settings: dict[str, Any] = {"encoder": args.train or "cached:Tail", "size": args.size}
    method = "baseline" if row == HEAD else "ke2nt"
    settings |= {"smoothing": 0.0, "dropout": 0.0} if row == HEAD else ROWS[row]
    half = bool(args.train) and fast_precision().bf16  # written out: results in bf16 and in float32 are not one line
    loop = Loop(epochs=args.epochs, seed=seed, batch=64 if args.train else 256, half=half)
    optim = Optim(ema=0.0, rate=args.rate)
    return resolved(
        Recipe(
            f"ablation on {source}",
            (Source("rafdb", folds="rafdb-train"),),
            method=method,
            config=settings,
            balance=0.0,
            loop=loop,
            optim=optim,
        )
    )


def key(row: str, seed: int, source: str, args: argparse.Namespace) -> dict[str, Any]:
    """What tells one line from another."""
    return {
        "row": row,
        "seed": seed,
        "source": source,
        "settings": config.settings_hash(recipe_of(row, seed, source, args)),
    }


def run(row: str, seed: int, source: str, data: Data, args: argparse.Namespace) -> dict[str, Any]:
    """Train one row with one seed and return the line that is kept of it."""
    began, recipe = time.monotonic(), recipe_of(row, seed, source, args)
    method, learn, held = make_method(recipe), data.rows(False), data.rows(True)
    sample = np.ascontiguousarray(data.faces[learn.index[:512], -1])
    method.prepare(data.manifest.select(learn.index), torch.from_numpy(sample).permute(0, 3, 1, 2).float())
    if data.cache is not None:
        fit(method, data.cache, learn, args.epochs, seed, recipe.optim, recipe.loop.batch)
        found = predict(method, data.cache, held.index)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = answer(train(method, [learn], recipe.loop, recipe.optim, Augment(), Path(folder), SILENT), held)
    return key(row, seed, source, args) | {
        "reported": data.manifest.select(held.index).hash(),
        "faces": [len(learn), len(held)],
        "seconds": round(time.monotonic() - began, 1),
        "varied": data.cache.varied if data.cache else 0,
        "truth": digits(data.manifest.label[held.index]),
        "last": digits(found.logits.argmax(1)),
    }


def table(found: list[dict[str, Any]], source: str) -> Iterable[str]:
    """Markdown: scores of one encoder's rows, and paired differences to the linear head and to all three parts."""
    by = {row: [line for line in found if line["row"] == row and line["source"] == source] for row in (HEAD, *ROWS)}
    by[POOLED] = [line for row, there in by.items() if "random vectors" in row for line in there]
    some = next(line for there in by.values() for line in there)
    seeds = ", ".join(map(str, sorted({line["seed"] for there in by.values() for line in there})))
    yield f"### {source}"
    yield ""
    views = f", each in {2 * some['varied']} varied views" if some.get("varied") else ""
    yield f"{some['faces'][0]} faces learnt from{views}; {some['faces'][1]} judged (rows {some['reported']}); seeds"
    yield f"{seeds}. Accuracy / mean recall in %, mean ± sd over seeds; differences in points with 95 % intervals,"
    yield "seeds and faces drawn again."
    yield ""
    yield f"| | accuracy / mean recall | to the {HEAD} | to {ALL} |"
    yield "| --- | --- | --- | --- |"
    for row in (HEAD, *(r for r in ROWS if "random" not in r), POOLED, *(r for r in ROWS if "random" in r)):
        if not by[row]:
            continue
        apart = [difference(by[row], by[other], "last") if row != other else "" for other in (HEAD, ALL)]
        yield f"| {row} | {cell(by[row], 'last')} | {' | '.join(apart)} |"
    yield ""


def sources(args: argparse.Namespace) -> Iterable[tuple[str, Data]]:
    """Each encoder's name and data; caches that are not there yet are made."""
    opened = open_prepared(args.prepared)
    faces, relabelled = opened.faces, opened.manifest.relabel(BASIC7)
    fold = read_folds("rafdb-train", opened.manifest)
    if args.train:
        yield f"{args.train}, end to end", Data(relabelled, faces, fold, None)
        return
    for name in args.encoders:
        folder = args.out / f"cache-{Path(name).name}"
        if not (folder / "cache.json").is_file():
            make(args.prepared, name, folder, varied=1, again=3)
        yield Path(name).name, Data(relabelled, faces, fold, honest_cache(folder, args.prepared))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("prepared", type=Path, help="RAF-DB's training part as `tronie prepare` wrote it")
    parser.add_argument("--from", dest="encoders", nargs="+", default=["dlib-resnet29"], help="frozen encoders")
    parser.add_argument("--train", default="", help="an encoder to train end to end, in the place of frozen ones")
    parser.add_argument("--size", type=int, default=SIZE, help="side of the crops in pixels, with --train")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", default=[HEAD, *ROWS])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/ke2nt"), help="where caches and runs are kept")
    return parser.parse_args()


def main() -> int:
    """Do the runs that are not there yet, then print the tables."""
    args = arguments()
    torch.set_num_threads(args.threads)
    try:
        names = []
        for source, data in sources(args):
            names.append(source)
            for row, seed in [(row, seed) for seed in args.seeds for row in args.rows]:
                wanted = key(row, seed, source, args)
                if any(wanted.items() <= line.items() for line in lines(args.out / "runs.jsonl")):
                    continue
                line = run(row, seed, source, data, args)
                append(args.out / "runs.jsonl", line)
                accuracy, recall = score(integers(line["truth"]), integers(line["last"]))
                print(
                    f"{source}, {row}, seed {seed}: {accuracy:.1f} / {recall:.1f} %, {line['seconds']:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
        wanted_keys = [key(row, seed, name, args) for name in names for row in args.rows for seed in args.seeds]
        there = lines(args.out / "runs.jsonl")
        found = [next(line for line in reversed(there) if k.items() <= line.items()) for k in wanted_keys]
    except TronieError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(text for name in names for text in table(found, name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
