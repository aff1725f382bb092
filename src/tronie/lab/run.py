"""The run folder: what went in, what happened, what came out; and the walk from a recipe to a model folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from tronie.core import config
from tronie.core.atomic import replacing
from tronie.core.errors import OutputError, SettingError
from tronie.core.labels import LabelSet
from tronie.core.registry import resolve
from tronie.lab.evaluate import Evaluation, evaluate
from tronie.lab.export import export_onnx, store_half
from tronie.lab.loop import answer, train
from tronie.lab.recipe import Recipe
from tronie.lab.sources import Part, balanced, training_parts, validation_parts
from tronie.measure import scores
from tronie.measure.calibration import cross_fitted, fit_temperature, softmax
from tronie.methods.method import Method
from tronie.methods.table import METHODS
from tronie.runtime.session import sha256
from tronie.zoo.folder import ModelInfo, write_info

_SAMPLE = 512  # training faces that give a pre-trained encoder its statistics
_HALVES = 5  # parts for cross-fitting a temperature


@dataclass(frozen=True)
class Outcome:
    """Where a run lies and how it was judged (validation source name → evaluation)."""

    folder: Path
    model: Path
    evaluations: dict[str, Evaluation]


def new_folder(root: Path, name: str) -> Path:
    """``root/<date>-<name>-<n>``, the first n that is free."""
    stem = f"{datetime.now(UTC).date().isoformat()}-{name}"
    number = 1
    while (root / f"{stem}-{number}").exists():
        number += 1
    return root / f"{stem}-{number}"


def make_method(recipe: Recipe) -> Method:
    """The recipe's method, freshly initialised from the run's seed. Raises SettingError for wrong settings."""
    kind = resolve(METHODS, recipe.method, "method")
    torch.manual_seed(recipe.loop.seed)
    settings = config.build(kind.Config, recipe.config, "config")
    method: Method = kind(LabelSet(recipe.labels), settings)
    return method.to(memory_format=torch.channels_last)


def execute(recipe: Recipe, data: Path, folder: Path, say: Callable[[str], None] = lambda line: None) -> Outcome:
    """Train, judge and export ``recipe``; an interrupted run in the same folder goes on after its last epoch."""
    begin(recipe, folder)
    learn, judged = training_parts(recipe, data), validation_parts(recipe, data)
    for part in learn:
        say(f"learns from {part.name}: {len(part.rows)} faces, {part.rows.share:.0%} of them each epoch")
    method = make_method(recipe)
    if not (folder / "last.pt").is_file():
        rows = learn[0].rows
        some = np.ascontiguousarray(rows.faces[rows.index[:_SAMPLE], -1])
        method.prepare(learn[0].manifest, torch.from_numpy(some).permute(0, 3, 1, 2).float())

    def judge(weights: Method) -> dict[str, float]:
        found = {}
        for part in judged:
            logits, _ = answer(weights, part.rows, half=recipe.loop.half)
            table = scores.confusion(part.truth, logits.argmax(1), len(recipe.labels))
            found |= {f"{part.name}/war": scores.accuracy(table), f"{part.name}/uar": scores.mean_recall(table)}
            say(f"  {part.name}: accuracy {scores.accuracy(table):.4f}, mean recall {scores.mean_recall(table):.4f}")
        return found

    rows = balanced(learn, recipe.balance)
    weights = train(method, rows, recipe.loop, recipe.optim, recipe.augment, folder, judge, say)
    evaluations, temperature = judge_finally(weights, judged, recipe)
    write_evaluations(folder, evaluations, temperature)
    model = write_model(weights, recipe, folder / "model", temperature, evaluations, learn)
    return Outcome(folder, model, evaluations)


def begin(recipe: Recipe, folder: Path) -> None:
    """Make the run folder with ``recipe.toml`` and ``environment.json``; a folder of another recipe is refused."""
    text = config.to_toml(config.as_dict(recipe))
    path = folder / "recipe.toml"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise SettingError(f"{folder} holds a run of another recipe: give another --out, or its own recipe to go on.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write the run folder {folder}: {error.strerror}.") from error
    packages = {name: version(name) for name in ("torch", "numpy", "onnxruntime", "opencv-python-headless")}
    machine = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    (folder / "environment.json").write_text(json.dumps(machine | packages, indent=1) + "\n", encoding="utf-8")


def judge_finally(weights: Method, judged: list[Part], recipe: Recipe) -> tuple[dict[str, Evaluation], float]:
    """Evaluations with cross-fitted temperatures, and the temperature fitted on all rows of the first source."""
    evaluations, temperature = {}, 1.0
    for number, part in enumerate(judged):
        logits, _ = answer(weights, part.rows)
        if number == 0:
            temperature = fit_temperature(logits, part.truth)
            parts = part.manifest.group % _HALVES
            probability = cross_fitted(logits, part.truth, parts)
        else:
            probability = softmax(logits / temperature)
        evaluations[part.name] = evaluate(probability, part.truth, recipe.labels, part.manifest.hash())
    return evaluations, temperature


def write_evaluations(folder: Path, evaluations: dict[str, Evaluation], temperature: float) -> None:
    """``evaluation.json`` of a run."""
    plain = {"temperature": temperature} | {name: asdict(e) for name, e in evaluations.items()}
    with replacing(folder / "evaluation.json") as temporary:
        temporary.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def write_model(weights: Method, recipe: Recipe, folder: Path, temperature: float,
                evaluations: dict[str, Evaluation], learn: list[Part]) -> Path:  # fmt: skip
    """A model folder (weights stored as fp16) that the practitioner's room runs."""
    folder.mkdir(exist_ok=True)
    size = weights.views(False)[0].size
    export_onnx(weights, folder / "full.onnx", size)
    store_half(folder / "full.onnx", folder / "encoder.onnx")
    (folder / "full.onnx").unlink()
    found = {
        f"{source}/{name}": (i.value, i.low, i.high)
        for source, e in evaluations.items()
        for name, i in e.scores.items()
    }
    calibrated = f"{next(iter(evaluations))} (held out)" if evaluations else ""
    write_info(folder, ModelInfo(
        name=recipe.name, labels=recipe.labels, graph="encoder.onnx", graph_sha256=sha256(folder / "encoder.onnx"),
        size=size, temperature=temperature, calibrated=calibrated, licence="see card.md",
        seen=tuple(f"{p.name}:{len(p.rows)}:{p.manifest.hash()}" for p in learn), scores=found,
        made_by=f"tronie {version('tronie')}, recipe {recipe.name} {config.settings_hash(recipe)}",
    ))  # fmt: skip
    _card(recipe, folder, evaluations, learn)
    return folder


def _card(recipe: Recipe, folder: Path, evaluations: dict[str, Evaluation], learn: list[Part]) -> None:
    """A short ``card.md``; a person adds what only a person knows."""
    lines = [f"# {recipe.name}", "", "A label names an expression shown, not a feeling felt.", "", "Learnt from:"]
    lines += [f"- {p.name}: {len(p.rows)} faces (rows {p.manifest.hash()})" for p in learn]
    lines += ["", "Its terms of use follow from those of this data.", ""]
    for source, e in evaluations.items():
        lines.append(f"Judged on {source}, {e.rows} faces (rows {e.hash}), estimate [95 % interval]:")
        lines += [f"- {name}: {interval}" for name, interval in e.scores.items()] + [""]
    (folder / "card.md").write_text("\n".join(lines), encoding="utf-8")
