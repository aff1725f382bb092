"""Table 3: clips. Wrong labels and hard clips that were planted, and how well an audit tells them apart.

    python benchmarks/audit/clips.py PREPARED/ravdess-tracks PREPARED/acted-features --work FOLDER

RAVDESS as tracks of points (`tronie prepare ravdess-tracks`), and acted clips as features of a model that has seen none
of these people (`tronie features PREPARED/acted-clips --model MODEL`), with and without the label that is unsure. Needs
`pip install cleanlab==2.9.0`. Labels are made wrong evenly, and a fifth of the expressive clips hard: three quarters of
their frames become a neutral clip's of the same actor, the label stays. The audit cuts its folds by actor and looks
eight times at each clip. cleanlab gets the probabilities of the audit's first round and of its last.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fer2013 import auroc
from numpy.typing import NDArray

from tronie.audit.clips import clip_components
from tronie.audit.label_quality import Signals, assess
from tronie.audit.out_of_sample import look
from tronie.audit.proof import average_precision, precision_at
from tronie.audit.share import share_interval
from tronie.audit.verdicts import HARD, WRONG, hardness, label_verdicts
from tronie.data.noise.clips import hard
from tronie.data.noise.labels import symmetric
from tronie.data.prepared import Opened, open_prepared
from tronie.metrics.folds import stratified_folds
from tronie.metrics.intervals import paired

VIEWS, FOLDS, HARDENED = 8, 5, 0.2
RATES = (0.1, 0.2, 0.3)
WRONGS = {
    "ours": "**audit**",
    "loss": "loss, last round (cleanlab's self-confidence)",
    "margin": "cleanlab's normalised margin, last round",
    "first_loss": "loss, first round (cleanlab's self-confidence)",
    "first_margin": "cleanlab's normalised margin, first round",
}
HARDS = {
    "hardness": "**audit's hardness**",
    "entropy": "softmax entropy, last round",
    "loss": "cleanlab's self-confidence, last round",
    "disagreement": "disagreement of looks alone",
}

Run = dict[str, Any]


def corrupted(opened: Opened, rate: float, seed: int) -> tuple[Opened, Run]:
    """The clips with wrong labels and hard clips, and what was planted."""
    manifest, starts = opened.manifest, opened.starts
    assert starts is not None
    noise = symmetric(manifest.label, manifest.labels, rate, seed)
    neutral = manifest.label == manifest.labels.index("neutral")
    plan = hard(np.diff(starts), neutral, HARDENED, seed, subject=manifest.subject)
    planted = {"truth": manifest.label, "given": noise.after, "wrong": noise.flipped, "planted_hard": plan.hard}
    faces = opened.faces[plan.places(starts)]
    return replace(opened, faces=faces, manifest=replace(manifest, label=noise.after)), planted


def audited(opened: Opened, rate: float, seed: int, work: Path) -> Run:
    """One audit and its rivals on the same probabilities; scores rise with doubt."""
    from cleanlab.rank import get_label_quality_scores

    made, found = corrupted(opened, rate, seed)
    label, actor = made.manifest.label, np.unique(made.manifest.subject, return_inverse=True)[1]
    x = clip_components(made, work, views=VIEWS, seed=seed)
    fold = stratified_folds(label, actor, min(FOLDS, len(np.unique(actor))), seed)
    looked = look(x, label, len(made.manifest.labels), fold, people=actor, seed=seed)
    signals = Signals(looked.looks, label, neighbours=looked.neighbours)
    quality = assess(signals, fold, seed=seed)
    share = share_interval(signals, quality, actor, seed=seed)
    first, last = looked.first.mean(0), signals.agreement.mean
    found |= {
        "ours": quality.score,
        "verdict": label_verdicts(signals, quality),
        "share": [share.value, share.low, share.high],
        "hardness": hardness(signals, quality),
        "entropy": signals.entropy,
        "disagreement": 1 - signals.agreement.majority,
        "actor": actor,
        "right": [float((p.argmax(1) == found["truth"]).mean()) for p in (first, last)],
    }
    for name, p in (("first_", first), ("", last)):
        for score, method in (("loss", "self_confidence"), ("margin", "normalized_margin")):
            found[name + score] = -get_label_quality_scores(label, p, method=method)
    return found


def kept(opened: Opened, name: str, rate: float, seed: int, work: Path) -> Run:
    """What :func:`audited` gives, made once."""
    path = work / f"{''.join(c for c in name if c.isalnum())}-{rate:g}-{seed}.npz"
    if not path.is_file():
        found = audited(opened, rate, seed, work / "views")
        np.savez_compressed(path, **found)
    return dict(np.load(path))


def difference(runs: list[Run], rival: str, ours: str, measure: Callable[[Run, str, NDArray[np.int64]], float]) -> str:
    """Ours minus the rival's, paired over actors and seeds."""

    def side(name: str) -> list[Callable[[NDArray[np.int64]], float]]:
        return [lambda at, r=r: measure(r, name, at) for r in runs]  # type: ignore[misc]

    found = paired(side(rival), side(ours), len(runs[0]["truth"]), groups=runs[0]["actor"], draws=300)
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def block(
    data: str,
    rate: float,
    runs: list[Run],
    names: dict[str, str],
    measures: list[Callable[[Run, str, NDArray[np.int64]], float]],
) -> list[str]:
    """Rows of a table: each ranking by each measure, and its difference to ours."""
    ours, every, lines = next(iter(names)), np.arange(len(runs[0]["truth"])), []
    for name, words in names.items():
        cells = []
        for measure in measures:
            cells.append(f"{np.nanmean([measure(r, name, every) for r in runs]):.3f}")
            cells.append("" if name == ours else difference(runs, name, ours, measure))
        lines.append(f"| {data} | {rate:.0%} | {words} | {' | '.join(cells)} |")
    return lines


