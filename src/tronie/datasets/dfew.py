"""DFEW (Jiang et al., ACM MM 2020): clips from films, each labelled by ten people, in five official folds.

11,697 of the 16,372 clips carry a single label; the lists hold these. The folds isolate neither people nor films.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Floats, Manifest
from tronie.datasets.about import About
from tronie.datasets.clipfiles import FOLDS, Labelled, by_fold, check_fold, paths_of, there
from tronie.datasets.files import cell, coded, first_of, not_found, table
from tronie.datasets.sheet import read_sheet

LABELS = LabelSet(("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"))
"""In the order of DFEW's codes 1 to 7."""
_COLUMNS = ("1happy", "2sad", "3neutral", "4angry", "5surprise", "6disgust", "7fear")
_FOLDS = {1: (9356, 2341), 2: (9356, 2341), 3: (9357, 2340), 4: (9358, 2339), 5: (9361, 2336)}

ABOUT = About(
    title="DFEW",
    labels=LABELS,
    source="https://dfew-dataset.github.io (by request)",
    licence="non-commercial research only; clips may not be passed on",
    layouts=(
        "EmoLabel_DataSplit/test(single-labeled)/set_1.csv (and train, 1 to 5), Clip/clip_224x224/00001/*.jpg (or "
        "clip_224x224_16f, or films) and, for the ten votes, Annotation/annotation.xlsx",
    ),
    counts={"": dict(zip(LABELS.names, (2445, 1894, 2669, 2173, 1469, 145, 902), strict=True))},
    folds=_FOLDS,
)

_TOPS = ("", "DFEW/", "DFEW-part2/")
_LISTS = "EmoLabel_DataSplit/"
_CLIPS = ("clip_224x224", "clip_224x224_16f", "clip_224x224_avi", "jpg_256", "original")
_VOTES = ("Annotation/annotation.xlsx", "Annotation/annotation.csv", "annotation.xlsx", "annotation.csv")
_AGREE = 0.95


def read(root: Path, *, fold: int | None = None, clips: str | None = None, skip_missing: bool = False) -> Manifest:
    """Clips with a single label, ids ``dfew/00001``; ``path`` is a folder of frames, or a film.

    Without ``fold`` every clip comes once, and the manifest's folds 0 to 4 are the official ones: clips of fold k are
    what official fold k+1 tests. ``fold`` 1 to 5 gives the splits train and test of that fold instead. ``clips`` names
    a folder in ``Clip``, where there are several. ``votes`` are the ten people's, where the annotation lies beside.
    Raises SourceError, and SettingError for a wrong fold.
    """
    check_fold(fold)
    lists = first_of(root, [f"{top}{_LISTS}" for top in _TOPS])
    base = lists.parent if lists is not None else root
    homes = [f"Clip/{c}/" for c in ([clips] if clips else _CLIPS)]
    home = first_of(base, homes)
    if lists is None or home is None:
        raise not_found(ABOUT, base, [f"{top}{_LISTS}" for top in _TOPS] if lists is None else homes)
    manifest = by_fold("dfew", LABELS, _read_lists(lists, fold), fold)
    paths = paths_of(manifest.path.tolist(), home, base)
    return there(base, paths, _with_votes(manifest, base), lists, skip_missing)


def _read_lists(folder: Path, fold: int | None) -> dict[tuple[str, int], Labelled]:
    """The lists that are needed. Labels are 1 to 7; copies that count from 0 are told by their zeros."""
    wanted = [(p, n) for n in FOLDS for p in ("train", "test") if (p == "test" if fold is None else n == fold)]
    rows = {}
    for part, number in wanted:
        names = [
            f"{part}({kind})/{pre}set_{number}.csv"
            for kind in ("single-labeled", "single_labeled")
            for pre in ("", f"{part}_")
        ]
        path = first_of(folder, names)
        if path is None:
            raise not_found(ABOUT, folder, names)
        rows[part, number] = (path, list(table(path, ("video_name", "label"))))
    zero = any(row["label"] == "0" for _, listed in rows.values() for _, row in listed)
    codes = {i + (not zero): i for i in range(len(LABELS))}
    return {
        where: {_name(path, n, row["video_name"]): coded(path, n, row["label"], codes) for n, row in listed}
        for where, (path, listed) in rows.items()
    }


def _name(path: Path, line: int, text: str) -> str:
    return f"{cell(path, line, text, int, 'video_name'):05d}"


def _with_votes(manifest: Manifest, base: Path) -> Manifest:
    """Add the ten votes of each clip; ``order`` is the clip's number. Raises SourceError where they fit no label."""
    path = first_of(base, _VOTES)
    if path is None:
        return manifest
    rows = read_sheet(path) if path.suffix == ".xlsx" else table(path, ("order", *_COLUMNS))
    votes: dict[str, list[float]] = {}
    for line, row in rows:
        name = f"{int(cell(path, line, row.get('order', ''), float, 'order')):05d}"
        votes[name] = [cell(path, line, row.get(c, "0"), float, c) for c in _COLUMNS]
    cast: Floats = np.array([votes.get(n, [np.nan] * len(LABELS)) for n in manifest.path.tolist()], np.float32)
    cast = cast.reshape(len(manifest), len(LABELS))
    told = np.isfinite(cast).all(1)
    right = cast[told, manifest.label[told]] == cast[told].max(1)
    if told.any() and right.mean() < _AGREE:  # whatever lies there, it is not these clips' votes
        raise SourceError(
            f"{path} does not fit the lists: in {np.mean(~right):.0%} of the clips most votes are for "
            "another label than the list's. Download it again, or move it away to read without votes."
        )
    return replace(manifest, votes=cast)
