"""Distillation: what other models say of the training faces joins what their labels say.

Hinton, Vinyals & Dean, *Distilling the Knowledge in a Neural Network* (2015, arXiv 1503.02531): the student's target is
``(1 - share) · label + share · p^(1/heat)``, the power brought to sum 1, ``p`` the mean of the teachers' calibrated
probabilities. Our choices: several teachers are one ensemble; each face is shown to them once, unvaried and together
with its mirror image, before the run begins; and there is one cross-entropy over the mixed target, which differs from a
weighted pair of cross-entropies by nothing but the student's own temperature (1 here).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.clips.views import View
from tronie.core.arrays import read_npz
from tronie.core.atomic import replacing
from tronie.core.errors import ModelError, SettingError
from tronie.core.labels import LabelSet
from tronie.data.augmentation import Augment
from tronie.data.loader import cut
from tronie.models.catalog import load_model
from tronie.models.folder import Model, both_ways
from tronie.train.recipe import Recipe, Teacher
from tronie.train.sources import Part

_BATCH = 64
FILE = "teacher.npz"


def taught(
    learn: Sequence[Part], recipe: Recipe, folder: Path, say: Callable[[str], None] = lambda line: None
) -> list[Part]:
    """The parts a recipe learns from, with targets that its teachers have a share in; as they are without a teacher.

    The teachers' answers are kept in ``folder``, so that a run that goes on does not ask again. Where the recipe holds
    a fold out, no teacher may have learnt from other rows of the same data than this run does. Raises SettingError for
    such a teacher, for one with other labels, and for clips; ModelError; OutputError.
    """
    how, labels = recipe.teacher, LabelSet(recipe.labels)
    if not how.models or not how.share or not any(source.taught for source in recipe.train):
        return list(learn)
    teachers = [_teacher(name, labels) for name in how.models]
    asked = [part for source, part in zip(recipe.train, learn, strict=True) if source.taught]
    for source, part in zip(recipe.train, learn, strict=True):
        if source.taught and part.rows.starts is not None:
            raise SettingError(f"'{part.name}' holds clips: teachers read photos alone. Leave teacher.models empty.")
        same = [p for s, p in zip(recipe.train, learn, strict=True) if s.data == source.data]
        for one in teachers if source.folds and recipe.fold >= 0 else ():
            _insist_unseen(one, source.data, same)
    said = iter(_answers(teachers, asked, labels, folder / FILE, say))
    return [
        _mixed(part, next(said), how) if source.taught else part
        for source, part in zip(recipe.train, learn, strict=True)
    ]


def known(recipe: Recipe) -> tuple[str, ...]:
    """What the recipe's teachers have learnt from, as ``model.json`` lists it: their student knows it too.

    A teacher that is not there any more is named in its place.
    """
    found: dict[str, None] = {}
    for name in recipe.teacher.models if recipe.teacher.share else ():
        try:
            found |= dict.fromkeys(load_model(name).info.seen)
        except ModelError:
            found[f"teacher {Path(name).name}"] = None
    return tuple(found)


def _mixed(part: Part, said: NDArray[np.float32], how: Teacher) -> Part:
    return replace(part, rows=replace(part.rows, target=mixed(part.rows.target, said, how)))


def mixed(target: NDArray[np.float32], said: NDArray[np.float32], how: Teacher) -> NDArray[np.float32]:
    """Targets ``(n, classes)`` of which ``how.share`` is what the teachers ``said`` ``(n, classes)``, flattened."""
    flat = np.maximum(said, 1e-12).astype(np.float64) ** (1 / how.heat)
    flat /= flat.sum(1, keepdims=True)
    return ((1 - how.share) * target + how.share * flat).astype(np.float32)


def _teacher(name: str, labels: LabelSet) -> Model:
    found = load_model(name)
    known = labels.translate(found.labels) >= 0
    if missing := [label for label, there in zip(labels.names, known, strict=True) if not there]:
        raise SettingError(
            f"The teacher {name} does not know '{missing[0]}': its labels are {', '.join(found.labels.names)}."
        )
    if found.clip is not None:
        raise SettingError(f"The teacher {name} is a video model: give one of single faces.")
    return found


def _insist_unseen(teacher: Model, data: str, parts: Sequence[Part]) -> None:
    """A teacher that knows the held-out rows would tell the student of them. Raises SettingError.

    ``parts`` are all that this run learns from of ``data``; of its other rows a teacher may know none, of any split.
    """
    ours = [part.manifest.hash() for part in parts]
    for seen in teacher.info.seen:
        name, _, identity = seen.partition(":")
        if name.startswith(f"{data}/") or name == data:
            count, _, rows = identity.partition(":")
            if rows not in ours:
                raise SettingError(
                    f"The teacher {teacher.folder} has learnt from {count} rows of '{data}' that are not the "
                    f"{sum(len(part.rows) for part in parts)} of this run: it may know the rows held out, and scores "
                    "on them would be too good. Give a teacher that was trained with the same fold held out, or set "
                    "fold=-1."
                )


def _answers(
    teachers: Sequence[Model], learn: Sequence[Part], labels: LabelSet, path: Path, say: Callable[[str], None]
) -> list[NDArray[np.float32]]:
    """Mean probabilities ``(n, classes)`` of the teachers for each part: those in ``path``, else asked for and kept."""
    names = " ".join([*(t.hash for t in teachers), *(p.manifest.hash() for p in learn), *labels.names])
    key = hashlib.sha256(names.encode()).hexdigest()
    said = _kept(path, key)
    if said is None:
        said = np.concatenate([_asked(teachers, part, labels, say) for part in learn])
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, key=np.array(key), said=said)
    return np.split(said, np.cumsum([len(part.rows) for part in learn])[:-1])


def _asked(teachers: Sequence[Model], part: Part, labels: LabelSet, say: Callable[[str], None]) -> NDArray[np.float32]:
    """Mean probabilities ``(n, classes)`` of the teachers, by the run's labels."""
    found = np.zeros((len(part.rows), len(labels)), np.float64)
    for teacher in teachers:
        order = [teacher.labels.index(name) for name in labels.names]
        view = View(teacher.size)
        for at in range(0, len(part.rows), _BATCH):
            rows = range(at, min(at + _BATCH, len(part.rows)))
            faces = np.stack([cut(part.rows, row, view, Augment(), (0,))[0] for row in rows])
            p = both_ways(teacher.predict, faces)[:, order]
            found[rows.start : rows.stop] += p / p.sum(1, keepdims=True) / len(teachers)
    named = part.truth >= 0
    right = (found.argmax(1) == part.truth)[named]
    told = f"; {right.mean():.1%} as they are labelled" if named.any() else ""
    say(f"teachers answered {len(part.rows)} faces of {part.name}{told}")
    return found.astype(np.float32)


def _kept(path: Path, key: str) -> NDArray[np.float32] | None:
    """What the same teachers said of the same rows before, or None."""
    try:
        file = read_npz(path, ("said", "key"))
        return file["said"] if str(file["key"]) == key else None
    except (OSError, ValueError):
        return None
