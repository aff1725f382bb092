"""Memory over an hour of film, and its slope.

    python benchmarks/robustness/memory.py [--minutes 60 --fps 5]

A film of small moving noise is made and read into a folder, every frame as a face (``--detector
whole``), so that rows come as fast as they can. The process's resident memory is read twice a second of clock beside
how far the film is; the slope is a line fitted over the part after the first tenth. Writes memory.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tronie.pipeline.resumable import begun
from tronie.video.write import VideoWriter

PAGE = os.sysconf("SC_PAGE_SIZE")


def noise(path: Path, minutes: float, rate: float) -> None:
    """A film of 64 x 48 pixels that drifts."""
    big = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    with VideoWriter(path, quality=40, keyframes=50) as writer:
        for i in range(round(minutes * 60 * rate)):
            writer.write(np.roll(big, i, 1), i / rate)


def resident(process: int) -> float | None:
    """Resident memory of a process in MB, None when it has gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE / 1e6
    except (OSError, IndexError):
        return None


def reached(out: Path) -> float:
    """Seconds of film behind the last mark."""
    for mark in (out / ".tronie").glob("*.mark"):
        return begun(mark).reached
    return 0.0


def watch(film: Path, out: Path, every: float) -> tuple[list[tuple[float, float]], float]:
    """Read the film; (seconds of film, MB) again and again while it runs, and the highest MB of all."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tronie", "predict", str(film), "--out", str(out), "--detector", "whole", "--quiet"]
    )
    seen, peak = [], 0.0
    while process.poll() is None:
        memory = resident(process.pid)
        if memory is not None:
            peak = max(peak, memory)
            if (at := reached(out)) > 0:
                seen.append((at, memory))
        time.sleep(every)
    assert process.returncode == 0
    return seen, peak


def slope(seen: list[tuple[float, float]]) -> float:
    """MB per hour of film, by least squares over what comes after the first tenth."""
    at, memory = np.array(seen).T
    keep = at > 0.1 * at.max()
    return float(np.polyfit(at[keep], memory[keep], 1)[0] * 3600)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--fps", type=float, default=5, help="frames per second of the film that is made")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        film, out = Path(name) / "film.mp4", Path(name) / "out"
        noise(film, given.minutes, given.fps)
        seen, peak = watch(film, out, 0.5)
        rows = (out / "film.csv").read_bytes().count(b"\n") - 1
    command = f"python benchmarks/robustness/memory.py --minutes {given.minutes:g} --fps {given.fps:g}"
    text = f"""# Memory over a long film

`{command}`

| what | measured |
| --- | --- |
| film | {given.minutes:g} minutes of 64x48 at {given.fps:g} frames a second, a face in every frame: {rows:,} rows |
| resident memory while it is read, median | {np.median([m for _, m in seen]):.0f} MB |
| slope | {slope(seen):+.1f} MB per hour of film ({len(seen)} readings) |
| highest, with the end, where the segments are made from all rows | {peak:.0f} MB |
"""
    given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
