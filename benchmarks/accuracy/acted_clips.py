"""Acted clips as cached features: clips in memory, leave-one-actor-out runs on them, runs kept as files.

Seed and actor name a run: it learns from the clips of the other actors and answers those of this one, so that a seed's
runs together answer every clip once. No epoch is chosen: the running average of weights at the last one answers. All
rows of a table meet the same features, batches and number of steps. A run takes one to four CPU seconds on one thread.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tracks_noise import softmax

from tronie.core import config
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment
from tronie.data.features import features
from tronie.data.loader import Rows
from tronie.data.prepared import open_prepared
from tronie.datasets.acted import LABELS, UNSURE
from tronie.models.catalog import load_model
from tronie.models.folder import Model
from tronie.train.loop import Listeners, Look, Loop, answer, train
from tronie.train.optim import Optim
from tronie.train.recipe import Recipe, Source, resolved
from tronie.train.run import make_method

SMALL: dict[str, Any] = {"width": 64, "hidden": 48, "layers": 1, "heads": 4, "dropout": 0.5}
"""Sizes for 168 clips; the same for every row."""
OPTIM = Optim(rate=1.5e-3, ema=0.95, decay=0.05)
PEOPLE = ("alone", "person")
"""Frames as they are; frames against the mean of all frames of this person, in units of their deviation."""
MEANT = {
    "neutral": ("neutral",),
    "sadness": ("sadness",),
    "happiness": ("happiness",),
    "surprise": ("surprise",),
    "fear or disgust": ("fear", "disgust"),
    "anger": ("anger",),
}
"""Labels of an image model that stand for a code's name: their probabilities are added."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of ``codes``: ``label`` ``(n,)`` counts these, ``feature`` ``(total, d)``, clip i at ``starts[i]`` on.

    ``image`` ``(total, codes)``: what the image model says of each frame, of these codes alone.
    """

    manifest: Manifest
    feature: Floats
    starts: Ints
    image: Probabilities

    @property
    def label(self) -> Ints:
        return self.manifest.label

    @property
    def actor(self) -> Ints:
        return self.manifest.group

    def rows(self, index: Ints) -> Rows:
        """The clips ``index`` as the loop takes them."""
        target = np.eye(len(self.manifest.labels), dtype=np.float32)[self.label[index]]
        one = np.ones(len(index), np.float32)
        return Rows(self.feature, index, target, one, starts=self.starts, kind="features")

    def per_clip(self, frames: NDArray[Any]) -> list[NDArray[Any]]:
        """What belongs to frames ``(total, ...)``, clip by clip."""
        return np.split(frames, self.starts[1:-1])


def unseen(model: Model) -> Model:
    """The model, if it has learnt from no acted clip: others know the actors under test. Raises SettingError."""
    known = [name for name in model.info.seen if "acted" in name]
    if known or not model.info.seen:
        what = f"has learnt from {known[0]}" if known else "does not say what it has learnt from"
        raise SettingError(
            f"Model '{model.name}' {what}: acted clips may only be judged by features of a model that "
            "has never seen their actors."
        )
    return model


def read_clips(prepared: Path, model: Model, cache: Path) -> Clips:
    """All clips of a folder that `tronie prepare acted-clips` wrote, as ``model`` sees their frames.

    Features and answers are kept in ``cache``. Raises SourceError, SettingError for a model that knows the actors.
    """
    folder = cache / f"features-{unseen(model).hash}"
    features(prepared, model, folder)
    opened, pixels = open_prepared(folder), open_prepared(prepared).faces
    kept = cache / f"image-{model.hash}-{opened.manifest.hash()}.npy"
    if not kept.is_file():
        parts = [model.predict(np.asarray(pixels[i : i + 32])) for i in range(0, len(pixels), 32)]
        np.save(kept, np.concatenate(parts))
    assert opened.starts is not None  # clips
    return Clips(
        opened.manifest,
        np.asarray(opened.faces, np.float32),
        opened.starts,
        as_codes(np.load(kept).astype(np.float64), model.labels),
    )


def as_codes(p: Probabilities, labels: LabelSet) -> Probabilities:
    """Probabilities of an image model's labels ``(n, labels)`` as those of the six codes ``(n, 6)``."""
    said = np.stack(
        [sum((p[:, labels.names.index(m)] for m in MEANT[name]), np.zeros(len(p))) for name in LABELS.names], 1
    )
    return np.asarray(said / said.sum(1, keepdims=True))


