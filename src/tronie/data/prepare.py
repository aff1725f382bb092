"""``tronie prepare``: a data set's pictures or clips to faces that are ready to be learnt from and judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing, unwritable
from tronie.core.errors import SettingError
from tronie.core.lock import locked
from tronie.core.manifest import Manifest
from tronie.core.registry import resolve
from tronie.data.clip_crops import ClipSettings, prepare_clips
from tronie.data.crops import Prepared
from tronie.data.crops import prepare as cut
from tronie.data.pack_clips import Baseline, prepare_crops, prepare_points
from tronie.datasets.clipfiles import is_film
from tronie.datasets.clips import holds_points, span
from tronie.datasets.table import read
from tronie.faces.detect import DETECTORS
from tronie.metrics.duplicates import perceptual_hash, twin_groups
from tronie.metrics.folds import joined_groups, stratified_folds

_LARGEST = 4096  # pixels a side: a face of a million pixels a side is a slip of the keyboard


@dataclass(frozen=True)
class Made:
    """What was prepared, and how the rows were cut: ``folds`` (0: not), ``twins`` rows that have a near-duplicate."""

    prepared: Prepared
    folds: int = 0
    twins: int = 0


def prepare(
    dataset: str | Manifest,
    root: str | Path,
    out: str | Path,
    *,
    size: int = 112,
    folds: int = 0,
    seed: int = 0,
    frames: int = 0,
    baseline: Baseline = "none",
    options: Mapping[str, Any] | None = None,
    detector: str = "retinaface",
    progress: Callable[[int, int], None] | None = None,
) -> Made:
    """Read ``dataset`` below ``root`` (a name of ``tronie datasets``, or a manifest) and cut its faces into ``out``.

    Rows that are clips (films, folders of frames, spans of a pack) become a prepared folder of clips; of these, a job
    that was stopped goes on. ``frames`` keeps at most so many frames of each, evenly spread (0: all of a pack's, 128 of
    a film). ``size`` is the side of the faces in pixels, 16 to 4096. ``folds`` > 1 cuts the training rows (all rows,
    where the owners made no parts) into so many folds, seeded and stratified, with near-duplicates and people kept
    together; 0 keeps folds that the data set brings. ``baseline`` "person" takes tracked points relative to the
    person's mean face, by all clips of each person and no label (:func:`tronie.data.pack_clips.prepare_points`).
    ``options`` are the reader's. A folder that holds another data set is refused.
    Raises SourceError, SettingError and OutputError.
    """
    if folds == 1 or folds < 0 or not 16 <= size <= _LARGEST or frames < 0 or seed < 0:
        raise SettingError(
            "Give 2 folds or more (0 for none), 0 frames or more, a seed of 0 or more, and a size of "
            f"16 to {_LARGEST:,} pixels."
        )
    manifest = dataset if isinstance(dataset, Manifest) else read(dataset, Path(root), **(options or {}))
    source = "" if isinstance(dataset, Manifest) else f"{dataset} of {Path(root).resolve()}"
    out = Path(out)
    if source and out.resolve() == Path(root).resolve():
        raise SettingError(f"{out} is the data set itself: give another folder with --out.")
    fresh = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        with locked(out / ".lock"):
            _refuse_other(out, source, manifest)
            return _prepare(manifest, source, out, detector, size, folds, seed, frames, baseline, progress)
    except BaseException:
        if fresh:
            with suppress(OSError):  # something is in it, and worth keeping
                out.rmdir()
        raise


def _refuse_other(out: Path, source: str, manifest: Manifest) -> None:
    """Raise SettingError where ``out`` holds another data set: its faces must not be written over, or mixed."""
    from tronie.data.prepared import read_note  # a researcher's room, though without PyTorch

    there = read_note(out).get("dataset", "")
    if not there and (out / "manifest.csv").is_file():  # made by an earlier Tronie, or from a manifest
        ids = Manifest.load(out / "manifest.csv", out).id
        there = source if np.isin(ids, manifest.id).any() else f"other rows ({ids[0]}, …)"
    if there and there != source:
        raise SettingError(f"{out} holds {there}: give another folder with --out, or remove that one first.")


def _prepare(
    manifest: Manifest,
    source: str,
    out: Path,
    detector: str,
    size: int,
    folds: int,
    seed: int,
    frames: int,
    baseline: Baseline,
    progress: Callable[[int, int], None] | None,
) -> Made:
    from tronie.data.prepared import read_note

    points = len(manifest) > 0 and holds_points(manifest)
    if baseline != "none" and not points:
        raise SettingError("baseline=person is for tracks of points: leave it out for pictures.")
    if frames and (points or not _are_clips(manifest)):
        raise SettingError("frames is for clips of pictures: leave it out for photos and for tracks of points.")
    if points:
        prepared = prepare_points(manifest, out, baseline=baseline, progress=progress)
    else:
        prepared = _cut(manifest, out, detector, size, frames, progress)
    with replacing(out / "prepared.json") as temporary:
        temporary.write_text(json.dumps(read_note(out) | {"dataset": source}, indent=1) + "\n", encoding="utf-8")
    if not folds:
        return Made(prepared)
    return Made(prepared, folds, _cut_folds(out, folds, seed))


def _are_clips(manifest: Manifest) -> bool:
    """Whether rows are spans of a pack, films or folders of frames; the first row says of what kind all are."""
    if not len(manifest):
        return False
    return span(manifest, 0) is not None or is_film(str(manifest.path[0])) or manifest.locate(0)[0].is_dir()


def _cut(
    manifest: Manifest, out: Path, detector: str, size: int, frames: int, progress: Callable[[int, int], None] | None
) -> Prepared:
    """Each kind of pictures as its own room cuts it; the first row says of what kind all are."""
    finder = resolve(DETECTORS, detector, "detector")()
    if len(manifest) and span(manifest, 0) is not None:
        return prepare_crops(manifest, out, finder, size=size, most=frames, progress=progress)
    if _are_clips(manifest):
        how = replace(ClipSettings(size=size), **({"frames": frames} if frames else {}))
        made = prepare_clips(manifest, out, finder, how, progress=progress)
        return Prepared(out, made.rows, made.frames, made.thin, made.unread, made.frames)
    return cut(manifest, out, finder, size=size, progress=progress)


def _cut_folds(folder: Path, folds: int, seed: int) -> int:
    """Write folds and groups into the prepared manifest; returns how many rows have a near-duplicate."""
    from tronie.data.prepared import open_prepared, ratings  # a researcher's room, though without PyTorch

    opened = open_prepared(folder)
    manifest, rated = opened.manifest, ratings(opened.manifest)
    group, several = manifest.group, 0
    if opened.kind == "pixels":
        twins = twin_groups(perceptual_hash(_grey(opened.faces, opened.starts)))
        group = joined_groups(group, twins)
        counts = np.unique(twins, return_counts=True)[1]
        several = int(counts[counts > 1].sum())
    _, people = np.unique(manifest.subject, return_inverse=True)
    alone = manifest.subject == ""
    people[alone] = len(people) + np.flatnonzero(alone)
    group = joined_groups(group, people)
    known = (manifest.label >= 0) | (False if rated is None else np.isfinite(rated).all(1))
    ours = np.isin(manifest.split, ("train", "")) & known
    if len(np.unique(group[ours])) < folds:
        raise SettingError(
            f"{int(ours.sum())} training rows cannot be cut into {folds} folds: they are too few, or "
            "too many of them belong together."
        )
    fold = np.full(len(manifest), -1)
    fold[ours] = stratified_folds(manifest.label[ours], group[ours], folds, seed)
    replace(manifest, fold=fold, group=group).save(folder / "manifest.csv")
    return several


def _grey(faces: NDArray[np.uint8], starts: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    """The published pictures ``(n, 32, 32)`` in grey, as hashes want them; of clips their middle frames."""
    shown = faces[:, 0] if starts is None else faces[(starts[:-1] + starts[1:]) // 2]
    grey = (cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in shown)
    return np.stack([cv2.resize(g, (32, 32), interpolation=cv2.INTER_AREA) for g in grey]).astype(np.uint8)
