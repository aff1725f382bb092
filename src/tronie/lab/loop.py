"""The one training loop. It trains every method and knows none of them."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tronie.data.augment import Augment
from tronie.data.loader import Rows, batches, epoch_order
from tronie.lab.optim import Optim, average_into, make_optimizer, rate_at
from tronie.methods.method import Batch, Method, Progress

Judge = Callable[[Method], dict[str, float]]
"""Looks at validation rows with the given weights and returns named scores."""


@dataclass(frozen=True)
class Loop:
    """``half``: bf16 autocast (doubles ResNets and transformers, hurts depthwise nets). ``judge_every`` epochs.

    ``threads`` PyTorch may use: one a process is fastest beside other work.
    """

    epochs: int = 24
    batch: int = 64
    seed: int = 0
    half: bool = True
    judge_every: int = 4
    threads: int = 1


def train(method: Method, sources: Sequence[Rows], loop: Loop, optim: Optim, how: Augment, folder: Path,
          judge: Judge | None = None, say: Callable[[str], None] = lambda line: None) -> Method:  # fmt: skip
    """Train ``method`` on ``sources`` and return its averaged weights.

    Writes ``log.jsonl`` (a line an epoch) and ``last.pt`` (everything needed to go on) into ``folder``; if that holds
    a ``last.pt`` already, the run continues after its last finished epoch, to the bit with equal threads.
    """
    torch.set_num_threads(loop.threads)
    torch.manual_seed(loop.seed)
    average = copy.deepcopy(method).eval()
    for p in average.parameters():
        p.requires_grad_(False)
    optimizer = make_optimizer(method, optim)
    first = _restore(folder / "last.pt", method, average, optimizer)
    for epoch in range(first, loop.epochs):
        began = time.monotonic()
        torch.manual_seed(loop.seed * 100003 + epoch)  # dropout: a resumed epoch draws what the first run drew
        losses = _epoch(method, average, optimizer, sources, loop, optim, how, epoch)
        row: dict[str, float] = {"epoch": epoch, "seconds": time.monotonic() - began, **losses}
        row.update(method.epoch_end(Progress(epoch, loop.epochs)))
        if judge and ((epoch + 1) % loop.judge_every == 0 or epoch + 1 == loop.epochs):
            row.update(judge(average if optim.ema else method))
        _save(folder / "last.pt", method, average, optimizer, epoch + 1)
        say(f"epoch {epoch + 1} of {loop.epochs}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch"))
        with (folder / "log.jsonl").open("a") as log:
            log.write(json.dumps({k: round(v, 6) for k, v in row.items()}) + "\n")
    return average if optim.ema else method


def _epoch(method: Method, average: Method, optimizer: torch.optim.Optimizer, sources: Sequence[Rows],
           loop: Loop, optim: Optim, how: Augment, epoch: int) -> dict[str, float]:  # fmt: skip
    order = epoch_order(sources, loop.seed, epoch)
    steps = max(len(order) // loop.batch, 1)
    totals: dict[str, list[float]] = {}
    method.train()
    starts = np.cumsum([0] + [len(s) for s in sources])
    views = method.views(True)
    for step, cut in enumerate(batches(sources, order, views, loop.batch, how=how, seed=loop.seed, epoch=epoch)):
        at = Progress(epoch, loop.epochs, step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate_at((epoch + step / steps) / loop.epochs, optim)
        batch = Batch(cut.clips, cut.target, cut.weight, torch.from_numpy(starts[cut.where[:, 0]] + cut.where[:, 1]))
        with torch.autocast("cpu", torch.bfloat16, enabled=loop.half):
            parts = method.loss(batch, at)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]  # torch ships no type here
        if optim.clip:
            torch.nn.utils.clip_grad_norm_(method.parameters(), optim.clip)
        optimizer.step()
        if optim.ema:
            average_into(average, method, optim.ema, epoch * steps + step)
        for name, part in parts.items():
            totals.setdefault(name, []).append(float(part.detach()))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def _save(path: Path, method: Method, average: Method, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """Write beside and rename, so that a killed run keeps its last whole checkpoint."""
    state = {"model": method.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(),
             "epoch": epoch}  # fmt: skip
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def _restore(path: Path, method: Method, average: Method, optimizer: torch.optim.Optimizer) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    method.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])


@torch.no_grad()
def answer(method: Method, rows: Rows, batch: int = 128, half: bool = False) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits ``(m, classes)`` and features ``(m, d)`` of ``rows``, unvaried, in their order."""
    method.eval()
    order = np.stack([np.zeros(len(rows), np.int64), np.arange(len(rows))], 1)
    logits, features = [], []
    for cut in batches([rows], order, method.views(False), batch, how=Augment(), seed=0, epoch=0):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            output = method(cut.clips[0])
        logits.append(output.logits.float().numpy())
        features.append(output.feature.float().numpy())
    return np.concatenate(logits), np.concatenate(features)
