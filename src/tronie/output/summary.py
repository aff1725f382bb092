"""Numbers behind plots and reports: curves thinned for the eye, time per expression and bin, transitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tronie.core.labels import UNCERTAIN
from tronie.core.people import Names, person
from tronie.core.segment import JOIN_GAP, Segment, tracks
from tronie.core.timeline import AFFECT, Timeline
from tronie.output.text import clock

Floats = NDArray[np.float64]

USE = (
    "Shown is the expression a face displays, not what a person feels, thinks or intends, which may not be concluded "
    "from it alone. In the European Union, inferring emotions of people at work or in education is prohibited except "
    "for medical or safety reasons, and people exposed to such a system must be told (Regulation (EU) 2024/1689, AI "
    "Act, Articles 5(1)(f) and 50(3))."
)
"""What every report and summary says about its use."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One person over time: ``time`` (n,) in seconds and ``values`` (n, labels), NaN where the face was away.

    ``affect`` (n, 2) is valence and arousal, -1..1, None where the timeline has none of this person.
    """

    source: str
    track: int
    person: str
    time: Floats
    values: Floats
    affect: Floats | None = None


def curves(timeline: Timeline, names: Names | None = None, *, most: int = 1500) -> list[Curve]:
    """Probabilities, valence and arousal of every person, of no more than about ``most`` points each, by number.

    Where there are more rows, they are averaged in equal steps of time, weighted by their durations.
    """
    answer = []
    said = [name for name in AFFECT if name in timeline.columns]
    labels = len(timeline.labels)
    values = np.column_stack([timeline.probabilities, *(timeline[name] for name in said)])
    for source, track, rows in tracks(timeline):
        start, end = timeline["time"][rows], timeline.end[rows]
        if len(rows) > most:
            time, thin = _thinned(start, end, values[rows], most)
        else:
            time, thin = _broken((start + end) / 2, start, end, values[rows])
        affect = thin[:, labels:] if said and not np.isnan(thin[:, labels:]).all() else None
        answer.append(Curve(source, track, person(names, source, track), time, thin[:, :labels], affect))
    return sorted(answer, key=lambda curve: curve.track)


def _thinned(start: Floats, end: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    edges = np.linspace(start[0], end[-1], most + 1)
    place = np.clip(np.searchsorted(edges, (start + end) / 2, "right") - 1, 0, most - 1)
    weight = np.bincount(place, end - start + 1e-9, most)
    with np.errstate(invalid="ignore"):
        sums = [np.bincount(place, (end - start + 1e-9) * column, most) for column in values.T]
        mean = np.stack(sums, 1) / np.where(weight > 0, weight, np.nan)[:, None]
    time = (edges[:-1] + edges[1:]) / 2
    return time, _bridged(time, mean)


def _bridged(time: Floats, values: Floats) -> Floats:
    """Without the empty bins that do not last longer than JOIN_GAP: the line runs on over them."""
    known = np.flatnonzero(~np.isnan(values[:, 0]))
    filled = values.copy()
    for a, b in pairwise(known):
        if b - a > 1 and time[b] - time[a] <= JOIN_GAP:
            share = ((time[a + 1 : b] - time[a]) / (time[b] - time[a]))[:, None]
            filled[a + 1 : b] = values[a] + share * (values[b] - values[a])
    return filled


def _broken(time: Floats, start: Floats, end: Floats, values: Floats) -> tuple[Floats, Floats]:
    """With a NaN in every gap that ends a segment, so that no line is drawn over it."""
    gaps = np.flatnonzero(start[1:] - end[:-1] > JOIN_GAP) + 1
    return np.insert(time, gaps, (end[gaps - 1] + start[gaps]) / 2), np.insert(values, gaps, np.nan, axis=0)


def poor(timeline: Timeline) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Per (source, track) the stretches (start, end) in which the face was too poor to read, in seconds."""
    answer = {}
    for source, track, rows in tracks(timeline):
        start, end = timeline["time"][rows], timeline.end[rows]
        bad = ~timeline["usable"][rows]
        changes = np.flatnonzero((bad[1:] != bad[:-1]) | (start[1:] - end[:-1] > JOIN_GAP)) + 1
        runs = [part for part in np.split(np.arange(len(rows)), changes) if bad[part[0]]]
        answer[source, track] = [(float(start[part[0]]), float(end[part[-1]])) for part in runs]
    return answer


def shown(timeline: Timeline) -> list[str]:
    """The labels that somebody shows at some time, in the model's order; "uncertain" last."""
    seen = set(timeline["label"].tolist())
    return [name for name in (*timeline.labels.names, UNCERTAIN) if name in seen]


