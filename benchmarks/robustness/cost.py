"""What a large archive costs, from the speed of reading films on this machine, measured in one run.

    OMP_NUM_THREADS=1 python benchmarks/robustness/cost.py ONE_FACE_FILM FILM… [--hours 100000 --rate 25 --mbit 1.5 6]

From the films after the first a mixed film is made for each size, 640x360 and 1080p: pieces of two seconds with a cut
at each join, one of the films and then four of them side by side, as in a video call. The first film, one face without
cuts, is the easiest case and stands beside them. Each is read whole at every frame, 5 and 1 frames a second; counted is
process time, the least of ``--repeat`` runs. Also measured: what decoding takes of it, a row on disk, what the ledger
bears and what joining costs. The table goes into docs/how-to/large-archives.md and cost.md. What is no measurement is
an option: frames per second, bit rates of the films (640x360, 1080p), the price of a core-hour.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tronie.core.labels import BASIC7
from tronie.core.timeline import Provenance, Timeline
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.archive_ledger import Ledger
from tronie.pipeline.archive_tables import join_segments
from tronie.pipeline.archive_tasks import Outcome, Task
from tronie.pipeline.settings import Settings
from tronie.video.reader import VideoReader
from tronie.video.sources import Source
from tronie.video.write import VideoWriter

REPO = Path(__file__).parents[2]
PAGE = REPO / "docs" / "how-to" / "large-archives.md"
BEGIN, END = "<!-- by benchmarks/robustness/cost.py -->", "<!-- end -->"
SIZES = {"640x360": (640, 360), "1080p": (1920, 1080)}
PIECE = 2.0  # seconds from cut to cut


@dataclass(frozen=True)
class Film:
    """A film as it was read: CPU-seconds per second of film to decode it, and by frames a second the whole work.

    ``faces`` is how many there are in a frame on average, ``size`` one of SIZES.
    """

    name: str
    size: str
    decode: float
    whole: dict[float, float]
    faces: float


def mix(films: list[Path], size: tuple[int, int], seconds: float, rate: float, path: Path) -> None:
    """Write a film of ``seconds``: pieces of ``films`` in turn and, where there are several, four of them at once."""
    alone = [_pictures(film, rate) for film in films]
    called = [_pictures(film, rate) for film in itertools.islice(itertools.cycle(films), 4)]
    half = (size[0] // 2, size[1] // 2)
    with VideoWriter(path, quality=23, keyframes=250) as writer:
        for i in range(round(seconds * rate)):
            piece, call = divmod(int(i / rate / PIECE), 2) if len(films) > 1 else (0, 0)
            if call:  # as in a video call
                four = [_fitted(next(one), half) for one in called]
                image = np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])
            else:
                image = _fitted(next(alone[piece % len(films)]), size)
            writer.write(image, i / rate)


def _pictures(film: Path, rate: float) -> Iterator[np.ndarray]:
    """The pictures of a film at ``rate`` a second, from the start again after the last."""
    while True:
        for frame in VideoReader(film, fps=rate):
            yield np.asarray(frame.image)


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    wide, high = size
    scale = min(wide / image.shape[1], high / image.shape[0])
    shape = (min(round(image.shape[1] * scale), wide), min(round(image.shape[0] * scale), high))
    inside = cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (wide - shape[0]) // 2, (high - shape[1]) // 2
    right, bottom = wide - shape[0] - left, high - shape[1] - top
    return cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT)


def measured(films: dict[tuple[str, str], Path], rate: float, repeat: int) -> list[Film]:
    """Read each film (by name and size) at every frame, 5 and 1 a second, in turn: a busy minute hits all alike."""
    readers = {fps: Analyser(settings=Settings(fps=None if fps == rate else fps)) for fps in (rate, 5.0, 1.0)}
    spent: dict[tuple[str, str, float], list[float]] = {}
    facts: dict[tuple[str, str], tuple[float, float]] = {}
    for _ in range(repeat):
        for (name, size), path in films.items():
            begin = time.process_time()
            count = sum(1 for _ in VideoReader(path))
            spent.setdefault((name, size, 0.0), []).append(time.process_time() - begin)
            for fps, reader in readers.items():
                begin = time.process_time()
                timeline = reader.analyse(path)
                spent.setdefault((name, size, fps), []).append(time.process_time() - begin)
                if fps == rate:
                    facts[name, size] = timeline.looked[0].end - timeline.looked[0].start, len(timeline) / count
    return [
        Film(
            name,
            size,
            min(spent[name, size, 0.0]) / seconds,
            {fps: min(spent[name, size, fps]) / seconds for fps in readers},
            faces,
        )
        for (name, size), (seconds, faces) in facts.items()
    ]


def bytes_per_row() -> float:
    """Bytes of a row in a film's CSV, with numbers as long as they come."""
    rng = np.random.default_rng(0)
    n = 2000
    empty = Timeline.empty(BASIC7, Provenance("default", "0" * 12, {}, "1" * 12, "0.1.0"))
    columns = {name: rng.uniform(0, 1, n) for name in empty.columns}
    columns |= {name: rng.uniform(100, 900, n) for name in ("x", "y", "width", "height", "face_size", "time")}
    columns |= {"frame": np.arange(n) + 50_000, "track": np.zeros(n, int), "usable": np.ones(n, bool)}
    for name, word in (
        ("source", "archive/2026/film_0001.mp4"),
        ("label", "happiness"),
        ("model", "0" * 12),
        ("settings", "1" * 12),
        ("version", "0.1.0"),
    ):
        columns[name] = np.array([word] * n, object)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        Timeline(columns, BASIC7, empty.provenance).save(path)
        return path.stat().st_size / n


