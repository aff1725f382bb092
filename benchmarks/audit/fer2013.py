"""Table 2: real noise. FER2013's own labels, audited; FERPlus' ten votes, which no feature has seen, say who is right.

    python benchmarks/audit/fer2013.py PREPARED/ferplus PACK --work FOLDER
    python benchmarks/audit/fer2013.py PREPARED/ferplus PACK --work FOLDER --table        only write fer2013.md again

PACK is FER2013 and FERPlus in one file, ``fer2013_ferplus_train_valid.npz``; PREPARED/ferplus its faces, cut. Needs
`pip install cleanlab==2.9.0`. Features are dlib's, frozen. Of the training part ``--rows`` faces are drawn, none of
them among the first 10,000, on which the audit's weighing and its hardness were chosen. Truth is a strict majority of
the ten votes: for one of the 7 classes it says whether FER2013's label is right; for contempt, *unknown* or *no face*
the row is unusable; rows without a majority are audited and judge nothing. *Hard* is a row with a right label whose
commonest class has 6 votes or fewer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.audit.features import components
from tronie.audit.label_quality import Signals, assess, relative_entropy
from tronie.audit.out_of_sample import look
from tronie.audit.proof import average_precision
from tronie.audit.rows import find_flaws
from tronie.audit.share import share_interval
from tronie.audit.verdicts import DOUBTFUL, HARD, WRONG, hardness, label_verdicts, ranks
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.prepared import Opened, open_prepared
from tronie.metrics.folds import joined_groups, stratified_folds
from tronie.metrics.intervals import paired

Bools = NDArray[np.bool_]


def open_rows(prepared: Path, pack: Path, count: int) -> tuple[Opened, NDArray[np.float64]]:
    """``count`` training faces with FER2013's labels, and their votes ``(n, 10)`` in shares: 7 classes, then others."""
    with np.load(pack, allow_pickle=False) as kept:
        labels, votes = kept["fer2013_label"].astype(np.int64), kept["ferplus_votes"].astype(np.float64)
        names, columns = kept["fer2013_names"].tolist(), [str(n).lower() for n in kept["vote_names"].tolist()]
    opened = open_prepared(prepared)
    at = np.array([int(name.rpartition("pack")[2]) for name in opened.manifest.id.tolist()])
    voted = (votes[at] >= 0).all(1) & (votes[at].sum(1) > 0)
    rows = np.flatnonzero((opened.manifest.split == "train") & voted)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[count : 2 * count])
    vocabulary = LabelSet(tuple(str(n) for n in names))
    place = LabelSet(tuple(columns))
    order = vocabulary.translate(place)
    rest = [c for c in range(len(columns)) if c not in order.tolist()]
    share = votes[at[rows]][:, [*order, *rest]]
    manifest = opened.manifest.select(rows)
    given = Manifest(
        id=manifest.id,
        path=manifest.path,
        label=labels[at[rows]],
        labels=vocabulary,
        split=manifest.split,
        group=manifest.group,
    )
    return replace(opened, manifest=given, faces=opened.faces[rows]), share / share.sum(1, keepdims=True)


def auroc(score: NDArray[np.floating], positive: Bools) -> float:
    """Probability that a positive row scores higher than another; ties count half."""
    rank = ranks(score) * len(score)
    hits = int(positive.sum())
    others = len(positive) - hits
    if not hits or not others:
        return float("nan")
    return float((rank[positive].sum() - hits * (hits + 1) / 2) / (hits * others))


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Correlation of ranks."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def audit(opened: Opened, work: Path, groups: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Scores of one audit and of its rivals on the same probabilities."""
    from cleanlab.rank import get_label_quality_scores

    x = components(opened, work, progress=lambda d, n: print(f"\r{d:,} of {n:,}", end="", flush=True))
    label = opened.manifest.label
    fold = stratified_folds(label, groups, 5, seed)
    looked = look(x, label, len(opened.manifest.labels), fold, seed=seed)
    signals = Signals(looked.looks, label, neighbours=looked.neighbours)
    quality = assess(signals, fold, seed=seed)
    first, last = looked.first.mean(0), signals.agreement.mean
    share = share_interval(signals, quality, groups)
    found: dict[str, Any] = {
        "audit": quality.score,
        "hardness": hardness(signals, quality),
        "p_wrong": quality.wrong,
        "entropy": relative_entropy(last),
        "entropy_first": relative_entropy(first),
        "disagreement": 1 - signals.agreement.majority,
        "verdict": label_verdicts(signals, quality),
        "suggested": quality.suggested,
        "share": [share.value, share.low, share.high],
    }
    for name, p in (("first", first), ("last", last)):
        found[f"loss_{name}"] = -get_label_quality_scores(label, p, method="self_confidence")
        found[f"margin_{name}"] = -get_label_quality_scores(label, p, method="normalized_margin")
    return found


WRONGS = {
    "audit": "**audit**",
    "loss_last": "loss, last round (cleanlab's self-confidence)",
    "margin_last": "cleanlab's normalised margin, last round",
    "loss_first": "loss, first round (cleanlab's self-confidence)",
    "margin_first": "cleanlab's normalised margin, first round",
}
HARDS = {
    "hardness": "**audit's hardness**",
    "entropy": "softmax entropy, last round",
    "entropy_first": "softmax entropy, first round",
    "loss_last": "cleanlab's self-confidence, last round",
    "loss_first": "cleanlab's self-confidence, first round",
    "disagreement": "disagreement of looks alone",
}


