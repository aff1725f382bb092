"""RDFER on the pixels of acted clips, end to end, beside a plain mean over frames and beside cached features.

    tronie prepare acted-clips PACK --folds 2 --out prepared/acted-clips
    git show 311525e:src/tronie/zoo/models/default/encoder.onnx > static-1/encoder.onnx     (and model.json, card.md)
    git show 6ef3b6a:models/baseline-static-finish-all.npz > static-1.npz                   (its full weights)
    python benchmarks/accuracy/rdfer_pixels.py prepared static-1 static-1.npz               2 CPU minutes a row
    python benchmarks/accuracy/rdfer_pixels.py prepared static-1 static-1.npz --table > …/rdfer_pixels.md

Rows on pixels are runs of the recipe rdfer-acted-pixels over all its folds, as `tronie train --folds all` makes them
below ``--out``; a run that was left goes on. Their encoders start from static-1's weights, which have seen no acted
clip. Rows on features are those of ``rdfer_acted.py``, what static-1 sees in the same frames, learnt from the same
clips. Size and epochs are what the machine could bear; rate and batch were chosen by the loss on the training clips.
Five codes are the answers of the same six-code runs, the unsure one left out of clips and answers alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from acted_clips import Clips, Trial, fit, opened_model, read_clips
from numpy.typing import NDArray
from rdfer_acted import FULL, ROWS, Said
from tracks import main_of, plain

from tronie.data.augmentation import Augment
from tronie.data.loader import batches
from tronie.data.prepared import open_prepared
from tronie.datasets.acted import LABELS, UNSURE
from tronie.methods.rdfer import RDFER
from tronie.models.folder import Model
from tronie.train.folds import train_folds
from tronie.train.log import read_log
from tronie.train.predictions import read_answers
from tronie.train.run import open_run
from tronie.train.sources import validation_parts

RECIPE = "rdfer-acted-pixels"
MEAN = (
    "method=sequence",
    'config={kind="pixels", pool="mean", encoder="dlib-resnet29", size=72, frames=16, width=64, dropout=0.5, drop=0.5}',
)
"""The mean over all 16 frames' vectors, of the same sizes, by the same encoder without temporal shift."""
PIXELS: dict[str, tuple[str, ...]] = {"RDFER": (), "mean": MEAN}
FEATURES = ("RDFER", "mean")
SURE = [code for code in range(len(LABELS)) if code != UNSURE]

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """Answers ``(passes, n, 6)`` of a row to clips of ``truth`` ``(n,)`` by ``actor`` ``(n,)``."""

    p: Probabilities
    truth: NDArray[np.int64]
    actor: NDArray[np.int64]

    def six(self) -> Said:
        return Said(self.p.argmax(2), self.truth, self.actor)

    def five(self) -> Said:
        """Without the unsure code, in clips and in answers."""
        sure = self.truth != UNSURE
        answer = np.array(SURE)[self.p[:, sure][:, :, SURE].argmax(2)]
        return Said(answer, self.truth[sure], self.actor[sure])


def home_of(row: str, out: Path) -> Path | None:
    """Where the folds of a row on pixels lie, if they were begun."""
    return next(iter(sorted((out / row).glob(f"*-{RECIPE}-folds-*"))), None)


def learn(row: str, assignments: Sequence[str], data: Path, out: Path) -> None:
    """Train every fold of a row on pixels that is not there yet, and keep what it cost."""
    home, began = home_of(row, out), time.process_time()
    if home is not None and (home / "folds.md").is_file():
        return
    if home is None:
        home = train_folds(RECIPE, data=data, out=out / row, assignments=assignments, say=say).folder
    else:
        train_folds(data=data, resume=home, say=say)
    spent = out / row / "seconds.json"
    before = json.loads(spent.read_text()) if spent.is_file() else 0.0
    spent.write_text(json.dumps(before + time.process_time() - began))


def say(line: str) -> None:
    """Tell how far it is, beside the tables."""
    print(line, file=sys.stderr, flush=True)


