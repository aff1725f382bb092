"""Valence and arousal of film clips, a tenth of the clips held out in turn: ridge regression, and multi-task learning.

    git show c45fdc3:src/tronie/zoo/models/default/encoder.onnx > static-2/encoder.onnx     (and model.json, card.md)
    tronie prepare film-clips PACK --out prepared/film-clips
    tronie prepare acted-clips PACK --out prepared/acted-clips
    python benchmarks/accuracy/film_affect.py prepared/film-clips static-2 --acted prepared/acted-clips
    python benchmarks/accuracy/film_affect.py prepared/film-clips static-2 --table > benchmarks/accuracy/film_affect.md

634 clips (KERC 2020), 1 to 12 frames each, rated as a whole. The frames are seen by an image model that has learnt from
no film clip (a model that has is refused: the one that ships has a head for these very ratings, its features are those
of commit c45fdc3). Ridge regressions take the mean over a clip's frames of the model's
probabilities or features, and choose their strength within the training part; the other rows learn from clips of
features by the method *multitask*, the last also from the labels of acted talking clips.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from film_clips import CUTS, FOLDS, Films, Ints, Trial, acted_rows, alike, do, read_films, ridge
from numpy.typing import NDArray
from tracks import main_of

from tronie.metrics import scores
from tronie.metrics.intervals import Interval, bootstrap
from tronie.models.catalog import load_model

ROWS: dict[str, tuple[dict[str, Any], bool]] = {
    "multitask, mean": ({"pool": "mean"}, False),
    "multitask, BiLSTM": ({"pool": "bilstm"}, False),
    "multitask, mean, acted labels too": ({"pool": "mean"}, True),
    "multitask, BiLSTM, acted labels too": ({"pool": "bilstm"}, True),
}
BAR = "the same, stretched"
NAMES = ("valence", "arousal")
CHOSEN = 5  # folds that settings were chosen on

Score = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True, eq=False)
class Said:
    """Answers of a row ``(passes, n, 2)``, one pass per seed, beside the ratings ``(n, 2)`` and groups ``(n,)``."""

    answer: NDArray[np.floating]
    rating: NDArray[np.floating]
    group: Ints

    def score(self, column: int, score: Score = scores.concordance, at: Ints | slice = slice(None)) -> float:
        """A score of valence (0) or arousal (1) over the clips ``at``, averaged over passes."""
        return float(np.mean([score(a[at, column], self.rating[at, column]) for a in self.answer]))

    def interval(self, column: int, score: Score = scores.concordance) -> Interval:
        """With a bootstrap over groups of clips that look alike."""
        return self._drawn(lambda at: self.score(column, score, at))

    def against(self, other: Said) -> Interval:
        """How much the mean of both CCC exceeds ``other``'s, over the same clips."""
        return self._drawn(lambda at: float(np.mean([self.score(c, at=at) - other.score(c, at=at) for c in (0, 1)])))

    def deviation(self, column: int) -> str:
        """Standard deviation of the CCC over passes; a dash for one."""
        each = [scores.concordance(a[:, column], self.rating[:, column]) for a in self.answer]
        return f"{np.std(each, ddof=1):.3f}" if len(each) > 1 else "–"

    def _drawn(self, statistic: Callable[[Ints], float]) -> Interval:
        return bootstrap(statistic, len(self.rating), groups=self.group, draws=1000)


def untrained(films: Films, fold: Ints, group: Ints) -> dict[str, Said]:
    """The mean of the training part, and ridge regressions: no seed, no epochs."""
    mean, both = np.zeros(films.rating.shape), films.means(films.feature, deviation=True)
    for k in range(FOLDS):
        mean[fold == k] = films.rating[fold != k].mean(0)
    said = {
        "mean of the training part": mean,
        "ridge, mean probabilities": ridge(films.means(films.image), films.rating, fold),
        "ridge, mean features": ridge(films.means(films.feature), films.rating, fold),
        "ridge, mean and deviation of features": ridge(both, films.rating, fold),
        BAR: ridge(both, films.rating, fold, stretch=True),
    }
    return {name: Said(answer[None], films.rating, group) for name, answer in said.items()}


def trained(trials: Sequence[Trial], films: Films, group: Ints, out: Path, model: str) -> dict[str, Said]:
    """The rows that were run."""
    rows = {}
    for name in ROWS:
        there = [path for t in trials if t.row == name and (path := t.path(out, model)).is_file()]
        if there:
            rows[name] = Said(np.stack([np.load(path)["said"] for path in there]), films.rating, group)
    return rows


