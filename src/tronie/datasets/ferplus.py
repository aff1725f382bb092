"""FER2013 (Goodfellow et al., 2013) and FERPlus, ten votes for each of its pictures (Barsoum et al., ICMI 2016).

How votes become one label is the reader's ``rule``:

``majority``   the paper's: single votes are dropped as slips, and an expression needs more than half of what is left,
               votes for *unknown* and *non-face* included
``plurality``  the largest count wins if no fewer than *unknown* and *non-face* have; of equal counts the first in
               FERPlus' columns, as ``argmax`` in much published code has it

A row that gets no label, or one outside the 7 classes (contempt), is left out unless ``keep_unlabelled``. ``votes``
always holds the raw counts for the classes read; a recipe's ``soft = true`` learns from their shares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Floats, Integers, Manifest
from tronie.datasets.about import About
from tronie.datasets.files import cell, coded, first_of, not_found, one_of, present, table
from tronie.datasets.pack import load, paths_in

VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
"""FERPlus' ten columns in the published order."""
EIGHT = LabelSet(VOTED[:8])
SEVEN = LabelSet(VOTED[:7])
FER2013 = LabelSet(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"))
"""FER2013's own labels in the order of its codes 0 to 6."""
Rule = Literal["majority", "plurality"]

_SPLITS = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
_FOLDERS = {"FER2013Train": "train", "FER2013Valid": "valid", "FER2013Test": "test"}
_CSV = ("fer2013.csv", "fer2013/fer2013.csv", "icml_face_data.csv")
_VOTES = ("fer2013new.csv", "FERPlus/fer2013new.csv", "fer2013/fer2013new.csv")
_PACK = "fer2013_ferplus_train_valid.npz"
_SOURCE = (
    "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge (pictures)"
)

ABOUT = About(
    title="FERPlus",
    labels=EIGHT,
    source=f"{_SOURCE} and https://github.com/microsoft/FERPlus (votes)",
    licence="votes MIT; pictures from the web, research use",
    layouts=(
        "fer2013.csv and fer2013new.csv",
        "FER2013Train, FER2013Valid, FER2013Test with label.csv and pictures",
        f"the pack {_PACK}",
    ),
    counts={"train": 28558, "valid": 3579, "test": 3573},
    size=(48, 48),
    whole={"keep_unlabelled": True},
)

ABOUT7 = replace(ABOUT, title="FERPlus without contempt", labels=SEVEN)

ABOUT_FER2013 = About(
    title="FER2013",
    labels=FER2013,
    source=_SOURCE,
    licence="pictures from the web, research use",
    layouts=("fer2013.csv (columns emotion, pixels, Usage)", f"the pack {_PACK}"),
    counts={
        split: dict(zip(FER2013.names, counts, strict=True))
        for split, counts in {
            "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
            "valid": (467, 56, 496, 895, 653, 415, 607),
            "test": (491, 55, 528, 879, 594, 416, 626),
        }.items()
    },
    size=(48, 48),
)


def read(
    root: Path,
    *,
    classes: Literal[7, 8] = 8,
    rule: Rule = "majority",
    keep_unlabelled: bool = False,
    skip_missing: bool = False,
) -> Manifest:
    """FERPlus: pictures with votes, labelled by ``rule`` (see the module); pictures nobody could vote on are left out.

    Ids are ``fer2013/fer0000000``, the same as :func:`read_fer2013`'s; a pack carries no names, so its rows are
    ``fer2013/pack00000``. Raises SourceError.
    """
    one_of("classes", classes, (7, 8))
    one_of("rule", rule, ("majority", "plurality"))
    rows = _folders(root, skip_missing) or _csv(root, need_votes=True) or _pack(root)
    if rows is None:
        tried = [f"{top}{name}/label.csv" for top in ("", "data/") for name in _FOLDERS]
        raise not_found(ABOUT if classes == 8 else ABOUT7, root, [*tried, *_CSV, *_VOTES, _PACK])
    labels = EIGHT if classes == 8 else SEVEN
    winner = winners(rows.votes, rule)
    label = np.where(winner < len(labels), winner, -1)
    keep = ~np.isnan(rows.votes[:, 0]) & ((label >= 0) | keep_unlabelled)
    return rows.manifest(label, labels, rows.votes[:, : len(labels)]).select(keep)


def read7(
    root: Path, *, rule: Rule = "majority", keep_unlabelled: bool = False, skip_missing: bool = False
) -> Manifest:
    """FERPlus without contempt: :func:`read` with ``classes=7``. Raises SourceError."""
    return read(root, classes=7, rule=rule, keep_unlabelled=keep_unlabelled, skip_missing=skip_missing)


def read_fer2013(root: Path) -> Manifest:
    """FER2013 with its own, noisier labels; FERPlus' votes for the same seven words ride along where they are known.

    Raises SourceError.
    """
    rows = _csv(root, need_votes=False) or _pack(root)
    if rows is None:
        raise not_found(ABOUT_FER2013, root, [*_CSV, _PACK])
    votes = rows.votes[:, [VOTED.index(name) for name in FER2013.names]]
    return rows.manifest(rows.fer2013, FER2013, votes if np.isfinite(votes).any() else None)


def winners(votes: Floats, rule: Rule) -> Integers:
    """Column of ``(n, 10)`` votes that the rule gives each row, or ``len(VOTED)`` where it gives none (NaN too)."""
    counts = np.nan_to_num(votes)
    if rule == "majority":
        counts = np.where(counts <= 1, 0, counts)
        clear = counts.max(1) > 0.5 * counts.sum(1)
    else:
        clear = counts.max(1) > 0
    best = counts.argmax(1)
    return np.where(clear & (best < len(EIGHT)), best, len(VOTED)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Rows:
    """What all layouts share: ``votes`` ``(n, 10)``, NaN rows without; ``fer2013`` labels, -1 where unknown."""

    name: list[str]
    path: list[str]
    split: list[str]
    votes: Floats
    fer2013: Integers
    root: Path
    group: Integers | None = None

    def manifest(self, label: NDArray[Any], labels: LabelSet, votes: Floats | None) -> Manifest:
        ids = np.array([f"fer2013/{n}" for n in self.name], np.str_)
        group = np.arange(len(ids)) if self.group is None else self.group
        return Manifest(
            ids,
            np.array(self.path, np.str_),
            label.astype(np.int64),
            labels,
            votes=votes,
            group=group,
            split=np.array(self.split, np.str_),
            root=self.root,
        )


def _folders(root: Path, skip_missing: bool) -> _Rows | None:
    """The picture folders that FERPlus' own script writes: label.csv holds a name, perhaps a box, and ten counts."""
    base = next((b for b in (root, root / "data") if first_of(b, [f"{f}/label.csv" for f in _FOLDERS])), None)
    if base is None:
        return None
    name: list[str] = []
    path: list[str] = []
    split: list[str] = []
    votes, found = [], []
    for folder, part in _FOLDERS.items():
        listing = base / folder / "label.csv"
        if not listing.is_file():
            continue
        start = len(path)
        box = ["box"] if _has_box(listing) else []
        for line, row in table(listing, VOTED, header=["name", *box, *VOTED]):
            name.append(row["name"].removesuffix(".png"))
            path.append(f"{folder}/{row['name']}")
            split.append(part)
            votes.append([cell(listing, line, row[v], float, v) for v in VOTED])
        found.append(present(base, path[start:], listing, skip_missing))
    there = np.flatnonzero(np.concatenate(found))
    return _Rows(
        [name[i] for i in there],
        [path[i] for i in there],
        [split[i] for i in there],
        np.array(votes, np.float32).reshape(-1, 10)[there],
        np.full(len(there), -1),
        base,
    )


def _has_box(listing: Path) -> bool:
    with listing.open(encoding="utf-8", errors="replace") as file:
        return '"(' in file.readline()


def _csv(root: Path, need_votes: bool) -> _Rows | None:
    """The tables: FER2013's pixels, and FERPlus' votes for them row by row."""
    pixels, votes_file = first_of(root, _CSV), first_of(root, _VOTES)
    if pixels is None or (need_votes and votes_file is None):
        return None
    label, split = [], []
    for line, row in table(pixels, ("emotion", "pixels", "Usage")):
        label.append(coded(pixels, line, row["emotion"], dict(enumerate(range(7))), "emotion"))
        split.append(cell(pixels, line, row["Usage"], _SPLITS.__getitem__, "Usage"))
    name = [f"row{i:05d}" for i in range(len(label))]
    votes = np.full((len(label), 10), np.nan, np.float32)
    if votes_file is not None:
        voted = list(table(votes_file, ("Image name", *VOTED)))
        if len(voted) != len(label):
            raise SourceError(
                f"{votes_file} has {len(voted):,} rows and {pixels} has {len(label):,}: they belong "
                "together row by row, so download both again."
            )
        for i, (line, row) in enumerate(voted):
            if row["Image name"]:  # pictures without a name are not faces
                name[i] = row["Image name"].removesuffix(".png")
                votes[i] = [cell(votes_file, line, row[v], float, v) for v in VOTED]
    path = [f"{pixels.name}::{i}" for i in range(len(label))]
    return _Rows(name, path, split, votes, np.array(label, np.int64), pixels.parent)


def _pack(root: Path) -> _Rows | None:
    pack = root if root.name == _PACK else root / _PACK
    if not pack.is_file():
        return None
    z = load(pack, ("fer2013_label", "split", "ferplus_votes", "dup_group", "vote_names", "fer2013_names"))
    counts = z["ferplus_votes"][:, [z["vote_names"].tolist().index(v) for v in VOTED]].astype(np.float32)
    counts[(counts < 0).any(1)] = np.nan
    own = LabelSet(tuple(z["fer2013_names"].tolist())).translate(FER2013)
    number = len(z["split"])
    return _Rows(
        [f"pack{i:05d}" for i in range(number)],
        paths_in(pack, number),
        z["split"].tolist(),
        counts,
        own[z["fer2013_label"]],
        pack.parent,
        z["dup_group"].astype(np.int64),
    )