def found_90(run: Run, name: str, at: NDArray[np.int64]) -> float:
    """Precision where 90 % of the wrong labels are found."""
    return precision_at(run[name][at], run["wrong"][at], 0.9)


def average(run: Run, name: str, at: NDArray[np.int64]) -> float:
    """Average precision of wrong labels."""
    return average_precision(run[name][at], run["wrong"][at])


def hard_auroc(run: Run, name: str, at: NDArray[np.int64]) -> float:
    """Planted hard clips against other clips, among those whose labels are right."""
    right = at[~run["wrong"][at]]
    return auroc(run[name][right], run["planted_hard"][right])


def verdicts(data: str, rate: float, runs: list[Run]) -> str:
    """A row on what is called wrong and hard."""

    def mean(value: Callable[[Run], float]) -> str:
        return f"{np.nanmean([value(r) for r in runs]):.3f}"

    def share(part: NDArray[np.bool_]) -> float:
        return float(part.mean()) if len(part) else float("nan")

    def called(run: Run, verdict: int) -> NDArray[np.bool_]:
        return np.asarray(run["verdict"] == verdict)

    cells = [
        data,
        f"{rate:.0%}",
        " → ".join(mean(lambda r, i=i: r["right"][i]) for i in (0, 1)),  # type: ignore[misc]
        mean(lambda r: r["wrong"].mean()),
        f"{mean(lambda r: r['share'][0])} [{mean(lambda r: r['share'][1])}, {mean(lambda r: r['share'][2])}]",
        f"{mean(lambda r: share(r['wrong'][called(r, WRONG)]))}, {mean(lambda r: called(r, WRONG)[r['wrong']].mean())}",
        f"{mean(lambda r: called(r, HARD).mean())}, {mean(lambda r: share(~r['wrong'][called(r, HARD)]))}",
        mean(lambda r: called(r, WRONG)[r["planted_hard"] & ~r["wrong"]].mean()),
        mean(lambda r: called(r, WRONG)[~r["planted_hard"] & ~r["wrong"]].mean()),
    ]
    return f"| {' | '.join(cells)} |"


