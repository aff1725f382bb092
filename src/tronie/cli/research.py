"""Commands of the researcher's room."""

from __future__ import annotations

import json as json_
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tronie.cli.common import Changes, Out, Quiet, say, tell, tell_json

if TYPE_CHECKING:
    from tronie.data.crops import Prepared


def prepare(
    dataset: str,
    root: Path,
    *,
    out: Out,
    size: int = 112,
    folds: int = 0,
    seed: int = 0,
    detector: str = "retinaface",
    frames: int = 0,
    baseline: Literal["none", "person"] = "none",
    set: Changes = None,
    quiet: Quiet = False,
) -> int:
    """Cut out a data set's faces, ready for training and evaluation.

    Rows that are clips give a folder of clips; a job that was stopped goes on where it was.

    Parameters
    ----------
    dataset
        A name of `tronie datasets`; "folder" for pictures of your own, a folder per class.
    root
        Where the data set lies.
    out
        The folder to write: faces, manifest, and how they were made.
    size
        Side of the faces in pixels.
    folds
        Divide the training rows into this many folds; near-duplicates and people stay together (0: no folds).
    seed
        Another seed, other folds.
    detector
        "retinaface", or "whole" for pictures that are cropped and aligned already.
    frames
        Keep at most this many frames of each clip, evenly spread (0: all).
    baseline
        "person": in tracked points, the mean face of each person (over all clips, no labels) becomes that of all.
    set
        An option of the data set's reader, such as rule=plurality (may be given several times).
    quiet
        Print nothing but errors.
    """
    from tronie.cli.counting import counting
    from tronie.core.config import override
    from tronie.data.prepare import prepare as work

    with counting(hidden=quiet) as count:
        made = work(
            dataset,
            root,
            out,
            size=size,
            folds=folds,
            seed=seed,
            detector=detector,
            frames=frames,
            baseline=baseline,
            options=override({}, set or ()),
            progress=lambda done, total: count("cutting faces", done, total),
        )
    for row, reason in made.prepared.unread[:5]:
        say(f"Left out {row}: {reason}")
    if len(made.prepared.unread) > 5:
        say(f"Left out {len(made.prepared.unread) - 5} more: see prepared.json.")
    if not quiet:
        say(_prepared(made.prepared))
        if made.folds:
            say(f"{made.folds} folds; {made.twins:,} rows have a near-duplicate and stay with it.")
    return 0


def _prepared(made: Prepared) -> str:
    """One sentence about what was prepared."""
    if made.frames:
        found = f"; faces were found in {made.aligned:,} of them" if made.aligned < made.frames else ""
        none = f" No face was found in {len(made.missed):,} clips: they are whole pictures." if made.missed else ""
        return f"{made.rows:,} clips of {made.frames:,} frames in {made.folder}{found}.{none}"
    return (
        f"{made.rows:,} faces in {made.folder}; {made.aligned:,} were found and aligned, the others are whole pictures."
    )


def features(prepared: Path, *, model: str = "default", out: Out, quiet: Quiet = False) -> int:
    """Save a model's feature vector for each frame of prepared clips, so that clip methods learn quickly.

    Parameters
    ----------
    prepared
        A folder of clips that `tronie prepare` made, or of photos, each of which becomes a clip of one frame.
    model
        A model's name, its folder, or a run folder.
    out
        The folder to write.
    quiet
        Print nothing but errors.
    """
    from tronie.cli.counting import counting
    from tronie.data.features import features as work

    with counting(hidden=quiet) as count:
        made = work(prepared, model, out, progress=lambda done, total: count("reading clips", done, total))
    if not quiet:
        say(f"{made.clips:,} clips of {made.frames:,} frames in {made.folder}, {made.width} numbers a frame.")
    return 0