def time_per_bin(timeline: Timeline, edges: Floats, labels: Sequence[str]) -> dict[tuple[str, int], Floats]:
    """Seconds ``(bins, labels)`` per (source, track). A row that reaches over an edge counts in both with its parts."""
    answer = {}
    for source, track, rows in tracks(timeline):
        start, end, label = timeline["time"][rows], timeline.end[rows], timeline["label"][rows]
        until = np.zeros((len(edges), len(labels)))  # seconds before each edge
        for j, name in enumerate(labels):
            mine = label == name
            for i, edge in enumerate(edges):
                until[i, j] = np.clip(edge - start[mine], 0, (end - start)[mine]).sum()
        answer[source, track] = np.diff(until, axis=0)
    return answer


def bin_edges(end: float, most: int = 24) -> Floats:
    """Edges ``(bins + 1,)`` of at most ``most`` equal bins over 0..``end`` seconds, of a round width."""
    step = round_step(end / most)
    return np.asarray(np.arange(max(math.ceil(end / step - 1e-9), 1) + 1) * step, np.float64)


def round_step(least: float) -> float:
    """The first round time of at least ``least`` seconds: 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30 s, 1, 2 … min, hours."""
    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]
    return float(next((step for step in steps if step >= least - 1e-9), 3600 * math.ceil(least / 3600)))


def transitions(segments: Sequence[Segment], labels: Sequence[str]) -> NDArray[np.int64]:
    """How often an expression (row) was followed by another (column) of the same person, ``(labels, labels)``.

    Uncertain stretches between are passed over; where a face was away for longer than half a second, the count
    begins anew.
    """
    index = {name: i for i, name in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    last: dict[tuple[str, int], tuple[float, str | None]] = {}  # end of the last segment, last sure label
    for segment in sorted(segments, key=lambda s: s.start):
        who = (segment.source, segment.track)
        end, before = last.get(who, (-math.inf, None))
        if segment.start - end > JOIN_GAP + 1e-9:
            before = None
        if segment.label == UNCERTAIN:
            last[who] = segment.end, before
            continue
        if before is not None and before != segment.label:
            counts[index[before], index[segment.label]] += 1
        last[who] = segment.end, segment.label
    return counts


def _affect_fact(timeline: Timeline) -> list[tuple[str, str]]:
    """Mean valence and arousal of all people where the face was good enough to read; nothing where there are none."""
    if not all(name in timeline.columns for name in AFFECT):
        return []
    known = timeline["usable"] & ~np.isnan(timeline["valence"]) & ~np.isnan(timeline["arousal"])
    weight = timeline["duration"][known]
    if not weight.sum():
        return []
    means = [float(np.average(timeline[name][known], weights=weight)) for name in AFFECT]
    return [("mean valence, arousal", ", ".join(f"{mean:+.2f}" for mean in means))]


def facts(timeline: Timeline, end: float) -> list[tuple[str, str]]:
    """Figures about a film's timeline as (name, value) in words."""
    duration, label = timeline["duration"], timeline["label"]
    seconds = float(duration.sum())
    usable, doubt = (
        float(duration[mask].sum()) / seconds if seconds else 0.0 for mask in (timeline["usable"], label == UNCERTAIN)
    )
    sure = label != UNCERTAIN
    known = float(duration[sure].sum())
    confidence = float((timeline["confidence"] * duration)[sure].sum()) / known if known else 0.0
    people = {(source, int(track)) for source, track in zip(timeline["source"], timeline["track"], strict=True)}
    about = timeline.provenance
    unseen = sum(b - a for one in timeline.looked for a, b in one.unseen)
    return [
        ("film", clock(end)),
        ("frames looked at", str(sum(one.frames for one in timeline.looked)) if timeline.looked else "not recorded"),
        *([("without pictures, not seen", clock(unseen))] if unseen else []),
        ("people (tracks)", str(len(people))),
        ("faces seen, all people", clock(seconds)),
        ("good enough to read", f"{100 * usable:.0f} % of that"),
        ("uncertain", f"{100 * doubt:.0f} % of that"),
        ("mean confidence", f"{100 * confidence:.0f} %" if known else "–"),
        *_affect_fact(timeline),
        ("model", f"{about.model} {about.model_hash[:12]}".strip() or "not recorded"),
        ("settings", about.settings_hash[:12] or "not recorded"),
        ("Tronie", about.version or "not recorded"),
    ]
