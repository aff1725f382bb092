"""The report: self-contained, safe with any text, and working in a browser with and without its film."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.output.report import html, write_report
from tronie.video.write import VideoWriter

NASTY = "</script><script>alert(1)</script> \"quoted\" 'x' & <img src=x onerror=alert(1)>"
SPELLS = [
    (0, 0, 2, "neutral"),
    (0, 2, 4, "happiness"),
    (0, 4, 5, "uncertain"),
    (1, 1, 3, "anger"),
    (1, 4, 6, "neutral"),
]


class Reader(HTMLParser):
    """Tags with their attributes, and the text of elements with an id or of scripts."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(words)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.texts.append(data)


def test_nothing_is_loaded_from_anywhere_but_the_film(timeline_of) -> None:
    words = html(timeline_of(SPELLS), video="../films/my film #1.mp4")
    read = Reader(words)
    loads = [(tag, value) for tag, about in read.tags for name, value in about.items() if name in ("src", "href")]
    assert loads == [("video", "../films/my%20film%20%231.mp4")]
    assert not re.search(r"https?://|@import|url\(", words)
    assert any(tag == "meta" and "default-src 'none'" in str(about.get("content")) for tag, about in read.tags)


def test_any_text_stays_text(timeline_of) -> None:
    labels = LabelSet((NASTY, "neutral"))
    told = timeline_of([(0, 0, 1, NASTY), (0, 1, 2, "neutral")], source=f"{NASTY}.mp4", labels=labels)
    told = type(told)(told.columns, labels, told.provenance, told.looked, (NASTY,))
    words = html(told, video='x" onerror="alert(1).mp4', names={(f"{NASTY}.mp4", 0): NASTY})
    read = Reader(words)
    tags = [tag for tag, _ in read.tags]
    assert tags.count("script") == 2 and "img" not in tags
    assert not any(name.startswith("on") for _, about in read.tags for name in about)
    data = json.loads(next(text for text in read.texts if text.startswith('{"end"')))
    assert data["people"] == [NASTY] and data["labels"][0]["name"] == NASTY
    assert any(text == NASTY for text in read.texts)


def test_the_tables_hold_what_the_timeline_says(timeline_of) -> None:
    told = timeline_of(SPELLS)
    read = Reader(html(told, names={("film.mp4", 0): "Anna"}))
    data = json.loads(next(text for text in read.texts if text.startswith('{"end"')))
    assert [
        (s["start"], s["end"], data["people"][s["person"]], data["labels"][s["label"]]["name"])
        for s in data["segments"]
    ] == [(s.start, s.end, {0: "Anna", 1: "person 1"}[s.track], s.label) for s in told.segments()]
    assert sum(tag == "tr" for tag, _ in read.tags) == 1 + 5 + 1 + 2 + 1 + 3  # segments, times, changes
    assert any("AI Act" in text for text in read.texts)
    assert "made without its film" in " ".join(read.texts)


def test_a_film_without_faces_and_what_cannot_be_reported(timeline_of, tmp_path) -> None:
    assert "no face found" in write_report(timeline_of([], length=2), tmp_path / "a.html").read_text("utf-8")
    told = timeline_of(SPELLS)
    with pytest.raises(SettingError, match="A report is about one film"):
        html(type(told).concat([told, timeline_of(SPELLS, source="b.mp4")]))


def opened(browser, path) -> tuple[Any, list[str]]:
    page, errors = browser.new_page(viewport={"width": 1200, "height": 900}), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append("dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    return page, errors


def until(page, script, holds) -> None:
    """Wait until a script's value is right. (The page's own policy forbids the driver's way of waiting.)"""
    for _ in range(200):
        if holds(value := page.evaluate(script)):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"{script} stayed {value}")


def at(page, seconds) -> None:
    until(page, "document.querySelector('video').currentTime", lambda time: abs(time - seconds) < 0.02)


def test_in_a_browser_segments_seek_the_film(timeline_of, tmp_path, browser) -> None:
    with VideoWriter(tmp_path / "my film.mp4") as writer:
        for i in range(150):
            writer.write(np.full((48, 64, 3), i, np.uint8), i / 25)
    path = write_report(timeline_of(SPELLS), tmp_path / "a.html", video="my film.mp4", names={("film.mp4", 0): NASTY})
    page, errors = opened(browser, path)
    until(page, "document.querySelector('video').readyState", lambda state: state > 0)
    page.locator("#segments tbody tr", has_text="happiness").locator("button").click()
    at(page, 2.001)
    assert page.locator(".now li").nth(0).locator(".words").inner_text() == "happiness, 80 %"
    assert page.locator(".now li").nth(1).locator(".words").inner_text() == "anger, 80 %"
    assert page.locator("tr.on").count() == 2 and page.locator(".seg.on").count() == 2
    page.locator(".seg").last.click()  # the neutral segment of person 1, from 4 s
    at(page, 4.001)
    assert page.locator(".now .words").all_inner_texts() == ["uncertain", "neutral, 80 %"]
    wide = page.locator(".plot").bounding_box()["width"]
    page.locator(".plot").click(position={"x": wide / 2, "y": 60})
    at(page, 3)
    page.evaluate("document.querySelector('video').currentTime = 0.5")  # the film leads, the page follows
    until(page, "document.querySelector('.at').textContent", lambda words: words == "0:00.50")
    page.locator("#person").select_option("1")
    assert page.locator("#segments tbody tr:visible").count() == 2
    page.locator("#label").select_option(label="anger")
    assert page.locator("#segments tbody tr:visible").count() == 1
    page.locator("#zoom").fill("4")
    assert page.locator(".plot").bounding_box()["width"] == pytest.approx(4 * wide, rel=0.01)
    assert errors == []