def on_pixels(row: str, out: Path, clips: Clips) -> Scored | None:
    """The answers of a row's runs, in the order of ``clips``; None where a fold is missing."""
    home = home_of(row, out)
    if home is None or not (home / "folds.md").is_file():
        return None
    answered = read_answers(home)["acted-clips"]
    place = {str(name): i for i, name in enumerate(answered.id)}
    order = np.array([place[str(name)] for name in clips.manifest.id])
    return Scored(answered.probability[order][None], clips.label, clips.actor)


def on_features(
    row: str, clips: Clips, fold: NDArray[np.int64], seeds: Sequence[int], out: Path, model: Model
) -> Scored:
    """The row of ``rdfer_acted.py`` learnt on the same folds, one pass a seed."""
    passes = []
    for seed in seeds:
        kept = out / f"features-{row}-{seed}-{model.hash}.npy"
        if not kept.is_file():
            trial = Trial(row, *ROWS[row], seed, "six codes", clips.feature.shape[1], LABELS.names)
            p = np.zeros((len(clips.label), len(LABELS)))
            for held in np.unique(fold):
                p[fold == held] = fit(trial, clips, np.flatnonzero(fold == held))[0]
            out.mkdir(parents=True, exist_ok=True)
            np.save(kept, p)
        passes.append(np.load(kept))
    return Scored(np.stack(passes), clips.label, clips.actor)


def scores(rows: dict[str, Scored], first: str, epochs: dict[str, str]) -> list[str]:
    """Markdown: accuracy on six and five codes, paired against ``first``, recall of each code, cost of an epoch."""
    lines = [
        f"| | passes | six codes | {first} is better by | five codes | {first} is better by | "
        f"{' | '.join(LABELS.names)} | s an epoch |",
        "| --- |" + " ---: |" * (6 + len(LABELS)),
    ]
    for name, found in rows.items():
        cells = [name, str(len(found.p))]
        for kind in ("six", "five"):
            said: Said = getattr(found, kind)()
            base: Said = getattr(rows[first], kind)()
            cells += [plain(said.against()), "" if name == first else plain(base.against(said))]
        cells += [f"{found.six().recall(code):.0f}" for code in range(len(LABELS))]
        lines.append(f"| {' | '.join([*cells, epochs.get(name, '')])} |")
    return lines


def cost(row: str, out: Path) -> str:
    """CPU seconds of an epoch over a fold, judging and starting included."""
    home, spent = home_of(row, out), out / row / "seconds.json"
    if home is None or not spent.is_file():
        return ""
    epochs = sum(len(read_log(fold)) for fold in sorted(home.glob("fold?")))
    return f"{json.loads(spent.read_text()) / epochs:.0f}"


@torch.no_grad()
def looked(home: Path, data: Path) -> list[str]:
    """Markdown: where the detail of each fold's run looks in the clips it never saw, and the loss's parts."""
    lines = [
        "| fold | centres of the keys (share of the clip) | sd over clips | a key's span | centres by quarter of "
        "the clip | losses, first → last epoch |",
        "| --- |" + " --- |" * 5,
    ]
    for fold in sorted(home.glob("fold?")):
        recipe, method = open_run(fold)
        assert isinstance(method, RDFER)
        rows = validation_parts(recipe, data)[0].rows
        order = np.stack([np.zeros(len(rows), np.int64), np.arange(len(rows))], 1)
        cuts = batches([rows], order, method.views(False), 16, how=Augment(), seed=0, epoch=0)
        seen = [method.look(method.encode(cut.clips[0])) for cut in cuts]
        mu = torch.cat([s.mu for s in seen if s.mu is not None])
        place = torch.cat([s.position for s in seen if s.position is not None]).unflatten(1, (len(mu[0]), -1))
        centre, span = (mu + 1) / 2, (place.amax(2) - place.amin(2)) / (method.config.frames - 1)
        quarter = np.bincount((centre.flatten() * 4).long().clamp(0, 3).numpy(), minlength=4) / centre.numel()
        log = read_log(fold)
        parts = ", ".join(
            f"{name} {log[0][name]:.2f} → {log[-1][name]:.2f}" for name in ("ce", "coarse", "steps", "keys", "centres")
        )
        where = [
            _list(centre.mean(0)),
            _list(centre.std(0)),
            f"{100 * span.mean():.0f} %",
            ", ".join(f"{100 * share:.0f} %" for share in quarter),
        ]
        lines.append(f"| {' | '.join([fold.name[4:], *where, parts])} |")
    return lines


