"""How a model was judged, as one HTML page that needs nothing else: scores with intervals, curves, confusions.

It draws what ``evaluation.json`` holds and computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from tronie.output.charts import Series, chart

Json = Mapping[str, Any]

_FEW = 100
"""Faces below which bootstrap intervals promise more than they can keep."""
_SCORES = {
    "war": ("accuracy (WAR)", 100),
    "uar": ("mean recall (UAR)", 100),
    "macro_f1": ("macro F1", 100),
    "calibration_error": ("calibration error", 100),
    "coverage_95": ("kept at 95 % accuracy", 100),
    "nll": ("log-likelihood", 1),
    "votes_kl": ("KL to votes", 1),
    "votes_correlation": ("correlation with votes", 1),
    "ccc_valence": ("CCC of valence", 1),
    "ccc_arousal": ("CCC of arousal", 1),
}
"""Name in the file → heading and factor: shares are shown in per cent."""

MEANING = (
    ("estimate [low, high]", "95 % bootstrap interval; twins, clips and people are drawn whole"),
    ("accuracy, WAR", "share of all rows answered rightly, in per cent"),
    ("mean recall, UAR", "mean over the expressions of the share of their rows that was found, in per cent"),
    ("calibration error", "typical gap between confidence and share right, freed of chance, in percentage points"),
    ("kept at 95 % accuracy", "share of rows that may be answered, the surest first, so that 95 % of them are right"),
    ("log-likelihood", "mean of -log of the right label's probability, in nats; lower is better"),
    ("KL to votes, correlation", "how near the probabilities lie to the shares of annotators' votes (KL in nats)"),
    ("valence, arousal", "how pleasant and how lively the expression shown was rated, each from -1 to 1"),
    ("CCC", "Lin's concordance: correlation times how near mean and scale are; 1 is the best, 0 what a constant gets"),
    ("r, RMSE", "Pearson's correlation; root of the mean squared difference, on the scale from -1 to 1"),
    ("a label", "names an expression shown, not a feeling felt"),
)


def evaluation_page(
    content: Json,
    title: str,
    *,
    log: Sequence[Json] = (),
    facts: Sequence[tuple[str, str]] = (),
    recipe: str = "",
    epochs: Sequence[Json] = (),
) -> str:
    """The whole document. ``content`` is what ``evaluation.json`` holds: ``sources`` and perhaps ``robustness``.

    ``log`` are the lines of ``log.jsonl`` and ``epochs`` what they say of each source: its score after the last epoch,
    at the epoch that another source chose, and at its own best. ``facts`` are shown below the title; ``recipe`` is the
    run's TOML text.
    """
    sources: Json = content.get("sources", {})
    sections = [_section("Scores", _summary(sources) if sources else "<p>No rows were held out to evaluate on.</p>")]
    for name, one in sources.items():
        sections.append(_section(name, _source(one)))
        if content.get("robustness", {}).get(name):
            sections.append(_section(f"{name}: harder faces", _robustness(content["robustness"][name])))
    if log:
        sections.append(_section("Training", _training(log) + _epochs(epochs)))
    if recipe:
        sections.append(f"<section><details><summary>Recipe</summary><pre>{escape(recipe)}</pre></details></section>")
    css = files("tronie.output").joinpath("evaluation.css").read_text("utf-8")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{css}</style></head><body>'
        f"<header><h1>{escape(title)}</h1>{_list(facts)}</header><main>{''.join(sections)}</main>"
        f"<footer>{_list(MEANING)}</footer></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _list(pairs: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs) + "</dl>" if pairs else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; headings are text."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    lines = ["".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _interval(found: Json | None, factor: float) -> str:
    if not found or found["value"] is None:
        return "–"
    digits = 1 if factor == 100 else 3
    value, *ends = (None if found[k] is None else f"{found[k] * factor:.{digits}f}" for k in ("value", "low", "high"))
    return f"{value} <small>[{ends[0]}, {ends[1]}]</small>" if None not in ends else str(value)


def _summary(sources: Json) -> str:
    shown = [name for name in _SCORES if any(name in one["scores"] for one in sources.values())]
    rows = []
    for name, one in sources.items():
        left = f" <small>({one['left_out']} left out)</small>" if one.get("left_out") else ""
        rows.append(
            [escape(name), f"{one['rows']}{left}", *(_interval(one["scores"].get(s), _SCORES[s][1]) for s in shown)]
        )
    return _table(["data", "rows", *(_SCORES[s][0] for s in shown)], rows)


def _source(one: Json) -> str:
    reading = f" Read as {escape(one['reading'])}." if one.get("reading") else ""
    about = f'<p class="soft">{one["rows"]} rows, hash {escape(str(one["hash"]))}.{reading}{_few(one["rows"])}</p>'
    return (_by_label(one) if one["confusion"] else "") + _affect(one) + about


def _affect(one: Json) -> str:
    """What is known of valence and arousal; nothing for a model that does not say them."""
    rows = []
    for name in ("valence", "arousal"):
        if f"ccc_{name}" in one["scores"]:
            rows.append([name, *(_interval(one["scores"].get(f"{s}_{name}"), 1) for s in ("ccc", "pearson", "rmse"))])
    if not rows:
        return ""
    table = _table(["", "CCC", "Pearson's r", "RMSE"], rows)
    return f"<div><h3>Valence and arousal, {one['rated']} rows</h3>{table}</div>"


def _by_label(one: Json) -> str:
    bins = _numbers(one["reliability"])
    most = max((row[2] for row in bins), default=1)
    reliability = chart(
        [Series("rows", [(row[0], row[1]) for row in bins], size=[2 + 3 * (row[2] / most) ** 0.5 for row in bins])],
        "confidence",
        "share right",
        xs=(0, 1),
        ys=(0, 1),
        diagonal=True,
    )
    kept = _numbers(one["risk_coverage"])
    worst = max((r for _, r in kept), default=0.0)
    risk = chart(
        [Series("error", [(c, r) for c, r in kept])],
        "share of rows kept, the surest first",
        "share wrong among them",
        xs=(0, 1),
        ys=(0, max(1.1 * worst, 0.1)),
    )
    return (
        f'<div class="pair"><div><h3>Reliability</h3>{reliability}</div>'
        f"<div><h3>Risk and coverage</h3>{risk}</div></div>"
        f'<div class="side"><div><h3>Confusion: shown in rows, answered in columns</h3>{_confusion(one)}</div>'
        f"<div><h3>Per expression</h3>{_per_class(one)}</div></div>"
    )


def _numbers(rows: Sequence[Sequence[float | None]]) -> list[list[Any]]:
    """The rows that hold numbers alone: answers of a run that has gone astray may be none."""
    return [list(row) for row in rows if None not in row]


def _few(rows: int) -> str:
    return " So few rows tell little: their intervals are too narrow." if rows < _FEW else ""


def _confusion(one: Json) -> str:
    rows = []
    for name, counts in zip(one["labels"], one["confusion"], strict=True):
        total = sum(counts)
        cells = []
        for count in counts:
            share = count / total if total else 0.0
            style = f"background:rgba(0,90,150,{share:.3f});color:{'#fff' if share > 0.5 else '#1a1a1a'}"
            cells.append(f'<td style="{style}" title="{share:.1%}">{count}</td>')
        rows.append([escape(name), *cells])
    return _table(["", *one["labels"]], rows, "heat")


def _per_class(one: Json) -> str:
    def share(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f}"

    rows = []
    for name, found in one["per_class"].items():
        bar = f'<span class="bar" style="width:{90 * (found["recall"] or 0):.0f}px"></span>'
        rows.append(
            [
                escape(name),
                f"{found['faces']:.0f}",
                f"{bar}{share(found['recall'])}",
                share(found["precision"]),
                share(found["f1"]),
            ]
        )
    return _table(["expression", "rows", "recall", "precision", "F1"], rows)


def _robustness(steps: Sequence[Json]) -> str:
    parts = []
    for name in dict.fromkeys(step["corruption"] for step in steps):
        mine = sorted((s for s in steps if s["corruption"] == name), key=lambda s: float(s["level"]))
        lines = [
            Series(
                _SCORES[key][0],
                [(s["level"], s[key]["value"]) for s in mine],
                [(s[key]["low"], s[key]["high"]) for s in mine],
            )
            for key in ("war", "uar")
        ]
        levels, unit = [s["level"] for s in mine], str(mine[0]["unit"])
        figure = chart(
            lines,
            f"{name}, {unit}",
            "share right",
            ys=(0, 1),
            log=name == "face size",
            ticks=levels if len(levels) < 9 else (),
        )
        rows = [[f"{s['level']:g}", _interval(s["war"], 100), _interval(s["uar"], 100)] for s in mine]
        table = _table([unit, "accuracy", "mean recall"], rows)
        parts.append(f"<div><h3>{escape(name.capitalize())}</h3>{figure}{table}</div>")
    return f'<div class="pair">{"".join(parts)}</div>'


def _training(log: Sequence[Json]) -> str:
    names = [k for k in dict.fromkeys(key for line in log for key in line) if k not in ("epoch", "seconds")]
    judged = [n for n in names if n.endswith(("/war", "/uar"))]
    rated = [n for n in names if n.endswith(("/ccc_valence", "/ccc_arousal"))]

    def lines(chosen: Sequence[str]) -> list[Series]:
        return [Series(n, [(line["epoch"] + 1, line[n]) for line in log if line.get(n) is not None]) for n in chosen]

    others = [n for n in names if n not in (*judged, *rated)]
    parts = [f"<div>{chart(lines(others), 'epoch', 'loss, and what the method logs')}</div>"]
    if judged:
        parts.append(f"<div>{chart(lines(judged), 'epoch', 'share right on validation rows', ys=(0, 1))}</div>")
    if rated:
        parts.append(f"<div>{chart(lines(rated), 'epoch', 'concordance on validation rows', ys=(-0.2, 1))}</div>")
    return f'<div class="pair">{"".join(parts)}</div>'


def _epochs(found: Sequence[Json]) -> str:
    """The three figures of every source that was judged as the run went on."""
    rows = []
    for one in found:
        chosen = "–"
        if one["chosen"] is not None:
            chosen = f"{100 * one['chosen']:.1f} <small>(epoch {one['chosen_epoch']}, by {escape(one['by'])})</small>"
        rows.append(
            [
                escape(one["source"]),
                escape(_SCORES[one["score"]][0]),
                f"{100 * one['last']:.1f}",
                chosen,
                f"{100 * one['best']:.1f} <small>(epoch {one['best_epoch']})</small>",
            ]
        )
    head = ["data", "score", "last epoch", "epoch chosen on other rows", "its own best epoch (no estimate)"]
    return f"<h3>Which epoch?</h3>{_table(head, rows)}" if rows else ""
