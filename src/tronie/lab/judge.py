"""Judge weights on validation rows: a few scores while a run goes on, everything with intervals at its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.labels import LabelSet
from tronie.lab.answers import Answered, write_answers
from tronie.lab.evaluate import Evaluation, evaluate, plain
from tronie.lab.loop import Judge, answer
from tronie.lab.prepared import vote_shares
from tronie.lab.recipe import Recipe
from tronie.lab.sources import Part
from tronie.measure import scores
from tronie.measure.calibration import cross_fitted, fit_temperature, softmax
from tronie.measure.folds import stratified_folds
from tronie.methods.method import Method

LEAST_TO_CALIBRATE = 100
"""Faces below which no temperature is fitted: a few right answers would make a model look sure of everything."""
_PARTS = 5  # a temperature is fitted on four and judged on the fifth

Answering = Callable[[Part], NDArray[np.float32]]
"""A part's faces → logits ``(n, classes)``."""


@dataclass(frozen=True)
class Verdict:
    """How weights were judged: evaluations and row-by-row answers by source, and the temperature for serving.

    ``calibrated`` says on what the temperature was fitted, "" where it was not.
    """

    evaluations: dict[str, Evaluation]
    answered: dict[str, Answered]
    temperature: float
    calibrated: str


def scorer(judged: Sequence[Part], recipe: Recipe, say: Callable[[str], None]) -> Judge | None:
    """What the loop asks every few epochs: accuracy and mean recall on each source; None if there is none."""

    def judge(weights: Method) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in judged:
            logits = answer(weights, part.rows, half=recipe.loop.half).logits
            table = scores.confusion(part.truth, logits.argmax(1), len(recipe.labels))
            war, uar = scores.accuracy(table), scores.mean_recall(table)
            found |= {f"{part.name}/war": war, f"{part.name}/uar": uar}
            say(f"  {part.name}: accuracy {war:.4f}, mean recall {uar:.4f}")
        return found

    return judge if judged else None


def judge_finally(answering: Answering, judged: Sequence[Part], labels: tuple[str, ...]) -> Verdict:
    """Evaluate on every source.

    The temperature is fitted on all rows of the first source that has enough of them; that source itself is judged
    with cross-fitted temperatures, so that no row had a say in its own.
    """
    logits = {part.name: answering(part) for part in judged}
    home = next((p for p in judged if len(p.rows) >= LEAST_TO_CALIBRATE), None)
    temperature = fit_temperature(logits[home.name], home.truth) if home else 1.0
    evaluations, answered = {}, {}
    for part in judged:
        probability = softmax(logits[part.name] / temperature)
        if part is home:
            probability = _cross_fitted(logits[part.name], part)
        rows = part.manifest
        votes = vote_shares(rows, LabelSet(labels))
        evaluations[part.name] = evaluate(probability, part.truth, labels, rows.hash(), votes=votes, groups=rows.group)
        answered[part.name] = Answered(rows.id, rows.group, part.truth, probability, labels)
    calibrated = f"{home.name} ({len(home.rows)} faces, not learnt from)" if home else ""
    return Verdict(evaluations, answered, temperature, calibrated)


def _cross_fitted(logits: NDArray[np.float32], part: Part) -> NDArray[np.float64]:
    """Twins and clips stay in one part, so that no row is judged with a temperature its own twin helped to fit."""
    parts = stratified_folds(part.truth, part.manifest.group, _PARTS)
    return cross_fitted(logits, part.truth, parts)


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """``evaluation.json`` and, where anything was judged, ``answers.csv``. Raises OutputError."""
    content = {"temperature": verdict.temperature, "calibrated": verdict.calibrated,
               "sources": {name: plain(e) for name, e in verdict.evaluations.items()}}  # fmt: skip
    with replacing(folder / "evaluation.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if verdict.answered:
        write_answers(folder, verdict.answered)
