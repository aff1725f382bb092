"""Judge answers against labels: every score with its interval, the number of faces, and the hash of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.metrics import calibration, scores
from tronie.metrics.intervals import Interval, bootstrap, wilson

Rows = NDArray[np.int64]
AFFECT = ("valence", "arousal")
WORDS = {
    "war": "accuracy",
    "uar": "mean recall",
    "macro_f1": "macro F1",
    "nll": "negative log-likelihood",
    "calibration_error": "calibration error",
    "coverage_95": "kept at 95 % accuracy",
    "votes_kl": "KL to votes",
    "votes_correlation": "correlation with votes",
    "ccc_valence": "CCC of valence",
    "ccc_arousal": "CCC of arousal",
    "pearson_valence": "r of valence",
    "pearson_arousal": "r of arousal",
    "rmse_valence": "RMSE of valence",
    "rmse_arousal": "RMSE of arousal",
}
"""What scores are called wherever they are printed; files keep the short names."""
_AFFECT_SCORES = {"ccc": scores.concordance, "pearson": scores.pearson, "rmse": scores.root_mean_square}
_CURVE = 101  # points of the risk–coverage curve that are kept


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on one set of rows.

    ``rows`` is the number of faces scored, ``hash`` names them, ``reading`` says how they were read and what was
    averaged; ``left_out`` rows carry nothing the model knows, and ``rated`` of those scored carry valence and arousal.
    Where no row has a label, what is said of labels is empty.
    ``scores`` maps a name to its estimate with a 95 % bootstrap interval over rows (or groups of them): ``war``
    accuracy, ``uar`` mean recall, ``macro_f1``, ``nll`` (nats), ``calibration_error`` (debiased), ``coverage_95``
    (share of rows kept at 95 % accuracy), and where votes exist ``votes_kl`` (nats) and ``votes_correlation``; where a
    model says valence and arousal of rated rows ``ccc_valence`` (concordance), ``pearson_valence``, ``rmse_valence``
    (of a scale from -1 to 1), and the same of arousal.
    ``per_class`` maps a label to recall, precision, f1 and faces; ``confusion`` has the truth in its rows;
    ``reliability`` rows are (confidence, share right, faces); ``risk_coverage`` rows are (share of faces kept, share
    wrong among them).
    """

    rows: int
    hash: str
    labels: tuple[str, ...]
    scores: dict[str, Interval]
    per_class: dict[str, dict[str, float]]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[tuple[float, ...], ...]
    risk_coverage: tuple[tuple[float, float], ...]
    left_out: int = 0
    rated: int = 0
    reading: str = ""


