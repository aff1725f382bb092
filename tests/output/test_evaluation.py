"""The page about an evaluation: whole, self-contained, and nothing in it can break out of its text."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from tronie.output.charts import Series, chart
from tronie.output.evaluation import evaluation_page


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def source(name: str = "happiness") -> dict[str, Any]:
    return {
        "rows": 30,
        "hash": "0123456789ab",
        "labels": [name, "sadness", "fear"],
        "left_out": 2,
        "scores": {
            "war": interval(0.8),
            "uar": interval(0.75),
            "macro_f1": interval(0.7),
            "nll": interval(0.5),
            "calibration_error": interval(0.04),
            "coverage_95": interval(0.3),
            "votes_kl": interval(0.2),
        },
        "per_class": {
            name: {"recall": 0.9, "precision": 0.8, "f1": 0.85, "faces": 20},
            "sadness": {"recall": 0.6, "precision": 0.7, "f1": 0.65, "faces": 10},
            "fear": {"recall": None, "precision": None, "f1": None, "faces": 0},
        },
        "confusion": [[18, 2, 0], [4, 6, 0], [0, 0, 0]],
        "reliability": [[0.4, 0.5, 10], [0.7, 0.6, 10], [0.95, 1.0, 10]],
        "risk_coverage": [[0.03, 0.0], [1.0, 0.2]],
    }


CONTENT = {
    "sources": {"drawn/fold1": source(), "voted": source()},
    "robustness": {
        "voted": [
            {
                "corruption": c,
                "level": level,
                "unit": "pixels",
                "war": interval(0.1 * i + 0.3),
                "uar": interval(0.1 * i + 0.2),
            }
            for c in ("face size", "blur")
            for i, level in enumerate((8, 16, 32))
        ]
    },
}
LOG = [{"epoch": i, "ce": 2.0 / (i + 1), "drawn/war": 0.5 + 0.1 * i, "drawn/uar": None} for i in range(4)]


def test_answers_that_are_no_numbers_still_give_a_page() -> None:
    """A run whose weights have grown beyond all numbers is judged, and told, like any other."""
    broken = source() | {"reliability": [[None, None, 30]], "risk_coverage": [[0.5, None], [1.0, 0.7]]}
    page = evaluation_page({"sources": {"drawn": broken}}, "page", log=LOG)
    assert "Reliability" in page and "nan" not in page.lower()


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.references: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in ("meta", "path", "circle", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in ("path", "circle") or self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Seen:
    seen = Seen()
    seen.feed(page)
    assert seen.open == []
    return seen


def test_the_page_says_what_was_measured_and_needs_nothing_else() -> None:
    page = evaluation_page(CONTENT, "model x", log=LOG, facts=[("model", "x 0123")], recipe="[loop]\nepochs = 3\n")
    seen = read(page)
    text = " ".join(seen.text)
    assert seen.references == [] and "script" not in seen.tags and "@import" not in text
    for expected in (
        "model x",
        "80.0",
        "[78.0, 82.0]",
        "0.500",
        "drawn/fold1",
        "2 left out",
        "0123456789ab",
        "95 %",
        "face size",
        "epochs = 3",
        "not a feeling felt",
        "–",
    ):
        assert expected in text, expected
    assert seen.tags.count("svg") >= 2 * 2 + 2 + 2


def test_a_source_is_shown_after_the_last_epoch_at_a_chosen_one_and_at_its_best() -> None:
    epochs = [
        {
            "source": "d/test",
            "score": "war",
            "last": 0.75,
            "best": 0.9,
            "best_epoch": 3,
            "by": "d/fold0",
            "chosen": 0.7,
            "chosen_epoch": 2,
        },
        {
            "source": "d/fold0",
            "score": "uar",
            "last": 0.6,
            "best": 0.8,
            "best_epoch": 2,
            "by": "",
            "chosen": None,
            "chosen_epoch": 0,
        },
    ]
    text = " ".join(read(evaluation_page(CONTENT, "x", log=LOG, epochs=epochs)).text)
    for expected in ("75.0", "70.0", "(epoch 2, by d/fold0)", "90.0", "(epoch 3)", "no estimate", "mean recall (UAR)"):
        assert expected in text, expected
    assert "Which epoch?" not in " ".join(read(evaluation_page(CONTENT, "x", log=LOG)).text)


def test_every_figure_is_sound_xml_with_points_inside_it() -> None:
    page = evaluation_page(CONTENT, "x", log=LOG)
    figures = re.findall(r"<figure>(<svg.*?</svg>)", page, re.DOTALL)
    assert len(figures) == 8
    for figure in figures:
        root = ET.fromstring(figure)
        for circle in root.iter("circle"):
            assert 0 <= float(circle.get("cx", "nan")) <= 400 and 0 <= float(circle.get("cy", "nan")) <= 300
        assert root.get("aria-label")


def test_no_name_can_break_out_of_its_text() -> None:
    evil = '<script>alert(1)</script>"&'
    content = {"sources": {evil: source(evil)}, "robustness": {}}
    seen = read(evaluation_page(content, evil, facts=[(evil, evil)], recipe=evil, log=[{"epoch": 0, evil: 1.0}]))
    assert "script" not in seen.tags and any(evil in t for t in seen.text)


def test_a_run_without_validation_says_so() -> None:
    assert "No rows were held out" in evaluation_page({"sources": {}}, "x")


def test_points_lie_where_the_axes_say() -> None:
    line = Series("a", [(1, 0.0), (10, 0.5), (100, 1.0)])
    figure = chart([line], "x", "y", xs=(1, 100), ys=(0, 1), log=True, ticks=(1, 10, 100))
    spots = [(float(a), float(b)) for a, b in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', figure)]
    (x0, y0), (x1, y1), (x2, y2) = spots
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1) and y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert x0 < x2 and y0 > y2


def test_what_is_no_number_is_left_out_and_nothing_at_all_is_said() -> None:
    figure = chart([Series("a", [(0, 1.0), (1, math.nan), (2, 3.0)])], "x", "y")
    assert figure.count("<circle") == 2 and "nan" not in figure
    assert "Nothing to draw" in chart([Series("a", [])], "x", "y")
    assert chart([Series("a", [(5, 5)])], "x", "y").count("<circle") == 1  # a single point has axes of its own
