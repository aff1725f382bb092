"""Tables 1 and 4: wrong labels that were planted in RAF-DB's training part, and which of them an audit finds.

    python benchmarks/audit/injected.py PREPARED/rafdb --run RUN --work FOLDER     everything that is not there yet
    python benchmarks/audit/injected.py PREPARED/rafdb --run RUN --work FOLDER --table       only write noise.md again

RUN is a run folder of a net that was trained on FERPlus alone: no feature has seen a label of RAF-DB. Needs
`pip install cleanlab==2.9.0` beside the extra "train". Rows are the 12,271 faces of the training part; the audit sees
the planted labels only, cuts its own folds by them, and keeps near-duplicates together. cleanlab and the ranking by
loss get the very probabilities that the audit made: those of its first round, what anybody has who cross-validates
once, and those of its last round, from which doubtful rows were discounted. A finished condition is a file in FOLDER.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.audit.features import components
from tronie.audit.label_quality import Signals, assess
from tronie.audit.out_of_sample import look
from tronie.audit.proof import average_precision, precision_at
from tronie.audit.rows import find_flaws
from tronie.audit.share import share_interval
from tronie.audit.verdicts import HARD, WRONG, label_verdicts
from tronie.core.manifest import Manifest
from tronie.data.noise.labels import Corruption, pair, symmetric
from tronie.data.prepared import Opened, open_prepared
from tronie.metrics.folds import joined_groups, stratified_folds
from tronie.metrics.intervals import Interval, paired

STRENGTHS = {
    "weak": "dlib's face net, 32 components",
    "middle": "dlib's face net, 512 components",
    "strong": "dlib's and a net trained on FERPlus, 1024",
}
NOISES: dict[str, tuple[str, float]] = {
    "symmetric 10 %": ("symmetric", 0.1),
    "symmetric 20 %": ("symmetric", 0.2),
    "symmetric 30 %": ("symmetric", 0.3),
    "pair 20 %": ("pair", 0.2),
}
RIVALS = {
    "loss": "loss, last round (cleanlab's self-confidence)",
    "margin": "cleanlab's normalised margin, last round",
    "first_loss": "loss, first round (cleanlab's self-confidence)",
    "first_margin": "cleanlab's normalised margin, first round",
}


def features(strength: str, opened: Opened, run: Path, work: Path) -> NDArray[np.float32]:
    """Views ``(4, n, d)`` of one of STRENGTHS, kept in ``work``."""
    x = components(
        opened,
        work,
        model=run if strength == "strong" else None,
        progress=lambda d, n: print(f"\r{d:,} of {n:,}", end="", flush=True),
    )
    return x[:, :, :32] if strength == "weak" else x


def plant(manifest: Manifest, noise: str, seed: int) -> Corruption:
    """The noise of a condition on all labels."""
    kind, rate = NOISES[noise]
    return (symmetric if kind == "symmetric" else pair)(manifest.label, manifest.labels, rate, seed)


def looks(x: NDArray[np.float32], planted: Corruption, groups: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Predictions out of sample under planted labels: what takes the time."""
    fold = stratified_folds(planted.after, groups, 5, seed)
    looked = look(x, planted.after, len(planted.labels), fold, seed=seed)
    return {
        "looks": looked.looks.astype(np.float32),
        "first": looked.first.mean(0),
        "near": looked.neighbours,
        "fold": fold,
    }


