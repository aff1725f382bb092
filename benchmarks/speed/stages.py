"""CPU time of the chain, stage by stage, and its memory on a long film.

    python benchmarks/speed/stages.py FILM… [--minutes 10] [--photo PICTURE] [--crowd PICTURE]

Every frame is answered. Each stage is measured as the difference between running the chain up to it and up to the one
before, in process time of one thread, the median of three runs; a machine under load still shifts absolutes, so quote
ratios. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import resource
import statistics
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
from tronie.core.face import Frame
from tronie.media.image import read_image
from tronie.media.video import VideoReader, probe
from tronie.pipeline.find import Finder
from tronie.pipeline.reading import Reader

REPEATS = 3


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


def cpu_ms(stage: Callable[[Path, tronie.Analyser], int], film: Path, analyser: tronie.Analyser) -> float:
    """CPU-ms per frame, median of several runs after one to warm up."""
    stage(film, analyser)
    spent = []
    for _ in range(REPEATS):
        begin = time.process_time()
        frames = stage(film, analyser)
        spent.append((time.process_time() - begin) * 1e3 / frames)
    return statistics.median(spent)


def stages(films: list[Path]) -> None:
    """A row per film: each stage's own CPU-ms per frame, and the sum."""
    analyser = tronie.Analyser()
    print("| film | size | decode | find + track | align + model | smooth + rows | all, CPU-ms a frame |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for film in films:
        info = probe(film)
        upto = [cpu_ms(stage, film, analyser) for stage in (decode, find, read, whole)]
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


def memory(film: Path, minutes: float) -> None:
    """Peak memory of the command on a short and a long version of the same film, and its growth per minute."""
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
        grown = (peaks[1] - peaks[0]) / (minutes * 0.9)
        print(f"memory, {film.name} looped: {peaks[0]:.0f} MB at {minutes / 10:g} min, {peaks[1]:.0f} MB at "
              f"{minutes:g} min ({grown:+.1f} MB a minute)")  # fmt: skip


def photo(picture: Path) -> None:
    """CPU-seconds of a cold command on one photo."""
    spent = []
    for _ in range(REPEATS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tronie", "predict", str(picture)], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"cold command, {picture.name}: {statistics.median(spent[1:]):.2f} CPU-s (first {spent[0]:.2f})")


def face() -> None:
    """CPU-ms of the model for one face, in batches of 32."""
    model = tronie.Analyser().model
    crops = np.random.default_rng(0).integers(0, 256, (32, model.size, model.size, 3), np.uint8)
    spent = []
    for _ in range(10):
        begin = time.process_time()
        model.predict(crops)
        spent.append((time.process_time() - begin) * 1e3 / len(crops))
    print(f"one face through the model, batches of 32: {statistics.median(spent):.2f} CPU-ms")


def crowd(picture: Path, frames: int = 50) -> None:
    """CPU-ms a frame of a still film of one picture: its first frame, which is searched whole, and the average."""
    analyser, image = tronie.Analyser(), read_image(picture)
    for count in (1, 1, frames):  # the first is to warm up
        film = (Frame(image, i / 25, i, 1 / 25) for i in range(count))
        finder, reader = Finder(analyser.detector, analyser.settings), Reader(analyser.model, analyser.settings)
        begin, found = time.process_time(), 0
        for frame in film:
            faces = finder.step(frame)
            found += len(faces)
            reader.take(frame, faces)
        reader.flush()
        spent = (time.process_time() - begin) * 1e3 / count
        print(f"{picture.name}, {count} frame(s): {found / count:.1f} faces, {spent:.0f} CPU-ms a frame")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=0, help="also measure memory on a film looped to this length")
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--crowd", type=Path, help="a picture of many faces (crowd.py --save makes one)")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    stages(given.films)
    face()
    if given.crowd:
        crowd(given.crowd)
    if given.photo:
        photo(given.photo)
    if given.minutes:
        memory(given.films[0], given.minutes)
