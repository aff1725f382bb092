"""The one training loop. It trains every method and knows none of them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tronie.core.errors import SettingError
from tronie.data.augmentation import Augment
from tronie.data.loader import Cut, Rows, batch_starts, batches, epoch_order
from tronie.methods.method import Answers, Batch, Decisions, Method, Progress
from tronie.train import checkpoint
from tronie.train.distributed import ALONE, Team, freeze_norms, memories, share_memories, share_norms
from tronie.train.log import append_log
from tronie.train.optim import Optim, average_into, copy_memories, make_optimizer, rate_at
from tronie.train.precision import Half, in_bf16
from tronie.train.sample_weights import Decided
from tronie.train.scores import WORDS

Judge = Callable[[Method], dict[str, float]]
"""Looks at validation rows with the given weights and returns named scores."""


@dataclass(frozen=True)
class Loop:
    """How long, in what steps and on what a method is trained.

    ``half``: bf16 autocast (doubles ResNets and transformers, hurts depthwise nets); "auto" is bf16 where ``device``
    computes it fast (:mod:`tronie.train.precision`). ``judge_every`` epochs.
    ``threads`` PyTorch may use: one a process is fastest beside other work. ``norms``: "batch" learns statistics of
    batches (of all processes together under torchrun), "frozen" keeps those the model starts with. ``device`` is
    PyTorch's name for it.
    """

    epochs: int = 24
    batch: int = 64
    seed: int = 0
    half: Half = "auto"
    judge_every: int = 4
    threads: int = 1
    norms: Literal["batch", "frozen"] = "batch"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.epochs, self.judge_every, self.threads) < 1 or self.batch < 2 or self.seed < 0:
            raise ValueError("epochs, judge_every and threads are at least 1, batch at least 2, seed at least 0")


@dataclass(frozen=True)
class Listeners:
    """Who hears of a run: ``judge`` is asked for scores, ``record`` gets decisions, ``say`` lines to print."""

    judge: Judge | None = None
    record: Callable[[Decisions], None] = lambda decisions: None
    say: Callable[[str], None] = lambda line: None


SILENT = Listeners()


def train(
    method: Method,
    sources: Sequence[Rows],
    loop: Loop,
    optim: Optim,
    how: Augment,
    folder: Path,
    listeners: Listeners = SILENT,
    team: Team = ALONE,
) -> Method:
    """Train ``method`` on ``sources`` and return its averaged weights.

    Writes ``log.jsonl`` (a line an epoch) and ``last.pt`` (everything needed to go on) into ``folder``; if that holds
    a ``last.pt`` already, the run continues after its last finished epoch, to the bit with equal threads. In a team
    only the leader writes; every process returns the same weights. Raises SettingError where training cannot work
    (fewer rows than processes need, a loss that is no number).
    """
    loop = replace(loop, half=in_bf16(loop.half, loop.device))  # from here on True or False
    torch.set_num_threads(loop.threads)
    cv2.setNumThreads(loop.threads)
    method.to(loop.device)
    average = copy.deepcopy(method).eval().requires_grad_(False)
    if team.size > 1:
        share_norms(method)
    optimizer, decided = make_optimizer(method, optim), Decided(sources)
    first = checkpoint.restore(folder, method, average, optimizer, decided)
    if team.leads:
        checkpoint.ready(folder, first)
    for epoch in range(first, loop.epochs):
        began, at = time.monotonic(), Progress(epoch, loop.epochs)
        _seed(loop, epoch, team)
        remembered = memories(method, len(decided))
        losses = _epoch(method, average, optimizer, decided.sources(), loop, optim, how, epoch, team)
        row: dict[str, float] = {"epoch": epoch, "seconds": time.monotonic() - began, **losses}
        share_memories(method, remembered, team)
        decisions = method.refresh(partial(_look, method, sources, loop, how, epoch, team), decided.rows(), at)
        row |= method.epoch_end(at)
        copy_memories(average, method)
        if decisions is not None:
            decided.apply(decisions)
        if team.leads:
            row |= _judged(listeners.judge, loop, epoch, average if optim.ema else method)
            if decisions is not None:
                listeners.record(decisions)
            append_log(folder, row)
            checkpoint.save(folder, method, average, optimizer, decided, epoch + 1)
            listeners.say(_line(row, loop.epochs))
        team.agreed(None)  # nobody runs ahead of the leader's judging
    return average if optim.ema else method


def _seed(loop: Loop, epoch: int, team: Team) -> None:
    """Seed PyTorch anew: a resumed epoch draws for dropout what the first run drew; not alike in all processes."""
    torch.manual_seed(loop.seed * 100003 + epoch + (team.rank << 32))


def _judged(judge: Judge | None, loop: Loop, epoch: int, weights: Method) -> dict[str, float]:
    """Named scores after an epoch that is judged: every so-manieth, and the last; none after others."""
    due = (epoch + 1) % loop.judge_every == 0 or epoch + 1 == loop.epochs
    return judge(weights) if judge is not None and due else {}


def _line(row: dict[str, float], epochs: int) -> str:
    """A line of the log for people."""
    figures = ", ".join(f"{_named(k)} {v:.4g}" for k, v in row.items() if k not in ("epoch", "seconds"))
    return f"epoch {row['epoch'] + 1:.0f} of {epochs} ({row['seconds']:.1f} s): {figures}"


def _named(key: str) -> str:
    """``own/fold0/war`` as it is printed: ``own/fold0 accuracy``; names of losses stay."""
    source, slash, score = key.rpartition("/")
    return f"{source} {WORDS[score]}" if slash and score in WORDS else key


def _epoch(
    method: Method,
    average: Method,
    optimizer: torch.optim.Optimizer,
    sources: Sequence[Rows],
    loop: Loop,
    optim: Optim,
    how: Augment,
    epoch: int,
    team: Team,
) -> dict[str, float]:
    """One pass over what the epoch draws; returns each part of the loss, averaged over the steps."""
    views, order = method.views(True), epoch_order(sources, loop.seed, epoch)
    if len(order) < 2 * team.size:
        raise SettingError(f"{len(order)} training rows are too few for {team.size} process(es): each needs two.")
    steps = len(batch_starts(len(order), loop.batch, any(v.varied for v in views)))
    starts = np.cumsum([0] + [len(s) for s in sources])
    totals: dict[str, float] = {}
    method.train()
    if loop.norms == "frozen":
        freeze_norms(method)
    cuts = batches(sources, order, views, loop.batch, how=how, seed=loop.seed, epoch=epoch, team=(team.rank, team.size))
    for step, cut in enumerate(cuts):
        at = Progress(epoch, loop.epochs, step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate_at((epoch + step / steps) / loop.epochs, optim)
        parts = _step(method, optimizer, _batch(cut, starts, loop.device), at, loop, optim, team)
        if optim.ema:
            average_into(average, method, optim.ema, epoch * steps + step)
        for name, value in parts.items():
            totals[name] = totals.get(name, 0.0) + value / steps
    return dict(zip(totals, team.total(list(totals.values())), strict=True))


def _batch(cut: Cut, starts: NDArray[np.int64], device: str) -> Batch:
    """The loader's arrays as a method wants them, with rows counted through all sources."""
    row = torch.from_numpy(starts[cut.where[:, 0]] + cut.where[:, 1])
    rated = None if cut.affect is None else cut.affect.to(device)
    return Batch(
        tuple(c.to(device) for c in cut.clips), cut.target.to(device), cut.weight.to(device), row.to(device), rated
    )


