"""Segments: who shows which expression from when to when. And the time each expression took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.labels import UNCERTAIN

if TYPE_CHECKING:
    from tronie.core.timeline import Timeline

JOIN_GAP = 0.5
"""Seconds without a row that do not end a segment (a blink of the detector, a hand before the face)."""


@dataclass(frozen=True)
class SegmentCalibration:
    """What turns a segment's mean probability into the probability that its label is right.

    ``sigmoid(a * logit(p) + b + offsets[label])``, fitted on films of people whom the model had not met; a label that
    ``offsets`` does not name has 0. Raises ValueError unless ``a`` is at least 0 and all are numbers a fit can give.
    """

    a: float
    b: float
    offsets: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("a", self.a), ("b", self.b), *self.offsets.items()):
            if not abs(value) <= 20 or (name == "a" and value < 0):
                raise ValueError(f"a segment calibration with {name} = {value} is none: fit it again")

    def __call__(self, label: str, probability: float) -> float:
        p = min(max(probability, 1e-4), 1 - 1e-4)
        return 1 / (1 + math.exp(-(self.a * math.log(p / (1 - p)) + self.b + self.offsets.get(label, 0.0))))


@dataclass(frozen=True)
class Segment:
    """One expression shown by one person without interruption.

    ``start`` and ``end`` are seconds; ``end`` is where the last row's frame ends, so a photo's segment has no length.
    ``label`` may be "uncertain". ``confidence`` is the mean probability of the label over the usable rows, weighted by
    their durations (for "uncertain": the mean of the highest probability, which was not enough); in films whose
    timeline carries a :class:`SegmentCalibration` it is that mean brought to the probability that the label is right.
    Without one it is uncalibrated. ``usable`` is the share of the segment's time, 0..1, in which the face was good
    enough to read; a gap counts as not usable. ``rows`` counts the rows.

    Where a video model read each moment in ``clips`` clips, ``agreement`` is the mean share of them, 0..1, that say the
    label ``said``: this segment's own, and for "uncertain" the one that leads in most rows, over these rows.
    ``agreement`` is None where the timeline has none, ``clips`` 0 where their number is not known.

    ``valence`` and ``arousal``, -1..1, are means of the rows', weighted as the confidence is, None where there are
    none.
    """

    source: str
    track: int
    start: float
    end: float
    label: str
    confidence: float
    usable: float
    rows: int
    agreement: float | None = None
    said: str = ""
    clips: int = 0
    valence: float | None = None
    arousal: float | None = None

    @property
    def told(self) -> str:
        """What the clips said, such as ``5 of 8 clips say sadness``; "" where there is no agreement."""
        if self.agreement is None:
            return ""
        if self.clips:
            return f"{round(self.agreement * self.clips)} of {self.clips} clips say {self.said}"
        return f"{self.agreement:.0%} of its clips say {self.said}"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Total:
    """How long one person showed one expression: ``seconds`` of film and number of ``rows`` (photos have no length)."""

    source: str
    track: int
    label: str
    seconds: float
    rows: int


def tracks(timeline: Timeline) -> Iterator[tuple[str, int, NDArray[np.int64]]]:
    """Each (source, track) with the indices of its rows in order of time; sources as they come, tracks by number."""
    rank = {name: i for i, name in enumerate(dict.fromkeys(timeline["source"]))}
    ranks = np.array([rank[name] for name in timeline["source"]], np.int64)
    order = np.lexsort((timeline["time"], timeline["track"], ranks))
    if not len(order):
        return
    who = np.stack([ranks[order], timeline["track"][order]], 1)
    cuts = np.flatnonzero((who[1:] != who[:-1]).any(1)) + 1
    for rows in np.split(order, cuts):
        yield str(timeline["source"][rows[0]]), int(timeline["track"][rows[0]]), rows


def segments(timeline: Timeline, gap: float = JOIN_GAP) -> list[Segment]:
    """Consecutive rows of one track with one label, joined over gaps of at most ``gap`` seconds.

    Ordered by source, then start, then track.
    """
    found = []
    for place, (source, track, rows) in enumerate(tracks(timeline)):
        time, end, label = timeline["time"][rows], timeline.end[rows], timeline["label"][rows]
        breaks = (label[1:] != label[:-1]) | (time[1:] - end[:-1] > gap + 1e-9)
        for part in np.split(rows, np.flatnonzero(breaks) + 1):
            found.append((place, _segment(timeline, source, track, part)))
    sources = {name: i for i, name in enumerate(dict.fromkeys(timeline["source"]))}
    found.sort(key=lambda item: (sources[item[1].source], item[1].start, item[0]))
    return [segment for _, segment in found]


def _segment(timeline: Timeline, source: str, track: int, rows: NDArray[np.int64]) -> Segment:
    start, end = float(timeline["time"][rows[0]]), float(timeline.end[rows[-1]])
    usable, duration = timeline["usable"][rows], timeline["duration"][rows]
    weight = np.where(usable, np.maximum(duration, 1e-6), 0.0)
    if not weight.any():
        weight = np.maximum(duration, 1e-6)
    share = float(duration[usable].sum()) / (end - start) if end > start else float(usable.mean())
    label, calibration = str(timeline["label"][rows[0]]), timeline.provenance.segments
    agreement, said = _agreement(timeline, rows, label)
    confidence = float(np.average(timeline["confidence"][rows], weights=weight))
    # A photo's probability is calibrated by the model itself; "uncertain" claims no label that could be right.
    if calibration is not None and end > start and label != UNCERTAIN:
        confidence = calibration(label, confidence)
    return Segment(
        source,
        track,
        start,
        end,
        label,
        round(confidence, 5),
        round(min(share, 1.0), 5),
        len(rows),
        agreement,
        said,
        timeline.provenance.clips if said else 0,
        *(_mean(timeline, name, rows, weight) for name in ("valence", "arousal")),
    )


def _mean(timeline: Timeline, name: str, rows: NDArray[np.int64], weight: NDArray[np.float64]) -> float | None:
    """The weighted mean of an optional column over rows; None where it has no value with any weight."""
    if name not in timeline.columns:
        return None
    values = timeline[name][rows]
    known = ~np.isnan(values) & (weight > 0)
    return round(float(np.average(values[known], weights=weight[known])), 5) + 0.0 if known.any() else None


def _agreement(timeline: Timeline, rows: NDArray[np.int64], label: str) -> tuple[float | None, str]:
    """The mean agreement of a segment's rows and the label it is about; None and "" where there is none."""
    if "agreement" not in timeline.columns or np.isnan(timeline["agreement"][rows]).all():
        return None, ""
    if label == UNCERTAIN:  # each row's agreement is about the label that leads in it
        said = np.stack([timeline[f"p_{name}"][rows] for name in timeline.labels.names], 1)
        leads = np.where(np.isnan(said), -1.0, said).argmax(1)
        leading = int(np.bincount(leads).argmax())
        rows, label = rows[leads == leading], timeline.labels.names[leading]
    values = timeline["agreement"][rows]
    return (None, "") if np.isnan(values).all() else (round(float(np.nanmean(values)), 5), label)


def totals(timeline: Timeline) -> list[Total]:
    """Time per expression per track, longest first within a track."""
    answer = []
    for source, track, rows in tracks(timeline):
        label, duration = timeline["label"][rows], timeline["duration"][rows]
        per_label = [
            Total(source, track, str(name), round(float(duration[label == name].sum()), 6), int((label == name).sum()))
            for name in dict.fromkeys(label)
        ]
        answer += sorted(per_label, key=lambda total: (-total.seconds, -total.rows, total.label))
    return answer


def as_rows(found: Sequence[Segment]) -> list[dict[str, Any]]:
    """Segments as plain dictionaries, for tables and JSON; agreement and affect only where there are any."""
    names = ["source", "track", "start", "end", "label", "confidence", "usable", "rows"]
    if any(segment.agreement is not None for segment in found):
        names += ["agreement", "said", "clips"]
    if any(segment.valence is not None for segment in found):
        names += ["valence", "arousal"]
    return [{name: getattr(segment, name) for name in names} for segment in found]
