"""Prepared data sets to training and validation rows, by the rules of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.loader import Rows
from tronie.data.noise import clips
from tronie.data.noise.clips import HardPlan
from tronie.data.noise.named import Planted, named
from tronie.data.prepared import Opened, in_fold, open_prepared, ratings, votes_among
from tronie.train.recipe import Recipe, Source, method_kind


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one source with what is needed to judge them: ``truth`` ``(m,)`` is the label, or the leading vote.

    It is -1 in rows that have valence and arousal (``rows.affect``) and no label. ``planted``: wrong labels that were
    put in on purpose, of all the source's rows; ``hard``: which of these rows are clips that were made hard on purpose,
    and how (by all the source's ids); None for none.
    """

    name: str
    manifest: Manifest
    rows: Rows
    truth: NDArray[np.int64]
    planted: Planted | None = None
    hard: Hard | None = None

    @property
    def count(self) -> str:
        """How many rows of what kind: "12 faces", "3 clips"."""
        return f"{len(self.rows):,} {'faces' if self.rows.starts is None else 'clips'}"


@dataclass(frozen=True, eq=False)
class Hard:
    """A plan of hard clips and the ids ``(n,)`` of the rows it is for."""

    ids: NDArray[np.str_]
    plan: HardPlan

    def save(self, path: Path) -> None:
        """Write it by row id, for anybody to make the same clips hard. Raises OutputError."""
        clips.save(self.plan, self.ids, path)


def open_part(
    root: Path,
    source: Source,
    labels: LabelSet,
    *,
    keep_fold: int | None = None,
    drop_fold: int | None = None,
    noisy: bool = False,
) -> Part:
    """The rows of ``source`` that carry one of ``labels``; of its folds only ``keep_fold``, or all but ``drop_fold``.

    With ``source.affect`` also those that carry valence and arousal and none of them. ``noisy``: with the wrong labels
    that the source plants and the clips that it makes hard. Raises SourceError where nothing is prepared or no row
    fits, SettingError for folds or noise that are not there.
    """
    folder = root / source.data
    opened = open_prepared(folder)
    manifest, planted = opened.manifest, None
    if noisy and source.noise:
        ours = _among(manifest, labels)  # so that flips go to labels of the recipe
        planted = named(ours, source.noise, source.noise_seed)
        manifest = planted.apply(ours)
    target, truth = targets(manifest, labels, source)
    rated = ratings(manifest)
    keep = truth >= 0
    if source.affect and rated is not None:
        keep |= np.isfinite(rated).all(1)
    target = target * (truth >= 0)[:, None]
    if source.split:
        keep &= manifest.split == source.split
    if source.folds and keep_fold is not None:
        keep &= in_fold(source.folds, manifest, keep_fold)
    elif source.folds and drop_fold is not None:  # -1 drops the rows that are in no fold
        keep &= ~in_fold(source.folds, manifest, drop_fold)
    plan = _hardened(opened, source, keep) if noisy and source.hard else None
    index = np.flatnonzero(keep)
    if not len(index):
        votes = f" and {source.least_votes} votes" if source.soft else ""
        which = f" in fold {keep_fold}" if keep_fold is not None else ""
        rate = ", or with valence and arousal" * source.affect
        raise SourceError(
            f"{folder} has no row{which} of split '{source.split}' with a label of "
            f"{', '.join(labels.names)}{votes}{rate}: see its manifest.csv."
        )
    shown = plan.places(opened.starts) if plan is not None and opened.starts is not None else None
    rows = Rows(
        opened.faces,
        index,
        target[index],
        np.ones(len(index), np.float32),
        source.share,
        opened.starts,
        opened.kind,
        opened.mirror,
        shown,
        None if rated is None else rated[index],
    )
    parts = [source.data, source.split if source.split != "train" else "", f"fold{keep_fold}" * (keep_fold is not None)]
    return Part(
        "/".join(p for p in parts if p),
        manifest.select(index),
        rows,
        truth[index],
        planted,
        None if plan is None else Hard(manifest.id, plan),
    )


def _hardened(opened: Opened, source: Source, keep: NDArray[np.bool_]) -> HardPlan:
    """Which clips of those that are kept are made hard. Raises SettingError for photos."""
    if opened.starts is None:
        raise SettingError(f"'{source.data}' holds photos: only clips can be made hard (hard = '{source.hard}').")
    return clips.named(opened.manifest, np.diff(opened.starts), source.hard, source.noise_seed, keep)


