"""A video model beside the image model on films: who is read as what from when to when, and what a second costs.

    python benchmarks/accuracy/rdfer_films.py VIDEO_MODEL FILM… [--fades FILM… --compare NAME=MODEL,MODEL…]

``VIDEO_MODEL`` is a folder that `tronie export` wrote of the recipe rdfer-acted; its commands stand in the recipe.
``--fades`` are films that fade a neutral face to a smile and back; on them video models, a seed each, and the image
model are compared with what is true. Prints Markdown.
Costs are CPU seconds of this process, the least of ``--rounds``. The image model is the default one, whose features the
video model reads: finding, aligning and encoding faces is the same work for both, and each frame is encoded once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from joined import Film, fades
from tracks import main_of

from tronie.core.errors import SettingError
from tronie.core.timeline import Timeline
from tronie.faces.detect import RetinaFace
from tronie.models.catalog import load_model
from tronie.models.folder import Model
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.reading import clip_reader
from tronie.pipeline.settings import Settings
from tronie.video.reader import probe

RATE = 30  # frames in the second that parts are timed on


def least(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the fastest of ``rounds``."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def told(timeline: Timeline) -> tuple[str, str]:
    """Segments of each person, as numbers and in words."""
    tracks: dict[int, list[str]] = {}
    for segment in timeline.segments():
        tracks.setdefault(segment.track, []).append(f"{segment.label} {segment.start:.1f}–{segment.end:.1f}")
    return ", ".join(str(len(words)) for words in tracks.values()), "; ".join(" → ".join(w) for w in tracks.values())


def row(film: Path, model: Model, name: str, rounds: int) -> str:
    """Markdown: one film read by one model."""
    analyser, made = Analyser(model), list[Timeline]()
    seconds = least(lambda: made.append(analyser.analyse(film)), rounds)
    number, words = told(made[-1])
    return f"| {film.stem} | {name} | {number} | {words} | {1000 * seconds / probe(film).duration:.0f} |"


def parts(image: Model, video: Model, rounds: int) -> list[str]:
    """Markdown: what encoding a face and reading a window cost, and so a second of one face's film."""
    reader = clip_reader(video)
    if reader is None:
        raise SettingError(f"Model '{video.name}' reads single faces: give a video model.")
    info, rng = reader.info, np.random.default_rng(0)
    faces = rng.integers(0, 256, (RATE, image.size, image.size, 3)).astype(np.uint8)
    frames = max(round(info.window * RATE), info.frames)
    features = rng.normal(0, 0.4, (frames, info.width)).astype(np.float16)
    times, windows = np.arange(frames) / frames * info.window, range(200)
    encode = 1000 * least(lambda: image.answer(faces), rounds)
    read = 1000 * least(lambda: [reader.read(features, times, info.window, i) for i in windows], rounds) / len(windows)
    on_top = f"video model on top: {1 / info.hop:g} windows, {info.looks} looks each"
    return [
        "| one face, a second of film | CPU-ms |",
        "| --- | ---: |",
        f"| image model: {RATE} faces encoded | {encode:.1f} |",
        f"| {on_top} | {read / info.hop:.1f} |",
    ]


def tables(video: Model, films: Sequence[Path], rounds: int) -> list[str]:
    """All lines of the report."""
    image, info = load_model("default"), video.info.clip
    if info is None:
        raise SettingError(f"Model '{video.name}' reads single faces: give a video model.")
    seen = " and ".join(name.partition(":")[0] for name in video.info.seen)
    lines = [
        "# Films by a video model and by the image model",
        "",
        "`python benchmarks/accuracy/rdfer_films.py VIDEO_MODEL FILM… --fades FILM… --compare NAME=MODELS…`",
        "",
        f"Video model {video.name} (learnt from {seen}; windows of {info.window:g} s every {info.hop:g} s, "
        f"{info.looks} looks), image model {image.name}. Times in s.",
        "",
    ]
    lines += [*parts(image, video, rounds), "", "| film | read by | segments of each person | | CPU-ms a second |"]
    lines += ["| --- | --- | --- | --- | ---: |"]
    named = (("image model", image), ("video model", video))
    return lines + [row(film, model, name, rounds) for film in films for name, model in named]


def compared(paths: Sequence[Path], named: Sequence[str]) -> list[str]:
    """Markdown: fades as each of several models reads them, named ``NAME=MODEL,MODEL…``."""
    image = load_model("default")
    films = [(path, fades(path, RetinaFace(), image, Settings())) for path in paths]
    true = [len(film.truth) for _, of in films for film in of]
    lines = [
        "",
        "## Fades, neutral to smile and back, by seed",
        "",
        f"The film is half-way where the expression counts as changed: {', '.join(map(str, true))} segments, "
        f"{sum(n - 1 for n in true)} changes are true. *Changes* are those of the rows' labels; *of the nearest "
        "label*, had every row got one; *time right*: how long the right label stands.",
        "",
        "| read by | segments of each person | changes | of the nearest label | time right | right while neutral "
        "| while smiling |",
        "| --- | --- |" + " ---: |" * 5,
    ]
    models = {"image model": image}
    for name, _, folders in (text.partition("=") for text in named):
        models |= {f"{name}, {i + 1}": load_model(folder) for i, folder in enumerate(folders.split(","))}
    return lines + [_judged(name, model, films, image.labels.names) for name, model in models.items()]


def _judged(name: str, model: Model, films: Sequence[tuple[Path, Sequence[Film]]], names: Sequence[str]) -> str:
    """One row: every person's rows against what is true of them, which counts ``names``."""
    pieces, changes, nearest, times = list[str](), 0, 0, list[tuple[str, bool, float]]()
    for path, people in films:
        timeline = Analyser(model).analyse(path)
        best = np.array(timeline.labels.names)[timeline.probabilities.argmax(1)]
        for track, film in zip(np.unique(timeline["track"]).tolist(), people, strict=True):
            mine = np.flatnonzero(timeline["track"] == track)
            mine = mine[np.argsort(timeline["time"][mine], kind="stable")]
            pieces.append(str(sum(s.track == track for s in timeline.segments())))
            changes += sum(a != b for a, b in pairwise(timeline["label"][mine].tolist()))
            nearest += sum(a != b for a, b in pairwise(best[mine].tolist()))
            for i in mine:
                middle = timeline["time"][i] + timeline["duration"][i] / 2
                true = next((names[k] for a, b, k in film.truth if a <= middle < b), "")
                times.append((true, timeline["label"][i] == true, float(timeline["duration"][i])))
    shares = [_share([t for t in times if t[0] in which]) for which in (_FADED, _FADED[:1], _FADED[1:])]
    return f"| {' | '.join([name, ', '.join(pieces), str(changes), str(nearest), *shares])} |"


_FADED = ("neutral", "happiness")


def _share(times: Sequence[tuple[str, bool, float]]) -> str:
    """``71 %`` of the time is right."""
    return f"{100 * sum(t for _, right, t in times if right) / sum(t for _, _, t in times):.0f} %"


def main() -> None:
    """Read every film with both models."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("model", help="a video model's folder")
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--fades", nargs="+", type=Path, default=[], help="films that fade a neutral face to a smile")
    parser.add_argument("--compare", nargs="+", default=[], metavar="NAME=MODEL,MODEL", help="video models, by seed")
    args = parser.parse_args()
    print("\n".join(tables(load_model(args.model), args.films, args.rounds)))
    if args.fades:
        print("\n".join(compared(args.fades, args.compare)))


if __name__ == "__main__":
    sys.exit(main_of(main))
