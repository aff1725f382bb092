"""Valence and arousal of the model that ships: on film clips held out, and whether photos make sense.

    python benchmarks/accuracy/affect.py PREPARED [--model MODEL] [--out benchmarks/accuracy/affect.md]

PREPARED holds the prepared sets `film-clips`, `rafdb` and `ferplus` (`tronie prepare`). The clips are answered by heads
fitted without their tenth of the data, as tools/fit_affect.py fits them. No photo here is rated for valence or arousal:
what can be looked at is whether expressions lie where everybody would put them, and what a small face does. That the
heads hold disgust to the other unpleasant expressions was decided after a look at these very photos.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.metrics.intervals import Interval, bootstrap
from tronie.metrics.scores import pearson
from tronie.models.catalog import load_model
from tronie.models.folder import Model, mirrored
from tronie.train.exported import Bench, open_bench

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import fit_affect as fitting  # noqa: E402  # tools/fit_affect.py

SIDES = (64, 48, 32, 24, 16)
SMALL = 1000  # faces that are made small
SEED = 0
CHECKS = (
    ("valence", ("happiness",), ("neutral",)),
    ("valence", ("neutral",), ("sadness", "anger", "disgust", "fear")),
    ("arousal", ("surprise", "fear", "anger"), ("neutral", "sadness")),
    ("arousal", ("happiness",), ("neutral",)),
)
"""What should lie higher, what lower; each label counts alike."""

Array = NDArray[np.float64]


def clip_table(clips: fitting.Clips, tie: fitting.Tie, probability: Array) -> list[str]:
    """Scores of each way on clips held out."""
    told = fitting.Clips(np.log(np.maximum(probability, 1e-2)), clips.starts, clips.rated, clips.name)
    narrow = fitting.by_ridge(clips, tie, stretched=False)
    ways = {
        "head on the seven probabilities' logarithms": fitting.held_out(told, fitting.by_ridge(told, None)),
        "head on the feature, disgust free": fitting.held_out(clips, fitting.by_ridge(clips, None)),
        "as it ships, but with ridge's own spread": fitting.held_out(clips, narrow),
        "**as it ships**": fitting.held_out(clips, fitting.by_ridge(clips, tie)),
    }
    names = [f"{score}_{name}" for name in fitting.AFFECT for score in fitting.SCORES]
    heads = [name.replace("ccc", "CCC").replace("rmse", "RMSE").replace("_", ", ") for name in names]
    lines = ["| answer | " + " | ".join(heads) + " |", "| --- " * (len(names) + 1) + "|"]
    for way, answer in ways.items():
        found = fitting.scores(answer, clips.rated)
        lines.append(f"| {way} | " + " | ".join(shown(found[name]) for name in names) + " |")
    return lines


def shown(one: Interval) -> str:
    """An estimate with its interval."""
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def photos(
    model: Model, free: fitting.Head, crops: Callable[[int, int], NDArray[np.uint8]], count: int
) -> tuple[Array, Array]:
    """Valence and arousal ``(count, 2)`` of faces, each with its mirror image: the model's answers and ``free``'s."""
    ours, theirs = [], []
    for start in range(0, count, 256):
        some = crops(start, min(start + 256, count))
        both = [model.answer(one) for one in (some, mirrored(some))]
        ours.append(np.mean([one.affect for one in both], 0, np.float64))
        theirs.append(np.mean([free(np.asarray(one.feature, np.float64)) for one in both], 0))
    return np.concatenate(ours), np.concatenate(theirs)


def label_table(said: Array, free: Array, bench: Bench, labels: tuple[str, ...]) -> list[str]:
    """Mean valence and arousal by label."""
    lines = [
        "| expression | faces | valence | arousal | at an end | disgust free: valence, arousal |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for k in np.argsort([-said[bench.truth == k, 0].mean() for k in range(len(labels))]):
        mine, theirs = said[bench.truth == k], free[bench.truth == k].mean(0)
        cells = [shown(bootstrap(lambda i, m=mine[:, j]: float(m[i].mean()), len(mine))) for j in (0, 1)]
        end = (np.abs(mine) > 0.999).mean(0)
        lines.append(
            f"| {labels[k]} | {len(mine)} | {cells[0]} | {cells[1]} | {100 * end[0]:.0f} %, "
            f"{100 * end[1]:.0f} % | {theirs[0]:.2f}, {theirs[1]:.2f} |"
        )
    return lines


def checks(said: Array, bench: Bench, labels: tuple[str, ...]) -> list[str]:
    """What should lie higher than what, by how much it does, and in what share of pairs."""
    lines = ["| higher | than | in | by | in this share of pairs |", "| --- | --- | --- | --- | --- |"]
    for name, above, below in CHECKS:
        j = fitting.AFFECT.index(name)
        high, low = ([labels.index(one) for one in some] for some in (above, below))

        def gap(i: NDArray[np.int64], j: int = j, high: list[int] = high, low: list[int] = low) -> float:
            truth, value = bench.truth[i], said[i, j]
            return float(
                np.mean([value[truth == k].mean() for k in high]) - np.mean([value[truth == k].mean() for k in low])
            )

        pairs = np.mean(
            [(said[bench.truth == a, j][:, None] > said[bench.truth == b, j]).mean() for a in high for b in low]
        )
        found = bootstrap(gap, len(said), groups=bench.manifest.group)
        lines.append(f"| {', '.join(above)} | {', '.join(below)} | {name} | {shown(found)} | {100 * pairs:.0f} % |")
    return lines


def shrunk(crops: Callable[[int, int], NDArray[np.uint8]], side: int, start: int, stop: int) -> NDArray[np.uint8]:
    """Faces as they would be had they been seen ``side`` pixels wide."""
    return np.stack(
        [
            cv2.resize(
                cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA),
                one.shape[1::-1],
                interpolation=cv2.INTER_LINEAR,
            )
            for one in crops(start, stop)
        ]
    )


def size_table(model: Model, free: fitting.Head, bench: Bench) -> list[str]:
    """What becomes of the answers to the same faces when they are seen small."""
    rows = np.sort(np.random.default_rng(SEED).permutation(len(bench.index))[:SMALL])

    def crops(start: int, stop: int) -> NDArray[np.uint8]:
        return np.concatenate([bench.crops(int(i), int(i) + 1, model.size, "aligned") for i in rows[start:stop]])

    whole, _ = photos(model, free, crops, len(rows))
    lines = [
        "| seen at | valence: shift | correlation | spread | arousal: shift | correlation | spread |",
        "| --- " * 7 + "|",
        f"| {model.size} px | 0 | 1 | {whole[:, 0].std():.2f} | 0 | 1 | {whole[:, 1].std():.2f} |",
    ]
    for side in SIDES:
        small, _ = photos(model, free, partial(shrunk, crops, side), len(rows))
        cells = [
            f"{(small - whole)[:, j].mean():+.2f} | {pearson(small[:, j], whole[:, j]):.2f} | {small[:, j].std():.2f}"
            for j in (0, 1)
        ]
        lines.append(f"| {side} px | {' | '.join(cells)} |")
    return lines


def aligned(model: Model, bench: Bench, start: int, stop: int) -> NDArray[np.uint8]:
    """Faces of a bench as the chain cuts them."""
    return bench.crops(start, stop, model.size, "aligned")


def report(model: Model, prepared: Path) -> list[str]:
    """The whole page."""
    clips = fitting.read_clips(model, prepared / "film-clips")
    faces = fitting.open_prepared(prepared / "film-clips").faces
    said = np.concatenate([model.predict(np.ascontiguousarray(faces[i : i + 256])) for i in range(0, len(faces), 256)])
    tie = fitting.Tie.of(fitting.read_photos(model, prepared / "rafdb"), model.labels)
    x, fold, labels = clips.mean(clips.frames), fitting.blocks(len(clips.rated)), model.labels.names
    head, free = fitting.fit(x, clips.rated, fold, tie), fitting.fit(x, clips.rated, fold, None)
    chosen = "; ".join(
        f"{name}: strength {a:g}, stretch {b:.2f}"
        for name, a, b in zip(fitting.AFFECT, head.strength, head.stretch, strict=True)
    )
    lines = [
        f"# Valence and arousal: {model.name}",
        "",
        f"Made by `python benchmarks/accuracy/affect.py PREPARED`, graph {model.info.graph_sha256[:12]}.",
        f"{len(clips.rated)} clips of films, {len(clips.frames)} frames, rated as wholes. {fitting.FOLDS} folds of",
        f"neighbouring clips; intervals (95 %) are bootstraps over stretches of {fitting.STRETCH} neighbours. The pack",
        "names no films: other clips of the same ones have been learnt from (`film_affect.md` holds faces apart, too).",
        "",
        "## Film clips, held out",
        "",
        *clip_table(clips, tie, said),
        "",
        f"Chosen on all clips: {chosen}.",
        "",
        f"Ratings: mean {clips.rated.mean(0).round(2).tolist()}, spread {clips.rated.std(0).round(2).tolist()}.",
    ]
    opened = {
        "RAF-DB fold 0 (the feature has learnt its labels)": open_bench(
            prepared / "rafdb", "rafdb", model.labels, folds="rafdb-train", fold=0
        ),
        "FERPlus valid (never learnt from)": open_bench(prepared / "ferplus", "ferplus", model.labels, split="valid"),
    }
    for title, bench in opened.items():
        read, other = photos(model, free, partial(aligned, model, bench), len(bench.index))
        lines += [
            "",
            f"## Photos by label: {title}",
            "",
            *label_table(read, other, bench, labels),
            "",
            *checks(read, bench, labels),
        ]
    bench = next(iter(opened.values()))
    return [*lines, "", f"## {SMALL} faces of RAF-DB fold 0, made small", "", *size_table(model, free, bench)]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    model = load_model(given.model)
    if not model.affect:
        parser.error(f"{model.name} does not say valence and arousal: fit a head with tools/fit_affect.py first.")
    given.out.write_text("\n".join(report(model, given.prepared)) + "\n", encoding="utf-8")
    print(f"Written: {given.out}")


if __name__ == "__main__":
    main()