def table(results: dict[tuple[str, float], list[Run]], sizes: dict[str, str], seeds: int) -> str:
    """clips.md."""
    lines = [
        "# Wrong labels and hard clips planted in data sets of clips",
        "",
        "`python benchmarks/audit/clips.py PREPARED/ravdess-tracks PREPARED/acted-features --work FOLDER`",
        "",
        *(f"- {name}: {words}" for name, words in sizes.items()),
        "",
        f"{seeds} seeds (other noise, other hard clips, other folds; folds by actor), {VIEWS} looks at each clip. A "
        "fifth of the expressive clips is hard: three quarters of their frames are a neutral clip's of the same actor. "
        "P@.9: share of wrong labels among the first rows of a ranking, down to where 90 % of them are found; AP: "
        "average precision. Differences: audit minus rival, paired, 95 % bootstrap over actors and seeds.",
        "",
        "## Wrong",
        "",
        "| clips | noise | ranking | P@.9 | difference | AP | difference |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (data, rate), runs in results.items():
        lines += block(data, rate, runs, WRONGS, [found_90, average])
    lines += [
        "",
        "## Hard",
        "",
        "Planted hard clips against all others, among clips with right labels.",
        "",
        "| clips | noise | ranking | AUROC | difference |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (data, rate), runs in results.items():
        lines += block(data, rate, runs, HARDS, [hard_auroc])
    lines += [
        "",
        "## Verdicts",
        "",
        "| clips | noise | right, first → last round | planted | estimated share [95 %] | *wrong*: precision, "
        "recall | *hard*: share of clips, right labels | right labels called wrong: hard clips | others |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [verdicts(data, rate, runs) for (data, rate), runs in results.items()]
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> None:
    """Compute everything (some minutes), then write the table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tracks", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    asked = parser.parse_args(arguments)
    sets = {"RAVDESS, points": open_prepared(asked.tracks), "acted, features": open_prepared(asked.features)}
    sets["acted, sure labels"] = without(sets["acted, features"], "fear or disgust")
    sizes = {
        name: f"{len(s.manifest):,} clips, {len(np.unique(s.manifest.subject))} actors, "
        f"{len(np.unique(s.manifest.label))} labels"
        for name, s in sets.items()
    }
    results: dict[tuple[str, float], list[Run]] = {}
    for name, opened in sets.items():
        for rate in RATES:
            results[name, rate] = [kept(opened, name, rate, seed, asked.work) for seed in asked.seeds]
            runs = results[name, rate]
            every = np.arange(len(opened.manifest))
            print(
                f"{name} {rate:.0%}:",
                *(f"{k} {np.mean([average(r, k, every) for r in runs]):.3f}" for k in WRONGS),
                flush=True,
            )
    target = Path(__file__).with_suffix(".md")
    target.write_text(table(results, sizes, len(asked.seeds)), encoding="utf-8")
    print(f"Written: {target}")


def without(opened: Opened, name: str) -> Opened:
    """The clips without those labelled ``name``, and without that label."""
    assert opened.starts is not None
    manifest, gone = opened.manifest, opened.manifest.labels.index(name)
    rows = np.flatnonzero(manifest.label != gone)
    frames = [np.asarray(opened.faces[opened.starts[r] : opened.starts[r + 1]]) for r in rows.tolist()]
    labels = type(manifest.labels)(tuple(n for n in manifest.labels.names if n != name))
    kept = manifest.select(rows)
    kept = replace(kept, label=np.where(kept.label > gone, kept.label - 1, kept.label), labels=labels)
    starts = np.concatenate([[0], np.cumsum([len(f) for f in frames])]).astype(np.int64)
    return replace(opened, manifest=kept, faces=np.concatenate(frames), starts=starts)


if __name__ == "__main__":
    main(sys.argv[1:])
