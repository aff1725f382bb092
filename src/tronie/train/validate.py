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
from tronie.data.prepared import vote_shares
from tronie.methods.method import Method
from tronie.metrics import scores
from tronie.metrics.calibration import cross_fitted, fit_temperature, softmax
from tronie.metrics.folds import stratified_folds
from tronie.train.loop import Judge, Look, answer
from tronie.train.precision import in_bf16
from tronie.train.predictions import PHOTOS, Answered, write_answers
from tronie.train.recipe import Recipe
from tronie.train.scores import AFFECT, WORDS, Evaluation, evaluate, plain
from tronie.train.sources import Part

LEAST_TO_CALIBRATE = 100
"""Rows below which no temperature is fitted: a few right answers would make a model look sure of everything."""
CLIPS_STILL = "clips, their middle frame"
_PARTS = 5  # a temperature is fitted on four and judged on the fifth


@dataclass(frozen=True, eq=False)
class Said:
    """What is said of a part's ``n`` rows: ``logits`` ``(n, classes)``, and perhaps ``affect`` ``(n, 2)``.

    ``reading`` says in words how the rows were read.
    """

    logits: NDArray[np.float32]
    affect: NDArray[np.float32] | None = None
    reading: str = ""


Answering = Callable[[Part], Said]
"""Looks at a part's rows."""


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
    """What the loop asks every few epochs: accuracy, mean recall, concordance on each source; None if there is none."""
    half = in_bf16(recipe.loop.half, recipe.loop.device)

    def judge(weights: Method) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in judged:
            mine = quick_scores(said_by(weights, part, half), part, len(recipe.labels))
            found |= {f"{part.name}/{name}": value for name, value in mine.items()}
            say(f"  {part.name}: " + ", ".join(f"{WORDS[name]} {value:.4f}" for name, value in mine.items()))
        return found

    return judge if judged else None


def said_by(weights: Method, part: Part, half: bool = False) -> Said:
    """What a method says of a part's rows: photos together with their mirror images, clips in one unvaried view."""
    found = answer(weights, part.rows, half=half)
    if part.rows.starts is None:
        other = answer(weights, part.rows, half=half, look=Look(mirror=True))
        affect = None if found.affect is None or other.affect is None else _middle(found.affect, other.affect)
        return Said(_middle(found.logits, other.logits), affect, PHOTOS)
    frames = weights.views(False)[0].frames
    return Said(found.logits, found.affect, f"clips, one view of {frames} frames" if frames > 1 else CLIPS_STILL)


def _middle(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    return ((first + second) / 2).astype(np.float32)


def quick_scores(said: Said, part: Part, classes: int) -> dict[str, float]:
    """``war`` and ``uar`` of the rows with a label, ``ccc_valence`` and ``ccc_arousal`` of those that are rated."""
    found: dict[str, float] = {}
    named = part.truth >= 0
    if named.any():
        table = scores.confusion(part.truth[named], said.logits[named].argmax(1), classes)
        found |= {"war": scores.accuracy(table), "uar": scores.mean_recall(table)}
    for column, name in enumerate(AFFECT):
        if said.affect is None or part.rows.affect is None:
            continue
        given = part.rows.affect[:, column]
        if (known := np.isfinite(given)).any():
            found[f"ccc_{name}"] = scores.concordance(said.affect[known, column], given[known])
    return found


def judge_finally(answering: Answering, judged: Sequence[Part], labels: tuple[str, ...]) -> Verdict:
    """Evaluate on every source.

    The temperature is fitted on all rows of the first source that has enough of them; that source itself is judged
    with cross-fitted temperatures, so that no row had a say in its own.
    """
    said = {part.name: answering(part) for part in judged}
    home = next((p for p in judged if (p.truth >= 0).sum() >= LEAST_TO_CALIBRATE), None)
    temperature = 1.0
    if home is not None:
        named = home.truth >= 0
        temperature = fit_temperature(said[home.name].logits[named], home.truth[named])
    evaluations, answered = {}, {}
    for part in judged:
        logits, affect, reading = said[part.name].logits, said[part.name].affect, said[part.name].reading
        probability = _cross_fitted(logits, part) if part is home else softmax(logits / temperature)
        rows, rating = part.manifest, None if affect is None else part.rows.affect
        votes = vote_shares(rows, LabelSet(labels))
        evaluations[part.name] = evaluate(
            probability,
            part.truth,
            labels,
            rows.hash(),
            votes=votes,
            groups=rows.group,
            affect=affect,
            rating=rating,
            reading=reading,
        )
        answered[part.name] = Answered(
            rows.id, rows.group, part.truth, probability, labels, _double(affect), _double(rating), reading
        )
    calibrated = f"{home.name} ({int((home.truth >= 0).sum())} rows, not learnt from)" if home else ""
    return Verdict(evaluations, answered, temperature, calibrated)


def _double(numbers: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    return None if numbers is None else numbers.astype(np.float64)


def _cross_fitted(logits: NDArray[np.float32], part: Part) -> NDArray[np.float64]:
    """Twins and clips stay in one part, so that no row is judged with a temperature its own twin helped to fit."""
    named = part.truth >= 0
    parts = stratified_folds(part.truth[named], part.manifest.group[named], _PARTS)
    probability = softmax(logits)  # of rows without a label, which no score is taken of
    probability[named] = cross_fitted(logits[named], part.truth[named], parts)
    return probability


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """``evaluation.json`` and, where anything was judged, ``answers.csv``. Raises OutputError."""
    content = {
        "temperature": verdict.temperature,
        "calibrated": verdict.calibrated,
        "sources": {name: plain(e) for name, e in verdict.evaluations.items()},
    }
    with replacing(folder / "evaluation.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if verdict.answered:
        write_answers(folder, verdict.answered)
