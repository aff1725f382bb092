"""Table 5: does cleaning pay? A probe that learns from cleaned labels, against noisy ones and against cleanlab's list.

    python benchmarks/audit/cleaning.py PREPARED/rafdb --run RUN --work FOLDER

Features and FOLDER are those of noise.py. Of RAF-DB's training part four folds are given wrong labels and audited; the
audit never sees the fifth, on whose clean labels the probes are judged: seed s is judged on fold s. All learn alike,
from two views of each face; only labels and rows differ. The last rows are linear nets trained step by step
(``cleaning_rivals.py``): plainly, and by the losses that the noise table of the methods found best.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cleaning_rivals import answers
from injected import STRENGTHS, features
from numpy.typing import NDArray

from tronie.audit.label_quality import Signals, assess
from tronie.audit.out_of_sample import look
from tronie.audit.probe import fit_probe
from tronie.audit.verdicts import DOUBTFUL, HARD, WRONG, Cuts, label_verdicts
from tronie.data.noise.labels import Corruption, symmetric
from tronie.data.prepared import open_prepared, read_folds
from tronie.metrics.folds import stratified_folds
from tronie.metrics.intervals import paired
from tronie.metrics.scores import accuracy, confusion, mean_recall

Ints = NDArray[np.int64]
LEARN = 2  # views of each face that a probe learns from
WAYS = {
    "noisy": "the noisy labels",
    "cleaned": "**cleaned.csv: changed, or taken away**",
    "dropped": "the audit's *wrong* rows taken away",
    "doubtless": "and the *doubtful* rows taken away",
    "weighed": "rows weighed by the probability of being right",
    "no_hard": "and the *hard* rows taken away",
    "cleanlab": "cleanlab's list taken away, first round",
    "cleanlab_last": "cleanlab's list taken away, last round",
    "clean": "the true labels",
    "net": "the noisy labels, a linear net",
    "elr": "the same by ELR",
    "gce": "the same by generalised cross-entropy",
}


def learnt(
    x: NDArray[np.float32], planted: Corruption, groups: Ints, held: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    """Answers for the held-out rows of probes that learnt in each of WAYS."""
    from cleanlab.filter import find_label_issues

    ours, classes = ~held, len(planted.labels)
    label, truth = planted.after[ours], planted.before[ours]
    fold = stratified_folds(label, groups[ours], 5, seed)
    looked = look(x[:, ours], label, classes, fold, seed=seed)
    signals = Signals(looked.looks, label, neighbours=looked.neighbours)
    quality = assess(signals, fold, seed=seed)
    verdict = label_verdicts(signals, quality)
    wrong, doubtful, sure = verdict == WRONG, verdict == DOUBTFUL, quality.wrong * quality.sure >= Cuts().sure
    labels = {
        "noisy": label,
        "weighed": label,
        "clean": truth,
        "cleaned": np.where(wrong, np.where(sure, quality.suggested, -1), label),
        "dropped": np.where(wrong, -1, label),
        "doubtless": np.where(wrong | doubtful, -1, label),
        "no_hard": np.where(wrong | doubtful | (verdict == HARD), -1, label),
        "cleanlab": np.where(find_label_issues(label, looked.first.mean(0)), -1, label),
        "cleanlab_last": np.where(find_label_issues(label, signals.agreement.mean), -1, label),
    }
    found: dict[str, Any] = {"truth": planted.before[held]}
    for name, known in labels.items():
        weight = 1 - quality.wrong if name == "weighed" else None
        probe = fit_probe(x[:LEARN, ours], known, classes, weight=weight)
        found[name] = probe(x[:, held]).mean(0).argmax(1)
    return found


def table(work: Path, rates: list[float], seeds: list[int]) -> str:
    """cleaning.md."""
    lines = [
        "# Learning from cleaned labels",
        "",
        "`python benchmarks/audit/cleaning.py PREPARED/rafdb --run RUN --work FOLDER`",
        "",
        "Symmetric noise on four folds of RAF-DB's training part; probes judged on the clean fifth, seed s on fold s. "
        "Differences to the noisy labels and to cleanlab's list (first round), paired, 95 % bootstrap over rows and "
        "seeds.",
        "",
        "| features | noise | learns from | accuracy | against noisy | against cleanlab | mean recall |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for strength in STRENGTHS:
        for rate in rates:
            files = [work / f"cleaning-{strength}-{rate:g}-{s}.npz" for s in seeds]
            if all(f.is_file() for f in files):
                runs = [dict(np.load(f)) | dict(np.load(f.with_name(f"rivals{f.name[8:]}"))) for f in files]
                lines += _rows(STRENGTHS[strength], rate, runs)
    return "\n".join([*lines, ""])


def _rows(words: str, rate: float, runs: list[dict[str, Any]]) -> list[str]:
    least = min(len(r["truth"]) for r in runs)  # folds differ by a row or two

    def side(name: str) -> list[Callable[[Ints], float]]:
        return [lambda at, r=r: float((r[name][at] == r["truth"][at]).mean()) for r in runs]  # type: ignore[misc]

    lines = []
    for name, text in WAYS.items():
        tables = [confusion(r["truth"], r[name], int(r["truth"].max()) + 1) for r in runs]
        cells = [f"{np.mean([accuracy(t) for t in tables]):.4f}"]
        for rival in ("noisy", "cleanlab"):
            found = paired(side(rival), side(name), least, draws=400)
            cells.append("" if name == rival else f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]")
        cells.append(f"{np.mean([mean_recall(t) for t in tables]):.4f}")
        lines.append(f"| {words} | {rate:.0%} | {text} | {' | '.join(cells)} |")
    return lines


def main(arguments: list[str]) -> None:
    """Compute what is missing, then write the table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.2, 0.3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--strengths", nargs="+", default=["middle", "strong"], choices=list(STRENGTHS))
    asked = parser.parse_args(arguments)
    opened = open_prepared(asked.prepared)
    fold, groups = read_folds("rafdb-train", opened.manifest), np.load(asked.work / "twins.npy")
    for strength in asked.strengths:
        x = features(strength, opened, asked.run, asked.work)
        for seed in asked.seeds:
            for rate in asked.rates:
                path = asked.work / f"cleaning-{strength}-{rate:g}-{seed}.npz"
                if not path.is_file():
                    planted = symmetric(opened.manifest.label, opened.manifest.labels, rate, seed)
                    found = learnt(x, planted, groups, fold == seed, seed)
                    np.savez_compressed(path, **found)
                    shown = {k: round(float((v == found["truth"]).mean()), 4) for k, v in found.items()}
                    print(f"{path.stem}: {shown}", flush=True)
                rivals = asked.work / f"rivals-{strength}-{rate:g}-{seed}.npz"
                if not rivals.is_file():
                    planted = symmetric(opened.manifest.label, opened.manifest.labels, rate, seed)
                    np.savez_compressed(rivals, **answers(strength, x, planted.after, fold == seed, seed))
    target = Path(__file__).with_suffix(".md")
    target.write_text(table(asked.work, asked.rates, asked.seeds), encoding="utf-8")
    print(f"Written: {target}")


if __name__ == "__main__":
    main(sys.argv[1:])