def table(rows: dict[str, Said], fold: Ints) -> list[str]:
    """Markdown: CCC with interval, Pearson and RMSE of both, and the mean CCC paired against the best regression."""
    heads = [f"{name} {what}" for name in NAMES for what in ("CCC", "sd", "r", "RMSE")]
    heads += ["mean CCC above the stretched ridge's by", f"mean CCC, folds 1–{CHOSEN}", "others"]
    lines = [f"| | passes | {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) + 1)]
    for name, said in rows.items():
        cells = [name, str(len(said.answer)) if name in ROWS else "–"]
        for c in (0, 1):
            cells += [
                three(said.interval(c)),
                said.deviation(c),
                two(said.score(c, scores.pearson)),
                f"{said.score(c, scores.root_mean_square):.3f}",
            ]
        cells.append(three(said.against(rows[BAR])) if name != BAR else "")
        for part in (fold < CHOSEN, fold >= CHOSEN):
            cells.append(two(np.mean([said.score(c, at=np.flatnonzero(part)) for c in (0, 1)])))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def three(interval: Interval) -> str:
    """``0.512 [0.480, 0.551]``."""
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def two(value: float) -> str:
    """Three decimals, a dash for no number (the correlation of a constant)."""
    return f"{value:.3f}" if np.isfinite(value) else "–"


HEAD = """# Valence and arousal of film clips

`python benchmarks/accuracy/film_affect.py prepared/film-clips {folder} --acted prepared/acted-clips --seeds {seeds}`

Features of {name} (model {hash}), which has learnt from {seen}. {clips} clips of KERC 2020 in ten folds, each held out
in turn; scores are of all held-out answers together: CCC (Lin's concordance correlation), Pearson's r, and RMSE on the
scale -1 to 1, averaged over seeds (sd: over seeds). 95 % intervals by bootstrap over {groups} groups of clips whose
faces look alike, paired for differences. The strength of a ridge regression is chosen within its training part;
*stretched*, its answers spread there as the ratings do, at the price of a larger RMSE, as the multitask rows' do. The
learned rows have the settings of the table on acted clips (rdfer_acted.md); a first look at blocks 1 to {chosen}, one
seed, confirmed them and changed nothing.

**Blocks** are stretches of the pack's order. Its clips are shuffled (ratings, faces and colours of neighbours are no
more alike than those of any two clips), and films and people are not named: a film lies in many blocks, so these
figures tell how well *other clips of the same films* are read. **Faces apart**: clips whose faces look alike to a face
recognition network lie in one fold (the largest group has {largest} clips). Other people of the same film may still be
learnt from."""


def main() -> None:
    """Do the runs that are not there yet, then print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("data", type=Path, help="a folder that `tronie prepare film-clips` wrote")
    parser.add_argument("model", help="an image model's folder or name; it must not have learnt from film clips")
    parser.add_argument("--acted", type=Path, help="a folder that `tronie prepare acted-clips` wrote, for some rows")
    parser.add_argument("--out", type=Path, default=Path("out/film-affect"), help="where features and runs are kept")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--cuts", nargs="+", default=list(CUTS), choices=list(CUTS))
    parser.add_argument("--table", action="store_true", help="run nothing, only print what is there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    films = read_films(args.data, model, args.out)
    group = alike(films.face)
    trials = [
        Trial(row, cut, seed, films.feature.shape[1], *ROWS[row])
        for seed in args.seeds
        for cut in args.cuts
        for row in args.rows
    ]
    if not args.table:
        acted = None if args.acted is None else acted_rows(args.acted, model, args.out)
        do([t for t in trials if acted is not None or not t.acted], films, acted, args.out, model.hash)
    print(
        HEAD.format(
            folder=args.model,
            seeds=" ".join(map(str, args.seeds)),
            name=model.name,
            hash=model.hash,
            seen=", ".join(s.partition(":")[0] for s in model.info.seen),
            clips=len(films),
            groups=len(np.unique(group)),
            largest=np.unique(group, return_counts=True)[1].max(),
            chosen=CHOSEN,
        )
    )
    for cut in args.cuts:
        fold = CUTS[cut](films)
        rows = untrained(films, fold, group) | trained(
            [t for t in trials if t.cut == cut], films, group, args.out, model.hash
        )
        print(f"\n## {cut.capitalize()}\n")
        print("\n".join(table(rows, fold)))


if __name__ == "__main__":
    sys.exit(main_of(main))
