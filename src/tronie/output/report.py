"""One film as one HTML file: plot, film beside it, segments that seek it, tables. Nothing is loaded from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path, PurePath
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from tronie.core.atomic import replacing
from tronie.core.labels import UNCERTAIN
from tronie.core.people import Names, person
from tronie.core.segment import Segment
from tronie.core.timeline import Timeline
from tronie.output.export import film, film_end
from tronie.output.palette import Look, looks
from tronie.output.summary import USE, Curve, curves, facts, poor, round_step, shown, time_per_bin, transitions
from tronie.output.text import clock

_HATCHES = {
    "/": "repeating-linear-gradient(135deg, #fff 0 1px, transparent 1px 6px)",
    "\\": "repeating-linear-gradient(45deg, #fff 0 1px, transparent 1px 6px)",
    "|": "repeating-linear-gradient(90deg, #fff 0 1px, transparent 1px 5px)",
    "-": "repeating-linear-gradient(0deg, #fff 0 1px, transparent 1px 5px)",
    ".": "radial-gradient(#fff 1px, transparent 1.4px) 0 0 / 6px 6px",
    "o": "radial-gradient(transparent 1.6px, #fff 1.8px 2.4px, transparent 2.6px) 0 0 / 8px 8px",
}


def write_report(timeline: Timeline, path: str | Path, *, video: str | None = None, names: Names | None = None) -> Path:
    """Write the report of one film. ``video`` is the film as seen from the report's folder, such as ``../film.mp4``.

    The film is referred to, not copied into the report; without it (or where the browser cannot play it) all else
    works. Raises SettingError for several films or photos, OutputError.
    """
    path = Path(path)
    document = html(timeline, video=video, names=names)
    with replacing(path) as temporary:
        temporary.write_text(document, encoding="utf-8", newline="\n")
    return path


def html(timeline: Timeline, *, video: str | None = None, names: Names | None = None) -> str:
    """The whole document. See :func:`write_report`."""
    source, end = film(timeline, "A report"), film_end(timeline)
    segments = timeline.segments()
    styles, labels = looks(timeline.labels.names), shown(timeline)
    lines = curves(timeline, names, most=1200)
    people = [(curve.source, curve.track) for curve in lines]
    called = [person(names, *who) for who in people]
    room = files("tronie.output")
    data = _data(segments, people, called, labels, styles, end)
    css = room.joinpath("report.css").read_text("utf-8") + _label_css(labels, styles)
    return (
        room.joinpath("report.html")
        .read_text("utf-8")
        .format(
            title=escape(PurePath(source).name),
            css=css,
            about=escape(_about(timeline, len(people), end)),
            film=_film(source, video),
            now=_now(called),
            legend=_legend(labels, styles),
            plot=_plot(timeline, lines, segments, labels, styles, end),
            people="".join(f'<option value="{i}">{escape(name)}</option>' for i, name in enumerate(called)),
            labels="".join(f'<option value="{i}">{escape(name)}</option>' for i, name in enumerate(labels)),
            agreement="<th>agreement</th>" if any(s.told for s in segments) else "",
            rows=_rows(segments, people, called, labels, styles),
            times=_times(timeline, people, called, labels, end),
            changes=_changes(segments, [name for name in labels if name != UNCERTAIN], styles),
            facts="".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(timeline, end)),
            warnings=_warnings(timeline),
            use=escape(USE),
            data=data,
            js=room.joinpath("report.js").read_text("utf-8"),
        )
    )


def _about(timeline: Timeline, people: int, end: float) -> str:
    count = f"{people} {'person' if people == 1 else 'people'}" if people else "no face found"
    model = f", model {timeline.provenance.model}" if timeline.provenance.model else ""
    return f"Length {clock(end)}, {count}{model}"


def _data(
    segments: Sequence[Segment],
    people: Sequence[tuple[str, int]],
    called: Sequence[str],
    labels: Sequence[str],
    styles: Mapping[str, Look],
    end: float,
) -> str:
    """What the script works from. Angle brackets and ampersands are coded, so that no text can end the element."""
    report = {
        "end": end,
        "people": list(called),
        "labels": [{"name": name, "initials": styles[name].initials} for name in labels],
        "segments": [
            {
                "start": s.start,
                "end": s.end,
                "person": people.index((s.source, s.track)),
                "label": labels.index(s.label),
                "sure": "" if s.label == UNCERTAIN else f", {_percent(s.confidence)}",
            }
            for s in segments
        ],
    }
    words = json.dumps(report, ensure_ascii=True, separators=(",", ":"))
    return words.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _label_css(labels: Sequence[str], styles: Mapping[str, Look]) -> str:
    lines = []
    for i, name in enumerate(labels):
        hatch = styles[name].hatch
        marks = {"x": "/\\", "+": "|-"}.get(hatch[:1], hatch[:1])
        ground = ", ".join([*(_HATCHES[mark] for mark in marks), f"linear-gradient({styles[name].colour} 0 0)"])
        lines.append(f".l{i} {{ background: {ground}; }}")
    return "\n".join(lines)


def _film(source: str, video: str | None) -> str:
    told = "This report was made without its film; everything else works."
    if video is None:
        return f'<div class="missing">{told}</div>'
    told = (
        f"The film is not where this report looks for it ({escape(video)}), or this browser cannot play it. "
        "Everything else works."
    )
    return (
        f'<video controls preload="metadata" src="{escape(quote(video))}" aria-label="{escape(source)}"></video>'
        f'<div class="missing" hidden>{told}</div>'
    )


def _now(called: Sequence[str]) -> str:
    return "".join(
        f'<li><b title="{escape(name)}">{escape(name)}</b><span class="chip"><span>–</span></span>'
        '<span class="words">not seen</span></li>'
        for name in called
    )


def _legend(labels: Sequence[str], styles: Mapping[str, Look]) -> str:
    return "".join(
        f'<li><span class="chip l{i}"><span>{escape(styles[name].initials)}</span></span>'
        + (
            f'<svg viewBox="0 0 34 10" aria-hidden="true"><path d="M0 5H34" fill="none" {_stroke(styles[name])}/></svg>'
            if name != UNCERTAIN
            else " "
        )
        + f"{escape(name)}</li>"
        for i, name in enumerate(labels)
    )


def _stroke(style: Look) -> str:
    width = 1.3 * style.width
    dash = f' stroke-dasharray="{" ".join(f"{width * part:.1f}" for part in style.dash)}"' if style.dash else ""
    return f'stroke="{style.colour}" stroke-width="{width:.1f}"{dash}'


def _plot(
    timeline: Timeline,
    lines: Sequence[Curve],
    segments: Sequence[Segment],
    labels: Sequence[str],
    styles: Mapping[str, Look],
    end: float,
) -> str:
    """Curves as SVG that stretches, segments as buttons in per cent of the film: both grow with the zoom."""
    order = {name: i for i, name in enumerate(timeline.labels.names)}
    unread = poor(timeline)
    parts = []
    for place, curve in enumerate(lines):
        ground = "".join(
            f'<rect class="poor" x="{1000 * a / end:.2f}" y="0" width="{1000 * (b - a) / end:.2f}" height="100"/>'
            for a, b in unread[curve.source, curve.track]
        )
        paths = ground + "".join(
            f'<path d="{_path(curve.time, curve.values[:, order[name]], end)}" {_stroke(styles[name])}/>'
            for name in labels
            if name in order
        )
        bars = "".join(
            _bar(segment, curve.person, labels, styles, end, index)
            for index, segment in enumerate(segments)
            if (segment.source, segment.track) == (curve.source, curve.track)
        )
        parts.append(
            f'<div class="who">{escape(curve.person)}</div><svg viewBox="0 0 1000 100" preserveAspectRatio="none" '
            f'role="img" aria-label="probabilities of {escape(curve.person)}">{paths}</svg>'
            f'<div class="lane" data-person="{place}">{bars}</div>{_affect(curve, end)}'
        )
    return "".join(parts) + _ticks(end)


def _affect(curve: Curve, end: float) -> str:
    """Valence and arousal as two lines under the segments; nothing where there are none."""
    if curve.affect is None:
        return ""
    lines = "".join(
        f'<path d="{_path(curve.time, (values + 1) / 2, end)}" stroke="#000" stroke-width="1.3"{dash}/>'
        for values, dash in zip(curve.affect.T, ("", ' stroke-dasharray="5 3"'), strict=True)
    )
    return (
        f'<svg class="affect" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="valence and arousal of {escape(curve.person)}">{lines}</svg>'
        '<div class="key">valence (solid), arousal (dashed), from -1 to 1</div>'
    )


def _path(time: NDArray[np.float64], values: NDArray[np.float64], end: float) -> str:
    """A polyline with a new beginning after every NaN."""
    words, pen = [], "M"
    for x, y in zip(1000 * time / end, 100 * (1 - values), strict=True):
        if np.isnan(y):
            pen = "M"
            continue
        words.append(f"{pen}{x:.2f} {y:.1f}")
        pen = "L"
    return "".join(words)


def _bar(
    segment: Segment, called: str, labels: Sequence[str], styles: Mapping[str, Look], end: float, index: int
) -> str:
    words, short = escape(_sentence(segment, called)), escape(styles[segment.label].initials)
    return (
        f'<button type="button" tabindex="-1" class="seg l{labels.index(segment.label)}" data-segment="{index}" '
        f'style="left:{100 * segment.start / end:.4f}%;width:{100 * segment.duration / end:.4f}%" '
        f'title="{words}" aria-label="{words}"><span>{short}</span></button>'
    )


def _sentence(segment: Segment, called: str) -> str:
    sure = "" if segment.label == UNCERTAIN else f" ({_percent(segment.confidence)})"
    told = f"; {segment.told}" if segment.told else ""
    return f"{called}: {segment.label}{sure}, {clock(segment.start)} to {clock(segment.end)}{told}"


def _ticks(end: float) -> str:
    """The axis as it is without the script, which draws it anew for every zoom."""
    times = [float(time) for time in np.arange(0, end + 1e-9, round_step(end / 12))]
    places = [" first" if time == 0 else " last" if time > 0.98 * end else "" for time in times]
    return "".join(
        f'<i class="tick{place}" style="left:{100 * time / end:.4f}%" '
        f'data-time="{clock(time).removesuffix(".00")}"></i>'
        for time, place in zip(times, places, strict=True)
    )


def _rows(
    segments: Sequence[Segment],
    people: Sequence[tuple[str, int]],
    called: Sequence[str],
    labels: Sequence[str],
    styles: Mapping[str, Look],
) -> str:
    rows, clips = [], any(s.told for s in segments)
    for s in segments:
        label, name = labels.index(s.label), called[people.index((s.source, s.track))]
        sure = "–" if s.label == UNCERTAIN else _percent(s.confidence)
        rows.append(
            f'<tr><td class="n"><button type="button" title="go there">{clock(s.start)}</button></td>'
            f'<td class="n">{clock(s.end)}</td><td class="n">{s.duration:.2f}</td><td>{escape(name)}</td>'
            f'<td><span class="chip l{label}"><span>{escape(styles[s.label].initials)}</span></span> '
            f'{escape(s.label)}</td><td class="n">{sure}</td><td class="n">{_percent(s.usable)}</td>'
            + (f"<td>{escape(s.told)}</td></tr>" if clips else "</tr>")
        )
    return "".join(rows)


def _times(
    timeline: Timeline, people: Sequence[tuple[str, int]], called: Sequence[str], labels: Sequence[str], end: float
) -> str:
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in labels)
    seconds = time_per_bin(timeline, np.array([0.0, max(end, 1e-9)]), labels)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f'<td class="n">{value:.1f}</td>' for value in seconds[who][0])
        + f'<td class="n">{seconds[who].sum():.1f}</td></tr>'
        for who, name in zip(people, called, strict=True)
    )
    return f'<table><thead><tr><th>seconds</th>{head}<th class="n">seen</th></tr></thead><tbody>{rows}</tbody></table>'


def _changes(segments: Sequence[Segment], labels: Sequence[str], styles: Mapping[str, Look]) -> str:
    counts = transitions(segments, labels)
    head = "".join(f'<th class="n" title="{escape(name)}">{escape(styles[name].initials)}</th>' for name in labels)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f'<td class="n">{"–" if i == j else counts[i, j]}</td>' for j in range(len(labels)))
        + "</tr>"
        for i, name in enumerate(labels)
    )
    return f"<table><thead><tr><th>from, to</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _warnings(timeline: Timeline) -> str:
    if not timeline.warnings:
        return ""
    lines = "".join(f"<li>{escape(words)}</li>" for words in timeline.warnings)
    return f'<ul class="plain">{lines}</ul>'


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
