"""What a model answered, row by row, so that two models can be compared on the same faces. Works without PyTorch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SourceError

FILE = "answers.csv"
_FIRST = ("source", "id", "group", "truth")


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers for ``n`` rows of one source.

    ``group`` numbers twins or people; ``truth`` are indices into ``labels``; ``probability`` is ``(n, len(labels))``.
    """

    id: NDArray[np.str_]
    group: NDArray[np.int64]
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.id)


def write_answers(folder: Path, answered: Mapping[str, Answered]) -> Path:
    """Write ``answers.csv``: source, id, group, truth and one probability per label. Raises OutputError."""
    labels = next(iter(answered.values())).labels
    with replacing(folder / FILE) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_FIRST, *(f"p_{name}" for name in labels)])
        for source, a in answered.items():
            for id_, group, truth, p in zip(a.id, a.group, a.truth, a.probability, strict=True):
                writer.writerow([source, id_, group, labels[truth], *(f"{v:.6g}" for v in p)])
    return folder / FILE


def read_answers(folder: Path) -> dict[str, Answered]:
    """What :func:`write_answers` wrote, by source. Raises SourceError where it is missing or damaged."""
    path = folder / FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        labels = tuple(name.removeprefix("p_") for name in head[len(_FIRST) :])
        if tuple(head[: len(_FIRST)]) != _FIRST:
            raise ValueError(f"its columns are not {', '.join(_FIRST)}, p_…")
        found = {}
        for source in dict.fromkeys(row[0] for row in rows):
            mine = [row for row in rows if row[0] == source]
            found[source] = Answered(
                np.array([r[1] for r in mine], np.str_), np.array([int(r[2]) for r in mine], np.int64),
                np.array([labels.index(r[3]) for r in mine], np.int64),
                np.array([[float(v) for v in r[len(_FIRST) :]] for r in mine], np.float64).reshape(-1, len(labels)),
                labels)  # fmt: skip
    except OSError:
        raise SourceError(f"There is no {path}: give a run folder, or what `tronie evaluate … --out` wrote.") from None
    except (ValueError, IndexError) as error:
        raise SourceError(f"{path} cannot be read ({error}): judge the model again.") from error
    return found
