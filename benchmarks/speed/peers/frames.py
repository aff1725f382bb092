"""What every Python peer shares: read the job, time each clip, write the answer. Needs NumPy alone.

A job names clips of raw RGB frames; a peer gives a function that makes ``answer(frame) -> [[x, y, w, h, label], …]``,
with the label "" where it reads no expression.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

WARM = 3
"""Frames given before the clock starts, the first of the clip over again: graphs are laid out on first use."""

Answer = Callable[[np.ndarray], list[list[Any]]]


def frames(clip: dict[str, Any]) -> Iterator[np.ndarray]:
    """The clip's frames ``(h, w, 3)`` uint8 RGB, one in memory at a time."""
    shape = (clip["height"], clip["width"], 3)
    with Path(clip["file"]).open("rb") as file:
        for _ in range(clip["frames"]):
            yield np.frombuffer(file.read(int(np.prod(shape))), np.uint8).reshape(shape)


def main(make: Callable[[], Answer]) -> None:
    """Answer the job in ``argv[1]``, write to ``argv[2]``."""
    job = json.loads(Path(sys.argv[1]).read_text())
    answer = make()
    clips = []
    for clip in job["clips"]:
        for _ in range(WARM if clip["timed"] else 0):
            answer(next(frames(clip)))
        faces, cpu, wall = [], 0.0, 0.0
        for frame in frames(clip):
            began = time.process_time(), time.perf_counter()
            faces.append(answer(frame))
            cpu, wall = cpu + time.process_time() - began[0], wall + time.perf_counter() - began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        clips.append({"name": clip["name"], "cpu": cpu, "wall": wall, "peak": peak, "faces": faces})
    Path(sys.argv[2]).write_text(json.dumps({"clips": clips}))
