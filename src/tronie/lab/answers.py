"""What a model answered, row by row, so that two models can be compared on the same faces. Works without PyTorch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SourceError

FILE = "answers.csv"
_FIRST = ("source", "id", "group", "truth")
_AFFECT = ("valence", "arousal", "rated_valence", "rated_arousal")


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers for ``n`` rows of one source.

    ``group`` numbers twins or people; ``truth`` are indices into ``labels``, -1 for none; ``probability`` is
    ``(n, len(labels))``. ``affect`` ``(n, 2)``: what was said of valence and arousal, ``rating`` ``(n, 2)`` what they
    were rated, NaN for none; both None where the model says none.
    """

    id: NDArray[np.str_]
    group: NDArray[np.int64]
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]
    labels: tuple[str, ...]
    affect: NDArray[np.float64] | None = None
    rating: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.id)

    def select(self, keep: NDArray[np.bool_]) -> Answered:
        """The rows of a mask ``(n,)``."""
        affect, rating = (None if a is None else a[keep] for a in (self.affect, self.rating))
        return Answered(self.id[keep], self.group[keep], self.truth[keep], self.probability[keep], self.labels, affect,
                        rating)  # fmt: skip

    def labelled(self) -> Answered:
        """The rows that have a label."""
        return self.select(self.truth >= 0)


def joined(parts: Sequence[Answered]) -> Answered:
    """All rows, in order, of answers with the same labels."""

    def affect(name: str) -> NDArray[np.float64] | None:
        if all(getattr(p, name) is None for p in parts):
            return None
        return np.concatenate([np.full((len(p), 2), np.nan) if getattr(p, name) is None else getattr(p, name)
                               for p in parts])  # fmt: skip

    return Answered(np.concatenate([p.id for p in parts]), np.concatenate([p.group for p in parts]),
                    np.concatenate([p.truth for p in parts]), np.concatenate([p.probability for p in parts]),
                    parts[0].labels, affect("affect"), affect("rating"))  # fmt: skip


def write_answers(folder: Path, answered: Mapping[str, Answered]) -> Path:
    """Write ``answers.csv``: source, id, group, truth and one probability per label. Raises OutputError.

    Where a model says valence and arousal, four columns follow: what it says, what was rated, empty for nothing.
    """
    labels = next(iter(answered.values())).labels
    more = _AFFECT if any(a.affect is not None for a in answered.values()) else ()
    with replacing(folder / FILE) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_FIRST, *(f"p_{name}" for name in labels), *more])
        for source, a in answered.items():
            numbers = np.concatenate([a.probability, _affect_columns(a)[:, : len(more)]], 1)
            for id_, group, truth, row in zip(a.id, a.group, a.truth, numbers, strict=True):
                name = labels[truth] if truth >= 0 else ""
                writer.writerow([source, id_, group, name, *("" if np.isnan(v) else f"{v:.6g}" for v in row)])
    return folder / FILE


def _affect_columns(a: Answered) -> NDArray[np.float64]:
    """What is said and what is rated, ``(n, 4)``."""
    unknown = np.full((len(a), 2), np.nan)
    return np.concatenate([unknown if part is None else part for part in (a.affect, a.rating)], 1)


def read_answers(folder: Path) -> dict[str, Answered]:
    """What :func:`write_answers` wrote, by source. Raises SourceError where it is missing or damaged."""
    path = folder / FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        end = len(head) - len(_AFFECT) * (tuple(head[-len(_AFFECT) :]) == _AFFECT)
        labels = tuple(name.removeprefix("p_") for name in head[len(_FIRST) : end])
        if tuple(head[: len(_FIRST)]) != _FIRST:
            raise ValueError(f"its columns are not {', '.join(_FIRST)}, p_…")
        if any(len(row) != len(head) for row in rows):
            raise ValueError("a line has more or fewer columns than the first")
        return {source: _read([row for row in rows if row[0] == source], labels)
                for source in dict.fromkeys(row[0] for row in rows)}  # fmt: skip
    except OSError:
        raise SourceError(f"There is no {path}: give a run folder, or what `tronie evaluate … --out` wrote.") from None
    except (ValueError, IndexError) as error:
        raise SourceError(f"{path} cannot be read ({error}): judge the model again.") from error


def _read(mine: list[list[str]], labels: tuple[str, ...]) -> Answered:
    """The lines of one source. Raises ValueError."""
    number = np.array([[float(v or "nan") for v in r[len(_FIRST) :]] for r in mine], np.float64)
    probability, more = np.split(number.reshape(len(mine), -1), [len(labels)], 1)
    said = more.shape[1] > 0 and bool(np.isfinite(more[:, :2]).any())
    return Answered(
        np.array([r[1] for r in mine], np.str_), np.array([int(r[2]) for r in mine], np.int64),
        np.array([labels.index(r[3]) if r[3] else -1 for r in mine], np.int64), probability, labels,
        more[:, :2] if said else None, more[:, 2:] if said else None)  # fmt: skip
