"""Film clips with valence and arousal as cached features: clips in memory, folds, runs on them kept as files.

Two ways to cut 634 clips into ten folds. *Blocks* are stretches of the pack's order; its clips are shuffled, so a film,
and a face, lies in many of them. *Faces apart*: clips whose faces look alike to dlib's face recognition network, which
has learnt no expression, stay together. Films and people are not named in the pack, so nothing can be cut by name.

A run learns from nine folds and answers the tenth, so that a seed's ten runs together answer every clip once. No epoch
is chosen: the running average of weights at the last one answers. A run takes some CPU seconds on one thread.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tronie.core import config
from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment
from tronie.data.features import features
from tronie.data.loader import Rows
from tronie.data.prepared import Opened, open_prepared, ratings
from tronie.metrics import scores
from tronie.metrics.folds import stratified_folds
from tronie.models.folder import Model
from tronie.nn.encoders.dlib import DlibResNet, load_dat
from tronie.train.loop import Loop, answer, train
from tronie.train.optim import Optim
from tronie.train.recipe import Recipe, Source, resolved
from tronie.train.run import make_method

FOLDS = 10
ALIKE = 0.55
"""Cosine of centred face vectors above which two clips stay together; 1 of 200 pairs of clips lies above it."""
SMALL: dict[str, Any] = {
    "kind": "features",
    "frames": 8,
    "width": 64,
    "hidden": 48,
    "layers": 1,
    "heads": 4,
    "dropout": 0.5,
    "drop": 0.5,
}
OPTIM = Optim(rate=1.5e-3, ema=0.95, decay=0.05)
_STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
_FACE = 150  # pixels that the face network was made for

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Films:
    """Clips with ``rating`` ``(n, 2)``, valence and arousal, and ``face`` ``(n, k)``, what tells faces apart.

    Of the frames of all clips, clip i at ``starts[i]`` on: ``feature`` ``(total, d)``, and an image model's
    probabilities, ``image`` ``(total, labels)``.
    """

    manifest: Manifest
    rating: Floats
    feature: Floats
    starts: Ints
    image: Floats
    face: Floats

    def __len__(self) -> int:
        return len(self.rating)

    def rows(self, index: Ints) -> Rows:
        """The clips ``index`` as the loop takes them: ratings, no label."""
        target = np.zeros((len(index), len(BASIC7)), np.float32)
        return Rows(
            self.feature,
            index,
            target,
            np.ones(len(index), np.float32),
            starts=self.starts,
            kind="features",
            affect=self.rating[index],
        )

    def means(self, frames: Floats, deviation: bool = False) -> NDArray[np.float64]:
        """Mean over each clip of what belongs to frames ``(total, w)``, perhaps with the deviation beside it."""
        parts = np.split(frames.astype(np.float64), self.starts[1:-1])
        both = [np.concatenate([p.mean(0), p.std(0)]) if deviation else p.mean(0) for p in parts]
        return np.stack(both)


def read_films(prepared: Path, model: Model, cache: Path) -> Films:
    """All clips of a folder that `tronie prepare film-clips` wrote, as ``model`` and the face network see them.

    What they see is kept in ``cache``. Raises SourceError, SettingError for a model that knows film clips.
    """
    if any("film" in name for name in model.info.seen) or not model.info.seen:
        raise SettingError(f"Model '{model.name}' may have learnt from film clips: give one that has not.")
    folder = cache / f"films-{model.hash}"
    features(prepared, model, folder)
    opened, pixels = open_prepared(folder), open_prepared(prepared)
    rated = ratings(opened.manifest)
    assert opened.starts is not None and rated is not None
    image, face = cache / f"image-{model.hash}.npy", cache / "faces.npy"
    if not image.is_file():
        parts = [model.predict(_resized(pixels.faces[i : i + 32], model.size)) for i in range(0, len(pixels.faces), 32)]
        np.save(image, np.concatenate(parts))
    if not face.is_file():
        np.save(face, faces_of(pixels))
    return Films(
        opened.manifest, rated, np.asarray(opened.faces, np.float32), opened.starts, np.load(image), np.load(face)
    )


def _resized(faces: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.stack([cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in np.asarray(faces)])


@torch.no_grad()
def faces_of(opened: Opened) -> Floats:
    """What dlib's face recognition network makes of the middle frame of each clip, ``(n, 256)``."""
    assert opened.starts is not None
    net, found = load_dat(DlibResNet(exact=True)).eval(), []
    for middle in ((opened.starts[:-1] + opened.starts[1:]) // 2).tolist():
        face = _resized(opened.faces[middle : middle + 1], _FACE)
        found.append(net(torch.from_numpy(face).permute(0, 3, 1, 2).float())[0].numpy())
    return np.stack(found)


def alike(face: Floats, least: float = ALIKE) -> Ints:
    """Group ``(n,)`` of each clip: those whose centred ``face`` vectors have a cosine of ``least`` share one.

    So do clips that a chain of such pairs joins.
    """
    centred = face - face.mean(0)
    centred = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    near = centred @ centred.T >= least
    group = np.arange(len(face))
    while True:
        joined = np.array([group[mine].min() for mine in near])
        if np.array_equal(joined, group):
            return group
        group = joined


def blocks(films: Films) -> Ints:
    """Fold ``(n,)`` of each clip: stretches of the pack's order."""
    return np.arange(len(films)) * FOLDS // len(films)


def faces_apart(films: Films) -> Ints:
    """Fold ``(n,)`` of each clip: those that look alike together."""
    return stratified_folds(np.zeros(len(films), np.int64), alike(films.face), FOLDS)


CUTS = {"blocks": blocks, "faces apart": faces_apart}


def ridge(x: NDArray[np.float64], rating: Floats, fold: Ints, *, stretch: bool = False) -> NDArray[np.float64]:
    """Answers ``(n, 2)`` by ridge regression on standardised ``x`` ``(n, w)``, each fold held out.

    Its strength is the one of four with the best mean CCC over five stretches of the training part, each held out in
    turn. ``stretch``: answers are drawn apart until those spread as the ratings do, which least squares does not care
    for and CCC does.
    """
    said = np.zeros(rating.shape)
    for k in range(FOLDS):
        learn, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        tried = {strength: _inner(x[learn], rating[learn], strength) for strength in _STRENGTHS}
        middle, spread = rating[learn].mean(0), rating[learn].std(0)
        factor = {s: spread / t.std(0) if stretch else np.ones(2) for s, t in tried.items()}

        drawn = {s: middle + factor[s] * (t - middle) for s, t in tried.items()}
        worth = {s: sum(scores.concordance(d[:, i], rating[learn, i]) for i in (0, 1)) for s, d in drawn.items()}
        best = max(worth, key=lambda s: worth[s])
        said[held] = middle + factor[best] * (_ridge(x[learn], rating[learn], x[held], best) - middle)
    return said


def _inner(x: NDArray[np.float64], y: Floats, strength: float) -> NDArray[np.float64]:
    """Answers ``(n, 2)`` to five stretches of rows, each held out."""
    part, tried = np.arange(len(x)) * 5 // len(x), np.zeros((len(x), 2))
    for j in range(5):
        tried[part == j] = _ridge(x[part != j], y[part != j], x[part == j], strength)
    return tried


def _ridge(x: NDArray[np.float64], y: Floats, new: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    a, target = (x - mean) / deviation, y.astype(np.float64)
    weight = np.linalg.solve(a.T @ a + strength * np.eye(a.shape[1]), a.T @ (target - target.mean(0)))
    return np.asarray((new - mean) / deviation @ weight + target.mean(0))


@dataclass(frozen=True)
class Trial:
    """One row of a table with one seed: a run per fold. ``settings`` of the method multitask."""

    row: str
    cut: str
    seed: int
    inputs: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    acted: bool = False
    epochs: int = 20
    batch: int = 64

    def recipe(self) -> Recipe:
        """Everything that its runs depend on besides clips and folds."""
        loop = Loop(epochs=self.epochs, batch=self.batch, seed=self.seed, half=False, judge_every=1000)
        return resolved(
            Recipe(
                "films",
                (Source("films"),),
                method="multitask",
                loop=loop,
                optim=OPTIM,
                config=SMALL | {"inputs": self.inputs} | dict(self.settings),
            )
        )

    def path(self, out: Path, model: str) -> Path:
        """Where its answers lie."""
        recipe = config.as_dict(self.recipe())
        told = json.dumps([self.cut, self.acted, *(recipe[part] for part in ("config", "loop", "optim"))])
        key = hashlib.sha256(told.encode()).hexdigest()[:12]
        return out / f"{self.cut.replace(' ', '-')}-{self.seed}-{key}-{model}.npz"


def acted_rows(prepared: Path, model: Model, cache: Path) -> Rows:
    """The labels of acted talking clips, as clips of features; the code whose meaning is not sure is left out."""
    folder = cache / f"acted-{model.hash}"
    features(prepared, model, folder)
    opened = open_prepared(folder)
    label = np.append(opened.manifest.labels.translate(BASIC7), -1)[opened.manifest.label]
    index = np.flatnonzero(label >= 0)
    return Rows(
        np.asarray(opened.faces, np.float32),
        index,
        np.eye(len(BASIC7), dtype=np.float32)[label[index]],
        np.ones(len(index), np.float32),
        starts=opened.starts,
        kind="features",
    )


def fit(trial: Trial, films: Films, learn: Ints, held: Ints, acted: Rows | None) -> Floats:
    """Valence and arousal ``(m, 2)`` of the clips ``held`` by a run that learnt from the clips ``learn``."""
    recipe = trial.recipe()
    method = make_method(recipe)
    method.prepare(films.manifest.select(learn), torch.from_numpy(films.feature[films.starts[learn]]))
    sources = [films.rows(learn), *([acted] if trial.acted and acted is not None else [])]
    with tempfile.TemporaryDirectory() as folder:
        made = train(method, sources, recipe.loop, OPTIM, Augment(), Path(folder))
    said = answer(made, films.rows(held)).affect
    assert said is not None
    return said


def do(trials: Sequence[Trial], films: Films, acted: Rows | None, out: Path, model: str) -> None:
    """Run what is not there yet, each into a file of its own."""
    todo = [t for t in trials if not t.path(out, model).is_file()]
    for number, trial in enumerate(todo, 1):
        began, fold, said = time.process_time(), CUTS[trial.cut](films), np.zeros((len(films), 2), np.float32)
        for k in range(FOLDS):
            held = np.flatnonzero(fold == k)
            said[held] = fit(trial, films, np.flatnonzero(fold != k), held, acted)
        path = trial.path(out, model)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path.with_suffix(".part.npz"), said=said, seconds=time.process_time() - began)
        path.with_suffix(".part.npz").replace(path)
        print(f"{number} of {len(todo)}: {trial.row} {trial.cut} seed {trial.seed}", file=sys.stderr, flush=True)
