"""From trained weights to a model folder that the practitioner's room runs, and the rule an int8 model has to pass."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tronie import __version__
from tronie.clips.views import View
from tronie.core import config
from tronie.core.errors import ModelError
from tronie.data.augmentation import Augment
from tronie.data.loader import cut
from tronie.methods.method import Method
from tronie.metrics.intervals import Interval, bootstrap
from tronie.models.clip import ClipInfo
from tronie.models.folder import load_folder, mirrored
from tronie.models.info import ModelInfo, write_info
from tronie.models.session import Session, sha256
from tronie.train.graph import export_onnx, quantize_int8, store_half
from tronie.train.predictions import PHOTOS
from tronie.train.recipe import Recipe, method_kind
from tronie.train.sources import Part
from tronie.train.teacher import known
from tronie.train.validate import CLIPS_STILL, Said, Verdict

Precision = Literal["half", "full", "int8"]
GRAPH = "encoder.onnx"
LEAST_AGREEMENT = 0.99
_RANGES = 512  # training faces, of every source alike, that give int8 its ranges
_BATCH = 32
_GIVEN = "rows held out elsewhere (the temperature was given at export)"


@dataclass(frozen=True)
class Quantized:
    """How an int8 graph compares with the full one on ``rows`` faces: share of equal answers, accuracy difference."""

    rows: int
    agreement: float
    difference: Interval

    @property
    def passes(self) -> bool:
        """The project's rule: 99 % equal answers, and a difference whose 95 % interval includes 0."""
        return self.agreement >= LEAST_AGREEMENT and self.difference.low <= 0 <= self.difference.high

    def __str__(self) -> str:
        return f"{self.agreement:.2%} equal answers on {self.rows} faces, accuracy difference {self.difference}"