def _step(
    method: Method, optimizer: torch.optim.Optimizer, batch: Batch, at: Progress, loop: Loop, optim: Optim, team: Team
) -> dict[str, float]:
    """One step of the optimiser; returns this process's share of each part of the loss."""
    share = team.share(float(batch.weight.sum()))
    with torch.autocast(batch.target.device.type, torch.bfloat16, enabled=loop.half is True):
        parts = {name: part * share for name, part in method.loss(batch, at).items()}
    values = {name: float(part.detach()) for name, part in parts.items()}
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise SettingError(
            f"The loss '{bad[0]}' became {values[bad[0]]} in epoch {at.epoch + 1}, step {at.step + 1}: "
            "lower optim.rate, or set loop.half=false. What was saved before is kept."
        )
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    team.add_gradients(method.parameters())
    if optim.clip:
        torch.nn.utils.clip_grad_norm_(method.parameters(), optim.clip)
    optimizer.step()
    return values


def _look(
    method: Method,
    sources: Sequence[Rows],
    loop: Loop,
    how: Augment,
    epoch: int,
    team: Team,
    rows: NDArray[np.int64],
    draw: int | None = None,
) -> Answers:
    """Answers for training rows, counted through all sources; in a team every process looks at its share of them."""
    starts = np.cumsum([0] + [len(s) for s in sources])
    source = np.searchsorted(starts, rows, side="right") - 1
    order = np.stack([source, rows - starts[source]], 1)
    return _answers(method, sources, order, 128, loop.half is True, team, Look(draw, loop.seed, epoch, how))


@dataclass(frozen=True)
class Look:
    """How rows are looked at: ``draw`` None is the unvaried view of evaluation, k >= 0 the k-th random look.

    A random look hangs on ``seed``, ``epoch``, the row and ``draw``; ``how`` says what may be varied where the view
    that is drawn varies more than time. ``mirror``: the mirror image of it.
    """

    draw: int | None = None
    seed: int = 0
    epoch: int = 0
    how: Augment = field(default_factory=Augment)
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.draw is not None and self.draw < 0:
            raise ValueError("a draw is 0 or more, or None for the unvaried view")


UNVARIED = Look()


def answer(method: Method, rows: Rows, batch: int = 128, half: bool = False, look: Look = UNVARIED) -> Answers:
    """What ``method`` answers to ``rows`` in their order, unvaried unless ``look`` draws."""
    order = np.stack([np.zeros(len(rows), np.int64), np.arange(len(rows))], 1)
    return _answers(method, [rows], order, batch, half, ALONE, look)


@torch.no_grad()
def _answers(
    method: Method, sources: Sequence[Rows], order: NDArray[np.int64], batch: int, half: bool, team: Team, look: Look
) -> Answers:
    device, mine = next(method.parameters()).device, order[team.rank :: team.size]
    view = method.views(False)[0] if look.draw is None else method.draw_view()
    views = (view, replace(view, mirror=True)) if look.mirror else (view,)
    was_training = method.training
    method.eval()
    found: list[tuple[Tensor, ...]] = []
    for cut in batches(sources, mine, views, batch, how=look.how, seed=look.seed, epoch=look.epoch, draw=look.draw):
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            output = method(cut.clips[-1].to(device))
        found.append((output.logits, output.feature, *(() if output.affect is None else (output.affect,))))
    method.train(was_training)
    return Answers(
        *(team.joined(torch.cat(parts).float().cpu().numpy(), len(order)) for parts in zip(*found, strict=True))
    )