def boxes(page, what: str) -> list[dict[str, float]]:
    """Where elements stand on the screen."""
    return page.evaluate(
        "what => [...document.querySelectorAll(what)].map(e => { const b = e.getBoundingClientRect();"
        " return { left: b.left, right: b.right, top: b.top, bottom: b.bottom, time: e.dataset.time }; })",
        what,
    )


def moved(page, zoom: str, share: float) -> None:
    page.locator("#zoom").fill(zoom)
    page.evaluate(
        "share => { const v = document.querySelector('.scroll');"
        " v.scrollLeft = share * (v.scrollWidth - v.clientWidth); }",
        share,
    )


@pytest.mark.parametrize("zoom", ["1", "3.5", "12", "20"])
def test_in_a_browser_every_name_stands_over_its_own_curves(timeline_of, tmp_path, browser, zoom) -> None:
    told = timeline_of(SPELLS)
    affect = {name: np.full(len(told), 0.5) for name in ("valence", "arousal")}
    told = type(told)({**told.columns, **affect}, told.labels, told.provenance, told.looked)
    names = {("film.mp4", 0): "Anna", ("film.mp4", 1): "Ben with a name that is quite long"}
    page, errors = opened(browser, write_report(told, tmp_path / "a.html", names=names))
    moved(page, zoom, 0.4)
    who, key, curve = boxes(page, ".who"), boxes(page, ".key"), boxes(page, ".plot svg:not(.affect)")
    view = boxes(page, ".scroll")[0]
    assert len(who) == len(key) == len(curve) == 2
    for person in (0, 1):
        assert who[person]["bottom"] <= curve[person]["top"] + 0.5 < key[person]["top"]
        assert abs(who[person]["left"] - view["left"]) < 1 and abs(key[person]["left"] - view["left"]) < 1  # in sight
    assert key[0]["bottom"] <= who[1]["top"] + 0.5  # not beside or over the second person's name
    assert errors == []


@pytest.mark.parametrize("length", [2.0, 61.3, 5400.0, 4 * 3600.0 + 7])
def test_in_a_browser_the_axis_has_round_times_at_every_zoom(timeline_of, tmp_path, browser, length) -> None:
    told = timeline_of([(0, 0, 1, "neutral"), (0, 1, 2, "anger")], fps=5, length=length)
    page, errors = opened(browser, write_report(told, tmp_path / "a.html"))
    steps = []
    for zoom in ("1", "2", "7", "20"):
        for share in (0.0, 0.37, 1.0):
            moved(page, zoom, share)
            ticks, view, plot = boxes(page, ".tick"), boxes(page, ".scroll")[0], boxes(page, ".plot")[0]
            seen = [tick for tick in ticks if view["left"] <= tick["left"] <= view["right"]]
            assert 3 <= len(seen) <= 12, (zoom, share)
            times = [seconds(tick["time"]) for tick in ticks]
            assert len(set(times)) == len(times) and times[0] == 0
            step = times[1]
            assert times == pytest.approx([i * step for i in range(len(times))])
            assert times[-1] <= length < times[-1] + step
            for tick, time in zip(ticks, times, strict=True):  # a time stands where it belongs
                wide = plot["right"] - plot["left"]
                assert tick["left"] - plot["left"] == pytest.approx(wide * time / length, abs=1)
            gaps = [b["left"] - a["left"] for a, b in pairwise(seen)]
            assert min(gaps) >= 99  # words do not run into each other
        steps.append(step)
    assert steps == sorted(steps, reverse=True) and steps[0] > steps[-1]
    assert set(steps) <= {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600}
    page.set_viewport_size({"width": 500, "height": 700})
    # The page hears of its new size when the browser gets to it.
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    wide = [tick["left"] for tick in boxes(page, ".tick")]
    assert min(b - a for a, b in pairwise(wide)) >= 99
    assert errors == []


def seconds(words: str) -> float:
    """``h:mm:ss.ss`` in seconds."""
    total = 0.0
    for part in words.split(":"):
        total = 60 * total + float(part)
    return total


def test_in_a_browser_without_the_film(timeline_of, tmp_path, browser) -> None:
    page, errors = opened(browser, write_report(timeline_of(SPELLS), tmp_path / "a.html", video="gone.mp4"))
    page.wait_for_selector(".missing:visible")
    assert "gone.mp4" in page.locator(".missing").inner_text() and page.locator("video").is_hidden()
    page.locator("#segments tbody tr", has_text="anger").locator("button").click()
    assert page.locator(".at").inner_text() == "0:01.00"
    assert page.locator(".now .words").all_inner_texts() == ["neutral, 80 %", "anger, 80 %"]
    assert errors == []