def write_graph(
    weights: Method, folder: Path, precision: Precision, *, mirror: bool = False, learn: Sequence[Part] = ()
) -> Path:
    """``encoder.onnx`` in ``folder``: fp32, stored as fp16, or int8 with ranges from the faces of ``learn``."""
    folder.mkdir(parents=True, exist_ok=True)
    size = weights.views(False)[0].size
    full, graph = folder / "full.onnx", folder / GRAPH
    export_onnx(weights, full, size, mirror=mirror)
    if precision == "half":
        store_half(full, graph)
    elif precision == "int8":
        quantize_int8(full, graph, np.concatenate([faces_of(part, size, _RANGES // len(learn)) for part in learn]))
    else:
        shutil.copyfile(full, graph)
    full.unlink()
    return graph


def faces_of(part: Part, size: int, most: int | None = None) -> NDArray[np.uint8]:
    """Faces ``(n, size, size, 3)`` as the serving aligner cuts them; at most ``most``, evenly spread over the rows."""
    rows = np.arange(len(part.rows))
    if most is not None and len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
    return np.stack([_face(part, int(row), size) for row in rows])


def _face(part: Part, row: int, size: int) -> NDArray[np.uint8]:
    """What a method that reads one face at a time is shown of a row, unvaried."""
    return np.asarray(cut(part.rows, row, View(size), Augment(), (0,))[0], np.uint8)


def reads_faces(method: Method) -> bool:
    """Whether a method answers one face at a time, so that its graph serves photos and films frame by frame."""
    view = method.views(False)[0]
    return view.kind == "pixels" and view.frames == 1


def unlabelled(learn: Sequence[Part]) -> str:
    """Why nobody should be given a model that learnt from these parts: "" if one of their rows carries a label."""
    if not learn or any((part.truth >= 0).any() for part in learn):
        return ""
    return (
        "no training row carries a label, so what it would say of expressions is chance: learn from labelled faces "
        "beside the rated ones"
    )


def graph_logits(graph: Path, part: Part, size: int) -> NDArray[np.float32]:
    """What an exported graph says of the labels of a part: logits ``(n, classes)``."""
    return graph_answers(graph, part, size).logits


def graph_answers(graph: Path, part: Part, size: int) -> Said:
    """What an exported graph says of a part, read as photos (or middle frames of clips) are read everywhere."""
    session, rows, photos = Session(graph), range(len(part.rows)), part.rows.starts is None
    logits, affect = [], []
    for at in range(0, len(rows), _BATCH):
        faces = np.stack([_face(part, row, size) for row in rows[at : at + _BATCH]])
        found = [session.run(faces=cut) for cut in ([faces, mirrored(faces)] if photos else [faces])]
        logits.append(np.mean([one["logits"] for one in found], 0))
        affect += [np.mean([one["affect"] for one in found], 0)] if "affect" in found[0] else []
    return Said(np.concatenate(logits), np.concatenate(affect) if affect else None, PHOTOS if photos else CLIPS_STILL)


def compare_graphs(full: Path, quantized: Path, judged: Sequence[Part], size: int) -> Quantized:
    """Both graphs on the same validation faces with labels. Raises ModelError where there are none to judge by."""
    truth = np.concatenate([np.zeros(0, np.int64), *(p.truth for p in judged)])
    named = truth >= 0
    if not named.any():
        raise ModelError(
            "An int8 model is only written where it can be judged: the run has no validation faces with labels."
        )
    truth = truth[named]
    ours, theirs = (
        np.concatenate([graph_logits(g, p, size).argmax(1) for p in judged])[named] for g in (full, quantized)
    )
    gain = (theirs == truth).astype(np.float64) - (ours == truth)
    return Quantized(len(truth), float((ours == theirs).mean()), bootstrap(lambda i: float(gain[i].mean()), len(truth)))


def write_model(
    recipe: Recipe, folder: Path, size: int, verdict: Verdict, learn: Sequence[Part], clip: ClipInfo | None = None
) -> Path:
    """``model.json`` and ``card.md`` beside the graph in ``folder``; ``clip`` where it is a video model.

    Raises ModelError where no row of ``learn`` carries a label.
    """
    if reason := unlabelled(learn):
        raise ModelError(f"There is no model to write: {reason}.")
    found = {
        f"{source}/{name}": (i.value, i.low, i.high)
        for source, e in verdict.evaluations.items()
        for name, i in e.scores.items()
    }
    write_info(
        folder,
        ModelInfo(
            name=recipe.name,
            labels=recipe.labels,
            graph=GRAPH,
            graph_sha256=sha256(folder / GRAPH),
            size=size,
            temperature=verdict.temperature,
            calibrated=verdict.calibrated,
            licence="see card.md",
            seen=tuple(
                dict.fromkeys((*(f"{p.name}:{len(p.rows)}:{p.manifest.hash()}" for p in learn), *known(recipe)))
            ),
            scores=found,
            made_by=f"tronie {__version__}, recipe {recipe.name} {config.settings_hash(recipe)}",
            clip=clip,
        ),
    )
    _card(recipe, folder, verdict, learn, "" if clip is None else f"Frames are encoded by the model {clip.encoder}.")
    return folder


def with_temperature(verdict: Verdict, temperature: float | None) -> Verdict:
    """The verdict with a temperature that was measured elsewhere; None leaves it."""
    if temperature is None:
        return verdict
    return replace(verdict, temperature=temperature, calibrated=_GIVEN)


def describe_as_before(source: Path, folder: Path, temperature: float | None, clip: ClipInfo | None = None) -> None:
    """``model.json`` and ``card.md`` of the model folder ``source`` for new graphs of the same weights."""
    info = load_folder(source).info
    if temperature is not None:
        # Segments were measured with the old temperature: what they say no longer holds.
        info = replace(info, temperature=temperature, calibrated=_GIVEN, segments=None)
    write_info(folder, replace(info, graph=GRAPH, graph_sha256=sha256(folder / GRAPH), clip=clip))
    shutil.copyfile(source / "card.md", folder / "card.md")


def _card(recipe: Recipe, folder: Path, verdict: Verdict, learn: Sequence[Part], note: str = "") -> None:
    """A short ``card.md``; a person adds what only a person knows."""
    lines = [f"# {recipe.name}", "", "A label names an expression shown, not a feeling felt.", "", "Learnt from:"]
    for p in learn:
        wrong = f"; {p.planted.corruption.kind} noise was planted among its labels" if p.planted else ""
        hard = "; some clips were made hard" if p.hard is not None else ""
        lines.append(f"- {p.name}: {p.count} (rows {p.manifest.hash()}){wrong}{hard}")
    for one in (note, method_kind(recipe).note(recipe.config)):
        lines += ["", one] * bool(one)
    lines += ["", "Its terms of use follow from those of this data.", ""]
    lines += [f"Calibrated on {verdict.calibrated}." if verdict.calibrated else "Not calibrated.", ""]
    for source, e in verdict.evaluations.items():
        lines.append(f"Evaluated on {source}, {e.rows} rows ({e.hash}; {e.reading}), estimate [95 % interval]:")
        lines += [f"- {name}: {interval}" for name, interval in e.scores.items()] + [""]
    (folder / "card.md").write_text("\n".join(lines), encoding="utf-8")