def table(runs: list[dict[str, Any]], opened: Opened, votes: NDArray[np.float64], groups: NDArray[np.int64]) -> str:
    """fer2013.md."""
    label, classes = opened.manifest.label, len(opened.manifest.labels)
    top, most = votes.argmax(1), votes.max(1)
    majority = most > 0.5
    judged = majority & (top < classes)
    wrong, right = judged & (top != label), judged & (top == label)
    others = majority & (top >= classes)
    # rows with a right label by plurality: those that a majority confirms, and those where votes are split
    plural = (top == label) & (top < classes)
    torn = most <= 0.6
    vote_entropy = relative_entropy(votes)
    lines = [
        "# FER2013's own labels against FERPlus' votes",
        "",
        "`python benchmarks/audit/fer2013.py PREPARED/ferplus PACK --work FOLDER`",
        "",
        f"{len(label):,} faces of the training part; {int(judged.sum()):,} have a strict majority for one of 7 "
        f"classes, of which {wrong.sum() / judged.sum():.1%} contradict FER2013's label; {int(others.sum()):,} have "
        f"one for contempt, unknown or no face; {len(runs)} seeds. Differences: audit minus rival, paired, 95 % "
        "bootstrap over near-duplicates' groups and seeds.",
        "",
        "| wrong labels, ranked by | average precision | difference |",
        "| --- | --- | --- |",
    ]
    lines += _block(runs, WRONGS, judged, groups, lambda score, at: average_precision(score, wrong[at]))
    lines += [
        "",
        f"*Hard*: {int((plural & torn).sum()):,} of {int(plural.sum()):,} rows whose label is the commonest "
        "vote have 6 of 10 votes or fewer for it.",
        "",
        "| hard rows, ranked by | AUROC | difference |",
        "| --- | --- | --- |",
    ]
    lines += _block(runs, HARDS, plural, groups, lambda score, at: auroc(score, torn[at]))
    lines += ["", "| entropy of the votes, correlated with (all rows) | Spearman | difference |", "| --- | --- | --- |"]
    lines += _block(runs, HARDS, np.ones(len(label), bool), groups, lambda score, at: spearman(score, vote_entropy[at]))
    lines += ["", *_verdict_lines(runs, wrong, right, others, judged, top)]
    return "\n".join([*lines, ""])


def _block(
    runs: list[dict[str, Any]],
    names: dict[str, str],
    rows: Bools,
    groups: NDArray[np.int64],
    measure: Callable[[Any, Any], float],
) -> list[str]:
    index = np.flatnonzero(rows)

    def side(name: str) -> list[Callable[[NDArray[np.int64]], float]]:
        return [lambda at, r=r: measure(r[name][index[at]], index[at]) for r in runs]  # type: ignore[misc]

    ours, lines = next(iter(names)), []
    for name, words in names.items():
        value = float(np.mean([one(np.arange(len(index))) for one in side(name)]))
        difference = ""
        if name != ours:
            found = paired(side(name), side(ours), len(index), groups=groups[index], draws=200)
            difference = f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
        lines.append(f"| {words} | {value:.3f} | {difference} |")
    return lines


def _verdict_lines(
    runs: list[dict[str, Any]], wrong: Bools, right: Bools, others: Bools, judged: Bools, top: NDArray[np.int64]
) -> list[str]:
    def mean(value: Callable[[dict[str, Any]], float]) -> str:
        return f"{np.mean([value(r) for r in runs]):.3f}"

    return [
        "| of the rows with a strict majority | |",
        "| --- | --- |",
        f"| estimated share of wrong labels, all rows | {mean(lambda r: r['share'][0])} "
        f"[{mean(lambda r: r['share'][1])}, {mean(lambda r: r['share'][2])}] |",
        f"| truly wrong | {wrong.sum() / judged.sum():.3f} |",
        f"| *wrong*: precision | {mean(lambda r: wrong[judged & (r['verdict'] == WRONG)].mean())} |",
        f"| *wrong*: recall | {mean(lambda r: (r['verdict'] == WRONG)[wrong].mean())} |",
        f"| suggestion right, of wrong labels | {mean(lambda r: (r['suggested'] == top)[wrong].mean())} |",
        f"| *hard, keep*: right labels | {mean(lambda r: right[judged & (r['verdict'] == HARD)].mean())} |",
        f"| *hard, keep*: share of all rows | {mean(lambda r: (r['verdict'] == HARD).mean())} |",
        f"| rows voted contempt, unknown or no face: called doubtful or wrong | "
        f"{mean(lambda r: np.isin(r['verdict'], (DOUBTFUL, WRONG))[others].mean())} |",
    ]


def main(arguments: list[str]) -> None:
    """Compute what is missing, then write the table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args(arguments)
    opened, votes = open_rows(asked.prepared, asked.pack, asked.rows)
    asked.work.mkdir(parents=True, exist_ok=True)
    twins = asked.work / "twins.npy"
    if not twins.is_file():
        np.save(twins, joined_groups(opened.manifest.group, find_flaws(opened.manifest, opened, set()).twins))
    groups, runs = np.load(twins), []
    for seed in asked.seeds:
        path = asked.work / f"fer2013-{seed}.npz"
        if not path.is_file() and not asked.table:
            np.savez_compressed(path, **audit(opened, asked.work / "dlib", groups, seed))
        runs.append(dict(np.load(path)))
    target = Path(__file__).with_suffix(".md")
    target.write_text(table(runs, opened, votes, groups), encoding="utf-8")
    print(f"Written: {target}")


if __name__ == "__main__":
    main(sys.argv[1:])