def evaluate(
    probability: NDArray[np.floating],
    truth: NDArray[np.integer],
    labels: tuple[str, ...],
    hash_: str,
    *,
    votes: NDArray[np.floating] | None = None,
    groups: NDArray[np.integer] | None = None,
    affect: NDArray[np.floating] | None = None,
    rating: NDArray[np.floating] | None = None,
    left_out: int = 0,
    reading: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Scores of probabilities ``(n, classes)`` against labels ``(n,)``, -1 for rows without one.

    ``votes`` ``(n, classes)`` are shares, NaN rows have none; ``groups`` ``(n,)`` are drawn whole by the bootstrap.
    ``affect`` ``(n, 2)``, what the model says of valence and arousal, is held against ``rating`` ``(n, 2)``, NaN where
    there is none. Raises SourceError for no rows at all.
    """
    named = np.flatnonzero(np.asarray(truth) >= 0)
    rated = affect_scores(affect, rating, groups, draws, seed)
    if not len(named) and not rated:
        raise SourceError(
            "There is no face to judge: no row carries a label that the model knows, or valence and "
            "arousal that it says."
        )
    number = 0 if not rated or rating is None else int(np.isfinite(rating).any(1).sum())
    found = Evaluation(0, "", labels, {}, {}, (), (), ())
    if len(named):
        found = _by_label(
            probability[named],
            truth[named],
            labels,
            None if votes is None else votes[named],
            None if groups is None else groups[named],
            draws,
            seed,
        )
    return replace(
        found,
        rows=len(truth),
        hash=hash_,
        scores=found.scores | rated,
        left_out=left_out,
        rated=number,
        reading=reading,
    )


def affect_scores(
    affect: NDArray[np.floating] | None,
    rating: NDArray[np.floating] | None,
    groups: NDArray[np.integer] | None,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """``ccc_valence`` and so on of answers against ratings, both ``(n, 2)``; empty where either is missing."""
    if affect is None or rating is None:
        return {}
    found = {}
    for column, name in enumerate(AFFECT):
        known = np.flatnonzero(np.isfinite(rating[:, column]))
        if not len(known):
            continue
        said, given = affect[known, column].astype(np.float64), rating[known, column].astype(np.float64)
        inside = None if groups is None else groups[known]
        for score, measure in _AFFECT_SCORES.items():
            found[f"{score}_{name}"] = bootstrap(
                partial(_of_rows, measure, said, given), len(known), groups=inside, draws=draws, seed=seed
            )
    return found


def _of_rows(
    measure: Callable[..., float], said: NDArray[np.floating], given: NDArray[np.floating], rows: Rows
) -> float:
    return measure(said[rows], given[rows])


def _by_label(
    probability: NDArray[np.floating],
    truth: NDArray[np.integer],
    labels: tuple[str, ...],
    votes: NDArray[np.floating] | None,
    groups: NDArray[np.integer] | None,
    draws: int,
    seed: int,
) -> Evaluation:
    """Everything that is said of rows with labels ``(n,)``."""

    def interval(measure: Callable[[Rows], float], centred: bool = False) -> Interval:
        return bootstrap(measure, len(truth), groups=groups, draws=draws, seed=seed, centred=centred)

    sure, right = probability.max(1), probability.argmax(1) == truth
    found = {name: interval(m) for name, m in _measures(probability, truth, len(labels)).items()}
    for name in ("war", "uar", "macro_f1"):
        if found[name].low == found[name].high:  # all right or all wrong: drawing again tells nothing
            counts = np.bincount(truth)
            found[name] = wilson(found[name].value, len(truth) if name == "war" else int(counts[counts > 0].min()))
    gap = interval(lambda rows: calibration.squared_gap(sure[rows], right[rows]), centred=True)
    found["calibration_error"] = Interval(*(math.sqrt(max(v, 0.0)) for v in (gap.value, gap.low, gap.high)))
    if votes is not None and (known := np.flatnonzero(np.isfinite(votes).all(1))).size:
        voted, given = probability[known], votes[known]
        inside = groups[known] if groups is not None else None
        for name, score in (("votes_kl", scores.kl_divergence), ("votes_correlation", scores.vote_correlation)):
            found[name] = bootstrap(
                partial(_of_rows, score, voted, given),
                len(known),
                groups=inside,
                draws=draws,
                seed=seed,
            )
    return replace(_tables(probability, truth, labels), scores=found)


def _measures(
    probability: NDArray[np.floating], truth: NDArray[np.integer], n: int
) -> dict[str, Callable[[Rows], float]]:
    """Scores as functions of row positions."""
    answer, sure = probability.argmax(1), probability.max(1)
    right = answer == truth

    def by_table(score: Callable[[NDArray[np.int64]], float]) -> Callable[[Rows], float]:
        return lambda rows: score(scores.confusion(truth[rows], answer[rows], n))

    return {
        "war": by_table(scores.accuracy),
        "uar": by_table(scores.mean_recall),
        "macro_f1": by_table(scores.macro_f1),
        "nll": lambda rows: scores.negative_log_likelihood(probability[rows], truth[rows]),
        "coverage_95": lambda rows: scores.coverage_at(sure[rows], right[rows], 0.95),
    }


def _tables(probability: NDArray[np.floating], truth: NDArray[np.integer], labels: tuple[str, ...]) -> Evaluation:
    """Everything that has no interval."""
    answer, sure = probability.argmax(1), probability.max(1)
    table = scores.confusion(truth, answer, len(labels))
    columns = {
        "recall": scores.recalls(table),
        "precision": scores.precisions(table),
        "f1": scores.f1_scores(table),
        "faces": table.sum(1),
    }
    coverage, risk = scores.risk_coverage(sure, answer == truth)
    picked = np.unique(np.linspace(0, len(coverage) - 1, _CURVE).round().astype(int))
    return Evaluation(
        rows=len(truth),
        hash="",
        labels=labels,
        scores={},
        per_class={name: {k: float(c[i]) for k, c in columns.items()} for i, name in enumerate(labels)},
        confusion=tuple(tuple(int(v) for v in row) for row in table),
        reliability=tuple(tuple(float(v) for v in row) for row in calibration.reliability(sure, answer == truth)),
        risk_coverage=tuple((float(c), float(r)) for c, r in zip(coverage[picked], risk[picked], strict=True)),
    )


def plain(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON can hold it: None for what is no number (the recall of a class that does not occur)."""
    cleaned: dict[str, Any] = _without_nan(asdict(evaluation))
    return cleaned


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