def chosen(clips: Clips, unsure: bool, person: bool) -> Clips:
    """With or without the unsure code; frames as they are, or against this person's own (of the clips left)."""
    if not unsure:
        keep = np.flatnonzero(clips.label != UNSURE)
        frames = np.flatnonzero(np.repeat(clips.label != UNSURE, np.diff(clips.starts)))
        names = tuple(name for i, name in enumerate(LABELS.names) if i != UNSURE)
        told = clips.manifest.select(keep)
        label = np.array([names.index(LABELS.names[code]) for code in told.label], np.int64)
        left = replace(told, labels=LabelSet(names), label=label)
        said = np.delete(clips.image[frames], UNSURE, 1)
        starts = np.concatenate([[0], np.cumsum(np.diff(clips.starts)[keep])])
        clips = Clips(left, clips.feature[frames], starts, said / said.sum(1, keepdims=True))
    return replace(clips, feature=against_own(clips)) if person else clips


def against_own(clips: Clips) -> Floats:
    """Features ``(total, d)`` minus their mean over all frames of the same actor, divided by their deviation there.

    It takes no label, but it takes all clips of a person at once, and these are balanced over the codes.
    """
    made, actor = clips.feature.copy(), np.repeat(clips.actor, np.diff(clips.starts))
    for one in np.unique(actor):
        mine = made[actor == one]
        made[actor == one] = (mine - mine.mean(0)) / (mine.std(0) + 1e-3)
    return made


@dataclass(frozen=True)
class Trial:
    """One row of a table with one seed: a run per actor. ``settings`` of the method ``method``.

    ``photos``: learns from photos beside the clips; ``stretch``: least share of a clip that it learns from at a time.
    """

    row: str
    method: str
    settings: Mapping[str, Any]
    seed: int
    condition: str
    inputs: int
    labels: tuple[str, ...]
    epochs: int = 20
    looks: int = 0
    batch: int = 64
    photos: bool = False
    stretch: float = 1.0

    def recipe(self) -> Recipe:
        """Everything that its runs depend on besides clips and labels."""
        small = SMALL | {"kind": "features", "inputs": self.inputs} | dict(self.settings)
        loop = Loop(epochs=self.epochs, batch=self.batch, seed=self.seed, half=False, judge_every=1000)
        return resolved(
            Recipe(
                "acted",
                (Source("acted"),),
                labels=self.labels,
                method=self.method,
                config=small,
                loop=loop,
                optim=OPTIM,
            )
        )

    def path(self, out: Path, model: str) -> Path:
        """Where its answers lie."""
        recipe = config.as_dict(self.recipe())
        told = json.dumps([recipe[part] for part in ("method", "config", "loop", "optim")], sort_keys=True)
        key = hashlib.sha256(told.encode()).hexdigest()[:12]
        kind = "-photos" * self.photos + f"-stretch{self.stretch:g}" * (self.stretch < 1)
        return out / f"{self.condition}{kind}-{self.seed}-{key}-{model}.npz"


def read_photos(prepared: Path, model: Model, cache: Path, names: Sequence[str]) -> Rows:
    """RAF-DB's photos as clips of one frame each, those of the codes ``names``. Raises SourceError."""
    folder = cache / f"photos-{unseen(model).hash}"
    features(prepared, model, folder)
    opened = open_prepared(folder)
    code = {label: i for i, name in enumerate(names) for label in MEANT[name]}
    label = np.array([code.get(name, -1) for name in opened.manifest.labels.names])[opened.manifest.label]
    index = np.flatnonzero((label >= 0) & (opened.manifest.split == "train"))
    return Rows(
        np.asarray(opened.faces, np.float32),
        index,
        np.eye(len(names), dtype=np.float32)[label[index]],
        np.ones(len(index), np.float32),
        starts=opened.starts,
        kind="features",
    )


