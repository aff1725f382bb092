"""``tronie train --folds all``: one run per fold, and what a paper's table wants of them: mean, deviation, interval."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError
from tronie.core.extras import needing
from tronie.core.files import read_json
from tronie.metrics import scores
from tronie.metrics.intervals import Interval, bootstrap

if TYPE_CHECKING:
    from tronie.train.predictions import Answered
    from tronie.train.recipe import Recipe

FILE, TABLE = "folds.json", "folds.md"
AFFECT = ("valence", "arousal")
_SCORES = {
    "war": "accuracy (WAR)",
    "uar": "mean recall (UAR)",
    "ccc_valence": "100 · CCC of valence",
    "ccc_arousal": "100 · CCC of arousal",
}
_LAST = "report.html"  # what is written last in a fold's run
_DRAWS = 1000


@dataclass(frozen=True)
class Crossed:
    """One score of one source over all folds, as a share in 0..1.

    ``score`` is "war" (accuracy), "uar" (mean recall) or, of rows rated so, "ccc_valence" or "ccc_arousal" (Lin's
    concordance, down to -1), ``values`` are by fold; ``deviation`` is their sample standard
    deviation (NaN for one fold). ``mean`` comes with a 95 % bootstrap interval over rows (or groups of them), as if
    other faces had been judged by the same runs; ``rows`` is how many different ones were judged.
    """

    source: str
    score: str
    values: tuple[float, ...]
    mean: Interval
    deviation: float
    rows: int


@dataclass(frozen=True)
class Folded:
    """Where the runs lie, which folds they held out, and how they were judged."""

    folder: Path
    folds: tuple[int, ...]
    scores: tuple[Crossed, ...]

    def __str__(self) -> str:
        return f"# {len(self.folds)} folds of {self.folder.name}\n\n{table(self)}\n"


def train_folds(
    recipe: str | Path | None = None,
    folds: str = "all",
    *,
    data: str | Path = "prepared",
    out: str | Path = "runs",
    assignments: Sequence[str] = (),
    resume: str | Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Folded:
    """Train ``recipe`` once per fold of its first source that has folds; each run is judged on the fold it held out.

    ``folds``: "all", or some by number (``"0,2"``), counted from 0. The runs lie in ``out/<date>-<name>-folds-<n>`` as
    ``fold0`` and so on, with the summary ``folds.json``, ``folds.md`` and the answers to every row in ``answers.csv``,
    so that ``tronie compare-models`` takes the folder. ``resume`` is such a folder: folds that are done are kept. Other
    arguments and errors are those of :func:`tronie.train.train.train`; SettingError also for folds that are not there.
    """
    with needing("Training"):
        from tronie.train.distributed import join
        from tronie.train.evaluate import write_page
        from tronie.train.recipe import read_recipe
        from tronie.train.run import claimed, execute
        from tronie.train.train import run_folder
    if resume is not None:
        if recipe is not None or assignments:
            raise SettingError("Runs go on by their own recipe: give either a recipe or resume, and no assignments.")
        numbers = _begun(Path(resume))
        chosen = read_recipe(Path(resume) / f"fold{numbers[0]}" / "recipe.toml")
    elif recipe is None:
        raise SettingError("Give a recipe: a shipped one (such as baseline-static) or a TOML file.")
    else:
        chosen = read_recipe(recipe, assignments)
        numbers = fold_numbers(chosen, Path(data), folds)
    with join() as team:
        tell = say if team.leads else lambda line: None
        folder = team.agreed(run_folder(resume, out, f"{chosen.name}-folds") if team.leads else Path())
        with claimed(folder, team):
            if team.leads:
                _write(folder, {"folds": numbers})
            for number in numbers:
                home = folder / f"fold{number}"
                if team.agreed((home / _LAST).is_file()):
                    tell(f"fold {number} is done")
                    continue
                tell(f"fold {number} is held out")
                execute(replace(chosen, fold=number), Path(data), home, tell, team)
                if team.leads:
                    write_page(home)
            return team.agreed(_finish(folder, numbers) if team.leads else Folded(folder, numbers, ()))


def fold_numbers(recipe: Recipe, data: Path, folds: str) -> tuple[int, ...]:
    """The folds that ``folds`` names, of those that the recipe's first source with folds has.

    Raises SettingError for a recipe without folds or a fold that is not there, SourceError where nothing is prepared.
    """
    from tronie.data.prepared import open_prepared, read_folds

    source = next((s for s in recipe.train if s.folds), None)
    if source is None:
        raise SettingError(
            f"Recipe '{recipe.name}' has no source with folds: give one of its train sources folds, "
            'such as folds = "manifest".'
        )
    fold = read_folds(source.folds, open_prepared(data / source.data).manifest)
    known = [int(n) for n in np.unique(fold[fold >= 0])]
    if folds == "all":
        return tuple(known)
    try:
        wanted = [int(n) for n in folds.split(",")]
    except ValueError:
        raise SettingError(f"'{folds}' names no folds: give all, or numbers such as 0,2.") from None
    strange = [n for n in wanted if n not in known]
    if strange:
        raise SettingError(f"There is no fold {strange[0]} in '{source.data}': it has {', '.join(map(str, known))}.")
    return tuple(dict.fromkeys(wanted))


def summarise(answers: Mapping[int, Mapping[str, Answered]]) -> list[Crossed]:
    """Accuracy and mean recall, and concordance where faces are rated, over folds, from each fold's answers by source.

    A source held out fold by fold (``"dfew/fold0"``) counts as one (``"dfew"``); only sources that every fold was
    judged on are given. The mean is over folds, as official protocols take it, not over rows. There is one
    fold or more.
    """
    named = {n: {_plain(name, n): a for name, a in found.items()} for n, found in answers.items()}
    shared = [name for name in next(iter(named.values())) if all(name in found for found in named.values())]
    parts = {name: [found[name] for found in named.values()] for name in shared}
    return [
        _cross(name, score, mine)
        for name, mine in parts.items()
        for score in _SCORES
        if any(_judged(part, score).any() for part in mine)
    ]


def table(folded: Folded) -> str:
    """The summary as a Markdown table, scores in percent."""
    lines = [
        "| data | score | " + " | ".join(f"fold {n}" for n in folded.folds) + " | mean ± sd | 95 % of the mean |",
        "| --- " * (len(folded.folds) + 4) + "|",
    ]
    for s in folded.scores:
        cells = " | ".join(f"{100 * v:.2f}" for v in s.values)
        spread = f" ± {100 * s.deviation:.2f}" if np.isfinite(s.deviation) else ""
        lines.append(
            f"| {s.source} ({s.rows:,}) | {_SCORES[s.score]} | {cells} | {100 * s.mean.value:.2f}{spread} | "
            f"{100 * s.mean.low:.2f} to {100 * s.mean.high:.2f} |"
        )
    return "\n".join(lines)


def _plain(source: str, fold: int) -> str:
    return source.removesuffix(f"/fold{fold}")


def _cross(name: str, score: str, parts: Sequence[Answered]) -> Crossed:
    parts = [part.select(_judged(part, score)) for part in parts]
    home = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    # Groups are numbered by the data set: one that several runs have judged is drawn, or not, for all of them.
    group = np.concatenate([p.group for p in parts])
    measure = _measure(score, parts)

    def of(rows: NDArray[np.int64]) -> list[float]:
        return [measure(rows[home[rows] == k]) for k in range(len(parts))]

    def mean(rows: NDArray[np.int64]) -> float:
        values = np.array(of(rows))
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")

    values = of(np.arange(len(home)))
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    interval = bootstrap(mean, len(home), groups=group, draws=_DRAWS)
    return Crossed(name, score, tuple(values), interval, deviation, len({i for p in parts for i in p.id.tolist()}))


def _judged(part: Answered, score: str) -> NDArray[np.bool_]:
    """Rows ``(n,)`` that have what a score needs: a label, or answers and ratings."""
    if score in ("war", "uar"):
        return part.truth >= 0
    column = AFFECT.index(score.removeprefix("ccc_"))
    if part.affect is None or part.rating is None:
        return np.zeros(len(part), bool)
    return np.isfinite(part.affect[:, column]) & np.isfinite(part.rating[:, column])


def _measure(score: str, parts: Sequence[Answered]) -> Callable[[NDArray[np.int64]], float]:
    """A score as a function of positions among the rows of all parts, all of which have what it needs."""
    if score in ("war", "uar"):
        truth = np.concatenate([p.truth for p in parts])
        answer = np.concatenate([p.probability.argmax(1) for p in parts])
        share = scores.accuracy if score == "war" else scores.mean_recall
        return lambda rows: share(scores.confusion(truth[rows], answer[rows], len(parts[0].labels)))
    column = AFFECT.index(score.removeprefix("ccc_"))
    said, given = (
        np.concatenate([a[:, column] for p in parts if (a := getattr(p, name)) is not None] or [np.zeros(0)])
        for name in ("affect", "rating")
    )
    return lambda rows: scores.concordance(said[rows], given[rows])


def _finish(folder: Path, numbers: tuple[int, ...]) -> Folded:
    """The answers of all runs together, and the summary."""
    from tronie.train.predictions import joined, read_answers, write_answers

    answers = {n: read_answers(folder / f"fold{n}") for n in numbers}
    folded = Folded(folder, numbers, tuple(summarise(answers)))
    held = [(n, name, a) for n, found in answers.items() for name, a in found.items() if _plain(name, n) != name]
    together = {}
    for source in dict.fromkeys(_plain(name, n) for n, name, _ in held):
        parts = [a for n, name, a in held if _plain(name, n) == source]
        together[source] = joined(parts)
    write_answers(folder, together)
    _write(folder, {"folds": numbers, "scores": [_plainly(s) for s in folded.scores]})
    with replacing(folder / TABLE) as temporary:
        temporary.write_text(str(folded), encoding="utf-8")
    return folded


def _plainly(s: Crossed) -> dict[str, Any]:
    """As JSON can hold it: no deviation where there is one fold only."""
    return asdict(s) | {"deviation": s.deviation if np.isfinite(s.deviation) else None}


def _write(folder: Path, content: dict[str, Any]) -> None:
    with replacing(folder / FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _begun(folder: Path) -> tuple[int, ...]:
    """The folds of a folder that :func:`train_folds` began. Raises SettingError."""
    try:
        numbers = tuple(int(n) for n in read_json(folder / FILE, error=SettingError)["folds"])
    except (SettingError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{folder} holds no runs over folds: its {FILE} cannot be read ({error}).") from error
    if not numbers or not (folder / f"fold{numbers[0]}" / "recipe.toml").is_file():
        raise SettingError(f"{folder} was left before its first fold began: start anew with the recipe.")
    return numbers
