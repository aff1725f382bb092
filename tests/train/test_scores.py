"""Evaluations: every score with an interval, votes where there are any, and JSON that any reader takes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tronie.core.errors import SourceError
from tronie.metrics import scores
from tronie.train.log import figures
from tronie.train.scores import Evaluation, evaluate, plain

LABELS = ("happiness", "sadness", "fear", "neutral")


def world(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right about as often as they say, and labels; fear never occurs."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet((0.6, 0.6, 0.02, 0.6), n)
    truth = np.array([rng.choice(4, p=row) for row in p])
    return p[truth != 2], truth[truth != 2]


def judged(**more: object) -> Evaluation:
    p, truth = world()
    return evaluate(p, truth, LABELS, "0123456789ab", draws=200, **more)  # type: ignore[arg-type]


def test_values_are_the_scores_and_lie_in_their_intervals() -> None:
    p, truth = world()
    found = judged(left_out=3)
    table = scores.confusion(truth, p.argmax(1), 4)
    accuracy = scores.accuracy(table)
    assert found.scores["war"].value == accuracy and found.scores["uar"].value == scores.mean_recall(table)
    assert found.scores["nll"].value == scores.negative_log_likelihood(p, truth)
    for name, i in found.scores.items():
        assert i.low <= i.value <= i.high, name
    assert (found.rows, found.left_out, found.labels) == (len(truth), 3, LABELS)
    assert found.confusion == tuple(map(tuple, table.tolist()))
    assert sum(row[2] for row in found.reliability) == len(truth)
    assert found.risk_coverage[-1] == pytest.approx((1.0, 1 - accuracy)) and len(found.risk_coverage) <= 101


def test_a_class_that_does_not_occur_has_no_recall_and_json_says_null() -> None:
    found = judged()
    assert np.isnan(found.per_class["fear"]["recall"]) and found.per_class["fear"]["faces"] == 0
    text = json.dumps(plain(found), allow_nan=False)
    assert json.loads(text)["per_class"]["fear"]["recall"] is None


def test_votes_are_compared_where_there_are_any() -> None:
    p, _ = world()
    votes = np.full(p.shape, np.nan, np.float32)
    votes[::2] = p[::2]
    found = judged(votes=votes)
    assert found.scores["votes_kl"].value == pytest.approx(0, abs=1e-6)
    assert found.scores["votes_correlation"].value == pytest.approx(1, abs=1e-5)
    assert "votes_kl" not in judged(votes=np.full(p.shape, np.nan)).scores and "votes_kl" not in judged().scores


def test_groups_widen_the_intervals() -> None:
    p, truth = world(60)
    p, truth, group = np.repeat(p, 5, 0), np.repeat(truth, 5), np.repeat(np.arange(len(p)), 5)
    alone, whole = (evaluate(p, truth, LABELS, "", groups=g, draws=200).scores["war"] for g in (None, group))
    assert whole.high - whole.low > 1.5 * (alone.high - alone.low)


def test_four_right_answers_prove_little() -> None:
    found = evaluate(np.eye(4)[[0, 1, 3, 3]], np.array([0, 1, 3, 3]), LABELS, "", draws=50)
    assert found.scores["war"].value == 1.0 and found.scores["war"].low == pytest.approx(0.51, abs=0.01)
    assert found.scores["uar"].low < 0.3  # one face of the rarest


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(SourceError, match="no face to judge"):
        evaluate(np.zeros((0, 4)), np.zeros(0, int), LABELS, "")


LOG = [
    {"epoch": i, "ce": 1.0, "d/fold0/war": v, "d/test/war": t}
    for i, (v, t) in enumerate([(0.5, 0.6), (0.8, 0.7), (0.8, 0.9), (None, None), (0.7, 0.75)])
]


def test_a_test_part_is_reported_three_ways_and_chooses_nothing() -> None:
    valid, test = figures(LOG)
    assert (test.source, test.score, test.by, test.test) == ("d/test", "war", "d/fold0", True)
    assert (test.chosen, test.last, test.best) == (0.7, 0.75, 0.9)
    assert (test.chosen_epoch, test.best_epoch) == (2, 3)
    assert valid.chosen is None and not valid.test and (valid.last, valid.best, valid.best_epoch) == (0.7, 0.8, 2)
    for words in (
        "d/test, accuracy: 75.00% after the last",
        "70.00% after epoch 2, chosen by d/fold0",
        "test-best",
        "90.00% (epoch 3)",
    ):
        assert words in str(test)
    assert figures([]) == [] and figures([{"epoch": 0, "ce": 1.0}]) == []


def test_each_score_is_chosen_by_the_same_score_of_other_faces() -> None:
    log = [
        {"epoch": i, "a/valid/war": a, "a/valid/uar": b, "b/valid/war": 0.1 * i, "b/valid/uar": 0.5 - 0.1 * i}
        for i, (a, b) in enumerate([(0.3, 0.2), (0.2, 0.4)])
    ]
    found = {(one.source, one.score): one for one in figures(log)}
    assert found["b/valid", "war"].chosen_epoch == 1 and found["b/valid", "uar"].chosen_epoch == 2
    assert found["a/valid", "war"].by == "b/valid" and found["a/valid", "war"].chosen == 0.2
