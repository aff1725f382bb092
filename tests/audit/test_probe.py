from __future__ import annotations

import numpy as np
import pytest

from tronie.audit.neighbours import neighbour_shares
from tronie.audit.probe import fit_probe, minimise, principal


def test_minimise_finds_the_bottom_of_a_bowl_and_of_a_bent_valley() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 12))
    a, b = a @ a.T + np.eye(12), rng.normal(size=12)
    found = minimise(lambda x: (float(x @ a @ x / 2 - b @ x), a @ x - b), np.zeros(12), 200, tolerance=1e-14)
    np.testing.assert_allclose(found, np.linalg.solve(a, b), atol=1e-4)

    def rosenbrock(x):
        value = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        slope = [-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)]
        return float(value), np.array(slope)

    np.testing.assert_allclose(minimise(rosenbrock, np.array([-1.2, 1.0]), 300, tolerance=1e-14), [1, 1], atol=1e-3)


def test_components_are_the_singular_vectors_scaled_by_one_number() -> None:
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(300, 40)) @ rng.normal(size=(40, 40)) * np.linspace(3, 0.1, 40)).astype(np.float32)
    found = principal(x, 8)
    z = (x - x.mean(0)) / x.std(0)
    _, value, turn = np.linalg.svd(z, full_matrices=False)
    got = found(x)
    assert got.shape == (300, 8)
    assert (got**2).mean() == pytest.approx(1, rel=1e-3)
    wanted = z @ turn[:8].T * np.sqrt(8 * 300 / (value[:8] ** 2).sum())
    for j in range(4):  # the leading ones; a sign is free
        assert abs(np.corrcoef(got[:, j], wanted[:, j])[0, 1]) > 0.999
        assert np.linalg.norm(got[:, j]) == pytest.approx(np.linalg.norm(wanted[:, j]), rel=1e-2)


def _heaps(seed: int = 0, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    return (np.eye(3)[label] @ rng.normal(size=(3, 6)) * 2 + rng.normal(size=(n, 6))).astype(np.float32), label


def test_the_probe_is_regularised_logistic_regression() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x, label = _heaps()
    ridge = 0.01
    probe = fit_probe(x, label, 3, ridge=ridge, steps=400)
    other = linear.LogisticRegression(C=1 / (2 * ridge * len(x)), max_iter=2000, tol=1e-8).fit(x, label)
    np.testing.assert_allclose(probe(x), other.predict_proba(x), atol=2e-3)


def test_weights_and_missing_labels_leave_rows_out() -> None:
    x, label = _heaps(1)
    half = np.arange(300) < 150
    alone = fit_probe(x[half], label[half], 3, steps=300)
    weighed = fit_probe(x, label, 3, weight=half.astype(float), steps=300)
    hidden = fit_probe(x, np.where(half, label, -1), 3, steps=300)
    np.testing.assert_allclose(weighed(x), alone(x), atol=5e-3)
    np.testing.assert_allclose(hidden(x), alone(x), atol=5e-3)
    views = fit_probe(np.stack([x, x]), label, 3, steps=300)
    np.testing.assert_allclose(views(x), fit_probe(x, label, 3, steps=300)(x), atol=5e-3)
    assert views(np.stack([x, x])).shape == (2, 300, 3)


def test_neighbours_vote_as_counted_by_hand() -> None:
    rng = np.random.default_rng(2)
    x, label, groups = rng.normal(size=(60, 5)), rng.integers(-1, 3, 60), rng.integers(0, 12, 60)
    got = neighbour_shares(x, label, 3, groups, k=4, block=7)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for i in range(60):
        rows = [j for j in range(60) if label[j] >= 0 and groups[j] != groups[i]]
        rows = sorted(rows, key=lambda j: -(unit[i] @ unit[j]))[:4]
        share = np.zeros(3)
        for j in rows:
            share[label[j]] += np.exp(10 * unit[i] @ unit[j])
        np.testing.assert_allclose(got[i], share / share.sum(), atol=1e-4)


def test_where_nobody_may_vote_there_are_no_shares() -> None:
    x, label = np.eye(3), np.array([0, 1, 0])
    assert (neighbour_shares(x, label, 2, np.zeros(3, np.int64)) == 0).all()
    assert (neighbour_shares(x, np.full(3, -1), 2, np.arange(3)) == 0).all()
