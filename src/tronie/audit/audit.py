"""``tronie audit``: which labels of a data set are wrong, which are merely hard, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tronie.audit.clips import clip_components, spans
from tronie.audit.files import FIGURES, Audited, read_decisions, refuse_other, write_audit
from tronie.audit.label_quality import Quality, Signals, assess, relative_entropy
from tronie.audit.out_of_sample import Looked, look
from tronie.audit.probabilities import read_probabilities
from tronie.audit.probe import Matrix
from tronie.audit.proof import Proof, plant, recovered, replayed
from tronie.audit.rows import Flaws, find_flaws, open_data
from tronie.audit.share import share_interval
from tronie.audit.verdicts import (
    CLEAN,
    DOUBTFUL,
    DUPLICATE,
    HARD,
    LEAKED,
    UNUSABLE,
    WEAK,
    WRONG,
    Cuts,
    label_verdicts,
    told_apart,
)
from tronie.core.atomic import ensure_writable
from tronie.core.errors import SettingError, SourceError
from tronie.core.extras import needing
from tronie.core.manifest import Manifest
from tronie.data.prepared import Opened, vote_shares
from tronie.metrics.folds import joined_groups, stratified_folds
from tronie.metrics.scores import Floats

_CUTS = Cuts()

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Plan:
    """How an audit is made. ``proof``: how much noise is planted to see what is found again, 0 for none."""

    folds: int = 5
    views: int = 4
    seed: int = 0
    proof: float = 0.1
    cuts: Cuts = _CUTS

    def __post_init__(self) -> None:
        if self.folds < 2 or self.views < 2 or self.seed < 0:
            raise SettingError("An audit needs 2 folds or more, 2 views or more, and a seed of 0 or more.")
        if not 0 <= self.proof < 0.5:
            raise SettingError(f"The noise to plant is {self.proof}; it must be 0 (none) or more, and below 0.5.")


class _Seen(NamedTuple):
    """Views ``(V, m, d)`` of the labelled rows, and who is to be seen in each."""

    views: Matrix
    people: NDArray[np.int64]


def audit(
    data: str | Path,
    *,
    out: str | Path,
    probabilities: Sequence[str | Path] = (),
    features: str | Path | None = None,
    folds: int = 5,
    views: int = 4,
    seed: int = 0,
    proof: float = 0.1,
    pictures: bool = True,
    decisions: str | Path | None = None,
    csv_safe: bool = False,
    cuts: Cuts = _CUTS,
    progress: Progress = lambda what, done, total: None,
) -> Audited:
    """Audit the labels of ``data``, a folder that ``tronie prepare`` made or a manifest (CSV), into the folder ``out``.

    Rows are predicted out of sample: by probes on features of a net that has seen no labels of them (dlib's face net,
    and the run folder ``features`` of a net trained on *other* data), or by ``probabilities`` that you bring (CSV or
    NPZ; then neither pictures nor PyTorch are needed). Folds keep near-duplicates and people together. ``proof``: this
    share of the labels is planted wrong, twice, and the audit made again, to see how much of it is found. ``decisions``
    is a CSV that the page of an earlier audit exported: ``cleaned.csv`` follows it. ``pictures=False`` leaves faces
    out of the page. ``csv_safe``: no text of ``audit.csv`` and ``changes.csv`` begins as a formula of a spreadsheet
    does. A stopped audit goes on from the features it has.

    Writes ``audit.csv``, ``cleaned.csv``, ``changes.csv``, ``audit.json``, ``audit.html``. Raises SourceError,
    SettingError, OutputError and MissingExtraError.
    """
    plan, target = Plan(folds, views, seed, proof, cuts), Path(out)
    opened, faces, unread, missed = open_data(Path(data))
    manifest, decided = opened.manifest, _decided(decisions, opened.manifest)
    flaws = find_flaws(manifest, opened if faces else None, missed)
    known = manifest.label >= 0
    group, fold = _folds(manifest, flaws, known, plan)
    refuse_other(target, _name(data))
    ensure_writable(target / FIGURES)  # before the work, not after it
    x = where = None
    if probabilities:
        given = read_probabilities([Path(p) for p in probabilities], manifest.id[known], manifest.labels)
        looked = Looked(given, given, np.empty(0))
    else:
        x = _Seen(_components(opened, faces, target, features, plan, progress)[:, known], _people(manifest)[known])
        where = None if opened.starts is None else spans(opened, views, seed)
        looked = _look(x, manifest.label[known], len(manifest.labels), fold, plan, progress, "predicting")
    signals = _signals(manifest.select(known), looked)
    apart = told_apart(looked.first, signals.label)
    quality = assess(signals, fold, seed=seed)
    share = share_interval(signals, quality, group, seed=seed)
    verdict = _verdicts(signals, quality, flaws, known, apart, cuts)
    proofs = _proofs(signals, quality, verdict, x, fold, plan, progress)
    result = Audited(
        manifest,
        np.flatnonzero(known),
        signals,
        quality,
        verdict,
        flaws,
        share,
        group,
        fold,
        proofs,
        unread,
        target,
        where,
        apart,
    )
    return write_audit(
        result,
        opened if faces and pictures else None,
        plan.cuts,
        _settings(plan, data, probabilities, features),
        decided,
        csv_safe=csv_safe,
    )


def _decided(path: str | Path | None, manifest: Manifest) -> dict[str, tuple[str, int]]:
    """What a person decided, by row id; read before the work, so that a slip costs none. Raises SourceError."""
    return {} if path is None else read_decisions(Path(path), manifest)


def _name(data: str | Path) -> str:
    return Path(data).resolve().name


def _settings(
    plan: Plan, data: str | Path, probabilities: Sequence[str | Path], features: str | Path | None
) -> dict[str, str]:
    """What was asked for, as the page and ``audit.json`` tell it."""
    source = ", ".join(Path(p).name for p in probabilities) or (
        "features of dlib's face net, which saw no labels" + (f", and of {Path(features).name}" if features else "")
    )
    return {
        "data": _name(data),
        "predictions": source,
        "folds": str(plan.folds),
        "views": "" if probabilities else str(plan.views),
        "seed": str(plan.seed),
    }


def _folds(
    manifest: Manifest, flaws: Flaws, known: NDArray[np.bool_], plan: Plan
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Groups and folds of the labelled rows: twins, people and the manifest's own groups stay together."""
    label = manifest.label[known]
    if len(np.unique(label)) < 2:
        raise SourceError(
            f"An audit needs rows with two different labels or more: this data has {len(np.unique(label))}."
        )
    group = joined_groups(joined_groups(manifest.group, flaws.twins), _people(manifest))[known]
    if len(np.unique(group)) < plan.folds:
        raise SettingError(
            f"{len(label)} labelled rows in {len(np.unique(group))} groups that belong together cannot "
            f"be cut into {plan.folds} folds: set fewer folds, or give more data."
        )
    return group, stratified_folds(label, group, plan.folds, plan.seed)


