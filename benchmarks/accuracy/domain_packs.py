"""All labelled packs in one form, their faces cut by the aligner that serves: what the domain tables learn from.

    python benchmarks/accuracy/domain_packs.py DATA CACHE

DATA is the folder of the packs. Every picture is read as `detector = "whole"` reads it: points are looked for and the
face is set straight, or the picture is stretched as it is where none lie like a face's. The crops are research data:
keep CACHE outside the repository. A pack that was cut is not cut again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.labels import BASIC7
from tronie.datasets.ferplus import winners
from tronie.faces.align import crop
from tronie.faces.whole import WholePicture

LABELS = BASIC7.names
SIZE = 112
FILES = {
    "rafdb": "rafdb_train.npz",
    "ferplus": "fer2013_ferplus_train_valid.npz",
    "film-faces": "imfdb_film_faces_train.npz",
    "film-stills": "sfew_film_stills_train.npz",
    "performers": "taiwan_performers_train.npz",
    "coded-peaks": "ckplus_peaks_train.npz",
    "coded-sequences": "ckplus_sequences_train.npz",
    "lfw": "lfw_grey_train.npz",
    "acted": "acted_clips_train.npz",
    "contempt": "contempt_train.npz",
    "film-clips": "film_clips_va_train.npz",
}
"""Name of a pack → its file. A row is called NAME/NUMBER, counted from 0 as in the file."""
WORDS = {"happy": "happiness", "angry": "anger", "sad": "sadness", "peace": "neutral"}
TWINS = Path(__file__).parent / "domains" / "twins.csv"
_FOLDS = Path(__file__).parents[2] / "src" / "tronie" / "recipes" / "folds" / "rafdb-train.csv"
_UNSURE = 4  # code of the acted clips that is fear or disgust, one does not know which

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Pack:
    """Faces of one source. ``label`` ``(n,)`` counts LABELS, -1: none of them, or unsure.

    ``target`` ``(n, 7)``: what is learnt, shares of votes where there are any, rows of zeros for no label. ``group``:
    person, actor or film, whose rows stay together; ``clip``: the clip or sequence, -1 for photos; ``split`` is
    ``train``, ``valid`` or, on RAF-DB, ``fold0`` to ``fold4``.
    """

    name: str
    row: NDArray[np.int64]
    label: NDArray[np.int64]
    target: NDArray[np.float32]
    group: NDArray[np.int64]
    split: NDArray[np.str_]
    clip: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def select(self, rows: NDArray[Any]) -> Pack:
        """Some of its rows."""
        columns = ("row", "label", "target", "group", "split", "clip")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def id(self) -> list[str]:
        """NAME/NUMBER of each row."""
        return [f"{self.name}/{row}" for row in self.row]


def arrays(name: str, data: Path) -> Arrays:
    """A pack's arrays, each decompressed once."""
    with np.load(data / FILES[name]) as file:
        return {key: file[key] for key in file.files}


def pictures(z: Arrays) -> Iterator[NDArray[np.uint8]]:
    """Its pictures, RGB."""
    for i in range(len(z["offsets"]) - 1):
        picture = cv2.imdecode(z["blob"][z["offsets"][i] : z["offsets"][i + 1]], cv2.IMREAD_COLOR)
        yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def read_pack(name: str, data: Path) -> Pack:
    """Labels, targets and groups of a pack."""
    z = arrays(name, data)
    number = len(z["offsets"]) - 1
    label, target, clip = np.full(number, -1), None, np.full(number, -1)
    group, split = np.arange(number), np.full(number, "train")
    if name == "ferplus":
        votes = z["ferplus_votes"].astype(np.float32)
        label, target = _voted(votes, z["vote_names"], winners(votes, "plurality"))  # its names are VOTED, in order
        group, split = z["dup_group"], z["split"]
    elif name == "performers":
        label, target = _voted(z["votes"], z["vote_names"], z["votes"].argmax(1))
        group = z["subject"]
    elif name == "acted":
        clip = np.repeat(np.arange(len(z["label"])), np.diff(z["clip_start"]))
        code = _named(z["label"], ["unsure" if i == _UNSURE else n for i, n in enumerate(z["label_names"])])
        label, group = code[clip], z["actor"][clip]
    elif name == "coded-sequences":
        label, group, clip = _sequence_rows(z)
    elif name == "film-clips":
        clip = group = np.repeat(np.arange(len(z["clip_id"])), np.diff(z["clip_start"]))
    else:
        label = _named(z["label"], z["label_names"])
        known = {"film-faces": "actor", "film-stills": "film", "coded-peaks": "subject", "lfw": "subject"}
        group = z[known[name]] if name in known else group
    if name == "rafdb":
        with _FOLDS.open(encoding="utf-8", newline="") as file:
            cut = {row["id"]: (int(row["group"]), f"fold{row['fold']}") for row in csv.DictReader(file)}
        group = np.array([cut[n][0] for n in z["name"]])
        split = np.array([cut[n][1] for n in z["name"]])
    if target is None:
        target = np.append(np.eye(len(LABELS), dtype=np.float32), np.zeros((1, len(LABELS)), np.float32), 0)[label]
    return Pack(name, np.arange(number), label.astype(np.int64), target, np.asarray(group, np.int64), split, clip)


