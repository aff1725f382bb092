"""What a large archive costs, computed from what was measured on one core.

    python benchmarks/robustness/cost.py [--hours 100000 --rate 25 --cores 64 1000 --mbit 1.5 6 --price 0.04]

Reads CPU-ms per frame and stage from benchmarks/speed/README.md, measures here what a row takes on disk, what the
ledger bears and what joining costs, and puts the table into docs/how-to/large-archives.md and cost.md. What is no
measurement is an option: frames per second, bit rates of the films (640x360, 1080p), the price of a core-hour.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tronie.core.labels import BASIC7
from tronie.core.timeline import Provenance, Timeline
from tronie.media.source import Source
from tronie.pipeline.tasks import Outcome, Task
from tronie.verbs.joined import join_segments
from tronie.verbs.ledger import Ledger

REPO = Path(__file__).parents[2]
PAGE = REPO / "docs" / "how-to" / "large-archives.md"
BEGIN, END = "<!-- by benchmarks/robustness/cost.py -->", "<!-- end -->"


@dataclass(frozen=True)
class Film:
    """CPU-ms per frame: to decode it, and for all the rest."""

    name: str
    decode: float
    rest: float


def films(page: Path) -> list[Film]:
    """The films of the speed table, the dearest of each size: estimates are to err on the dear side."""
    found: dict[str, Film] = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) >= 7 and re.fullmatch(r"\d+x\d+|\d+p", cells[1]):
            decode, whole = float(cells[2]), float(re.findall(r"\d+\.\d+", cells[6])[0])
            if cells[1] not in found or whole > found[cells[1]].decode + found[cells[1]].rest:
                found[cells[1]] = Film(cells[1], decode, whole - decode)
    return list(found.values())


def bytes_per_row() -> float:
    """Bytes of a row in a film's CSV, with numbers as long as they come."""
    rng = np.random.default_rng(0)
    n = 2000
    empty = Timeline.empty(BASIC7, Provenance("default", "0" * 12, {}, "1" * 12, "0.1.0"))
    columns = {name: rng.uniform(0, 1, n) for name in empty.columns}
    columns |= {name: rng.uniform(100, 900, n) for name in ("x", "y", "width", "height", "face_size", "time")}
    columns |= {"frame": np.arange(n) + 50_000, "track": np.zeros(n, int), "usable": np.ones(n, bool)}
    for name, word in (("source", "archive/2026/film_0001.mp4"), ("label", "happiness"), ("model", "0" * 12),
                       ("settings", "1" * 12), ("version", "0.1.0")):  # fmt: skip
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


def table(given: argparse.Namespace) -> str:
    """The page's table and sentences."""
    seconds, row = given.hours * 3600, bytes_per_row()
    heading = ["film", "frames looked at", "times film speed, one core", "core-hours",
               *(f"days on {n:,} cores" for n in given.cores), "price", "of it decoding", "read per core",
               "tables"]  # fmt: skip
    lines = [f"{given.hours:,} hours of film at {given.rate:g} frames a second, one face in every frame; a core-hour "
             f"at {given.price:g} (of any currency).", "", _row(heading), _row(["---"] * len(heading))]  # fmt: skip
    speeds = []
    for film, mbit in zip(films(REPO / "benchmarks" / "speed" / "README.md"), given.mbit, strict=True):
        for fps in (given.rate, 5.0, 1.0):
            decoding = film.decode * given.rate / 1e3  # CPU-s per second of film: every frame is decoded
            each = decoding + film.rest * fps / 1e3
            hours = each * seconds / 3600
            speeds.append((1 / each, mbit))
            lines.append(_row([
                film.name, "every" if fps == given.rate else f"{fps:g} a second", f"{1 / each:.0f}", f"{hours:,.0f}",
                *(f"{hours / n / 24:,.1f}" for n in given.cores), f"{hours * given.price:,.0f}",
                f"{decoding / each:.0%}", f"{mbit / each / 8:.1f} MB/s", f"{fps * seconds * row / 1e12:.2f} TB",
            ]))  # fmt: skip
    rate, join, most = ledger_rate(), join_seconds(), max(given.cores)
    fastest = max(speed for speed, _ in speeds) / 3600  # films of an hour that a core ends in a second
    streams = [speed * mbit * most / 8e3 for speed, mbit in speeds]
    said = (f"A row takes {row:.0f} bytes. The ledger notes {rate:,.0f} films a second, begun and done, each seen onto "
            f"the disk; {most:,} cores end {most * fastest:.1f} films of an hour a second at the fastest row above, so "
            f"one ledger bears {rate / fastest:,.0f} cores. Joining `segments.csv` costs {join * 1e3:.1f} CPU-ms per "
            f"hour of film with 300 segments: {join * given.hours / 60:,.0f} minutes on one core at the end. At "
            f"{most:,} cores the films must come at {min(streams):.1f} to {max(streams):.1f} GB/s.")  # fmt: skip
    return "\n".join([*lines, "", said])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=25, help="frames a second of the films")
    parser.add_argument("--cores", type=int, nargs="+", default=[64, 1000])
    parser.add_argument("--mbit", type=float, nargs=2, default=[1.5, 6.0], help="bit rates of 640x360 and 1080p films")
    parser.add_argument("--price", type=float, default=0.04, help="of a core-hour")
    made = table(parser.parse_args())
    Path(__file__).with_suffix(".md").write_text(
        f"# What a large archive costs\n\n`python benchmarks/robustness/cost.py`\n\n{made}\n", encoding="utf-8"
    )
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()