def condition(kept: dict[str, Any], planted: Corruption, groups: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """One audit of planted labels, and its rivals on the same probabilities; scores rise with doubt."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    label, fold = planted.after, kept["fold"]
    signals = Signals(kept["looks"].astype(np.float64), label, neighbours=kept["near"])
    quality = assess(signals, fold, seed=seed)
    verdict, share = label_verdicts(signals, quality), share_interval(signals, quality, groups)
    first, last = kept["first"], signals.agreement.mean
    found: dict[str, Any] = {
        "wrong": planted.flipped,
        "ours": quality.score,
        "p_wrong": quality.wrong,
        "hard": verdict == HARD,
        "called": verdict == WRONG,
        "share": [share.value, share.low, share.high],
        "suggested": quality.suggested == planted.before,
        "right": [float((p.argmax(1) == planted.before).mean()) for p in (first, last)],
    }
    for name, p in (("first_", first), ("", last)):
        for score, method in (("loss", "self_confidence"), ("margin", "normalized_margin")):
            found[name + score] = -get_label_quality_scores(label, p, method=method)
        found[name + "flags"] = find_label_issues(label, p)
    return found


def table(work: Path, rows: int, groups: NDArray[np.int64], seeds: list[int]) -> str:
    """noise.md: precision at 0.90 recall and average precision, and the lists of hard rows."""
    lines, hard = [], []
    for strength in STRENGTHS:
        for noise in NOISES:
            files = [kept_at(work, strength, noise, s) for s in seeds]
            if all(f.is_file() for f in files):
                runs = [dict(np.load(f)) for f in files]
                lines += _rows(strength, noise, runs, groups)
                hard.append(_hard_row(strength, noise, runs))
    return "\n".join([*_head(rows, len(seeds)), *lines, *_HARD_HEAD, *hard, ""])


def kept_at(work: Path, strength: str, noise: str, seed: int) -> Path:
    """Where what a condition gave lies."""
    return work / f"audit-{strength}-{noise.replace(' %', '').replace(' ', '-')}-{seed}.npz"


def _head(rows: int, seeds: int) -> list[str]:
    return [
        "# Wrong labels planted in RAF-DB's training part, and found",
        "",
        "`python benchmarks/audit/injected.py PREPARED/rafdb --run RUN --work FOLDER`",
        "",
        f"{rows:,} faces, {seeds} seeds (other noise, other folds); on seeds 0, 11 and 12 the audit was chosen, and "
        "they are not among them. P@.9: share of wrong labels among the first rows of a ranking, down to where 90 % of "
        "them are found; AP: average precision. Differences: audit minus rival, paired, 95 % bootstrap over "
        "near-duplicates' groups and seeds. The rivals get the probabilities that the audit made itself, in its last "
        "round and in its first. Labels of RAF-DB that were wrong before count as false alarms.",
        "",
        "| features | noise | right | ranking | P@.9 | difference | AP | difference |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]


_HARD_HEAD = [
    "",
    "*right*: share of the rows whose true label the probabilities name, first and last round.",
    "",
    "## Verdicts",
    "",
    "*Hard, keep* is to hold 90 % right labels or more, and a tenth of all rows at 30 % noise. cleanlab's own list "
    "(`find_label_issues`, last round) has no ranking that could be cut elsewhere: the audit is cut where it finds as "
    "many.",
    "",
    "| features | noise | planted | estimated share [95 %] | *wrong*: rows, precision, recall | suggestion right | "
    "*hard*: share of rows, right labels | cleanlab's list: precision, recall | audit at that recall |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
]


def _rows(strength: str, noise: str, runs: list[dict[str, Any]], groups: NDArray[np.int64]) -> list[str]:
    measures: dict[str, Callable[[Any, Any], float]] = {
        "P@.9": lambda score, wrong: precision_at(score, wrong, 0.9),
        "AP": average_precision,
    }
    right = " → ".join(f"{np.mean([r['right'][i] for r in runs]):.3f}" for i in (0, 1))
    lines = []
    for name, words in ({"ours": "**audit**"} | RIVALS).items():
        cells = []
        for measure in measures.values():
            value = float(np.mean([measure(r[name], r["wrong"]) for r in runs]))
            cells += [f"{value:.3f}", "" if name == "ours" else _difference(runs, name, measure, groups)]
        lines.append(f"| {STRENGTHS[strength]} | {noise} | {right} | {words} | {' | '.join(cells)} |")
    return lines


def _difference(
    runs: list[dict[str, Any]], rival: str, measure: Callable[[Any, Any], float], groups: NDArray[np.int64]
) -> str:
    def side(name: str) -> list[Callable[[NDArray[np.int64]], float]]:
        return [lambda at, r=r: measure(r[name][at], r["wrong"][at]) for r in runs]  # type: ignore[misc]

    found: Interval = paired(side(rival), side("ours"), len(groups), groups=groups, draws=100)
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _hard_row(strength: str, noise: str, runs: list[dict[str, Any]]) -> str:
    def mean(value: Callable[[dict[str, Any]], float]) -> float:
        return float(np.mean([value(r) for r in runs]))

    def at_flags(r: dict[str, Any]) -> float:
        return precision_at(r["ours"], r["wrong"], float(r["flags"][r["wrong"]].mean()))

    share = [mean(lambda r, i=i: r["share"][i]) for i in range(3)]  # type: ignore[misc]
    cells = [
        STRENGTHS[strength],
        noise,
        f"{mean(lambda r: r['wrong'].mean()):.3f}",
        f"{share[0]:.3f} [{share[1]:.3f}, {share[2]:.3f}]",
        f"{mean(lambda r: r['called'].sum()):,.0f}, {mean(lambda r: r['wrong'][r['called']].mean()):.3f}, "
        f"{mean(lambda r: r['called'][r['wrong']].mean()):.3f}",
        f"{mean(lambda r: r['suggested'][r['wrong']].mean()):.3f}",
        f"{mean(lambda r: r['hard'].mean()):.3f}, {mean(lambda r: (~r['wrong'])[r['hard']].mean()):.3f}",
        f"{mean(lambda r: r['wrong'][r['flags']].mean()):.3f}, {mean(lambda r: r['flags'][r['wrong']].mean()):.3f}",
        f"{mean(at_flags):.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Compute what is missing, then write the table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--strengths", nargs="+", default=list(STRENGTHS), choices=list(STRENGTHS))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args(arguments)
    opened = open_prepared(asked.prepared)
    manifest = opened.manifest
    twins = asked.work / "twins.npy"
    if not twins.is_file():
        asked.work.mkdir(parents=True, exist_ok=True)
        np.save(twins, joined_groups(manifest.group, find_flaws(manifest, opened, set()).twins))
    groups = np.load(twins)
    for strength in [] if asked.table else asked.strengths:
        x = features(strength, opened, asked.run, asked.work)
        for noise in NOISES:
            for seed in asked.seeds:
                path, planted = kept_at(asked.work, strength, noise, seed), plant(manifest, noise, seed)
                if not path.is_file():
                    found = condition(looks(x, planted, groups, seed), planted, groups, seed)
                    np.savez_compressed(path, **found)
                    print(
                        f"{path.stem}: {precision_at(found['ours'], found['wrong'], 0.9):.4f} against "
                        f"{precision_at(found['loss'], found['wrong'], 0.9):.4f}, first "
                        f"{precision_at(found['first_loss'], found['wrong'], 0.9):.4f}",
                        flush=True,
                    )
    target = Path(__file__).with_suffix(".md")
    target.write_text(table(asked.work, len(manifest), groups, asked.seeds), encoding="utf-8")
    print(f"Written: {target}")


if __name__ == "__main__":
    main(sys.argv[1:])
