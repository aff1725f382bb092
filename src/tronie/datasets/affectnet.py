"""AffectNet (Mollahosseini, Hasani & Mahoor, 2017): pictures from the web with an expression, valence and arousal.

Two releases are read: the first (``training.csv``, ``validation.csv`` and folders of pictures) and the later one of
aligned faces with one small ``.npy`` file per annotation (``train_set``, ``val_set``). The owners' validation part is
what the field reports on, as their test part is not public; so it is read as split ``test`` and must choose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tronie.core.arrays import read_npy
from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.files import cell, coded, first_of, not_found, one_of, present, table

EIGHT = LabelSet(("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"))
"""In the order of AffectNet's codes 0 to 7; 8 none, 9 uncertain and 10 no face carry no label."""
SEVEN = LabelSet(EIGHT.names[:7])

_TRAIN = (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750)
_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_PARTS = {"training.csv": "train", "validation.csv": "test"}
_LISTS = ("", "Manually_Annotated_file_lists/", "Manually_Annotated/")
_PICTURES = ("Manually_Annotated_Images/", "Manually_Annotated/Manually_Annotated_Images/")
_SETS = {"train_set": "train", "val_set": "test"}


def _about(labels: LabelSet) -> About:
    test = 500  # of each expression
    return About(
        title=f"AffectNet-{len(labels)}",
        labels=labels,
        source="http://mohammadmahoor.com/affectnet/ (by request)",
        licence="non-commercial research only; pictures may not be passed on",
        layouts=(
            "training.csv, validation.csv and Manually_Annotated_Images",
            "train_set/annotations/0_exp.npy, train_set/images/0.jpg and the same in val_set",
        ),
        counts={"train": dict(zip(labels.names, _TRAIN, strict=False)), "test": dict.fromkeys(labels.names, test)},
    )


ABOUT8 = _about(EIGHT)
ABOUT7 = _about(SEVEN)


def read(root: Path, *, classes: Literal[7, 8] = 8, skip_missing: bool = False) -> Manifest:
    """Rows with one of ``classes`` expressions (7: without contempt), ids ``affectnet/<path without ending>``.

    ``valence`` and ``arousal`` lie in [-1, 1]. The ``.npy`` release takes three small files per picture: some minutes.
    Raises SourceError.
    """
    one_of("classes", classes, (7, 8))
    labels, about = (EIGHT, ABOUT8) if classes == 8 else (SEVEN, ABOUT7)
    notes = first_of(root, [f"{top}{s}/annotations/" for top in ("", "AffectNet/") for s in _SETS])
    lists = [path for name in _PARTS if (path := first_of(root, [f"{top}{name}" for top in _LISTS]))]
    pictures = first_of(root, _PICTURES)
    if notes is not None:
        base = notes.parents[1]
        rows = _npy(base)
    elif lists and pictures is not None:
        base = pictures.parent
        rows = _csv(lists, pictures.name)
    else:
        tried = [f"{s}/annotations/" for s in _SETS] + [f"{top}{n}" for n in _PARTS for top in _LISTS] + list(_PICTURES)
        raise not_found(about, root, tried)
    return rows.manifest(base, labels, notes or lists[0], skip_missing)


def read7(root: Path, *, skip_missing: bool = False) -> Manifest:
    """Without contempt: :func:`read` with ``classes=7``. Raises SourceError."""
    return read(root, classes=7, skip_missing=skip_missing)


@dataclass(eq=False)
class _Rows:
    path: list[str] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    affect: list[tuple[float, float]] = field(default_factory=list)

    def manifest(self, root: Path, labels: LabelSet, listed_in: Path, skip_missing: bool) -> Manifest:
        kept = np.flatnonzero(np.array(self.code, np.int64) < len(labels))
        paths = [self.path[i] for i in kept]
        there = present(root, paths, listed_in, skip_missing)
        affect = np.array(self.affect, np.float32).reshape(-1, 2)[kept]
        affect[(np.abs(affect) > 1).any(1)] = np.nan  # -2: not annotated
        ids = [f"affectnet/{p.rpartition('.')[0]}" for p in paths]
        return Manifest(
            np.array(ids, np.str_),
            np.array(paths, np.str_),
            np.array(self.code, np.int64)[kept],
            labels,
            split=np.array(self.split, np.str_)[kept],
            valence=affect[:, 0],
            arousal=affect[:, 1],
            root=root,
        ).select(there)


def _csv(lists: list[Path], pictures: str) -> _Rows:
    rows, codes = _Rows(), {i: i for i in range(11)}
    for path in lists:
        with path.open(encoding="utf-8", errors="replace") as file:
            named = _COLUMNS[0] in file.readline()  # some copies come without the line of names
        for line, row in table(path, (_COLUMNS[0], *_COLUMNS[-3:]), None if named else _COLUMNS):
            rows.path.append(f"{pictures}/{row[_COLUMNS[0]]}")
            rows.code.append(coded(path, line, row["expression"], codes, "expression"))
            rows.split.append(_PARTS[path.name])
            rows.affect.append(
                (cell(path, line, row["valence"], float, "valence"), cell(path, line, row["arousal"], float, "arousal"))
            )
    return rows


def _npy(base: Path) -> _Rows:
    rows = _Rows()
    for folder, split in _SETS.items():
        notes = base / folder / "annotations"
        found = notes.glob("*_exp.npy") if notes.is_dir() else ()
        names = [p.name.removesuffix("_exp.npy") for p in found if p.is_file()]
        for name in sorted(names, key=lambda n: (len(n), n)):
            code = _scalar(notes / f"{name}_exp.npy")
            if code not in range(11):
                raise SourceError(
                    f"{notes / name}_exp.npy holds the expression {code:g}, not a code from 0 to 10: unpack it again."
                )
            rows.path.append(f"{folder}/images/{name}.jpg")
            rows.code.append(int(code))
            rows.split.append(split)
            rows.affect.append((_scalar(notes / f"{name}_val.npy"), _scalar(notes / f"{name}_aro.npy")))
    return rows


def _scalar(path: Path) -> float:
    """The one number of an annotation file; the release keeps it as text."""
    try:
        return float(read_npy(path).item())
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path} cannot be read as one number ({error}): unpack it again.") from error
