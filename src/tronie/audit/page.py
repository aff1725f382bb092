"""The page of an audit: what was found, and galleries in which a person accepts or rejects it. One file, no network."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

Json = Mapping[str, Any]

WARNING = (
    "The looks hardly name the labels better than guessing would: these data are too few or too hard for this audit. "
    "Nothing is called wrong, and no share of wrong labels is given; more rows, --features or --probabilities may help."
)
_TITLES = {
    "wrong": "Probably wrong",
    "doubtful": "Doubtful",
    "hard": "Hard, keep",
    "unusable": "Unusable",
    "duplicate": "Duplicates",
    "leaked": "Leaked into another split",
}
_MEANING = (
    ("wrong", "the label is more likely wrong than right"),
    ("doubtful", "more likely right than wrong, but not sure enough for the list of hard ones"),
    ("hard", "difficult to read, and the label is probably right: keep it, it is what a model has to learn"),
    ("unusable", "nothing can be read: no face, blurred, dark, or the file is damaged"),
    ("duplicate, leaked", "the same picture again; nearly the same picture in another split"),
    ("clean", "looks agree with the label"),
    ("expected errors", "sums of probabilities, fitted on wrong labels that were planted in this very data"),
    ("a label", "names an expression shown, not a feeling felt"),
)
_PARTS = (
    "bars below a clip",
    "one for each look, where in the clip it looked: blue, it says the label; orange, the suggestion; grey, something "
    "else. A second row of frames shows the part that is read otherwise than the rest",
)


@dataclass(frozen=True)
class Look:
    """A part of a clip, from ``begin`` to ``end`` as shares of it, and the label that a look at it says."""

    begin: float
    end: float
    label: str


@dataclass(frozen=True)
class Card:
    """One row in a gallery; ``wrong`` is the probability that its label is; ``picture`` a JPEG, or nothing.

    ``looks`` are those at parts of a clip; photos have none.
    """

    id: str
    verdict: str
    given: str
    suggested: str
    wrong: float
    reason: str
    picture: bytes = b""
    looks: tuple[Look, ...] = ()


def audit_page(content: Json, cards: Sequence[Card], title: str) -> str:
    """The whole document. ``content`` is what ``audit.json`` holds."""
    here = files("tronie.audit")
    parts = {
        "title": escape(title),
        "css": _read(files("tronie.output"), "evaluation.css") + _read(here, "page.css"),
        "js": _read(here, "page.js"),
        "summary": _summary(content),
        "table": _table(content),
        "proof": _proof(content["proofs"]),
        "galleries": _galleries(content, cards),
        "facts": _list([(k, str(v)) for k, v in content["settings"].items() if v] + [("rows", content["hash"])]),
        "meaning": _list([*_MEANING, _PARTS] if any(c.looks for c in cards) else _MEANING),
        "keys": _label_keys(content["labels"]),
        "data": _embedded(content, cards),
    }
    places = re.compile("{(" + "|".join(parts) + ")}")  # in one pass: words of the data are never taken for places
    return places.sub(lambda place: parts[place[1]], _read(here, "page.html"))


def _read(folder: Any, name: str) -> str:
    text: str = folder.joinpath(name).read_text(encoding="utf-8")
    return text


def _embedded(content: Json, cards: Sequence[Card]) -> str:
    """What the script works from; no text of the data can end the element that holds it."""
    rows = [{"id": c.id, "given": c.given, "suggested": c.suggested, "verdict": c.verdict} for c in cards]
    text = json.dumps({"labels": content["labels"], "cards": rows, "hash": content["hash"]}, ensure_ascii=False)
    return text.replace("<", "\\u003c")


def _list(pairs: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs) + "</dl>"


def _label_keys(labels: Sequence[str]) -> str:
    """Which key gives which label."""
    return " ".join(f'<span class="key"><kbd>{i}</kbd> {escape(name)}</span>' for i, name in enumerate(labels[:9], 1))


def _summary(content: Json) -> str:
    counts, rows = content["verdicts"], content["rows"]
    cells = "".join(
        f'<div class="sum {name}"><b>{count:,}</b><span>{escape(name)}</span><small>{_percent(count / max(rows, 1))}'
        "</small></div>"
        for name, count in counts.items()
    )
    if content["weak"]:
        return f'<p class="warning">{escape(WARNING)}</p><div class="sums">{cells}</div>'
    share = content["share"]
    ends = f"{_percent(share['low'])} and {_percent(share['high'])}"
    return (
        f'<div class="sums">{cells}</div><p>An estimated <b>{_percent(share["value"])}</b> of {rows:,} labels are '
        f"wrong (between {ends}; mistakes that annotators share with what a model learns from them are not seen, so it "
        "may be more). How many of the rows called wrong are errors, only looking tells: begin with those.</p>"
    )


def _table(content: Json) -> str:
    names, table = content["labels"], content["table"]
    most = max((v for i, r in enumerate(table) for j, v in enumerate(r) if i != j), default=1) or 1
    head = "".join(f"<th>{escape(n)}</th>" for n in names)
    lines = []
    for i, (name, row) in enumerate(zip(names, table, strict=True)):
        count, wrong, _ = content["per_label"][i]
        cells = "".join(
            f"<td>{value:,.0f}</td>"
            if i == j
            else f'<td style="background:rgba(213,94,0,{0.75 * value / most:.3f})">{value:,.0f}</td>'
            for j, value in enumerate(row)
        )
        lines.append(f"<tr><td>{escape(name)}</td>{cells}<td>{_percent(wrong / max(count, 1))}</td></tr>")
    return (
        f'<table class="heat"><thead><tr><th>labelled</th>{head}<th>wrong</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _proof(proofs: Sequence[Json]) -> str:
    if not proofs:
        return '<p class="soft">No noise was planted.</p>'
    lines = "".join(
        f"<tr><td>{escape(p['kind'])}</td><td>{p['planted']:,}</td><td>{_maybe(p['found'])}</td>"
        f"<td>{_maybe(p['precision'])}</td><td>{_maybe(p['precision_90'])}</td><td>{_maybe(p['share'])}</td>"
        f"<td>{_maybe(p['expected'])}</td></tr>"
        for p in proofs
    )
    return (
        "<table><thead><tr><th>planted</th><th>labels</th><th>called wrong</th><th>of the called, planted</th>"
        "<th>the same where 90 % are found</th><th>estimated share wrong</th><th>it should be</th></tr></thead>"
        f"<tbody>{lines}</tbody></table>"
        '<p class="soft">Labels that were wrong before count against precision: it is a lower bound.</p>'
    )


def _maybe(share: float | None) -> str:
    return "–" if share is None else _percent(share)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _galleries(content: Json, cards: Sequence[Card]) -> str:
    found = []
    for verdict, title in _TITLES.items():
        mine = [(i, c) for i, c in enumerate(cards) if c.verdict == verdict]
        total = content["verdicts"][verdict]
        if not mine:
            continue
        count = f"{total:,} {'row' if total == 1 else 'rows'}"
        part = f"; the first {len(mine):,} are shown, audit.csv has all" if len(mine) < total else ""
        found.append(
            f'<section class="gallery" data-verdict="{verdict}"><h2>{title}</h2>'
            f'<p class="soft">{count}{part}.</p>{_pairs(mine)}</section>'
        )
    return "".join(found)


def _pairs(cards: Sequence[tuple[int, Card]]) -> str:
    """One gallery per pair given → suggested, the largest first; of hard and unusable rows one per label."""
    groups: dict[tuple[str, str], list[tuple[int, Card]]] = {}
    for i, card in cards:
        groups.setdefault((card.given, card.suggested if card.verdict in ("wrong", "doubtful") else ""), []).append(
            (i, card)
        )
    parts = []
    for (given, suggested), mine in sorted(groups.items(), key=lambda g: -len(g[1])):
        title = f"{escape(given)} → {escape(suggested)}" if suggested else escape(given)
        shown = "".join(_card(i, card) for i, card in mine)
        parts.append(f'<h3>{title} <small class="soft">{len(mine)}</small></h3><div class="cards">{shown}</div>')
    return "".join(parts)


def _card(index: int, card: Card) -> str:
    picture = '<span class="blank"></span>'
    if card.picture:
        data = base64.b64encode(card.picture).decode("ascii")
        picture = f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{data}">'
    words = escape(f"{card.id}: {card.reason}")
    return (
        f'<button type="button" class="card" data-card="{index}" title="{words}">{picture}'
        f"{_strip(card)}<span>{_percent(card.wrong)}</span></button>"
    )


def _strip(card: Card) -> str:
    """Which part of a clip is read as what: a bar for each look."""
    bars = []
    for look in card.looks:
        kind = "given" if look.label == card.given else "suggested" if look.label == card.suggested else "other"
        place = f"left:{100 * look.begin:.1f}%;width:{100 * (look.end - look.begin):.1f}%"
        bars.append(f'<i class="{kind}" style="{place}" title="{escape(look.label)}"></i>')
    return f'<span class="strip">{"".join(f"<span>{bar}</span>" for bar in bars)}</span>' if bars else ""
