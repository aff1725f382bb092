"""Losses shared by methods. Each has a slow oracle in the tests."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_TINY = 1e-6  # shorter vectors count as shorter still, so that gradients stay finite


def soft_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over rows of ``-sum_c target_c log softmax(logits)_c``; logits and target are ``(n, classes)``.

    ``weight`` ``(n,)`` is normalised to mean 1.
    """
    return weighted_mean(cross_entropy_rows(logits, target), weight)


def cross_entropy_rows(logits: Tensor, target: Tensor) -> Tensor:
    """``-sum_c target_c log softmax(logits)_c`` of each row: ``(n, classes)`` twice in, ``(n,)`` float32 out."""
    return -(target * torch.log_softmax(logits.float(), dim=1)).sum(1)


def weighted_mean(rows: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of ``rows`` ``(n,)`` weighted by ``weight`` ``(n,)`` (None: all alike); 0 where all weights are 0."""
    if weight is None:
        return rows.mean()
    return (rows * weight).sum() / weight.sum().clamp_min(1e-12)


def smooth(target: Tensor, amount: float) -> Tensor:
    """Label smoothing: ``amount`` of each row's mass, ``(n, classes)``, made uniform (Szegedy et al., CVPR 2016)."""
    return target * (1 - amount) + amount / target.shape[1]


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between each of ``(n, d)`` and each of ``(m, d)``: ``(n, m)`` float32; 0 where one is 0.

    Never in bf16: a scale of 100 would magnify what it rounds.
    """
    a, b = (functional.normalize(x.float(), dim=1, eps=_TINY) for x in (a, b))
    if not torch.is_autocast_enabled(a.device.type):  # asked first, as an exported graph should not hold the switch
        return functional.linear(a, b)
    with torch.autocast(a.device.type, enabled=False):
        return functional.linear(a, b)


def expressive(target: Tensor, weight: Tensor, neutral: int) -> Tensor:
    """Weighted target mass of every label but ``neutral``: ``(n, classes)`` and ``(n,)`` in, ``(n, classes)`` out."""
    mass = target * weight[:, None]
    return torch.cat([mass[:, :neutral], torch.zeros_like(mass[:, :1]), mass[:, neutral + 1 :]], 1)


def transformation(face: Tensor, calm: Tensor, text: Tensor, neutral: int, mass: Tensor) -> Tensor:
    """Mean of ``1 - cos(face_i - calm_i, text_c - text_neutral)`` over rows and labels by their ``mass``; in [0, 2].

    KE2NT (arXiv 2409.08598): ``face`` and ``calm`` ``(n, d)`` are features of faces and of the neutral faces imagined
    for them, ``text`` ``(classes, d)``, none normalised; ``mass`` ``(n, classes)`` is :func:`expressive`. 0 where no
    row is expressive.
    """
    gap = 1 - cosines(face.float() - calm.float(), text - text[neutral])
    return weighted_mean(gap.flatten(), mass.flatten())


def self_contrast(face: Tensor, calm: Tensor, text: Tensor, mass: Tensor, *, all_pairs: bool = False) -> Tensor:
    """Mean of ``cos(text_c, calm_j) - cos(text_c, face_j) + 2`` over rows and labels by their ``mass``; in [0, 4].

    KE2NT's self-contrast; arguments as in :func:`transformation`. Each face meets the texts of its own target, or, with
    ``all_pairs`` as in the release, those of all expressive rows. 0 where no row is expressive.
    """
    gap = cosines(calm, text) - cosines(face, text) + 2
    if all_pairs:
        mass = mass.sum(1, keepdim=True) * mass.sum(0, keepdim=True)
    return weighted_mean(gap.flatten(), mass.flatten())


def step_cross_entropy_rows(steps: Tensor, target: Tensor, *, faithful: bool = False) -> Tensor:
    """Cross-entropy of every step ``(n, m, classes)`` with its clip's target ``(n, classes)``, averaged: ``(n,)``.

    ``faithful``: as in RDFER's release, of probabilities taken for logits, and divided by the number of steps again.
    """
    count = steps.shape[1]
    logits = steps.softmax(2) if faithful else steps
    rows = cross_entropy_rows(logits.flatten(0, 1), target.repeat_interleave(count, 0))
    mean: Tensor = rows.unflatten(0, (-1, count)).mean(1)
    return mean / count if faithful else mean


def symmetric_kl_rows(one: Tensor, other: Tensor) -> Tensor:
    """Mean of both KL divergences between two answers in logits ``(n, classes)``: ``(n,)`` float32, in nats."""
    p, q = one.float().log_softmax(1), other.float().log_softmax(1)
    return ((p.exp() - q.exp()) * (p - q)).sum(1) / 2


def concordance_loss(answer: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over columns of ``1 - CCC`` of answers with ratings, both ``(n, k)``; in [0, 2].

    Lin's concordance correlation (Biometrics 1989), ``2 cov / (var + var + (mean - mean)²)``, as a loss as in the ABAW
    challenges (Kollias, CVPRW 2022). NaN ratings are left out; ``weight`` ``(n,)`` weighs rows in means and moments. A
    column without ratings does not count, and 0 is answered where none has any; one whose ratings are all alike counts
    1 and pulls nowhere. It is no mean over rows: that of a batch is not that of its shares.
    """
    known = torch.isfinite(truth)
    share = known.float() if weight is None else known * weight.float()[:, None]
    total = share.sum(0)
    share = share / total.clamp_min(1e-12)
    a, t = answer.float(), torch.where(known, truth, torch.zeros_like(truth)).float()
    a_mean, t_mean = (share * a).sum(0), (share * t).sum(0)
    a, t = a - a_mean, t - t_mean
    spread = (share * (a.square() + t.square())).sum(0) + (a_mean - t_mean).square()
    agreement = 2 * (share * a * t).sum(0) / spread.clamp_min(_TINY)
    counts = (total > 0).float()
    return ((1 - agreement) * counts).sum() / counts.sum().clamp_min(1)


def rated_square(answer: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error of answers ``(n, k)`` over the ratings that are no NaN; 0 where there are none."""
    known = torch.isfinite(truth)
    share = known.float() if weight is None else known * weight.float()[:, None]
    gap = answer.float() - torch.where(known, truth, torch.zeros_like(truth)).float()
    return weighted_mean(gap.square().flatten(), share.flatten())
