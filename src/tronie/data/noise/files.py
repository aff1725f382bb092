"""Noise on disk: our own CSV by row id, and the public noise lists of EAC and SCN for RAF-DB."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError, SourceError
from tronie.core.files import parse_json
from tronie.core.labels import LabelSet
from tronie.core.manifest import Integers, Manifest
from tronie.data.noise.labels import Corruption

_VERSION = 1
_COLUMNS = ["id", "before", "after", "flipped"]


def save(corruption: Corruption, ids: NDArray[np.str_], path: Path) -> None:
    """Write one row per id ``(n,)``: the label's names before and after. The first line holds kind, seed, rate, labels.

    Raises OutputError if the file cannot be written.
    """
    words = [*corruption.labels.names, ""]  # index -1 is the empty word
    rate = None if np.isnan(corruption.rate) else corruption.rate
    meta = {
        "tronie_noise": _VERSION,
        "kind": corruption.kind,
        "seed": corruption.seed,
        "rate": rate,
        "labels": corruption.labels.names,
    }
    rows = zip(ids.tolist(), corruption.before, corruption.after, corruption.flipped, strict=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {json.dumps(meta, ensure_ascii=False)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([i, words[b], words[a], int(f)] for i, b, a, f in rows)


def load(path: Path) -> tuple[NDArray[np.str_], Corruption]:
    """Ids ``(n,)`` and noise that :func:`save` wrote. Raises SourceError with the line that is wrong."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            meta, rows = _meta(path, file.readline()), list(csv.reader(file))
    except OSError as error:
        raise SourceError(f"The noise file {path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is not a noise file: {error}.") from error
    if not rows or rows[0] != _COLUMNS:
        raise SourceError(f"The noise file {path} lacks its line of columns: {', '.join(_COLUMNS)}.")
    labels = LabelSet(tuple(str(name) for name in meta["labels"]))
    index = {name: i for i, name in enumerate(labels.names)} | {"": -1}
    pairs = []
    for line, row in enumerate(rows[1:], 3):
        if len(row) != len(_COLUMNS) or row[1] not in index or row[2] not in index:
            raise SourceError(
                f"The noise file {path}, line {line}: '{','.join(row)}' is not an id and two of the "
                f"labels {', '.join(labels.names)}."
            )
        pairs.append((index[row[1]], index[row[2]]))
    before, after = np.array(pairs, np.int64).reshape(-1, 2).T
    rate = float("nan") if meta.get("rate") is None else float(meta["rate"])
    ids = np.array([row[0] for row in rows[1:]], np.str_)
    return ids, Corruption(before, after, labels, str(meta.get("kind")), meta.get("seed"), rate)


def _meta(path: Path, line: str) -> dict[str, Any]:
    try:
        meta = parse_json(line.removeprefix("# ")) if line.startswith("# {") else None
    except ValueError:
        meta = None
    if not isinstance(meta, dict) or meta.get("tronie_noise") != _VERSION or not isinstance(meta.get("labels"), list):
        raise SourceError(f"{path} is not a noise file: it must begin with '# {{\"tronie_noise\": {_VERSION}, …}}'.")
    return meta


def apply(manifest: Manifest, corruption: Corruption, ids: NDArray[np.str_] | None = None) -> Manifest:
    """The manifest with the planted labels, joined by ``ids`` and by the labels' names; without ids row by row.

    The noise may cover more rows than the manifest (which may be a fold of it). ``votes`` are taken out: they would
    tell the labels that were just hidden. Raises SourceError if a training row is not covered, or if its label is not
    the one before planting: then the noise was made for other data. Raises SettingError for ids of another number.
    """
    ids = manifest.id if ids is None else ids
    if len(ids) != len(corruption.before):
        raise SettingError(f"{len(ids):,} ids for noise of {len(corruption.before):,} rows: give one id per row.")
    where = {name: i for i, name in enumerate(ids.tolist())}
    rows = np.array([where.get(name, -1) for name in manifest.id.tolist()], np.int64)
    move = np.append(corruption.labels.translate(manifest.labels), -1)  # index -1, no label, stays -1
    before, after = (move[np.append(column, -1)[rows]] for column in (corruption.before, corruption.after))
    lost = (rows < 0) & np.isin(manifest.split, ("train", "")) & (manifest.label >= 0)
    if lost.any():
        raise SourceError(
            f"The noise does not cover {int(lost.sum()):,} of the training rows (such as "
            f"'{manifest.id[lost][0]}'): it was planted on other data."
        )
    other = (rows >= 0) & (before != manifest.label)
    if other.any():
        raise SourceError(
            f"Before planting, {int(other.sum()):,} rows had another label than now (such as "
            f"'{manifest.id[other][0]}'): the noise was planted on other labels."
        )
    return replace(manifest, label=np.where(rows >= 0, after, manifest.label), votes=None)


def read_eac(path: Path, manifest: Manifest) -> Corruption:
    """Noise of EAC (Zhang et al., ECCV 2022; ``raf-basic/EmoLabel/noise01.txt``): ``train_00001.jpg 5`` a line.

    The name as in RAF-DB's own list, codes 1 to 7 in the order of RAF-DB's labels, training rows only. Raises
    SourceError.
    """
    return _listed(path, manifest, "eac", 1, lambda name: name.removesuffix(".jpg"))


def read_scn(path: Path, manifest: Manifest) -> Corruption:
    """Noise of SCN (Wang et al., CVPR 2020; ``0.1noise_train.txt``): ``/any/folder/train_00001_aligned.jpg 4`` a line.

    Codes 0 to 6 in the order of RAF-DB's labels, training rows only. Raises SourceError.
    """
    return _listed(
        path, manifest, "scn", 0, lambda name: name.rpartition("/")[2].removesuffix(".jpg").removesuffix("_aligned")
    )


def _listed(path: Path, manifest: Manifest, kind: str, first: int, stem: Callable[[str], str]) -> Corruption:
    """Join a list of names and codes to the manifest's training rows by the last part of their ids."""
    codes = _codes(path, first, len(manifest.labels), stem)
    after: Integers = manifest.label.copy()
    lost = []
    for row in np.flatnonzero(np.isin(manifest.split, ("train", ""))):
        name = str(manifest.id[row]).rpartition("/")[2]
        if name in codes:
            after[row] = codes[name]
        else:
            lost.append(name)
    if lost:
        raise SourceError(
            f"The noise list {path} lacks {len(lost):,} of the training rows (the first: {lost[0]}): it "
            "was made for other data."
        )
    return Corruption(manifest.label, after, manifest.labels, kind)


def _codes(path: Path, first: int, number: int, stem: Callable[[str], str]) -> dict[str, int]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The noise list {path} cannot be read: {error}.") from error
    codes = {}
    for line, content in enumerate(text.splitlines(), 1):
        name, _, code = content.strip().rpartition(" ")
        if not content.strip():
            continue
        if not name or not code.isdecimal():
            raise SourceError(f"The noise list {path}, line {line}: '{content}' is not a picture's name and a number.")
        if not first <= int(code) < first + number:
            raise SourceError(
                f"The noise list {path}, line {line}: label {code} is not one of {first} to "
                f"{first + number - 1}. EAC counts from 1, SCN from 0: is it the other's?"
            )
        codes[stem(name)] = int(code) - first
    return codes
