"""A head for valence and arousal, fitted on rated clips of films and put into the graph of a model of single faces.

    python tools/fit_affect.py MODEL PREPARED --out FOLDER

MODEL is a model folder whose graph gives `feature`; PREPARED holds what `tronie prepare` wrote of `film-clips` and
`rafdb`. FOLDER becomes a copy of MODEL whose graph has the output `affect` too; whatever else it answers stays the same
to the bit. The head is linear: ridge regression of a clip's rating on the mean feature of its frames, so that what it
says of a clip is the mean of what it says of the frames. Strength and stretch are chosen by inner folds, and the scores
that go into `model.json` are those of clips that were held out. Films are not named, and neighbours in the pack are no
more alike than any two clips (`benchmarks/accuracy/film_affect.md`, which also holds similar faces apart): so these
scores are those of other clips of the same films.

The films hardly show disgust. What a head says of it is then left to chance: pleasant and calm, as it happened. So
photos of disgust (RAF-DB, folds 1 to 4) are put, on average, where the head puts those of anger, fear and sadness; for
the other labels it says of photos what it would have said.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tronie.core.labels import LabelSet
from tronie.core.timeline import AFFECT
from tronie.data.prepared import open_prepared, read_folds
from tronie.metrics.intervals import Interval, bootstrap
from tronie.metrics.scores import concordance, pearson, root_mean_square
from tronie.models.folder import Model, load_folder
from tronie.models.info import write_info
from tronie.models.session import sha256

FOLDS = 10
STRETCH = 10  # neighbouring clips that an interval draws together
STRENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
UNSEEN, LIKE = "disgust", ("anger", "fear", "sadness")
"""The expression that the films hardly show, and those that it is taken to lie among."""
PHOTOS = 150  # of each label
SCORES: dict[str, Callable[[NDArray[np.floating], NDArray[np.floating]], float]] = {
    "ccc": concordance,
    "pearson": pearson,
    "rmse": root_mean_square,
}
_BATCH = 256

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clips:
    """``frames`` ``(total, d)``: what the model makes of every frame; clip i begins at ``starts[i]``, ``(n + 1,)``.

    ``rated`` ``(n, 2)`` is valence and arousal of the whole clip, each in [-1, 1]. ``name`` says which data.
    """

    frames: Array
    starts: NDArray[np.int64]
    rated: Array
    name: str

    def mean(self, of: Array) -> Array:
        """Means over each clip's frames ``(n, …)`` of what is said of all frames ``(total, …)``."""
        return np.asarray(np.add.reduceat(of, self.starts[:-1]) / np.diff(self.starts)[:, None])


@dataclass(frozen=True, eq=False)
class Head:
    """``features @ weight + bias``, brought to [-1, 1]: ``weight`` ``(d, 2)``, ``bias`` ``(2,)``.

    ``strength`` (of ridge, in units of the features' mean variance) and ``stretch`` (how much wider the answers lie
    than ridge's own), one for each output, are what was chosen.
    """

    weight: Array
    bias: Array
    strength: tuple[float, ...]
    stretch: tuple[float, ...]

    def __call__(self, features: Array) -> Array:
        return np.clip(features @ self.weight + self.bias, -1, 1)


def features(model: Model, faces: NDArray[np.uint8]) -> Array:
    """What the model makes of faces ``(n, s, s, 3)``, ``(n, d)``."""
    found = [model.answer(np.ascontiguousarray(faces[i : i + _BATCH])).feature for i in range(0, len(faces), _BATCH)]
    return np.concatenate([one for one in found if one is not None]).astype(np.float64)


def read_clips(model: Model, folder: Path) -> Clips:
    """The features of a prepared folder of rated clips of faces."""
    opened = open_prepared(folder)
    rows = opened.manifest
    if opened.starts is None or opened.kind != "pixels" or rows.valence is None or rows.arousal is None:
        raise SystemExit(f"{folder} holds no clips of faces with valence and arousal: `tronie prepare film-clips`.")
    rated = np.stack([rows.valence, rows.arousal], 1).astype(np.float64)
    return Clips(features(model, opened.faces), opened.starts, rated, f"film-clips:{len(rows)}:{rows.hash()}")


def read_photos(model: Model, folder: Path) -> Array:
    """Mean features of photos by label, ``(labels, d)`` in the model's order: RAF-DB without fold 0."""
    opened = open_prepared(folder)
    rows, rng, means = opened.manifest, np.random.default_rng(0), []
    learn = read_folds("rafdb-train", rows) > 0
    for name in model.labels.names:
        mine = np.flatnonzero(learn & (rows.label == rows.labels.index(name)))
        some = np.sort(rng.permutation(mine)[:PHOTOS])
        means.append(features(model, opened.faces[some, -1]).mean(0))
    return np.stack(means)