def _named(code: NDArray[Any], names: Any) -> NDArray[np.int64]:
    ours = [WORDS.get(str(n), str(n)) for n in names]
    return np.array([LABELS.index(n) if n in LABELS else -1 for n in ours])[code]


def _voted(
    votes: NDArray[np.float32], names: NDArray[np.str_], best: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The column ``best`` of each row as our label (-1: none of ours), and the shares of the votes for ours."""
    votes = np.maximum(votes, 0)
    ours = _named(np.arange(len(names)), names)
    label = np.append(ours, -1)[np.minimum(best, len(ours))]
    shares = np.zeros((len(votes), len(LABELS)), np.float32)
    shares[:, ours[ours >= 0]] = votes[:, ours >= 0]
    shares[label < 0] = 0
    return label, shares / np.maximum(shares.sum(1, keepdims=True), 1e-6)


def _sequence_rows(z: Arrays) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sequences go from neutral to a peak: the first two frames are neutral, the last three show the label."""
    start, label = z["seq_start"], np.full(len(z["offsets"]) - 1, -1)
    clip = np.repeat(np.arange(len(start) - 1), np.diff(start))
    peak = _named(np.arange(len(z["label"])), z["label"])
    for i, (first, last) in enumerate(pairwise(start.tolist())):
        label[first : first + 2], label[last - 3 : last] = LABELS.index("neutral"), peak[i]
    return label, z["subject"][clip], clip


def cut_faces(name: str, data: Path, cache: Path) -> None:
    """Write ``NAME.faces.npy`` ``(n, 112, 112, 3)`` uint8 and ``NAME.found.npy`` ``(n,)``: points found."""
    if (cache / f"{name}.found.npy").is_file():
        return
    z, finder = arrays(name, data), WholePicture()
    number = len(z["offsets"]) - 1
    faces = np.lib.format.open_memmap(cache / f"{name}.faces.npy", "w+", np.uint8, (number, SIZE, SIZE, 3))
    found = np.zeros(number, bool)
    for i, picture in enumerate(pictures(z)):
        face = finder.detect(picture)[0]
        faces[i], found[i] = crop(picture, face, SIZE), face.points is not None
    faces.flush()
    np.save(cache / f"{name}.found.npy", found)
    print(f"{name}: {number} faces, points found in {found.mean():.1%}", flush=True)


def faces_of(name: str, cache: Path) -> NDArray[np.uint8]:
    """The cut faces of a pack, read as they are needed."""
    faces: NDArray[np.uint8] = np.load(cache / f"{name}.faces.npy", mmap_mode="r")
    return faces


def twin_rows() -> dict[str, set[str]]:
    """Row → rows of other packs, splits or groups that show the same picture (``domains/twins.csv``)."""
    twins: dict[str, set[str]] = {}
    with TWINS.open(encoding="utf-8", newline="") as file:
        for pair in csv.DictReader(file):
            twins.setdefault(pair["first"], set()).add(pair["second"])
            twins.setdefault(pair["second"], set()).add(pair["first"])
    return twins


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    for each in FILES:
        cut_faces(each, given.data, given.cache)
