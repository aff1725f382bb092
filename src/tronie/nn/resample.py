"""Key-expression re-sampling: look again, closely, at the stretches of a clip that seem to carry the expression.

Centres ``mu`` in [-1, 1] (start to end of the clip) and log-strides ``delta`` <= 0 say where each of ``K`` keys lies
and how far apart its ``n`` frames are. For a clip of ``T`` frames:

    t_ij = (mu_i + 1)(T - 1)/2 + (j - (n - 1)/2) · T/(n - 1) · exp(delta_i)      j = 0..n-1

so ``delta = 0`` spreads a key over the whole clip and ``-ln(T/(n-1))`` takes adjacent frames. Frames between two others
are mixed of them, which lets a gradient reach centres and strides (the idea of S2DNet, ECCV 2022).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

How = Literal["linear", "gaussian", "copy"]
"""How a frame at a position between frames is made; "copy" takes the frame at the position rounded up."""

Rule = Literal["peaks", "confidence", "label"]
"""Which ``K`` of the steps a key should lie on, given class probabilities of each step."""


def spread(frames: int, steps: int) -> Tensor:
    """``steps`` whole positions from 0 to ``frames - 1``, rounded down."""
    return torch.arange(steps) * (frames - 1) // (steps - 1)


def uniform_frames(clip: Tensor, steps: int, *, drawn: bool = False) -> Tensor:
    """``steps`` frames of ``clip`` ``(b, T, ...)`` from the first to the last.

    When ``drawn``, each but the last is moved on by a number drawn from 0 up to, and without, ``(T - 1) // steps``:
    another clip of the same video.
    """
    rows, frames = clip.shape[:2]
    gap = (frames - 1) // steps
    if not drawn or gap < 2:
        return clip[:, spread(frames, steps).to(clip.device)]
    offset = torch.randint(0, gap, (rows, steps))  # on the CPU: every device draws the same
    offset[:, -1] = 0
    index = (spread(frames, steps) + offset).to(clip.device)
    return clip[torch.arange(rows, device=clip.device)[:, None], index]


def key_positions(mu: Tensor, delta: Tensor, frames: int, each: int) -> Tensor:
    """Raw positions ``(b, K·each)`` in frames, key after key, of centres and log-strides ``(b, K)``.

    They may lie outside [0, frames - 1].
    """
    centre = (mu + 1) * (frames - 1) / 2
    stride = frames / (each - 1) * delta.exp()
    offset = torch.arange(each, device=mu.device, dtype=mu.dtype) - (each - 1) / 2
    return (centre[:, :, None] + offset * stride[:, :, None]).flatten(1)


def take_frames(clip: Tensor, position: Tensor, how: How = "linear", *, sigma: float = 1.0) -> Tensor:
    """Frames of ``clip`` ``(b, T, ...)`` at ``position`` ``(b, m)``: ``(b, m, ...)`` in the position's type.

    "linear" mixes the two neighbours, "gaussian" all frames by ``exp(-(distance/sigma)²/2)``; "copy" takes a frame as
    it is, and no gradient reaches the position. Beyond the clip's ends "linear" and "copy" fade to, or give, frames of
    zeros, as RDFER's release does: hold positions within 0..T-1 first.
    """
    time = torch.arange(clip.shape[1], device=clip.device, dtype=position.dtype)
    if how == "copy":
        share = (time == position.ceil()[:, :, None]).to(position.dtype)
    elif how == "linear":
        share = torch.relu(1 - (time - position[:, :, None]).abs())
    else:
        share = torch.softmax(-((time - position[:, :, None]) / sigma).square() / 2, 2)
    with torch.autocast(clip.device.type, enabled=False):  # frames of 0..255 in bf16 would lose their last bits
        taken: Tensor = (share @ clip.flatten(2).to(share.dtype)).unflatten(2, clip.shape[2:])
    return taken


def key_targets(probability: Tensor, keys: int, rule: Rule, label: Tensor | None = None) -> Tensor:
    """The ``keys`` steps ``(b, keys)`` that a rule picks from class probabilities ``(b, steps, classes)``.

    "peaks": for every class the step where it peaks, of the ``keys`` classes with the highest peaks (steps may come
    twice; needs as many classes as keys). "confidence": the steps with the highest probability of any class. "label":
    those with the highest probability of ``label`` ``(b,)``, the right answer, so for training only.
    """
    if rule == "peaks":
        height, step = probability.max(1)
        return step.gather(1, height.topk(keys, 1).indices)
    if rule == "confidence":
        return probability.amax(2).topk(keys, 1).indices
    assert label is not None, "the rule 'label' needs labels"
    row = torch.arange(len(label), device=label.device)
    return probability[row, :, label].topk(keys, 1).indices


def step_to_centre(step: Tensor, steps: int) -> Tensor:
    """Step 0..steps-1 as a centre in [-1, 1]."""
    return 2 * step / (steps - 1) - 1


def key_distance(mu: Tensor, target: Tensor) -> Tensor:
    """Key-instance loss of each row ``(b,)``: sum of differences of the sorted centres ``(b, K)`` and their targets."""
    return (mu.sort(1).values - target.sort(1).values).abs().sum(1)