def blocks(count: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """Fold ``(count,)`` of each clip: ``folds`` stretches of neighbours of nearly one length."""
    return np.arange(count) * folds // count


@dataclass(frozen=True, eq=False)
class Tie:
    """Mean features of photos ``(labels, d)``: that of label ``unseen`` shall be answered as those of ``like`` are."""

    photos: Array
    unseen: int
    like: tuple[int, ...]

    @staticmethod
    def of(photos: Array, labels: LabelSet) -> Tie:
        """``UNSEEN`` to ``LIKE``."""
        return Tie(photos, labels.index(UNSEEN), tuple(labels.index(name) for name in LIKE))


def ridge(x: Array, y: Array, strength: float, tie: Tie | None) -> tuple[Array, float]:
    """Weights ``(d,)`` and bias of ridge regression of ``y`` ``(n,)`` on ``x`` ``(n, d)``.

    ``strength`` counts in mean variances of the features. They are not standardised one by one: what hardly moves in
    the films would be blown up, and moves more in photos. With a tie, the least change of ridge's own cost that puts
    the mean photo of the label unseen to the mean of those alike, and leaves those of all other labels where they are.
    """
    mean = x.mean(0)
    z, unit = x - mean, float(x.var(0).mean())
    cost = z.T @ z + strength * unit * np.eye(z.shape[1])
    weight = np.linalg.solve(cost, z.T @ (y - y.mean()))
    if tie is not None:
        held = (tie.photos - mean).T
        said, move = held.T @ weight, np.zeros(held.shape[1])
        move[tie.unseen] = said[list(tie.like)].mean() - said[tie.unseen]
        way = np.linalg.solve(cost, held)
        weight = weight + way @ np.linalg.solve(held.T @ way, move)
    return weight, float(y.mean() - mean @ weight)


def fit(x: Array, y: Array, fold: NDArray[np.int64], tie: Tie | None, *, stretched: bool = True) -> Head:
    """A head from mean features ``(n, d)`` to ratings ``(n, 2)``; its settings are chosen over the folds ``(n,)``.

    What counts is the concordance of answers to clips held out. The strength is the largest that loses no more of it
    to the best one than one standard error of that loss over the folds (Breiman et al., "Classification and Regression
    Trees", 1984, here paired): photos are unlike films, and a strong ridge strays less. ``stretched`` brings the spread
    of these answers to that of the ratings, which is best for the concordance.
    """
    parts = [_fit_one(x, y[:, j], fold, tie, stretched) for j in range(y.shape[1])]
    weight, bias, strength, stretch = zip(*parts, strict=True)
    return Head(np.stack(weight, 1), np.array(bias), strength, stretch)


def _fit_one(
    x: Array, y: Array, fold: NDArray[np.int64], tie: Tie | None, stretched: bool
) -> tuple[Array, float, float, float]:
    tried, each = [], []
    for strength in STRENGTHS:
        answer = np.zeros(len(y))
        for k in np.unique(fold):
            weight, bias = ridge(x[fold != k], y[fold != k], strength, tie)
            answer[fold == k] = x[fold == k] @ weight + bias
        stretch = float(y.std() / max(answer.std(), 1e-9)) if stretched else 1.0
        answer = y.mean() + stretch * (answer - y.mean())
        tried.append((strength, stretch))
        each.append([concordance(answer[fold == k], y[fold == k]) for k in np.unique(fold)])
    loss = np.max(np.mean(each, 1)) - np.mean(each, 1)
    error = np.std(np.array(each) - each[int(loss.argmin())], 1) / len(each[0]) ** 0.5
    strength, stretch = max(one for one, lost, by in zip(tried, loss, error, strict=True) if lost <= by)
    weight, bias = ridge(x, y, strength, tie)
    return stretch * weight, float(y.mean() + stretch * (bias - y.mean())), strength, stretch


def held_out(clips: Clips, make: Callable[[NDArray[np.int64]], Callable[[Array], Array]]) -> Array:
    """Answers ``(n, 2)`` to every clip by what ``make`` fits to the clips of the other folds, given by position.

    What is fitted answers frames ``(m, d)``; a clip's answer is the mean over its frames, as it is when a film is read.
    """
    fold, answer = blocks(len(clips.rated)), np.zeros_like(clips.rated)
    for k in np.unique(fold):
        said = clips.mean(make(np.flatnonzero(fold != k))(clips.frames))
        answer[fold == k] = said[fold == k]
    return answer


def by_ridge(clips: Clips, tie: Tie | None, *, stretched: bool = True) -> Callable[[NDArray[np.int64]], Head]:
    """For :func:`held_out`: the head that this tool fits."""
    x, fold = clips.mean(clips.frames), blocks(len(clips.rated))
    return lambda rows: fit(x[rows], clips.rated[rows], fold[rows], tie, stretched=stretched)


def scores(answer: Array, rated: Array) -> dict[str, Interval]:
    """``ccc_valence`` … ``rmse_arousal`` of answers ``(n, 2)``; intervals draw stretches of neighbouring clips."""
    groups, found = np.arange(len(rated)) // STRETCH, {}
    for score, of in SCORES.items():
        for j, name in enumerate(AFFECT):
            a, r = answer[:, j], rated[:, j]
            found[f"{score}_{name}"] = bootstrap(lambda i, a=a, r=r, of=of: of(a[i], r[i]), len(r), groups=groups)  # type: ignore[misc]
    return found


def with_head(source: Path, target: Path, head: Head) -> Path:
    """Write the graph ``source`` to ``target``, with an output ``affect`` ``(n, 2)`` made of its output ``feature``."""
    model = onnx.load(str(source))
    graph = model.graph
    if "feature" not in {one.name for one in graph.output} or "affect" in {one.name for one in graph.output}:
        raise SystemExit(f"{source} gives no feature, or says valence and arousal already: nothing to do.")
    numbers = {"affect.weight": head.weight, "affect.bias": head.bias, "affect.least": -1.0, "affect.most": 1.0}
    graph.initializer.extend(numpy_helper.from_array(np.array(v, np.float32), name) for name, v in numbers.items())
    graph.node.extend(
        [
            helper.make_node("Gemm", ["feature", "affect.weight", "affect.bias"], ["affect.free"], "affect"),
            helper.make_node("Clip", ["affect.free", "affect.least", "affect.most"], ["affect"], "affect.bounded"),
        ]
    )
    batch = next(one for one in graph.output if one.name == "feature").type.tensor_type.shape.dim[0].dim_param
    graph.output.append(helper.make_tensor_value_info("affect", onnx.TensorProto.FLOAT, [batch or "n", 2]))
    onnx.checker.check_model(model)
    onnx.save(model, str(target))
    return target


def write_model(model: Model, folder: Path, head: Head, clips: Clips, found: dict[str, Interval]) -> Model:
    """A copy of the model's folder with the head in its graph, the data it has seen, and its scores. Opens it."""
    shutil.copytree(model.folder, folder)
    graph = with_head(model.folder / model.info.graph, folder / model.info.graph, head)
    measured = {f"film-clips/{name}": (one.value, one.low, one.high) for name, one in found.items()}
    write_info(
        folder,
        replace(
            model.info,
            graph_sha256=sha256(graph),
            seen=(*model.info.seen, clips.name),
            scores=model.info.scores | measured,
        ),
    )
    return load_folder(folder)


def insist_same(before: Model, after: Model, faces: Sequence[NDArray[np.uint8]]) -> None:
    """Ends the program where the new graph answers anything else than the old one, besides the new output."""
    for some in faces:
        old, new = before.answer(some), after.answer(some)
        same = np.array_equal(old.logits, new.logits) and np.array_equal(old.feature, new.feature)  # type: ignore[arg-type]
        if not same or new.affect is None:
            raise SystemExit("The new graph answers other logits or features: ONNX Runtime has changed its plan.")


def main() -> None:
    """Fit, measure, write, check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    model = load_folder(given.model)
    clips = read_clips(model, given.prepared / "film-clips")
    tie = Tie.of(read_photos(model, given.prepared / "rafdb"), model.labels)
    head = fit(clips.mean(clips.frames), clips.rated, blocks(len(clips.rated)), tie)
    found = scores(held_out(clips, by_ridge(clips, tie)), clips.rated)
    for name, one in found.items():
        print(f"{name}: {one}")
    print(f"strength {head.strength}, stretch {head.stretch}")
    written = write_model(model, given.out, head, clips, found)
    faces = open_prepared(given.prepared / "film-clips").faces
    insist_same(model, written, [np.ascontiguousarray(faces[:n]) for n in (1, 2, 32, 70)])
    print(f"Written: {given.out}, model {written.hash}; logits and features are as they were")


if __name__ == "__main__":
    main()