def fit(trial: Trial, clips: Clips, report: Ints, photos: Rows | None = None) -> tuple[Probabilities, Probabilities]:
    """Learn from all clips but ``report`` ``(m,)``: ``(m, codes)`` for these; ``(looks, m, codes)`` of random looks.

    With ``photos`` every epoch draws as many of them as there are clips to learn from.
    """
    learn = np.setdiff1d(np.arange(len(clips.label)), report)
    recipe = trial.recipe()
    method = make_method(recipe)
    method.prepare(clips.manifest.select(learn), torch.from_numpy(clips.feature[clips.starts[learn]]))
    with tempfile.TemporaryDirectory() as folder:
        rows = [clips.rows(learn)]
        if trial.photos and photos is not None:
            rows.append(replace(photos, share=len(learn) / len(photos)))
        how = Augment(stretch=trial.stretch)
        made = train(method, rows, recipe.loop, OPTIM, how, Path(folder), Listeners())
    held = clips.rows(report)
    looks = [softmax(answer(made, held, look=Look(k, trial.seed, 9999)).logits) for k in range(trial.looks)]
    one = softmax(answer(made, held).logits)
    return one, np.stack(looks) if looks else np.zeros((0, *one.shape))


def run(trial: Trial, clips: Clips, photos: Rows | None = None) -> dict[str, Any]:
    """Answers to every clip by runs that never saw its actor: ``one`` ``(n, codes)``, ``looks`` ``(K, n, codes)``."""
    codes, began = len(clips.manifest.labels), time.process_time()
    one, looks = np.zeros((len(clips.label), codes)), np.zeros((trial.looks, len(clips.label), codes))
    for actor in np.unique(clips.actor).tolist():
        mine = clips.actor == actor
        one[mine], looks[:, mine] = fit(trial, clips, np.flatnonzero(mine), photos)
    return {"one": one, "looks": looks, "seconds": time.process_time() - began}


def ridge(clips: Clips, strength: float = 3.0) -> Ints:
    """Answers ``(n,)`` by ridge regression on mean and deviation over time, each actor held out; no seed, no epochs.

    ``strength`` is relative to the mean squared length of the standardised rows.
    """
    x = np.stack([np.concatenate([f.mean(0), f.std(0)]) for f in clips.per_clip(clips.feature)]).astype(np.float64)
    said, one = np.zeros(len(clips.label), np.int64), np.eye(len(clips.manifest.labels))
    for actor in np.unique(clips.actor):
        mine = clips.actor == actor
        mean, deviation = x[~mine].mean(0), x[~mine].std(0) + 1e-6
        learn, held = (x[~mine] - mean) / deviation, (x[mine] - mean) / deviation
        inner, target = learn @ learn.T / x.shape[1], one[clips.label[~mine]]
        weight = np.linalg.solve(inner + strength * np.eye(len(learn)), target - target.mean(0))
        said[mine] = (held @ learn.T / x.shape[1] @ weight + target.mean(0)).argmax(1)
    return said


def do(
    trials: Sequence[Trial], clips: Mapping[str, Clips], out: Path, model: str, photos: Mapping[str, Rows] | None = None
) -> None:
    """Run what is not there yet, each into a file of its own; ``clips`` and ``photos`` by condition."""
    todo = [t for t in trials if not t.path(out, model).is_file()]
    for number, trial in enumerate(todo, 1):
        made = run(trial, clips[trial.condition], (photos or {}).get(trial.condition))
        path = trial.path(out, model)
        out.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path.with_suffix(".part.npz"), **made)
        path.with_suffix(".part.npz").replace(path)
        print(f"{number} of {len(todo)}: {trial.row} {trial.condition} seed {trial.seed}", file=sys.stderr, flush=True)


def found(trials: Sequence[Trial], out: Path, model: str) -> list[dict[str, NDArray[Any]]]:
    """The answers of those trials that were run."""
    there = [path for t in trials if (path := t.path(out, model)).is_file()]
    return [dict(np.load(path)) for path in there]


def opened_model(folder: str) -> Model:
    """A model folder or name, refused where it knows the actors."""
    return unseen(load_model(folder))