def targets(manifest: Manifest, labels: LabelSet, source: Source) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Target probabilities ``(n, classes)`` and the label ``(n,)`` of each row, -1 where it has none to learn from.

    Raises SettingError for soft targets without votes.
    """
    move = manifest.labels.translate(labels)
    truth = np.append(move, -1)[manifest.label]
    target = np.eye(len(labels), dtype=np.float32)[np.maximum(truth, 0)]
    if source.soft:
        if manifest.votes is None:
            raise SettingError(f"'{source.data}' has no votes: leave soft = false for it.")
        votes, ours = np.nan_to_num(manifest.votes), votes_among(manifest, labels)
        led = ours.max(1) >= votes.max(1)
        enough = ours.sum(1) >= source.least_votes
        truth = np.where(led & enough, ours.argmax(1), -1)
        target = ours / np.maximum(ours.sum(1, keepdims=True), 1e-9)
    return target, truth


def _among(manifest: Manifest, labels: LabelSet) -> Manifest:
    """The same rows with ``labels`` as vocabulary; rows of other labels have none."""
    label = np.append(manifest.labels.translate(labels), -1)[manifest.label]
    votes = None if manifest.votes is None else votes_among(manifest, labels)
    return replace(manifest, label=label, labels=labels, votes=votes)


def balanced(parts: Sequence[Part], power: float) -> list[Rows]:
    """The parts' rows with class weights proportional to (count in the first part)^-power, mean 1 over that part.

    A class that does not occur there is counted in the other parts. Rows without a label have weight 1.
    """
    count = parts[0].rows.target.sum(0)
    others = sum((p.rows.target.sum(0) * p.rows.share for p in parts[1:]), np.zeros_like(count))
    count = np.where(count > 0, count, others)
    per_class = count.clip(1) ** -power
    if count.any():
        per_class /= (per_class * count).sum() / count.sum()
    return [
        replace(p.rows, weight=np.where(p.rows.target.any(1), p.rows.target @ per_class, 1).astype(np.float32))
        for p in parts
    ]


def training_parts(recipe: Recipe, root: Path) -> list[Part]:
    """What the run learns from: every training source without the held-out fold.

    Raises as :func:`open_part` does, and SettingError for features of another length than ``config.inputs``, and
    where a method that learns valence and arousal meets none: what its model says of them would be chance.
    """
    labels = LabelSet(recipe.labels)
    parts = [open_part(root, s, labels, drop_fold=recipe.fold, noisy=True) for s in recipe.train]
    for part in parts:
        size, inputs = part.rows.faces.shape[1], recipe.config.get("inputs", 0)
        if part.rows.kind == "features" == recipe.config.get("kind") and inputs != size:
            raise SettingError(
                f"'{part.name}' holds features of {size} numbers, and config.inputs is {inputs}: set "
                f"config.inputs={size}."
            )
    rated = any(p.rows.affect is not None and np.isfinite(p.rows.affect).any() for p in parts)
    if not rated and method_kind(recipe).learns_affect:
        raise SettingError(
            f"Method '{recipe.method}' learns valence and arousal, and no training row carries them: "
            "add a source that does, or choose 'sequence' (clips) or 'baseline' (photos)."
        )
    return parts


def training_manifest(parts: Sequence[Part], labels: LabelSet) -> Manifest:
    """All training rows in the order of ``Batch.row``, with the labels they are judged by and without votes.

    Raises SettingError where two sources hold one row.
    """
    groups = np.cumsum([0] + [int(p.manifest.group.max()) + 1 for p in parts[:-1]])

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(p.manifest, name) for p in parts])

    return Manifest(
        id=joined("id"),
        path=joined("path"),
        label=np.concatenate([p.truth for p in parts]),
        labels=labels,
        split=joined("split"),
        fold=joined("fold"),
        subject=joined("subject"),
        group=np.concatenate([p.manifest.group + start for p, start in zip(parts, groups, strict=True)]),
    )


def validation_parts(recipe: Recipe, root: Path) -> list[Part]:
    """What the run is judged on: the held-out fold of each source that has folds, and the ``valid`` sources.

    Raises as :func:`open_part` does, and SettingError for two of one name.
    """
    labels = LabelSet(recipe.labels)
    folded = [s for s in recipe.train if s.folds and recipe.fold >= 0]
    held = [open_part(root, s, labels, keep_fold=recipe.fold) for s in folded]
    judged = held + [open_part(root, s, labels) for s in recipe.valid]
    names = [p.name for p in judged]
    if len(set(names)) < len(names):
        raise SettingError(
            f"Two validation sources are called {max(names, key=names.count)}: they must differ in data, split or fold."
        )
    return judged
