"""A model folder: ``encoder.onnx``, ``model.json``, ``card.md``. All that a reading needs, and nothing that runs code.

A video model has a second graph, ``temporal.onnx``, which reads what the encoder makes of each frame
(:mod:`tronie.models.clip`); the encoder's own answers then say nothing.

What ``model.json`` carries is in :mod:`tronie.models.info`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.clips.views import View
from tronie.core.errors import ModelError, SettingError
from tronie.core.files import read_bytes
from tronie.core.labels import LabelSet
from tronie.core.words import printable, shortened
from tronie.metrics.calibration import softmax
from tronie.models.clip import LARGEST, ClipReader, bounded
from tronie.models.info import ModelInfo, NeutralFit, SegmentFit, read_info
from tronie.models.session import Session

BATCH = 32
_LONGEST_NAME = 200  # letters of a graph's file; systems take 255 bytes


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says of ``n`` faces, float32: raw logits ``(n, classes)``, feature ``(n, d)``, None if it has none.

    ``neutral`` ``(n, d)``: the feature of the neutral face that a model imagines behind each (KE2NT); None for others.
    A person's own neutral is the mean of their faces' ``neutral``, or of the features where they look most neutral.
    Measured against a reference ``r`` ``(d,)``, a face shows the change ``feature - r``, which is to be compared by
    cosine with ``words - words[neutral]`` (:attr:`Model.words`). ``affect`` ``(n, 2)``: valence and arousal of the
    expression shown, each in [-1, 1]; None for a model that does not say them.
    """

    logits: NDArray[np.float32]
    feature: NDArray[np.float32] | None = None
    neutral: NDArray[np.float32] | None = None
    affect: NDArray[np.float32] | None = None


