"""RAF-DB (Li, Deng & Du, CVPR 2017): faces from the web, labelled by about 40 people each; basic and compound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.files import cell, coded, first_of, lines, not_found, one_of, present
from tronie.datasets.pack import load, paths_in

COMPOUND11 = LabelSet(
    (
        "happily surprised",
        "happily disgusted",
        "sadly fearful",
        "sadly angry",
        "sadly surprised",
        "sadly disgusted",
        "fearfully angry",
        "fearfully surprised",
        "angrily surprised",
        "angrily disgusted",
        "disgustedly surprised",
    )
)

_SOURCE = "http://www.whdeng.cn/RAF/model1.html (by request)"
_LICENCE = "non-commercial research only; pictures may not be passed on"

ABOUT = About(
    title="RAF-DB (basic)",
    labels=BASIC7,
    source=_SOURCE,
    licence=_LICENCE,
    layouts=(
        "basic/EmoLabel/list_patition_label.txt and basic/Image/aligned/train_00001_aligned.jpg",
        "the pack rafdb_train.npz",
    ),
    counts={
        "train": dict(zip(BASIC7.names, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
        "test": dict(zip(BASIC7.names, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
    },
    size=(100, 100),
    aligned=True,
)

ABOUT_COMPOUND = About(
    title="RAF-DB (compound)",
    labels=COMPOUND11,
    source=_SOURCE,
    licence=_LICENCE,
    layouts=("compound/EmoLabel/list_patition_label.txt and compound/Image/aligned/train_0001_aligned.jpg",),
    counts={"train": 3162, "test": 792},
    size=(100, 100),
    aligned=True,
)

_LIST = "EmoLabel/list_patition_label.txt"  # the data set's own spelling
_PACK = "rafdb_train.npz"


def read(root: Path, *, pictures: Literal["aligned", "original"] = "aligned", skip_missing: bool = False) -> Manifest:
    """The basic part: seven expressions, splits train and test; ids ``rafdb/train_00001``.

    ``root`` is the official folder (``basic`` or the one above it), the folder of the pack, or the pack itself.
    ``pictures="original"`` reads the uncropped photos of the official folder. Where ``distribution_basic.txt`` lies
    beside the list, its shares of annotators' votes become ``votes``. Raises SourceError.
    """
    tried = [f"{folder}{_LIST}" for folder in ("", "basic/", "RAF-DB/basic/", "RAFDB/basic/")] + [_PACK]
    label_list = first_of(root, tried[:-1])
    if label_list is not None:
        manifest = _official(label_list, BASIC7, "rafdb", pictures, skip_missing)
        return _with_votes(manifest, label_list.parent)
    pack = root if root.name == _PACK else root / _PACK
    if not pack.is_file():
        raise not_found(ABOUT, root, tried)
    return _packed(pack)


def read_compound(
    root: Path, *, pictures: Literal["aligned", "original"] = "aligned", skip_missing: bool = False
) -> Manifest:
    """The compound part: eleven blends of two expressions, splits train and test. Raises SourceError."""
    tried = [f"{folder}{_LIST}" for folder in ("compound/", "RAF-DB/compound/", "RAFDB/compound/", "")]
    label_list = first_of(root, tried)
    if label_list is None:
        raise not_found(ABOUT_COMPOUND, root, tried)
    return _official(label_list, COMPOUND11, "rafdb-compound", pictures, skip_missing)


def _official(label_list: Path, labels: LabelSet, prefix: str, pictures: str, skip_missing: bool) -> Manifest:
    one_of("pictures", pictures, ("aligned", "original"))
    codes = {i: i - 1 for i in range(1, len(labels) + 1)}
    stems, label, split = [], [], []
    for number, line in lines(label_list):
        name, _, code = line.partition(" ")
        stem = name.removesuffix(".jpg")
        part = stem.partition("_")[0]
        if part not in ("train", "test") or not code:
            raise SourceError(
                f"{label_list}, line {number}: '{line}' is not a picture and its label, as in "
                "'train_00001.jpg 5': download the list again."
            )
        stems.append(stem)
        label.append(coded(label_list, number, code, codes))
        split.append(part)
    base = label_list.parent.parent
    ending = "_aligned.jpg" if pictures == "aligned" else ".jpg"
    paths = [f"Image/{pictures}/{stem}{ending}" for stem in stems]
    rows = present(base, paths, label_list, skip_missing)
    ids = np.array([f"{prefix}/{stem}" for stem in stems], np.str_)
    return Manifest(
        ids, np.array(paths, np.str_), np.array(label, np.int64), labels, split=np.array(split, np.str_), root=base
    ).select(rows)


def _with_votes(manifest: Manifest, folder: Path) -> Manifest:
    """Add the shares of ``distribution_basic.txt``: a name and seven numbers a line, in the order of the labels."""
    path = first_of(folder, ("distribution_basic.txt", "../distribution_basic.txt"))
    if path is None:
        return manifest
    shares: dict[str, list[float]] = {}
    for number, line in lines(path):
        name, *values = line.split()
        if len(values) != len(BASIC7):
            raise SourceError(f"{path}, line {number}: {len(values)} numbers for {len(BASIC7)} labels: get it again.")
        shares[f"rafdb/{name.removesuffix('.jpg')}"] = [cell(path, number, v, float, "share") for v in values]
    unknown = [np.nan] * len(BASIC7)
    votes = np.array([shares.get(i, unknown) for i in manifest.id.tolist()], np.float32)
    return replace(manifest, votes=votes.reshape(len(manifest), len(BASIC7)))


def _packed(pack: Path) -> Manifest:
    z = load(pack, ("label", "name", "label_names"))
    names = [str(name) for name in z["name"]]
    labels = LabelSet(tuple(str(name) for name in z["label_names"]))
    return Manifest(
        np.array([f"rafdb/{name}" for name in names], np.str_),
        np.array(paths_in(pack, len(names)), np.str_),
        z["label"].astype(np.int64),
        labels,
        split=np.array([name.partition("_")[0] for name in names], np.str_),
        root=pack.parent,
    )