def train(
    recipe: str | None = None,
    *,
    data: Path = Path("prepared"),
    out: Out = Path("runs"),
    folds: str | None = None,
    set: Changes = None,
    resume: Path | None = None,
    quiet: Quiet = False,
) -> int:
    """Train a model by a recipe, evaluate it and export it. Needs the extra "train".

    Parameters
    ----------
    recipe
        A shipped recipe or a TOML file.
    data
        The folder that holds prepared data sets.
    out
        Where run folders go.
    folds
        "all", or numbers such as 0,2: a run for each fold held out, and their mean with deviation and interval.
    set
        Override the recipe: --set loop.epochs=3 --set config.encoder=resnet18.
    resume
        A run folder (or one of runs over folds): go on after its last finished epoch.
    quiet
        Print nothing but errors.
    """
    from tronie.train.folds import FILE, table, train_folds
    from tronie.train.train import train as work

    hidden = quiet or os.environ.get("RANK", "0") != "0"  # under torchrun only one process showns

    def shown(line: str) -> None:
        if not hidden:
            tell(line, flush=True)

    if folds is not None or (resume is not None and (resume / FILE).is_file()):
        folded = train_folds(
            recipe, folds or "all", data=data, out=out, assignments=set or (), resume=resume, say=shown
        )
        shown(f"{table(folded)}\nWritten: {folded.folder}")
        return 0
    outcome = work(recipe, data=data, out=out, assignments=set or (), resume=resume, say=shown)
    if not hidden:
        if outcome.model.is_dir():  # a method of clips has none
            tell(f"Model: {outcome.model}")
        tell(f"Report: {outcome.folder / 'report.html'}")
    return 0


def evaluate(
    model: str,
    *data: Path,
    split: str = "",
    folds: str = "",
    fold: int | None = None,
    cut: Literal["aligned", "whole"] = "aligned",
    robustness: bool = False,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    json: bool = False,
    quiet: Quiet = False,
) -> int:
    """Evaluate a model on labelled faces: scores with 95 % intervals.

    Exit code 3: more rows were left out than scored, because the model does not know their labels.

    Parameters
    ----------
    model
        A model's name, its folder, or a run folder.
    data
        Prepared folders, manifests (CSV) of pictures, or folders with a folder of pictures per class.
    split
        Only this part of the data: train, valid or test.
    folds
        A fold file (such as rafdb-train), or "manifest" for the data's own folds; together with --fold.
    fold
        Only this fold.
    cut
        "aligned": faces found and aligned as for prediction. "whole": the pictures as they are.
    robustness
        Also by face size, blur, noise, occlusion and rotation.
    out
        A folder for report.html, evaluation.json and answers.csv.
    json
        Print one JSON document instead of a table.
    quiet
        Print nothing but errors.
    """
    from tronie.cli.counting import counting
    from tronie.core.errors import SettingError, SourceError
    from tronie.output.text import grid
    from tronie.train.evaluate import evaluate as work
    from tronie.train.scores import WORDS, plain

    if not data:
        raise SettingError("On which faces? Give a prepared folder, a manifest or a folder of pictures.")
    with counting(hidden=quiet) as count:
        found = work(
            model, data, split=split, folds=folds, fold=fold, cut=cut, robustness=robustness, out=out, progress=count
        )
    for sentence in found.left_out:
        say(sentence)
    if json:
        tell_json(json_.dumps({name: plain(e) for name, e in found.evaluations.items()}, allow_nan=False))
    elif not quiet:
        names = list(dict.fromkeys(name for e in found.evaluations.values() for name in e.scores))
        rows = [("data", "rows scored", *(WORDS[name] for name in names))]
        rows += [
            (
                source,
                f"{e.rows:,}" + f" of {e.rows + e.left_out:,}" * (e.left_out > 0),
                *(str(e.scores.get(name, "")) for name in names),
            )
            for source, e in found.evaluations.items()
        ]
        tell(grid(rows, frozenset({1})))
        for source, e in found.evaluations.items():
            tell(f"{source}: read as {e.reading}.")
    for warning in found.warnings:
        say(warning)
    if found.files and not quiet:
        say(f"Written: {', '.join(map(str, found.files))}")
    return SourceError.exit_code if found.mostly_left_out else 0


def compare_models(first: Path, second: Path, *, json: bool = False) -> int:
    """Compare two models on the faces both have answered: the difference with its 95 % interval.

    Parameters
    ----------
    first
        A run folder, what `tronie evaluate --out` wrote, or a folder that holds several of these (seeds).
    second
        The same for the other side; differences are second minus first.
    json
        Print one JSON document instead of a table.
    """
    from dataclasses import asdict

    from tronie.output.text import grid
    from tronie.train.compare import compare_models as work
    from tronie.train.scores import WORDS

    found = work(first, second)
    if json:
        tell_json(json_.dumps([asdict(d) | {"decided": d.decided} for d in found]))
        return 0
    rows = [("data", "rows", "score", "first", "second", "difference", "")]
    rows += [
        (
            d.source,
            str(d.rows),
            WORDS[d.score],
            f"{d.first:.4f}",
            f"{d.second:.4f}",
            str(d.difference),
            "" if d.decided else "may be chance",
        )
        for d in found
    ]
    tell(grid(rows, frozenset({1, 3, 4})))
    return 0