def _list(values: torch.Tensor) -> str:
    return ", ".join(f"{v:.2f}" for v in values.tolist())


HEAD = """# RDFER on pixels, end to end

`python benchmarks/accuracy/rdfer_pixels.py prepared {folder} {weights}`

{clips} clips of {actors} actors in {folds} folds of four actors each; six ways of speaking a sentence, 16 face frames.
Accuracy in %, which is mean recall too, as every code has as many clips; chance 17, of five codes 20. 95 % intervals
by bootstrap over the eight actors (so few give too narrow ones), paired for differences; six columns of recalls.
Pixels: one seed, {epochs} epochs, faces of {size} px; seconds are CPU seconds of one thread for the {learnt} clips of a
fold, starting and judging shared out. Features: static-1's, learnt from the same clips; {seeds} seeds. The encoders of
the rows on pixels start from {weights}, weights that have seen no acted clip. None of these scores chose anything.
"""


def main() -> None:
    """Do the runs that are not there yet, then print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("data", type=Path, help="the folder that holds acted-clips as `tronie prepare` wrote it")
    parser.add_argument("model", help="an image model's folder, for the rows on features; it must know no acted clip")
    parser.add_argument("weights", type=Path, help="a state dict of dlib-resnet29 that the rows on pixels start from")
    parser.add_argument("--out", type=Path, default=Path("out/rdfer/pixels"), help="where runs are kept")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the rows on features")
    parser.add_argument("--rows", nargs="+", default=list(PIXELS), choices=list(PIXELS), help="of those on pixels")
    parser.add_argument("--table", action="store_true", help="run nothing on pixels, only print what is there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for row in [] if args.table else args.rows:
        learn(row, (*PIXELS[row], f"weights={args.weights}"), args.data, args.out)
    model = opened_model(args.model)
    clips, prepared = read_clips(args.data / "acted-clips", model, args.out), open_prepared(args.data / "acted-clips")
    fold = prepared.manifest.fold
    found = {row: on_pixels(row, args.out, clips) for row in PIXELS}
    rows = {f"pixels: {row}": scored for row, scored in found.items() if scored is not None}
    costs = {f"pixels: {row}": cost(row, args.out) for row in found}
    rows |= {f"features: {row}": on_features(row, clips, fold, args.seeds, args.out, model) for row in FEATURES}
    home = home_of(FULL, args.out)
    if f"pixels: {FULL}" not in rows or home is None:
        say("The row RDFER has not been run: there is no table yet.")
        return
    recipe = open_run(home / "fold0")[0]
    print(
        HEAD.format(
            folder=model.name,
            weights=args.weights.name,
            clips=len(clips.label),
            actors=len(np.unique(clips.actor)),
            folds=len(np.unique(fold)),
            epochs=recipe.loop.epochs,
            size=recipe.config["size"],
            learnt=int((fold != 0).sum()),
            seeds=len(args.seeds),
        )
    )
    print("\n".join(scores(rows, f"pixels: {FULL}", costs)))
    print(
        "\n## Where it looked\n\nIn clips of the held-out actors; two keys that tile the clip have centres 0.25 and "
        "0.75 and spans of 40 %.\n"
    )
    print("\n".join(looked(home, args.data)))


if __name__ == "__main__":
    sys.exit(main_of(main))
