"""An exported model on prepared faces: which rows, which cut, what it answers. Works without PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tronie.clips.sampling import uniform
from tronie.clips.views import resize
from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.prepared import in_fold, open_prepared, ratings, read_note, vote_shares
from tronie.models.folder import Model, both_ways, mirrored, together
from tronie.train.predictions import PHOTOS, PHOTOS_WHOLE, Answered, views_read
from tronie.train.robustness import Hardship, robustness
from tronie.train.scores import Evaluation, evaluate

Cut = Literal["aligned", "whole"]
_BLOCK = 256
_FRAMES = 16  # of a clip
_ALL = 512  # frames of a clip that a video model may choose from


@dataclass(frozen=True, eq=False)
class Bench:
    """Rows a model is judged on: ``manifest`` and ``truth`` ``(n,)``, indices into the model's labels, belong together.

    ``faces`` ``(N, cuts, s, s, 3)`` is the whole prepared set, ``index`` ``(n,)`` says where these rows lie in it;
    ``left_out`` counts the rows that carry a label which the model does not know, by label ("" for none), and
    ``unread`` those that could not be read when the data was prepared. Where rows are clips, ``faces``
    ``(total, s, s, 3)`` are all their frames, and each clip begins at ``starts`` ``(N + 1,)``. ``rating`` ``(n, 2)``:
    valence and arousal, NaN for none, for a model that says them; a row with these may have no label, truth -1.
    """

    name: str
    manifest: Manifest
    faces: NDArray[np.uint8]
    index: NDArray[np.int64]
    truth: NDArray[np.int64]
    left_out: dict[str, int]
    starts: NDArray[np.int64] | None = None
    rating: NDArray[np.float32] | None = None
    unread: int = 0

    def crops(self, start: int, stop: int, size: int, cut: Cut) -> NDArray[np.uint8]:
        """Faces ``(m, size, size, 3)`` of rows ``start`` to ``stop``, as the aligner cut them or whole.

        Of a clip its middle frame, which is aligned.
        """
        if self.starts is not None:
            middle = (self.starts[self.index] + self.starts[self.index + 1]) // 2
            return np.stack([resize(self.faces[i], size) for i in middle[start:stop]])
        which = 0 if cut == "whole" else -1
        return np.stack([resize(self.faces[i, which], size) for i in self.index[start:stop]])

    def clip(self, row: int, size: int, most: int = _FRAMES) -> NDArray[np.uint8]:
        """Up to ``most`` frames ``(T, size, size, 3)`` of a row that is a clip, evenly spread."""
        assert self.starts is not None
        first, last = (int(self.starts[self.index[row] + i]) for i in (0, 1))
        shown = first + uniform(last - first, min(last - first, most))
        return np.stack([resize(self.faces[i], size) for i in shown])


def open_bench(
    folder: Path,
    name: str,
    labels: LabelSet,
    *,
    split: str = "",
    folds: str = "",
    fold: int | None = None,
    affect: bool = False,
) -> Bench:
    """Rows of a prepared folder that carry one of ``labels``; of one split, of one fold.

    Raises SourceError, and SettingError for a fold that is not there.

    ``affect``: rows that carry valence and arousal count too.
    """
    opened = open_prepared(folder)
    manifest = opened.manifest
    if opened.kind != "pixels":
        raise SourceError(f"'{name}' holds clips of {opened.kind}, and a model reads faces: give the folder of pixels.")
    truth = np.append(manifest.labels.translate(labels), -1)[manifest.label]
    wanted = manifest.split == split if split else np.ones(len(manifest), bool)
    if fold is not None:
        wanted &= in_fold(folds, manifest, fold)
    rating = ratings(manifest) if affect else None
    known = (truth >= 0) if rating is None else (truth >= 0) | np.isfinite(rating).all(1)
    index = np.flatnonzero(wanted & known)
    if not len(index):
        raise SourceError(
            f"'{name}' has no row to judge by: none of the {int(wanted.sum())} that were asked for "
            f"carries one of {', '.join(labels.names)}."
        )
    parts = [name, split, "" if fold is None else f"fold{fold}"]
    strange = np.append(np.array(manifest.labels.names, object), "")[manifest.label[wanted & ~known]]
    left = {str(label): int((strange == label).sum()) for label in dict.fromkeys(strange.tolist())}
    return Bench(
        "/".join(p for p in parts if p),
        manifest.select(index),
        opened.faces,
        index,
        truth[index],
        left,
        opened.starts,
        None if rating is None else rating[index],
        len(read_note(folder).get("unread", ())),
    )


def judge(
    model: Model, bench: Bench, cut: Cut = "aligned", progress: Callable[[int, int], None] | None = None
) -> tuple[Evaluation, Answered]:
    """Scores with intervals, and the answers row by row. ``progress`` hears (rows done, rows).

    The answer to a clip is the mean of those to its frames, each read once, as films are; a video model reads it whole.
    """
    parts: list[tuple[NDArray[np.floating], NDArray[np.floating] | None]] = []
    step = _BLOCK if bench.starts is None else 1
    for start in range(0, len(bench.index), step):
        if bench.starts is None:
            parts.append(_photos(model, bench.crops(start, start + step, model.size, cut)))
        else:
            parts.append(_clip(model, bench.clip(start, model.size, _FRAMES if model.clip is None else _ALL)))
        if progress:
            progress(min(start + step, len(bench.index)), len(bench.index))
    probability, rows = np.concatenate([p for p, _ in parts]).astype(np.float64), bench.manifest
    said = [a.astype(np.float64) for _, a in parts if a is not None]
    affect, rating = np.concatenate(said) if said else None, bench.rating
    reading = _reading(model, bench, cut)
    found = evaluate(
        probability,
        bench.truth,
        model.labels.names,
        rows.hash(),
        groups=rows.group,
        affect=affect,
        votes=vote_shares(rows, model.labels),
        rating=rating,
        left_out=sum(bench.left_out.values()),
        reading=reading,
    )
    given = None if rating is None else rating.astype(np.float64)
    return found, Answered(rows.id, rows.group, bench.truth, probability, model.labels.names, affect, given, reading)


def _reading(model: Model, bench: Bench, cut: Cut) -> str:
    """How the rows are read, in words."""
    if bench.starts is None:
        return PHOTOS if cut == "aligned" else PHOTOS_WHOLE
    return f"clips, the mean over up to {_FRAMES} frames" if model.clip is None else views_read(model.clip.info.looks)


def _photos(model: Model, faces: NDArray[np.uint8]) -> tuple[NDArray[np.floating], NDArray[np.floating] | None]:
    """Probabilities, and valence and arousal, of faces read together with their mirror images, as photos are."""
    (first, one), (second, other) = model.read(faces), model.read(mirrored(faces))
    return together(first, second), None if one is None or other is None else (one + other) / 2


def _clip(model: Model, frames: NDArray[np.uint8]) -> tuple[NDArray[np.floating], NDArray[np.floating] | None]:
    """The same of one clip: the mean over its frames, or what a video model makes of it."""
    if model.clip is None:
        probability, affect = model.read(frames)
        return probability.mean(0)[None], None if affect is None else affect.mean(0)[None]
    heard = model.clip.read(model.features(frames), np.arange(len(frames), dtype=np.float64), float(len(frames)))
    return heard.probability[None], None if heard.affect is None else heard.affect[None]


def harden(
    model: Model, bench: Bench, cut: Cut = "aligned", progress: Callable[[int, int], None] | None = None
) -> list[Hardship]:
    """:func:`robustness` of a model on these rows; those without a label are left out, and nothing is said of none."""
    named = np.flatnonzero(bench.truth >= 0)
    if not len(named):
        return []
    bench = replace(bench, manifest=bench.manifest.select(named), index=bench.index[named], truth=bench.truth[named])
    return robustness(
        partial(both_ways, model.predict),
        lambda a, b: bench.crops(a, b, model.size, cut),
        bench.truth,
        len(model.labels),
        groups=bench.manifest.group,
        progress=progress,
    )


def left_out(bench: Bench) -> str:
    """One sentence on the rows that are not scored, "" where all are."""
    total, told = sum(bench.left_out.values()), []
    if total:
        labels = ", ".join(f"{name or 'no label'} {count:,}" for name, count in bench.left_out.items())
        told.append(
            f"{total:,} of {total + len(bench.index):,} rows of '{bench.name}' are left out, as their label is none "
            f"that the model knows ({labels})"
        )
    if bench.unread:
        told.append(f"{bench.unread:,} rows of '{bench.name}' could not be read when it was prepared")
    return f"{'; '.join(told)}." if told else ""


def what_to_know(model: Model, bench: Bench, folds: str) -> list[str]:
    """What a reader of the scores must be told: above all, whether the model has learnt from this data."""
    name = bench.name.partition("/")[0]
    seen = [s for s in model.info.seen if s.partition(":")[0].partition("/")[0] == name]
    told = []
    if seen:
        held = f"; these figures are honest only where fold file '{folds}' kept them apart" if folds else ""
        told.append(f"The model has learnt from rows of '{name}'{held}.")
    if not model.info.calibrated:
        told.append("The model is not calibrated: its confidences are raw.")
    named = bench.truth[bench.truth >= 0]
    missing = [
        n
        for n, c in zip(model.labels.names, np.bincount(named, minlength=len(model.labels)), strict=True)
        if not c and len(named)
    ]
    if missing:
        told.append(f"No row of {bench.name} shows {', '.join(missing)}: answers with these labels count as wrong.")
    return told
