"""Out-of-sample probabilities that somebody else made, joined to the rows by id. Works without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.arrays import read_npz
from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.registry import nearest
from tronie.core.sheet import opened


def read_probabilities(paths: Sequence[Path], ids: NDArray[np.str_], labels: LabelSet) -> NDArray[np.float64]:
    """Looks ``(K, n, C)`` at the rows ``ids``, in their order, of files CSV or NPZ.

    CSV: a column ``id`` and one ``p_<label>`` per label, as ``answers.csv`` of a run has them; several lines of an id
    are several looks. NPZ: ``id`` ``(n,)``, ``probability`` ``(n, C)`` or ``(K, n, C)``, ``labels`` ``(C,)``. Files add
    up: folds side by side, or more looks. K is the smallest number of looks that any row has. Rows are divided by their
    sum. Raises SourceError for a row that has no look, a label without a column, or values that are no probabilities.
    """
    looks: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ids.tolist()}
    for path in paths:
        found, table = _npz(path, labels) if path.suffix == ".npz" else _csv(path, labels)
        if not np.isfinite(table).all() or (table < 0).any() or (table.sum(2) <= 0).any():
            raise SourceError(
                f"{path} holds values that are no probabilities: they must be 0 or more, and their sum above 0."
            )
        for k in range(len(table)):
            for name, row in zip(found, table[k], strict=True):
                if name in looks:
                    looks[name].append(row / row.sum())
    bare = [name for name, rows in looks.items() if not rows]
    if bare:
        raise SourceError(
            f"{len(bare):,} of {len(ids):,} rows have no probabilities (the first: '{bare[0]}'): every "
            "row needs some, from a model that has not learnt from it."
        )
    fewest = min(len(rows) for rows in looks.values())
    return np.stack([[looks[name][k] for name in ids.tolist()] for k in range(fewest)])


def _csv(path: Path, labels: LabelSet) -> tuple[list[str], NDArray[np.float64]]:
    with opened(path, "table of probabilities", meta="#") as sheet:
        (at_id,) = sheet.need("id")
        known = [name[2:] for name in sheet.names if name.startswith("p_")]
        at = [sheet.names.index(f"p_{known[k]}") for k in _columns(path, known, labels)]
        ids, table = [], []
        for line, row in sheet.rows():
            ids.append(row[at_id])
            table.append([sheet.number(line, sheet.names[c], row[c]) for c in at])
    return ids, np.array(table, np.float64).reshape(1, -1, len(at))


def _npz(path: Path, labels: LabelSet) -> tuple[list[str], NDArray[np.float64]]:
    try:
        kept = read_npz(path, ("id", "probability", "labels"))
        ids, table, known = kept["id"], np.asarray(kept["probability"], np.float64), kept["labels"].tolist()
    except OSError as error:
        raise SourceError(f"The probabilities {path} cannot be read: {error}.") from error
    except (TypeError, ValueError) as error:
        raise SourceError(f"{path} needs the arrays id, probability and labels ({error}).") from error
    table = table[None] if table.ndim == 2 else table
    if table.ndim != 3 or table.shape[1:] != (len(ids), len(known)):
        raise SourceError(f"{path}: probabilities {table.shape} do not fit {len(ids)} ids and {len(known)} labels.")
    return [str(i) for i in ids], table[:, :, _columns(path, [str(k) for k in known], labels)]


def _columns(path: Path, known: list[str], labels: LabelSet) -> list[int]:
    """Which of the ``known`` columns each label is, joined by name."""
    if not known or len(set(known)) < len(known):
        raise SourceError(f"{path} needs one column p_<label> per label, such as p_{labels.names[0]}.")
    place = labels.translate(LabelSet(tuple(known)))
    if (place < 0).any():
        lost = labels.names[int(np.argmin(place))]
        raise SourceError(f"{path} has no column for the label '{lost}'.{nearest(lost, known)}")
    return [int(i) for i in place]