class Model:
    """A loaded model folder. Safe to share between threads.

    ``hash`` (12 hex digits) covers the graphs and ``model.json``: it names the very model in every table. ``clip``
    reads stretches of frames, None for a model of single faces; a single face is a clip that stands still to a video
    model.
    """

    def __init__(
        self, info: ModelInfo, session: Session, hash_: str, folder: Path, clip: ClipReader | None = None
    ) -> None:
        self.info, self.hash, self.folder, self.clip = info, hash_, folder, clip
        self.name, self.size, self.labels = info.name, info.size, LabelSet(info.labels)
        self.view = View(info.size, info.frames)
        self._session = session
        self.affect = "affect" in (session.outputs if clip is None else clip.outputs)
        """Whether it says valence and arousal."""

    @property
    def segments(self) -> SegmentFit | None:
        """How sure a film's segments are, where that was measured."""
        return self.info.segments

    @property
    def neutral(self) -> NeutralFit | None:
        """How it reads neutral faces, where that was measured."""
        return self.info.neutral

    @property
    def words(self) -> NDArray[np.float32] | None:
        """Vectors ``(classes, d)`` that the model matches features with by cosine; None for one that does not."""
        if "words" not in self._session.outputs or self.clip is not None:
            return None
        return self._session.run(faces=np.zeros((1, self.size, self.size, 3), np.uint8))["words"]

    def answer(self, crops: NDArray[np.uint8]) -> Answer:
        """All that the model says of aligned faces ``(n, size, size, 3)`` uint8 RGB. Raises SettingError for others."""
        if self.clip is not None:
            feature = self.features(crops).astype(np.float32)
            logits, affect = self.clip.still(feature)
            return Answer(logits, feature, affect=affect)
        return self._encode(crops)

    def features(self, crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        """What the encoder makes of faces, ``(n, d)``, as clip methods learn from it. Raises ModelError for none."""
        found = self._encode(crops).feature
        if found is None:
            raise ModelError(f"Model '{self.name}' gives no feature, only labels: export it again with this Tronie.")
        return found.clip(-LARGEST, LARGEST).astype(np.float16)

    def _encode(self, crops: NDArray[np.uint8]) -> Answer:
        self._check(crops)
        # No face at all is asked as one, so that widths are known and the rest is the same.
        starts = range(0, max(len(crops), 1), BATCH)
        asked = crops if len(crops) else np.zeros((1, self.size, self.size, 3), np.uint8)
        parts = [self._session.run(faces=asked[i : i + BATCH]) for i in starts]

        def joined(name: str) -> NDArray[np.float32] | None:
            return np.concatenate([p[name] for p in parts])[: len(crops)] if name in parts[0] else None

        logits = joined("logits")
        assert logits is not None  # load_folder looked
        return Answer(logits, joined("feature"), joined("neutral"), bounded(joined("affect")))

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw logits ``(n, classes)`` of aligned faces ``(n, size, size, 3)`` uint8 RGB."""
        return self.answer(crops).logits

    def _check(self, crops: NDArray[np.uint8]) -> None:
        if crops.ndim != 4 or crops.shape[1:] != (self.size, self.size, 3) or crops.dtype != np.uint8:
            wanted = f"(n, {self.size}, {self.size}, 3)"
            raise SettingError(f"Model '{self.name}' takes uint8 faces {wanted}, not {crops.dtype} {crops.shape}.")

    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated probabilities ``(n, classes)`` of aligned faces ``(n, size, size, 3)`` uint8 RGB."""
        return self.read(crops)[0]

    def read(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Of such faces the calibrated probabilities, and :attr:`Answer.affect`, which needs no calibration."""
        answer = self.answer(crops)
        return softmax(answer.logits / self.info.temperature).astype(np.float32), answer.affect

    def predict_clip(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated probabilities ``(classes,)`` of one clip ``(n, size, size, 3)`` of frames that come evenly.

        A model of single faces answers the mean over the frames.
        """
        if self.clip is None:
            return np.asarray(self.predict(crops).mean(0))
        time = np.arange(len(crops), dtype=np.float64)
        return self.clip.read(self.features(crops), time, float(len(crops))).probability.astype(np.float32)


Predict = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""Faces ``(n, s, s, 3)`` uint8 to probabilities ``(n, classes)``."""


def both_ways(predict: Predict, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probabilities ``(n, classes)`` of faces ``(n, s, s, 3)`` read together with their mirror images.

    The geometric mean of both readings, which is the reading of the mean logits, so a model's temperature keeps its
    meaning. Costs twice as much and errs less; photos are read so, films are not.
    """
    return together(predict(crops), predict(mirrored(crops)))


def mirrored(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces ``(n, s, s, 3)``, left and right exchanged."""
    return np.ascontiguousarray(crops[:, :, ::-1])


def together(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """The geometric mean ``(n, classes)`` of two readings of the same faces, each ``(n, classes)``."""
    mean = np.sqrt(first.astype(np.float64) * second)
    return np.asarray(mean / mean.sum(1, keepdims=True))


def load_folder(folder: Path, threads: int = 1, provider: str = "cpu") -> Model:
    """Open a model folder to run on ``provider`` (``tronie.models.providers``).

    Raises ModelError (missing, damaged, tampered with, made for a newer Tronie), SettingError for the provider.
    """
    path = folder / "model.json"
    if not path.is_file() and (folder / "recipe.toml").is_file():
        if (folder / "model" / path.name).is_file():
            raise ModelError(f"{folder} is a run folder: give the model in it, {folder / 'model'}.")
        raise ModelError(
            f"{folder} is a run folder without a model: `tronie export {folder} --out MODEL` writes one, "
            "or says why it cannot."
        )
    if not path.is_file():
        raise ModelError(f"No model in {folder}: a model folder holds model.json and an ONNX graph.")
    text = read_bytes(path, error=ModelError)
    info = read_info(path, text)
    for graph in (info.graph, *(() if info.clip is None else (info.clip.graph,))):
        odd = len(graph) > _LONGEST_NAME or printable(graph) != graph
        if odd or graph != Path(graph).name or graph in ("", "..") or "\\" in graph:
            raise ModelError(f"{path} names a graph outside its folder ({shortened(graph)}): do not trust this model.")
    session = Session(folder / info.graph, expect=info.graph_sha256, threads=threads, provider=provider)
    if "faces" not in session.inputs or "logits" not in session.outputs:
        raise ModelError(f"{folder / info.graph} lacks the input 'faces' or the output 'logits': export it again.")
    if info.clip is not None and session.outputs.get("feature", [0])[-1] != info.clip.width:
        raise ModelError(
            f"{folder / info.graph} gives no features of {info.clip.width} numbers, which "
            f"{info.clip.graph} reads: export the model again."
        )
    clip = None if info.clip is None else _clip_reader(folder, info, threads, provider)
    _check_affect(folder / info.graph, session)
    sides, classes = session.inputs["faces"][1:3], session.outputs["logits"][-1]
    if sides != [info.size, info.size] or (clip is None and classes != len(info.labels)):
        raise ModelError(
            f"{path} speaks of {len(info.labels)} labels and faces of {info.size} pixels, its graph of "
            f"{classes} and {sides[0]}: export the model again."
        )
    return Model(info, session, hashlib.sha256(text).hexdigest()[:12], folder, clip)


def _clip_reader(folder: Path, info: ModelInfo, threads: int, provider: str) -> ClipReader:
    """The second graph of a video model, checked against what ``info`` says of it. Raises as its caller does."""
    assert info.clip is not None
    session = Session(folder / info.clip.graph, expect=info.clip.graph_sha256, threads=threads, provider=provider)
    shape, classes = session.inputs.get("clips", [])[1:], session.outputs.get("logits", [0])[-1]
    if shape != [info.clip.frames, info.clip.width] or classes != len(info.labels):
        raise ModelError(
            f"{folder / info.clip.graph} is not what model.json says (clips of "
            f"{info.clip.frames} frames, {len(info.labels)} labels): export the model again."
        )
    _check_affect(folder / info.clip.graph, session)
    return ClipReader(info.clip, session, info.temperature)


def _check_affect(path: Path, session: Session) -> None:
    if session.outputs.get("affect", [0, 2])[1:] != [2]:
        raise ModelError(f"{path} gives as 'affect' something else than valence and arousal: export the model again.")
