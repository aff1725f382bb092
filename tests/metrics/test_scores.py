"""Scores against slow loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.metrics import scores

CLASSES = 4
pairs = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40)


@given(pairs)
def test_table_scores_equal_their_definitions(rows: list[tuple[int, int]]) -> None:
    truth, answer = np.array(rows).T
    table = scores.confusion(truth, answer, CLASSES)
    assert table.tolist() == [[sum(t == i and a == j for t, a in rows) for j in range(CLASSES)] for i in range(CLASSES)]
    assert scores.accuracy(table) == pytest.approx(sum(t == a for t, a in rows) / len(rows))
    recall, f1 = [], []
    for c in range(CLASSES):
        hits = sum(t == a == c for t, a in rows)
        shown, said = sum(t == c for t, _ in rows), sum(a == c for _, a in rows)
        if shown:
            recall.append(hits / shown)
            f1.append(2 * hits / (shown + said))
            assert scores.recalls(table)[c] == pytest.approx(hits / shown)
        else:
            assert np.isnan(scores.recalls(table)[c])
        if said:
            assert scores.precisions(table)[c] == pytest.approx(hits / said)
        if shown + said:
            assert scores.f1_scores(table)[c] == pytest.approx(2 * hits / (shown + said))
    assert scores.mean_recall(table) == pytest.approx(np.mean(recall))
    assert scores.macro_f1(table) == pytest.approx(np.mean(f1))


def test_an_empty_table_has_no_score() -> None:
    empty = np.zeros((3, 3), np.int64)
    assert all(np.isnan(f(empty)) for f in (scores.accuracy, scores.mean_recall, scores.macro_f1))


def test_log_likelihood_by_hand() -> None:
    p = np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]])
    expected = -(np.log(0.5) + np.log(0.1) + np.log(1e-12)) / 3
    assert scores.negative_log_likelihood(p, np.array([0, 1, 1])) == pytest.approx(expected)


def test_divergence_and_correlation_with_votes() -> None:
    votes = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    guess = np.array([[0.8, 0.1, 0.1], [0.25, 0.5, 0.25], [0.2, 0.3, 0.5]])
    by_hand = (np.log(1 / 0.8) + 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(1) + 0) / 3
    assert scores.kl_divergence(guess, votes) == pytest.approx(by_hand)
    assert scores.kl_divergence(votes, votes) == pytest.approx(0, abs=1e-9)
    expected = np.mean([np.corrcoef(guess[:, c], votes[:, c])[0, 1] for c in range(3)])
    assert scores.vote_correlation(guess, votes) == pytest.approx(expected)
    assert np.isnan(scores.vote_correlation(np.full((3, 2), 0.5), votes[:, :2]))  # a model without opinions


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.floats(0.5, 1))
def test_risk_and_coverage_keep_the_surest(rows: list[tuple[float, bool]], least: float) -> None:
    sure, right = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    coverage, risk = scores.risk_coverage(sure, right)
    order = sorted(range(len(rows)), key=lambda i: -sure[i])
    for k in range(len(rows)):
        kept = order[: k + 1]
        assert coverage[k] == pytest.approx((k + 1) / len(rows))
        assert risk[k] == pytest.approx(sum(not right[i] for i in kept) / len(kept))
    allowed = [c for c, r in zip(coverage, risk, strict=True) if r <= 1 - least]
    assert scores.coverage_at(sure, right, least) == pytest.approx(max(allowed, default=0))


numbers = st.floats(-1, 1, width=32)


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=20))
def test_concordance_pearson_and_rmse_equal_their_definitions(rows: list[tuple[float, float]]) -> None:
    answer, truth = np.array(rows).T
    n = len(rows)
    a_mean, t_mean = sum(answer) / n, sum(truth) / n
    both = sum((a - a_mean) * (t - t_mean) for a, t in rows) / n
    a_var, t_var = sum((a - a_mean) ** 2 for a in answer) / n, sum((t - t_mean) ** 2 for t in truth) / n
    assert scores.root_mean_square(answer, truth) == pytest.approx((sum((a - t) ** 2 for a, t in rows) / n) ** 0.5)
    if a_var + t_var > 1e-6:
        wanted = 2 * both / (a_var + t_var + (a_mean - t_mean) ** 2)
        assert scores.concordance(answer, truth) == pytest.approx(wanted, abs=1e-9)
    if min(a_var, t_var) > 1e-6:
        assert scores.pearson(answer, truth) == pytest.approx(both / (a_var * t_var) ** 0.5, abs=1e-9)
        assert abs(scores.concordance(answer, truth)) <= abs(scores.pearson(answer, truth)) + 1e-9


def test_what_constants_and_no_rows_give() -> None:
    truth, constant, none = np.array([-0.5, 0.1, 0.4]), np.full(3, 0.2), np.zeros(0)
    assert scores.concordance(truth, truth) == pytest.approx(1) and scores.pearson(2 * truth + 1, truth) == 1
    assert scores.concordance(constant, truth) == pytest.approx(0) and np.isnan(scores.pearson(constant, truth))
    assert np.isnan(scores.concordance(constant, constant))
    assert all(np.isnan(s(none, none)) for s in (scores.concordance, scores.pearson, scores.root_mean_square))
