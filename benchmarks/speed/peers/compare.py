"""Measure every peer that is installed, and Tronie, in the same run on the same frames.

    python benchmarks/speed/peers/install.py
    python benchmarks/speed/peers/compare.py [--peers FOLDER] [--data FOLDER] [--only NAME…] [--frames 40]

Writes ``peers.md`` and ``peers.json`` (numbers, no pixels) beside this folder. Frames are decoded once, before anything
is measured, so no figure holds decoding; each contestant works in a process of its own, one after the other. CPU-ms are
process time of all its threads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(ROOT / "benchmarks" / "accuracy"), str(ROOT / "src")]

import crowd  # noqa: E402  # benchmarks/accuracy/crowd.py
from install import FOLDER, PEERS  # noqa: E402

from tronie.core.face import Pixels  # noqa: E402
from tronie.core.labels import canonical  # noqa: E402
from tronie.metrics.steadiness import Sights, Steadiness, partners, steadiness, together  # noqa: E402
from tronie.models.catalog import load_model  # noqa: E402
from tronie.video.image import read_image  # noqa: E402
from tronie.video.reader import VideoReader, probe  # noqa: E402
from tronie.video.variations import PICTURES, Boxes  # noqa: E402

OURS = "tronie"
TABLE = HERE.parent / "peers.md"
FILMS = {"1080p": "acted_happy_1080p.mp4", "360p": "single_face.mp4", "mood": "london_neutral_smile_3people.mp4"}
PHOTOS = ("astronaut_nasa.jpg", "grace_hopper_usnavy.jpg", "london_grid12.jpg", "obama_and_biden.jpg")
CROWD = 3


@dataclass(frozen=True)
class Contestant:
    """``command`` is given the job and where to write the answer; ``peer`` is the environment it needs."""

    name: str
    peer: str
    command: tuple[str, ...]
    reads: bool = True
    """Whether it reads expressions."""


def contestants(folder: Path) -> list[Contestant]:
    """All of them, installed or not."""
    scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"

    def python(peer: str, script: str, *more: str) -> tuple[str, ...]:
        return (str(folder / peer / "venv" / scripts), str(HERE / script), "{job}", "{out}", *more)

    def node(peer: str, which: str) -> tuple[str, ...]:
        return ("node", str(HERE / "run_node.js"), "{job}", "{out}", which, str(folder / peer / "node_modules"))

    return [
        Contestant(OURS, "", (sys.executable, str(HERE / "run_tronie.py"), "{job}", "{out}")),
        Contestant("fer 25.10.3", "fer", python("fer", "run_fer.py")),
        Contestant("human 3.3.6", "human", node("human", "human")),
        Contestant("face-api 1.7.15, tiny", "face-api", node("face-api", "tiny")),
        Contestant("face-api 1.7.15, SSD", "face-api", node("face-api", "ssd")),
        Contestant(
            "MediaPipe 0.10.14, detection", "mediapipe", python("mediapipe", "run_mediapipe.py", "detection"), False
        ),
        Contestant("MediaPipe 0.10.14, mesh", "mediapipe", python("mediapipe", "run_mediapipe.py", "mesh"), False),
        Contestant("MTCNN (facenet-pytorch)", "mtcnn", python("mtcnn", "run_mtcnn.py"), False),
    ]


def raw(
    images: Iterable[Pixels], name: str, folder: Path, *, photo: bool = False, timed: bool = True, fps: float = 0.0
) -> dict[str, Any]:
    """A clip of a job: its frames written as they are."""
    path, count = folder / f"{len(list(folder.iterdir()))}.rgb", 0
    shape: tuple[int, ...] = ()
    with path.open("wb") as file:
        for image in images:
            file.write(image.tobytes())
            shape, count = image.shape, count + 1
    return {
        "name": name,
        "file": str(path),
        "height": shape[0],
        "width": shape[1],
        "frames": count,
        "photo": photo,
        "timed": timed,
        "fps": fps,
    }


@dataclass(frozen=True)
class Job:
    """What everybody is given: ``clips``; where the crowd's people are; how a varied photo's boxes come back."""

    clips: list[dict[str, Any]]
    places: list[crowd.Box]
    back: dict[str, Callable[[Boxes], Boxes]]


def job(data: Path, folder: Path, most: int) -> Job:
    """The films (the largest first: memory is read after it), the crowd, and the photos in all variations."""
    clips, back = [], {}
    for key, name in FILMS.items():
        path = data / "samples" / name
        with VideoReader(path) as reader:
            shown = itertools.islice(reader, None if key == "mood" else most)
            clips.append(raw((frame.image for frame in shown), key, folder, fps=probe(path).rate))
    picture, places = crowd.compose(crowd.london(data), 0)
    clips.append(raw(itertools.repeat(picture, CROWD), "crowd", folder, photo=True))
    for name in PHOTOS:
        image = read_image(data / "samples" / name)
        clips.append(raw([image], name, folder, photo=True, timed=False))
        for variation, change in PICTURES.items():
            shown_otherwise = change(image)
            key = f"{name}|{variation}"
            clips.append(raw([shown_otherwise.pixels], key, folder, photo=True, timed=False))
            back[key] = shown_otherwise.back
    return Job(clips, places, back)


def run(one: Contestant, given: Job, folder: Path, limit: float) -> dict[str, Any]:
    """Let one contestant do the job: its answer for each clip by name, or {"error": sentence}."""
    asked, out = folder / "job.json", folder / "answer.json"
    asked.write_text(json.dumps({"clips": given.clips}))
    out.unlink(missing_ok=True)
    command = [part.format(job=asked, out=out) for part in one.command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src") if not one.peer else ""}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return {"error": str(problem)[:200]}
    if done.returncode or not out.is_file():
        lines = (done.stderr or done.stdout).strip().splitlines()
        return {"error": next((line for line in reversed(lines) if "rror" in line), "no answer")[:200]}
    return {clip["name"]: clip for clip in json.loads(out.read_text())["clips"]}


def labels_of_largest(frames: list[list[list[Any]]]) -> list[str]:
    """The label of each frame's largest face; frames without one are left out."""
    return [canonical(max(faces, key=lambda f: f[2] * f[3])[4]) for faces in frames if faces]


