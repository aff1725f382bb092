"""A linear probe on features: principal components, then a regularised softmax, in NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tronie.metrics.calibration import softmax
from tronie.metrics.scores import Floats, Ints

Matrix = NDArray[np.float32]


class Components(NamedTuple):
    """``(x - mean) / spread @ axes``: features ``(n, D)`` to the ``d`` directions in which they vary most."""

    mean: Matrix
    spread: Matrix
    axes: Matrix

    def __call__(self, x: NDArray[np.floating]) -> Matrix:
        """Features ``(..., D)`` as components ``(..., d)``."""
        return np.asarray((x - self.mean) / self.spread @ self.axes, np.float32)


def principal(x: NDArray[np.floating], dims: int, seed: int = 0) -> Components:
    """The ``dims`` first principal components of standardised ``x`` ``(n, D)``, scaled so that values are about 1.

    By a random projection with three power iterations (Halko, Martinsson & Tropp, SIAM Review 2011, algorithm 4.4).
    All axes are divided by one number, so components that vary more stay larger. There are fewer than ``dims`` where
    rows or features are fewer.
    """
    features = np.asarray(x, np.float32)
    mean, spread = features.mean(0), np.maximum(features.std(0), 1e-3)
    z = (features - mean) / spread
    dims = min(dims, *z.shape)
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(z.shape[1], min(dims + 16, *z.shape))).astype(np.float32)
    for _ in range(3):
        basis = np.linalg.qr(z.T @ (z @ basis))[0].astype(np.float32)
    shown = z @ basis
    value, turn = np.linalg.eigh(shown.T @ shown)
    axes = basis @ turn[:, ::-1][:, :dims]
    scale = np.sqrt(max(float(value[::-1][:dims].mean()), 1e-12) / len(z))
    return Components(mean, spread, np.asarray(axes / scale, np.float32))


class Probe(NamedTuple):
    """Weights ``(d, C)`` and biases ``(C,)`` of a linear classifier."""

    weight: Matrix
    bias: Matrix

    def __call__(self, x: Matrix) -> Floats:
        """Probabilities ``(..., C)`` of components ``(..., d)``."""
        logits = np.asarray(x @ self.weight + self.bias, np.float64)
        return softmax(logits.reshape(-1, logits.shape[-1])).reshape(logits.shape)


def fit_probe(
    x: Matrix,
    label: Ints,
    classes: int,
    *,
    weight: NDArray[np.floating] | None = None,
    ridge: float = 0.004,
    start: Probe | None = None,
    steps: int = 60,
) -> Probe:
    """The :class:`Probe` with the least mean cross-entropy plus ``ridge * sum(weights ** 2)``; biases are free.

    ``x`` ``(n, d)``, or looks ``(V, n, d)`` that share their labels. ``weight`` ``(n,)`` >= 0 counts rows more or less.
    ``start`` is where the search begins: a similar problem's answer saves steps. Rows of label -1 are left out, the
    others are in 0..C-1, C being ``classes``.
    """
    looks = x if x.ndim == 3 else x[None]
    keep = label >= 0
    rows = (looks if keep.all() else looks[:, keep]).reshape(-1, looks.shape[2])
    share = np.ones(len(label)) if weight is None else np.asarray(weight, np.float64)
    counts = np.tile(share[keep] / max(share[keep].sum(), 1e-12) / len(looks), len(looks)).astype(np.float32)
    known = np.tile(label[keep], len(looks))
    every, shape = np.arange(len(known)), (classes, looks.shape[2] + 1)

    def cost(flat: Floats) -> tuple[float, Floats]:
        theta = flat.reshape(shape).astype(np.float32)
        logits = theta[:, :-1] @ rows.T + theta[:, -1:]  # classes first: rows of memory stay long
        logits -= logits.max(0)
        error = np.exp(logits)
        total = error.sum(0)
        loss = float(((np.log(total) - logits[known, every]) * counts).sum(dtype=np.float64))
        error *= counts / total
        error[known, every] -= counts
        gradient = np.column_stack([error @ rows + 2 * ridge * theta[:, :-1], error.sum(1)])
        return loss + ridge * float((theta[:, :-1] ** 2).sum()), gradient.astype(np.float64).ravel()

    first = np.zeros(shape) if start is None else np.column_stack([start.weight.T, start.bias]).astype(np.float64)
    best = minimise(cost, first.ravel(), steps, tolerance=5e-5).reshape(shape).astype(np.float32)
    return Probe(np.ascontiguousarray(best[:, :-1].T), best[:, -1])


def minimise(
    cost: Callable[[Floats], tuple[float, Floats]],
    start: Floats,
    steps: int = 100,
    *,
    memory: int = 10,
    tolerance: float = 1e-6,
) -> Floats:
    """Where a smooth function is least, by L-BFGS with backtracking (Nocedal & Wright, algorithm 7.5).

    ``cost`` gives value and gradient ``(m,)`` at a place ``(m,)``, such as ``start``; ``memory`` is how many steps are
    remembered. Ends after ``steps``, where the gradient vanishes, or where the value no longer falls by ``tolerance``
    of itself.
    """
    x, (value, gradient) = start, cost(start)
    moves: list[tuple[Floats, Floats]] = []
    for _ in range(steps):
        direction = -_two_loops(gradient, moves)
        slope = float(direction @ gradient)
        if slope >= 0:  # rounding has spoiled the memory
            moves, direction, slope = [], -gradient, -float(gradient @ gradient)
        if -slope < 1e-14:
            break
        size = 1.0 if moves else min(1.0, 1.0 / float(np.sqrt(-slope)))
        for _ in range(25):
            trial = x + size * direction
            after, turned = cost(trial)
            if after <= value + 1e-4 * size * slope:
                break
            size /= 2
        else:
            break
        if float((trial - x) @ (turned - gradient)) > 1e-12:
            moves = [*moves, (trial - x, turned - gradient)][-memory:]
        fell = value - after
        x, value, gradient = trial, after, turned
        if fell < tolerance * max(abs(value), 1e-9):
            break
    return x


def _two_loops(gradient: Floats, moves: list[tuple[Floats, Floats]]) -> Floats:
    """The inverse Hessian that ``moves`` (steps, changes of the gradient) suggest, times ``gradient``."""
    q, shares = gradient.copy(), []
    for step, change in reversed(moves):
        share = float(step @ q) / float(step @ change)
        q -= share * change
        shares.append(share)
    if moves:
        step, change = moves[-1]
        q *= float(step @ change) / float(change @ change)
    for (step, change), share in zip(moves, reversed(shares), strict=True):
        q += (share - float(change @ q) / float(step @ change)) * step
    return q
