"""CPU time of the chain, stage by stage, and its memory on a long film.

    python benchmarks/speed/stages.py FILM… [--minutes 10] [--photo PICTURE] [--crowd PICTURE]

Every frame is answered. Each stage is measured as the difference between running the chain up to it and up to the one
before, in process time of one thread, the least of several runs; a machine under load still shifts absolutes, so quote
ratios. Prints a Markdown table. ``budgets.py`` beside this holds the same figures to their budgets.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

import tronie
from tronie.core.face import Face, Frame, Pixels
from tronie.pipeline.find import Finder
from tronie.pipeline.reading import Reader
from tronie.video.image import read_image
from tronie.video.reader import VideoReader, probe

REPEATS = 5


def decode(film: Path, analyser: tronie.Analyser) -> int:
    """Frames of the film, decoded only."""
    return sum(1 for _ in VideoReader(film))


def find(film: Path, analyser: tronie.Analyser) -> int:
    """Decoded, faces found and tracked."""
    finder = Finder(analyser.detector, analyser.settings)
    return sum(len(finder.step(frame)) >= 0 for frame in VideoReader(film))


def read(film: Path, analyser: tronie.Analyser) -> int:
    """The same, faces aligned, judged and read by the model."""
    finder, reader = Finder(analyser.detector, analyser.settings), Reader(analyser.model, analyser.settings)
    count = 0
    for frame in VideoReader(film):
        reader.take(frame, finder.step(frame))
        count += 1
    reader.flush()
    return count


def whole(film: Path, analyser: tronie.Analyser) -> int:
    """The whole chain to the finished timeline."""
    return analyser.analyse(film).looked[0].frames


def timed(stage: Callable[[Path, tronie.Analyser], int], film: Path, analyser: tronie.Analyser) -> list[float]:
    """CPU-ms per frame of several runs, after one to warm up."""
    stage(film, analyser)
    spent = []
    for _ in range(REPEATS):
        begin = time.process_time()
        frames = stage(film, analyser)
        spent.append((time.process_time() - begin) * 1e3 / frames)
    return spent


def stages(films: list[Path]) -> None:
    """A row per film: each stage's own CPU-ms per frame, and the sum."""
    analyser = tronie.Analyser()
    print("| film | size | decode | find + track | align + model | smooth + rows | all, CPU-ms a frame |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for film in films:
        info = probe(film)
        upto = [min(timed(stage, film, analyser)) for stage in (decode, find, read, whole)]
        own = [upto[0], *(b - a for a, b in pairwise(upto))]
        cells = " | ".join(f"{max(v, 0.0):.1f}" for v in own)
        print(f"| {film.name} | {info.width}x{info.height} | {cells} | {upto[-1]:.1f} |", flush=True)


def looped(film: Path, minutes: float, target: Path) -> None:
    """The film's packets over and over, unchanged, until ``minutes`` are full."""
    with av.open(str(target), "w") as out:
        step, base = 0.0, 0
        stream = None
        while base == 0 or step < minutes * 60:
            with av.open(str(film)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.pts += base
                    packet.dts += base
                    packet.stream = stream
                    out.mux(packet)
                base += end
                step = float(base * video.time_base)


def memory(film: Path, minutes: float) -> tuple[float, float]:
    """Peak memory in MB of the command on the film looped to a tenth of ``minutes``, and to all of them."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = []
        for length in (minutes / 10, minutes):
            path = Path(folder) / f"{length:g}.mp4"
            looped(film, length, path)
            program = "import sys, resource, tronie.cli; sys.argv = ['tronie', *sys.argv[1:]]\ntry: tronie.cli.main()\n"
            program += "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
            out = Path(folder) / "table.csv"
            command = [sys.executable, "-c", program, "predict", str(path), "--out", str(out), "--quiet"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks.append(int(done.stderr.strip().splitlines()[-1]) / 1024)
    return peaks[0], peaks[1]


def photo(picture: Path) -> list[float]:
    """CPU-seconds of a cold command on one photo, several times; the first, which reads the disk, is left out."""
    spent = []
    for _ in range(REPEATS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tronie", "predict", str(picture)], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return spent[1:]


def face() -> list[float]:
    """CPU-ms of the model for one face, in batches of 32, several times."""
    model = tronie.Analyser().model
    crops = np.random.default_rng(0).integers(0, 256, (32, model.size, model.size, 3), np.uint8)
    spent = []
    for _ in range(10):
        begin = time.process_time()
        model.predict(crops)
        spent.append((time.process_time() - begin) * 1e3 / len(crops))
    return spent[1:]


def searched(image: Pixels) -> tuple[list[float], list[Face]]:
    """CPU-ms of the chain on one picture of many people, searched whole, several times; and whom it finds."""
    analyser, spent, faces = tronie.Analyser(), [], []
    for _ in range(REPEATS + 1):  # the first is to warm up
        finder, reader = Finder(analyser.detector, analyser.settings), Reader(analyser.model, analyser.settings)
        frame = Frame(image, 0.0, 0, 1 / 25)
        begin = time.process_time()
        faces = finder.step(frame)
        reader.take(frame, faces)
        reader.flush()
        spent.append((time.process_time() - begin) * 1e3)
    return spent[1:], faces


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=0, help="also measure memory on a film looped to this length")
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--crowd", type=Path, help="a picture of many faces (crowd.py --save makes one)")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    stages(given.films)
    print(f"one face through the model, batches of 32: {min(face()):.2f} CPU-ms")
    if given.crowd:
        spent, faces = searched(read_image(given.crowd))
        print(f"{given.crowd.name}: {len(faces)} faces, {min(spent):.0f} CPU-ms with a full search")
    if given.photo:
        print(f"cold command, {given.photo.name}: {min(photo(given.photo)):.2f} CPU-s")
    if given.minutes:
        short, long = memory(given.films[0], given.minutes)
        print(
            f"memory, {given.films[0].name} looped: {short:.0f} MB at {given.minutes / 10:g} min, {long:.0f} MB at "
            f"{given.minutes:g} min"
        )
