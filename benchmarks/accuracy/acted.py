"""Acted talking clips as the chain sees them: faces found, aligned, judged and read, one look per frame.

A pack holds 16 frames a clip without their times. They are taken to be spread evenly over a clip of ``SECONDS``, the
mean length of the 48 clips of actors 01 and 02, whose films are at hand (2.5 to 8.0 s); matched by their pixels, the
frames of those clips do lie evenly over the whole film. A film gives its own times.
Finding and aligning does not depend on the model, so it can be kept (``cache``) and read again by the next model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Face, Pixels
from tronie.faces.align import crop
from tronie.faces.detect import SHA256, Detector
from tronie.pipeline.looks import Look
from tronie.pipeline.quality import quality
from tronie.pipeline.reading import Model
from tronie.video.reader import VideoReader

SECONDS = 4.15
CODES = ("neutral", "sadness", "happiness", "surprise", "fear_or_disgust", "anger")
MEANT = {0: ("neutral",), 1: ("sadness",), 2: ("happiness",), 3: ("surprise",), 4: ("fear", "disgust"), 5: ("anger",)}
"""Labels that are right for a code."""
SURE = (0, 1, 2, 5)
"""Codes whose meaning is known; 3 is likely, 4 is not."""

Picture = tuple[int, float, float, Pixels]
"""Clip, time and duration in seconds, frame."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One actor, one sentence, one code, and what the model saw of it."""

    actor: int
    sentence: int
    code: int
    looks: list[Look]

    @property
    def end(self) -> float:
        """Seconds at which the clip ends."""
        return self.looks[-1].end


@dataclass(frozen=True, eq=False)
class _Faces:
    """Aligned faces of all clips, row by row, and the clip each belongs to."""

    crops: Pixels
    numbers: NDArray[np.float64]  # clip, time, duration, x, y, width, height, detection, quality


def packed(path: Path, detector: Detector, model: Model, usable: float, cache: Path | None) -> list[Clip]:
    """Clips of an ``.npz`` pack."""
    with np.load(path) as file:
        pack = {name: file[name] for name in file.files}
    start, offsets, blob = pack["clip_start"], pack["offsets"], pack["blob"]

    def frames() -> Iterator[Picture]:
        for clip in range(len(start) - 1):
            lasts = SECONDS / (start[clip + 1] - start[clip])
            for place, row in enumerate(range(start[clip], start[clip + 1])):
                picture = cv2.imdecode(blob[offsets[row] : offsets[row + 1]], cv2.IMREAD_COLOR)
                yield clip, place * lasts, lasts, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    faces = _kept(cache, f"{path.name} {hashlib.sha256(blob).hexdigest()} {SECONDS}", frames, detector, model.size)
    who = list(zip(pack["actor"].tolist(), pack["sentence"].tolist(), pack["label"].tolist(), strict=True))
    return [Clip(*who[clip], looks) for clip, looks in _read(faces, model, usable).items()]


def filmed(folder: Path, detector: Detector, model: Model, usable: float, cache: Path | None) -> list[Clip]:
    """Clips of a folder of films named ``actor-sentence-code``, each counted from 1, every frame."""
    films = sorted(folder.glob("*.mp4"))

    def frames() -> Iterator[Picture]:
        for clip, film in enumerate(films):
            for frame in VideoReader(film):
                yield clip, frame.time, frame.duration, frame.image

    faces = _kept(cache, " ".join(film.name for film in films), frames, detector, model.size)
    who = [tuple(int(part) for part in film.stem.split("_")[0].split("-")) for film in films]
    return [
        Clip(who[clip][0], who[clip][1], who[clip][2] - 1, looks) for clip, looks in _read(faces, model, usable).items()
    ]


def _kept(
    cache: Path | None, name: str, frames: Callable[[], Iterator[Picture]], detector: Detector, size: int
) -> _Faces:
    """The faces of all frames, found now or kept from before."""
    key = hashlib.sha256(f"{name} {size} {SHA256}".encode()).hexdigest()[:12]
    path = None if cache is None else cache / f"faces-{key}.npz"
    if path is not None and path.is_file():
        with np.load(path) as file:
            return _Faces(file["crops"], file["numbers"])
    crops, numbers = [], []
    before: tuple[int, Face] | None = None
    for clip, time, duration, image in frames():
        near = detector.near(image, [before[1]]) if before is not None and before[0] == clip else []
        # One person fills the picture: the surest face is theirs, and tracking is not under test.
        found = near or detector.detect(image)
        if not found:
            continue
        face = max(found, key=lambda one: one.score)
        before = clip, face
        crops.append(crop(image, face, size))
        numbers.append([clip, time, duration, *face.box, face.score, quality(face, crops[-1], image.shape)])
    faces = _Faces(np.stack(crops), np.array(numbers, np.float64))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, crops=faces.crops, numbers=faces.numbers)
    return faces


def _read(faces: _Faces, model: Model, usable: float) -> dict[int, list[Look]]:
    answers = np.concatenate([model.predict(faces.crops[i : i + 32]) for i in range(0, len(faces.crops), 32)])
    answers = answers.astype(np.float64) / answers.sum(1, keepdims=True, dtype=np.float64)
    clips: dict[int, list[Look]] = {}
    for row, odds in zip(faces.numbers.tolist(), answers, strict=True):
        looks = clips.setdefault(int(row[0]), [])
        looks.append(
            Look(
                len(looks), row[1], row[2], 0, (row[3], row[4], row[5], row[6]), row[7], row[8], row[8] >= usable, odds
            )
        )
    return clips