def changes(labels: list[str]) -> int:
    """How often the label differs from the one before."""
    return sum(a != b for a, b in itertools.pairwise(labels))


def majority(labels: list[str], width: int) -> list[str]:
    """Each label replaced by the most frequent one in a window of ``width`` frames around it."""
    half = width // 2
    windows = [labels[max(i - half, 0) : i + half + 1] for i in range(len(labels))]
    return [max(dict.fromkeys(window), key=window.count) for window in windows]


def sights(frames: list[list[list[Any]]], back: Callable[[Boxes], Boxes] | None = None) -> Sights:
    """Faces frame by frame, a second each; ``back`` brings boxes to the original's place."""
    rows = [(t, face) for t, faces in enumerate(frames) for face in faces]
    start = np.array([t for t, _ in rows], float)
    box = np.array([face[:4] for _, face in rows], float).reshape(-1, 4)
    label = np.array([face[4] for _, face in rows], object)
    return Sights(start, start + 1, back(box) if back else box, label)


def steadied(answer: dict[str, Any], back: dict[str, Callable[[Boxes], Boxes]]) -> Steadiness:
    """What kept its label in the varied photos."""
    rows = []
    for key, bring in back.items():
        before = sights(answer[key.partition("|")[0]]["faces"])
        after = sights(answer[key]["faces"], bring)
        rows.append(steadiness(before, after, partners(before, after), "uncertain"))
    return together(rows)


def measure(one: Contestant, given: Job, folder: Path, repeats: int, limit: float) -> dict[str, Any]:
    """Everything about one contestant: per clip CPU-ms, wall-ms, memory and faces a frame; changes; steadiness."""
    answers = [run(one, given, folder, limit) for _ in range(repeats)]
    for answer in answers:
        if "error" in answer:
            return {"name": one.name, "error": answer["error"]}
    told: dict[str, Any] = {"name": one.name}
    for clip in given.clips:
        if clip["timed"]:
            best = min((answer[clip["name"]] for answer in answers), key=lambda c: c["cpu"])
            count = len(best["faces"])
            told[clip["name"]] = {
                "cpu": 1e3 * best["cpu"] / count,
                "wall": 1e3 * best["wall"] / count,
                "peak": best["peak"],
                "faces": sum(map(len, best["faces"])) / count,
            }
    answer = answers[0]
    middles = [(f[0] + f[2] / 2, f[1] + f[3] / 2) for f in answer["crowd"]["faces"][0]]
    told["found"] = sum(any(x < a < x + w and y < b < y + h for a, b in middles) for x, y, w, h in given.places)
    if one.reads:
        labels = labels_of_largest(answer["mood"]["faces"])
        rate = next(clip["fps"] for clip in given.clips if clip["name"] == "mood")
        told["changes"], told["filtered"] = changes(labels), changes(majority(labels, round(rate)))
        found = steadied(answer, given.back)
        told["steady"] = vars(found) | {"held": found.held}
    return told


def main() -> None:
    """Read the arguments, measure all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=FOLDER)
    parser.add_argument("--data", type=Path, default=crowd.DATA)
    parser.add_argument("--only", nargs="*", help="parts of names; Tronie always runs")
    parser.add_argument("--frames", type=int, default=40, help="of the clips that only speed is measured on")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each clip; the least CPU time counts")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that one run may take")
    parser.add_argument("--out", type=Path, default=TABLE)
    given = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as temporary:
        clips, scratch = Path(temporary) / "clips", Path(temporary) / "scratch"
        clips.mkdir()
        scratch.mkdir()
        work = job(given.data, clips, given.frames)
        for one in contestants(given.peers.resolve()):
            if given.only and one.peer and not any(part in one.name for part in given.only):
                continue
            failed = given.peers / one.peer / "failed.txt"
            if one.peer and failed.is_file():
                told = {"name": one.name, "error": failed.read_text().strip().splitlines()[-1][:200]}
            elif one.peer and not (given.peers / one.peer / "made.txt").is_file():
                told = {"name": one.name, "error": "not installed for this run"}
            else:
                told = measure(one, work, scratch, given.repeats, given.limit)
            if one.peer:
                told["note"] = PEERS[one.peer].note
            else:
                told["model"] = load_model().name
            measured.append(told)
            print(json.dumps(told), flush=True)
    given.out.with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n")
    from table import peers_table

    given.out.write_text(peers_table(measured, f"--frames {given.frames} --repeats {given.repeats}"), encoding="utf-8")


if __name__ == "__main__":
    main()
