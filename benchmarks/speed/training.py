"""Is varying faces the bottleneck of training? Process time of one thread for each step of it, face by face.

    python benchmarks/speed/training.py [--faces 64] [--repeats 5]

Drawn noise stands in for faces: no step's cost hangs on what is seen. The least of several runs counts; other work on
the machine still shifts absolutes, so read the last column. Needs the extra "train"; writes training.md beside this.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from tronie.clips.views import View
from tronie.core.labels import BASIC7
from tronie.data.augmentation import Augment
from tronie.data.loader import Cut, Rows, batches, epoch_order
from tronie.methods.baseline import Baseline, BaselineConfig
from tronie.methods.method import Batch, Progress
from tronie.train.precision import fast_precision

ENCODERS = (("resnet18-half", 64), ("small", 112), ("dlib-resnet29", 112), ("resnet18", 112))
SIDE = 112  # of prepared faces


def noise(number: int) -> Rows:
    """Prepared photos in two cuts each, with labels that go round."""
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (number, 2, SIDE, SIDE, 3), np.uint8)
    target = np.eye(len(BASIC7), dtype=np.float32)[np.arange(number) % len(BASIC7)]
    return Rows(faces, np.arange(number), target, np.ones(number, np.float32))


def epoch(rows: Rows, view: View, number: int) -> list[Cut]:
    """All batches of an epoch, cut."""
    return list(batches([rows], epoch_order([rows], 0, number), (view,), 32, how=Augment(), seed=0, epoch=number))


def learn(method: Baseline, cuts: list[Cut]) -> None:
    """Forward and backward over the batches, in bf16 where that is fast, as recipes have it."""
    for cut in cuts:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision().bf16):
            parts = method.loss(Batch(cut.clips, cut.target, cut.weight, torch.arange(len(cut.weight))), Progress(0, 1))
        torch.stack(list(parts.values())).sum().backward()


def least(work: Callable[[int], object], repeats: int) -> float:
    """Seconds of process time, the least of ``repeats`` runs after one that does not count."""
    work(0)
    seconds = []
    for number in range(1, repeats + 1):
        begun = time.process_time()
        work(number)
        seconds.append(time.process_time() - begun)
    return min(seconds)


def table(found: list[tuple[str, int, float, float, float]]) -> str:
    """training.md: encoder, side, and milliseconds a face to cut, to cut and vary, and to learn."""
    lines = [
        "# What varying faces costs in training",
        "",
        "    python benchmarks/speed/training.py",
        "",
        f"CPU-ms a face on one thread, forward and backward in {'bf16' if fast_precision().bf16 else 'float32'}, "
        "batches of 32; all variations of a recipe's",
        "defaults (affine, colour, blur, low resolution, erasing, on uint8).",
        "",
        "| encoder | side | cut | cut and vary | learn | share of varying |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, side, plain, varied, learnt in found:
        share = (varied - plain) / (varied + learnt)
        lines.append(f"| {name} | {side} | {plain:.2f} | {varied:.2f} | {learnt:.1f} | {share:.1%} |")
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows, found = noise(asked.faces), []
    for name, side in ENCODERS:
        method = Baseline(BASIC7, BaselineConfig(encoder=name, size=side)).train()
        cuts = epoch(rows, View(side, augment=True), 0)
        costs = (
            least(lambda n, side=side: epoch(rows, View(side), n), asked.repeats),  # type: ignore[misc]
            least(lambda n, side=side: epoch(rows, View(side, augment=True), n), asked.repeats),  # type: ignore[misc]
            least(lambda n, method=method, cuts=cuts: learn(method, cuts), asked.repeats),
        )  # type: ignore[misc]
        plain, varied, learnt = (1000 * seconds / asked.faces for seconds in costs)
        found.append((name, side, plain, varied, learnt))
        print(table(found[-1:]).splitlines()[-1], flush=True)
    Path(__file__).with_suffix(".md").write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
