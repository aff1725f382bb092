"""The run folder: what went in, what happened, what came out; and the walk from a recipe to a model folder.

``recipe.toml environment.json log.jsonl samples.csv evaluation.json answers.csv model/ last.pt``; where wrong labels
were planted also ``noise-<source>.csv noise.json``, where other models had a say ``teacher.npz``
"""

from __future__ import annotations

import csv
import json
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tronie import __version__
from tronie.core import config
from tronie.core.atomic import replacing, unwritable
from tronie.core.errors import ModelError, SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.lock import locked
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment
from tronie.data.loader import Rows, batches, epoch_order
from tronie.data.prepared import open_prepared
from tronie.methods.method import Decisions, Method, load_state
from tronie.nn.encoders.weights import load_weights
from tronie.train import checkpoint
from tronie.train import injected as planted
from tronie.train.distributed import ALONE, Team
from tronie.train.loop import Listeners, train
from tronie.train.package import reads_faces, unlabelled, write_graph, write_model
from tronie.train.package_clips import find_encoder, why_not, write_clip_model
from tronie.train.precision import Precision, cores, fast_precision, in_bf16
from tronie.train.recipe import Recipe, method_kind, read_recipe, resolved
from tronie.train.scores import Evaluation
from tronie.train.sources import Part, balanced, training_manifest, training_parts, validation_parts
from tronie.train.teacher import FILE as TEACHER
from tronie.train.teacher import taught
from tronie.train.validate import Verdict, judge_finally, said_by, scorer, write_verdict

_SAMPLE = 512  # training faces that give a pre-trained encoder its statistics
_LOCK = ".lock"
_WORTH_KEEPING = (checkpoint.LAST, TEACHER)
_SAMPLES = ("epoch", "id", "given", "verdict", "weight", "label", "reason")


@dataclass(frozen=True)
class Outcome:
    """Where a run lies and how it was judged (validation source name → evaluation)."""

    folder: Path
    model: Path
    evaluations: dict[str, Evaluation]


def new_folder(root: Path, name: str) -> Path:
    """Make ``root/<date>-<name>-<n>``, the first n that is free, also beside others who look. Raises OutputError."""
    stem = f"{datetime.now(UTC).date().isoformat()}-{name}"
    for number in count(1):
        folder = root / f"{stem}-{number}"
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(folder, error) from error
    return folder


@contextmanager
def claimed(folder: Path, team: Team = ALONE) -> Iterator[None]:
    """Hold a run folder, so that nobody else writes into it meanwhile.

    A folder that was empty is taken away again where the block fails before there is an epoch (or a teacher's answers)
    to go on from. Raises OutputError where another process holds it, or it cannot be made.
    """
    if not team.leads:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    with locked(folder / _LOCK):
        fresh = all(path.name == _LOCK for path in folder.iterdir())
        try:
            yield
        except BaseException:
            if fresh and not any(path.name in _WORTH_KEEPING for path in folder.rglob("*")):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def make_method(recipe: Recipe) -> Method:
    """The recipe's method, freshly initialised from the run's seed. Raises SettingError for wrong settings."""
    kind: Any = method_kind(recipe)  # methods take their own Config beside the labels
    torch.manual_seed(recipe.loop.seed)
    settings = config.build(kind.Config, recipe.config, "config")
    try:
        made: Method = kind(LabelSet(recipe.labels), settings)
    except ValueError as error:  # what PyTorch's layers say of a number that cannot be
        raise SettingError(f"Method '{recipe.method}' cannot be made with these settings: {error}.") from error
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    return made


def execute(
    recipe: Recipe, data: Path, folder: Path, say: Callable[[str], None] = lambda line: None, team: Team = ALONE
) -> Outcome:
    """Train, judge and export ``recipe``; an interrupted run in the same folder goes on after its last epoch.

    In a team every process calls this with the same arguments and gets the same outcome; the leader alone writes, but
    for the answers of teachers, which each asks for and keeps alike. A start that fails leaves no folder.
    Raises SettingError, SourceError and OutputError before any time is spent.
    """
    with claimed(folder, team):
        return _execute(recipe, data, folder, say, team)


def _execute(recipe: Recipe, data: Path, folder: Path, say: Callable[[str], None], team: Team) -> Outcome:
    _check_device(recipe.loop.device)
    recipe = with_labels(resolved(recipe), data)
    method = make_method(recipe)
    learn, judged = training_parts(recipe, data), validation_parts(recipe, data)
    recipe = team.agreed(_with_precision(recipe, folder, say))
    if team.leads:
        begin(recipe, folder)
        planted.keep(folder, learn)
    learn = taught(learn, recipe, folder, say)
    manifest, rows = training_manifest(learn, LabelSet(recipe.labels)), balanced(learn, recipe.balance)
    if team.leads:
        for part in learn:
            say(f"learns from {part.name}: {part.count}, {part.rows.share:.0%} of them each epoch")
    method.prepare(manifest, _sample(method, rows, recipe.loop.seed))
    for name, module in method.named_modules():
        if recipe.weights and name.rpartition(".")[2] == "encoder":
            load_weights(module, Path(recipe.weights))
    if recipe.start:
        load_state(method, checkpoint.read(Path(recipe.start) / checkpoint.LAST)["average"])
    listeners = Listeners(scorer(judged, recipe, say), lambda found: record(folder, manifest, found), say)
    weights = train(method, rows, recipe.loop, recipe.optim, recipe.augment, folder, listeners, team).cpu()
    evaluations: dict[str, Evaluation] = {}
    if team.leads:
        verdict = judge_finally(lambda part: said_by(weights, part), judged, recipe.labels)
        write_verdict(folder, verdict)
        if told := planted.told_apart(folder, folder / checkpoint.SAMPLES, learn):
            say(str(told))
        if reason := _deliver(recipe, weights, data, folder / "model", learn, judged, verdict):
            say(f"No model folder: {reason}")
        evaluations = verdict.evaluations
    return team.agreed(Outcome(folder, folder / "model", evaluations))


