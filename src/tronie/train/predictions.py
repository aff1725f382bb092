"""What a model answered, row by row, so that two models can be compared on the same faces. Works without PyTorch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.errors import SourceError

FILE = "answers.csv"
PHOTOS = "aligned faces, each averaged with its mirror image"
"""How photos are evaluated, wherever that is done: as the package reads photos."""
PHOTOS_WHOLE = "pictures as they are, each averaged with its mirror image"


def views_read(views: int) -> str:
    """How clips are evaluated by a video model that averages ``views`` random views of each."""
    return f"clips, the mean of {views} random views"


_FIRST = ("source", "id", "group", "truth")
_READING = "reading"
_AFFECT = ("valence", "arousal", "rated_valence", "rated_arousal")


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers for ``n`` rows of one source.

    ``group`` numbers twins or people; ``truth`` are indices into ``labels``, -1 for none; ``probability`` is
    ``(n, len(labels))``. ``affect`` ``(n, 2)``: what was said of valence and arousal, ``rating`` ``(n, 2)`` what they
    were rated, NaN for none; both None where the model says none. ``reading`` says how the rows were read and what was
    averaged, "" where a file of an earlier Tronie does not say it: unlike readings are not to be compared.
    """

    id: NDArray[np.str_]
    group: NDArray[np.int64]
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]
    labels: tuple[str, ...]
    affect: NDArray[np.float64] | None = None
    rating: NDArray[np.float64] | None = None
    reading: str = ""

    def __len__(self) -> int:
        return len(self.id)

    def select(self, keep: NDArray[np.bool_]) -> Answered:
        """The rows of a mask ``(n,)``."""
        affect, rating = (None if a is None else a[keep] for a in (self.affect, self.rating))
        return replace(
            self,
            id=self.id[keep],
            group=self.group[keep],
            truth=self.truth[keep],
            probability=self.probability[keep],
            affect=affect,
            rating=rating,
        )

    def labelled(self) -> Answered:
        """The rows that have a label."""
        return self.select(self.truth >= 0)


def joined(parts: Sequence[Answered]) -> Answered:
    """All rows, in order, of answers with the same labels."""

    def affect(name: str) -> NDArray[np.float64] | None:
        if all(getattr(p, name) is None for p in parts):
            return None
        return np.concatenate(
            [np.full((len(p), 2), np.nan) if getattr(p, name) is None else getattr(p, name) for p in parts]
        )

    return Answered(
        np.concatenate([p.id for p in parts]),
        np.concatenate([p.group for p in parts]),
        np.concatenate([p.truth for p in parts]),
        np.concatenate([p.probability for p in parts]),
        parts[0].labels,
        affect("affect"),
        affect("rating"),
        parts[0].reading,
    )


def write_answers(folder: Path, answered: Mapping[str, Answered]) -> Path:
    """Write ``answers.csv``: source, id, group, truth, how rows were read, one probability per label.

    Where a model says valence and arousal, four columns follow: what it says, what was rated, empty for nothing.
    Raises OutputError.
    """
    labels = next(iter(answered.values())).labels
    more = _AFFECT if any(a.affect is not None for a in answered.values()) else ()
    with replacing(folder / FILE) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_FIRST, _READING, *(f"p_{name}" for name in labels), *more])
        for source, a in answered.items():
            numbers = np.concatenate([a.probability, _affect_columns(a)[:, : len(more)]], 1)
            for id_, group, truth, row in zip(a.id, a.group, a.truth, numbers, strict=True):
                name = labels[truth] if truth >= 0 else ""
                cells = ("" if np.isnan(v) else f"{v:.6g}" for v in row)
                writer.writerow([source, id_, group, name, a.reading, *cells])
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
        begin = len(_FIRST) + (head[len(_FIRST) : len(_FIRST) + 1] == [_READING])  # earlier files have none
        labels = tuple(name.removeprefix("p_") for name in head[begin:end])
        if tuple(head[: len(_FIRST)]) != _FIRST:
            raise ValueError(f"its columns are not {', '.join(_FIRST)}, p_…")
        if any(len(row) != len(head) for row in rows):
            raise ValueError("a line has more or fewer columns than the first")
        return {
            source: _read([row for row in rows if row[0] == source], labels, begin)
            for source in dict.fromkeys(row[0] for row in rows)
        }
    except OSError:
        raise SourceError(f"There is no {path}: give a run folder, or what `tronie evaluate … --out` wrote.") from None
    except (ValueError, IndexError) as error:
        raise SourceError(f"{path} cannot be read ({error}): judge the model again.") from error


def _read(mine: list[list[str]], labels: tuple[str, ...], begin: int) -> Answered:
    """The lines of one source, whose numbers begin at column ``begin``. Raises ValueError."""
    number = np.array([[float(v or "nan") for v in r[begin:]] for r in mine], np.float64)
    probability, more = np.split(number.reshape(len(mine), -1), [len(labels)], 1)
    said = more.shape[1] > 0 and bool(np.isfinite(more[:, :2]).any())
    return Answered(
        np.array([r[1] for r in mine], np.str_),
        np.array([int(r[2]) for r in mine], np.int64),
        np.array([labels.index(r[3]) if r[3] else -1 for r in mine], np.int64),
        probability,
        labels,
        more[:, :2] if said else None,
        more[:, 2:] if said else None,
        mine[0][begin - 1] if begin > len(_FIRST) else "",
    )