def _people(manifest: Manifest) -> NDArray[np.int64]:
    """Number of the person in each row; who is not known is a person of their own."""
    _, people = np.unique(manifest.subject, return_inverse=True)
    alone = manifest.subject == ""
    people[alone] = len(people) + np.flatnonzero(alone)
    return people.astype(np.int64)


def _components(
    opened: Opened, faces: bool, target: Path, features: str | Path | None, plan: Plan, progress: Progress
) -> Matrix:
    if not faces:
        raise SettingError(
            "A manifest alone has no faces to look at: give the folder that `tronie prepare` made, or --probabilities."
        )
    if opened.kind != "pixels":
        if features:
            raise SettingError(f"These are clips of {opened.kind}: --features is for faces, so leave it out.")
        return clip_components(
            opened,
            target / "work" / "clips",
            views=plan.views,
            seed=plan.seed,
            progress=lambda d, n: progress("looking at clips", d, n),
        )
    with needing("An audit that makes its own predictions"):
        from tronie.audit.features import components
    return components(
        opened,
        target / "work",
        model=Path(features) if features else None,
        views=plan.views,
        seed=plan.seed,
        progress=lambda d, n: progress("looking at faces", d, n),
    )


def _look(
    seen: _Seen,
    label: NDArray[np.int64],
    classes: int,
    fold: NDArray[np.int64],
    plan: Plan,
    progress: Progress,
    what: str,
) -> Looked:
    return look(
        seen.views, label, classes, fold, people=seen.people, seed=plan.seed, progress=lambda d, n: progress(what, d, n)
    )


def _signals(manifest: Manifest, looked: Looked) -> Signals:
    near = looked.neighbours if len(looked.neighbours) else None
    votes: Floats | None = None
    if manifest.votes is not None:
        votes = relative_entropy(vote_shares(manifest, manifest.labels))
    return Signals(looked.looks, manifest.label, neighbours=near, votes_entropy=votes)


def _verdicts(
    signals: Signals, quality: Quality, flaws: Flaws, known: NDArray[np.bool_], apart: float, cuts: Cuts
) -> NDArray[np.int64]:
    """Verdicts of labelled rows: what cannot be read, then wrong, then leaked and duplicate, then hard and clean."""
    verdict = label_verdicts(signals, quality, cuts)
    if apart < WEAK:  # the looks would be called right and the labels wrong
        verdict[verdict == WRONG] = DOUBTFUL
    fine = np.isin(verdict, (CLEAN, HARD, DOUBTFUL))
    verdict[fine & (flaws.duplicate_of[known] >= 0)] = DUPLICATE
    verdict[fine & (flaws.leaked_to[known] >= 0)] = LEAKED
    unsure = (signals.agreement.majority < cuts.agree) | (signals.agreement.mean.max(1) < 0.5)
    verdict[flaws.unreadable[known] | (flaws.faceless[known] & unsure)] = UNUSABLE
    return verdict


def _proofs(
    signals: Signals,
    quality: Quality,
    verdict: NDArray[np.int64],
    x: _Seen | None,
    fold: NDArray[np.int64],
    plan: Plan,
    progress: Progress,
) -> tuple[Proof, ...]:
    """What is found again of labels that are planted wrong: by a whole second audit, or on the same predictions."""
    if not plan.proof:
        return ()
    if x is None:
        return replayed(quality, plan.cuts.wrong)
    found = []
    for kind in ("even", "confused"):
        label, flipped = plant(signals, kind, plan.proof, plan.seed)
        looked = _look(x, label, signals.looks.shape[2], fold, plan, progress, f"planting {kind} noise")
        again = assess(_relabelled(signals, looked, label), fold, seed=plan.seed)
        found.append(recovered(kind, again, flipped, quality.share, plan.cuts.wrong))
    return tuple(found)


def _relabelled(signals: Signals, looked: Looked, label: NDArray[np.int64]) -> Signals:
    """The signals of other looks at the same rows under other labels."""
    return Signals(looked.looks, label, neighbours=looked.neighbours, history=signals.history)