def _deliver(
    recipe: Recipe,
    weights: Method,
    data: Path,
    folder: Path,
    learn: Sequence[Part],
    judged: Sequence[Part],
    verdict: Verdict,
) -> str:
    """Write the model folder; or say why there is none, for a run is not lost by that."""
    reason = unlabelled(learn)
    if not reason and not reads_faces(weights):
        reason = why_not(weights)
    if reason:
        return f"{reason}."
    if reads_faces(weights):
        write_graph(weights, folder, "half")
        write_model(recipe, folder, weights.views(False)[0].size, verdict, learn)
        return ""
    try:
        encoder = find_encoder([data / source.data for source in recipe.train])
        write_clip_model(recipe, weights, folder, encoder, learn, judged)
    except (ModelError, SourceError) as error:
        return str(error)
    return ""


def with_labels(recipe: Recipe, data: Path) -> Recipe:
    """The recipe with the labels of its first training source, where it names none."""
    if recipe.labels:
        return recipe
    first = recipe.train[0].data
    names = open_prepared(data / first).manifest.labels.names
    if not names:
        raise SettingError(f"'{first}' has no labels of its own: name those of the run, as labels = [...].")
    return replace(recipe, labels=names)


def _with_precision(recipe: Recipe, folder: Path, say: Callable[[str], None]) -> Recipe:
    """The recipe with bf16 or float32 written out: as the run in ``folder`` began, else as the device is fast.

    ``say`` hears which, why, and how many of the processor's cores are used.
    """
    loop, fast = recipe.loop, fast_precision(recipe.loop.device)
    if loop.half != "auto":
        chosen = Precision(loop.half, f"loop.half={str(loop.half).lower()}")
    elif not (folder / "recipe.toml").is_file():
        chosen = fast
    else:
        chosen = Precision(in_bf16(read_recipe(folder / "recipe.toml").loop.half, loop.device), "as the run began")
    if chosen.bf16 and not fast.bf16:
        chosen = replace(chosen, why=f"{chosen.why}; float32 would be faster: {fast.why}")
    say(f"computes in {chosen}, on {loop.threads} of {cores()} cores (loop.threads)")
    return replace(recipe, loop=replace(loop, half=chosen.bf16))


def _sample(method: Method, rows: Sequence[Rows], seed: int) -> Tensor:
    """Training faces ``(n, 3, h, w)`` as the first epoch would meet them, unvaried."""
    order = epoch_order(rows, seed, 0)[:_SAMPLE]
    cuts = batches(rows, order, method.views(False)[:1], 64, how=Augment(), seed=seed, epoch=0)
    return torch.cat([cut.clips[0][:, 0] for cut in cuts]).float()


def begin(recipe: Recipe, folder: Path) -> None:
    """Make the run folder with ``recipe.toml`` and ``environment.json``.

    Raises SettingError for a folder that holds another recipe, OutputError where nothing can be written.
    """
    text = config.to_toml(config.as_dict(recipe))
    path = folder / "recipe.toml"
    # Compared as they are read, so that a setting that is new since the run began keeps nobody from going on.
    if path.is_file() and config.to_toml(config.as_dict(read_recipe(path))) != text:
        raise SettingError(f"{folder} holds a run of another recipe: give another folder, or its own recipe to go on.")
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    packages = {name: version(name) for name in ("torch", "numpy", "onnxruntime", "opencv-python-headless")}
    machine = {
        "tronie": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    with replacing(folder / "environment.json") as temporary:
        temporary.write_text(json.dumps(machine | packages, indent=1) + "\n", encoding="utf-8")


def _check_device(name: str) -> None:
    """Raises SettingError for a device that PyTorch does not know, or cannot use on this machine."""
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError):
        raise SettingError(
            f"PyTorch cannot use the device '{name}' on this machine: set loop.device=cpu, or another that it can use."
        ) from None


def record(folder: Path, manifest: Manifest, found: Decisions) -> None:
    """Append a method's decisions to ``samples.csv``, by row id. Raises OutputError."""
    path = folder / checkpoint.SAMPLES
    names = (*manifest.labels.names, "")
    try:
        new = not path.is_file()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(_SAMPLES)
            columns = (found.row, found.verdict, found.weight, found.label, found.reason)
            for row, verdict, weight, label, reason in zip(*columns, strict=True):
                given = names[manifest.label[row]]
                writer.writerow([found.epoch, manifest.id[row], given, verdict, f"{weight:.6g}", names[label], reason])
    except OSError as error:
        raise unwritable(path, error) from error


def open_run(folder: Path) -> tuple[Recipe, Method]:
    """A run's recipe and its averaged weights, in evaluation mode. Raises SettingError, SourceError, ModelError."""
    if not (folder / "recipe.toml").is_file():
        raise SettingError(f"{folder} is no run folder: it has no recipe.toml.")
    recipe = read_recipe(folder / "recipe.toml")
    method = make_method(recipe)
    state = checkpoint.read(folder / checkpoint.LAST)
    load_state(method, state["average" if recipe.optim.ema else "model"])
    return recipe, method.eval()