def ledger_rate(count: int = 200) -> float:
    """Films per second that one ledger can note: begun and done, each on the disk before it goes on."""
    with tempfile.TemporaryDirectory() as folder:
        book = Ledger(Path(folder) / "jobs.jsonl", {})
        begin = time.monotonic()
        for i in range(count):
            task = Task(f"{i:016x}", "video", (Source(Path(f"{i}.mp4"), "video", f"{i}.mp4"),), f"{i}")
            book.started(task, 1, 0.0)
            book.ended(task, [Outcome(f"{i}.mp4", f"/archive/{i}.mp4", "video", 1000, 3600.0, 500.0)])
        return count / (time.monotonic() - begin)


def join_seconds(count: int = 300, segments: int = 300) -> float:
    """CPU-seconds to join the segments of one film of an hour."""
    line = "archive/film.mp4,0,100.000000,104.000000,happiness,0.61234,1.00000,100\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pieces = []
        for i in range(count):
            path = folder / f"{i}.csv"
            path.write_text("source,track,start,end,label,confidence,usable,rows\n" + line * segments)
            pieces.append(("key", path))
        begin = time.process_time()
        join_segments(pieces, {"archive/film.mp4": "key"}, folder / "segments.csv")
        return (time.process_time() - begin) / count


def table(given: argparse.Namespace, films: list[Film]) -> str:
    """The page's table and sentences."""
    seconds, row = given.hours * 3600, bytes_per_row()
    mbits = dict(zip(SIZES, given.mbit, strict=True))
    heading = [
        "film",
        "faces a frame",
        "frames looked at",
        "times film speed, one core",
        "core-hours",
        *(f"days on {n:,} cores" for n in given.cores),
        "price",
        "of it decoding",
        "read per core",
        "tables",
    ]
    lines = [
        f"{given.hours:,} hours of film at {given.rate:g} frames a second; a core-hour at {given.price:g} (of any "
        f"currency). Load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; "
        f"quote ratios.",
        "",
        _row(heading),
        _row(["---"] * len(heading)),
    ]
    speeds = []
    for film, fps in itertools.product(films, (given.rate, 5.0, 1.0)):
        each, mbit = film.whole[fps], mbits[film.size]
        hours = each * seconds / 3600
        speeds.append((1 / each, mbit))
        lines.append(
            _row(
                [
                    f"{film.name}, {film.size}",
                    f"{film.faces:.1f}",
                    "every" if fps == given.rate else f"{fps:g} a second",
                    f"{1 / each:.1f}",
                    f"{hours:,.0f}",
                    *(f"{hours / n / 24:,.1f}" for n in given.cores),
                    f"{hours * given.price:,.0f}",
                    f"{film.decode / each:.0%}",
                    f"{mbit / each / 8:.1f} MB/s",
                    f"{film.faces * fps * seconds * row / 1e12:.2f} TB",
                ]
            )
        )
    rate, join, most = ledger_rate(), join_seconds(), max(given.cores)
    fastest = max(speed for speed, _ in speeds) / 3600  # films of an hour that a core ends in a second
    streams = [speed * mbit * most / 8e3 for speed, mbit in speeds]
    easy, mixed = films[0].whole, next(film for film in films[1:] if film.size == films[0].size).whole
    times = ", ".join(
        f"{mixed[fps] / easy[fps]:.1f} {word}"
        for fps, word in ((given.rate, "at every frame"), (5.0, "at 5 a second"), (1.0, "at 1 a second"))
    )
    said = (
        f"The mixed film costs so many times as much as the one with a single face: {times}. A row takes {row:.0f} "
        f"bytes. The ledger notes {rate:,.0f} films a second, begun and done, each seen onto "
        f"the disk; {most:,} cores end {most * fastest:.1f} films of an hour a second at the fastest row above, so "
        f"one ledger bears {rate / fastest:,.0f} cores. Joining `segments.csv` costs {join * 1e3:.1f} CPU-ms per "
        f"hour of film with 300 segments: {join * given.hours / 60:,.0f} minutes on one core at the end. At "
        f"{most:,} cores the films must come at {min(streams):.1f} to {max(streams):.1f} GB/s."
    )
    return "\n".join([*lines, "", said])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, compute and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path, help="a film of 640x360 with one face in every frame")
    parser.add_argument("films", type=Path, nargs="+", help="films that the mixed one is made of")
    parser.add_argument("--seconds", type=float, default=16, help="length of the mixed films")
    parser.add_argument("--repeat", type=int, default=2, help="runs, of which the fastest counts")
    parser.add_argument("--hours", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=25, help="frames a second of the films")
    parser.add_argument("--cores", type=int, nargs="+", default=[64, 1000])
    parser.add_argument("--mbit", type=float, nargs=2, default=[1.5, 6.0], help="bit rates of 640x360 and 1080p films")
    parser.add_argument("--price", type=float, default=0.04, help="of a core-hour")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        films = {("one face", "640x360"): Path(folder) / "one.mp4"}
        mix([given.one], SIZES["640x360"], given.seconds, given.rate, films["one face", "640x360"])
        for size, pixels in SIZES.items():
            films["mixed", size] = Path(folder) / f"{size}.mp4"
            mix(given.films, pixels, given.seconds, given.rate, films["mixed", size])
        made = table(given, measured(films, given.rate, given.repeat))
    names = " ".join(path.name for path in (given.one, *given.films))
    Path(__file__).with_suffix(".md").write_text(
        f"# What a large archive costs\n\n`python benchmarks/robustness/cost.py {names}`\n\n{made}\n", encoding="utf-8"
    )
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()
