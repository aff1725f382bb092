"""The page of an audit: nothing of the data can break it, and a person can decide by keyboard."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tronie.audit.page import WARNING, Card, Look, audit_page

NASTY = '</script><b>"x", {data} {js}'
FACE = cv2.imencode(".jpg", np.full((72, 72, 3), 128, np.uint8))[1].tobytes()
CARDS = [
    Card("one", "wrong", "anger", "neutral", 0.97, "4 of 4 looks say neutral.", FACE),
    Card(NASTY, "wrong", "anger", "neutral", 0.9, "4 of 4 looks say neutral.", FACE),
    Card("three", "wrong", "neutral", "anger", 0.8, "Because.", FACE),
    Card("four", "hard", "anger", "neutral", 0.2, "Torn.", b""),
]
CONTENT: dict[str, Any] = {
    "settings": {"data": NASTY, "folds": "5", "views": ""},
    "rows": 40,
    "labels": ["anger", "neutral"],
    "looks": 4,
    "told_apart": 0.7,
    "weak": False,
    "hash": "abc",
    "verdicts": {"clean": 35, "hard": 1, "doubtful": 0, "wrong": 3, "unusable": 1, "duplicate": 0, "leaked": 0},
    "share": {"value": 0.08, "low": 0.04, "high": 0.12},
    "table": [[18.0, 2.0], [1.0, 19.0]],
    "per_label": [[20, 2.0, 2], [20, 1.0, 1]],
    "proofs": [
        {
            "kind": "even",
            "planted": 4,
            "found": 0.9,
            "precision": 0.8,
            "precision_90": 0.7,
            "average": 0.9,
            "share": 0.17,
            "expected": 0.18,
        },
        {
            "kind": "confused",
            "planted": 4,
            "found": 0.8,
            "precision": None,
            "precision_90": None,
            "average": None,
            "share": None,
            "expected": None,
        },
    ],
}


def test_the_page_says_what_was_found_and_escapes_the_data() -> None:
    page = audit_page(CONTENT, CARDS, NASTY)
    assert "8.0 %" in page and "only looking tells" in page and "anger → neutral" in page
    assert "<kbd>2</kbd> neutral</span>" in page and "bars below" not in page
    assert NASTY not in page and page.count("</script>") == 2
    data = page.split('type="application/json">')[1].split("</script>")[0]
    assert [card["id"] for card in json.loads(data)["cards"]] == ["one", NASTY, "three", "four"]
    assert page.count("data:image/jpeg;base64,") == 3 and "http" not in page.replace("http-equiv", "")


def test_clips_tell_which_part_is_read_as_what_and_weak_looks_are_not_trusted() -> None:
    looks = (Look(0, 1, "anger"), Look(0.25, 0.75, "neutral"), Look(0.5, 1, NASTY))
    page = audit_page(CONTENT | {"weak": True}, [Card("c", "wrong", "anger", "neutral", 0.9, "So.", b"", looks)], "x")
    assert '<i class="given" style="left:0.0%;width:100.0%"' in page
    assert '<i class="suggested" style="left:25.0%;width:50.0%"' in page and '<i class="other"' in page
    assert NASTY not in page and WARNING in page and "estimated <b>" not in page
    assert (
        WARNING not in audit_page(CONTENT, CARDS, "x")
        and "strip" not in audit_page(CONTENT, CARDS, "x").split("</style>")[1]
    )


def test_without_cards_and_proof_there_is_still_a_page() -> None:
    empty = CONTENT | {"proofs": [], "verdicts": dict.fromkeys(CONTENT["verdicts"], 0)}
    page = audit_page(empty, [], "x")
    assert "No noise was planted" in page and 'class="gallery"' not in page


def test_in_a_browser_decisions_are_made_by_keyboard_and_exported(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "audit.html"
    path.write_text(audit_page(CONTENT, CARDS, "faces"), encoding="utf-8")
    page, errors = browser.new_page(viewport={"width": 1200, "height": 900}), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append("dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    assert page.locator(".card img").first.evaluate("i => i.naturalWidth") == 72
    for key in ("ArrowRight", "a", "r", "1", "d"):  # each decision goes on to the next card
        page.keyboard.press(key)
    assert page.locator("#decided").inner_text() == "4"
    page.locator(".card").nth(2).click()
    assert "suggested anger" in page.locator("#chosen").inner_text()
    page.keyboard.press("u")
    assert page.locator("#decided").inner_text() == "3"
    assert page.locator(".card").nth(0).get_attribute("data-decision") == "accept"
    with page.expect_download() as waiting:
        page.locator("#csv").click()
    waiting.value.save_as(tmp_path / "decisions.csv")
    with (tmp_path / "decisions.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["id"], row["decision"], row["label"]) for row in csv.DictReader(file)]
    assert rows == [("one", "accept", "neutral"), (NASTY, "reject", "anger"), ("four", "drop", "")]
    with page.expect_download() as waiting:
        page.locator("#json").click()
    waiting.value.save_as(tmp_path / "decisions.json")
    assert [row["id"] for row in json.loads((tmp_path / "decisions.json").read_text("utf-8"))] == [r[0] for r in rows]
    assert errors == []
