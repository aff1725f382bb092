"""Segments read back from the CSV that Tronie wrote, as a timeline that gives the same segments again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import BASIC7, UNCERTAIN, LabelSet, canonical, classes
from tronie.core.segment import Segment
from tronie.core.sheet import Sheet, folded, opened
from tronie.core.timeline import AFTER, BEFORE, OPTIONAL, PROBABILITY, Column, Provenance, Timeline

SEGMENTS = ("source", "track", "start", "end", "label", "confidence", "usable", "rows")
"""Columns that every file of segments has."""
FROM_SEGMENTS = "This was read from segments: where faces were, and the probabilities of other labels, are not known."
"""What a timeline warns of that was read from a file of segments."""

_OPTIONAL = ("agreement", "said", "clips", "valence", "arousal")
_SHARES = ("confidence", "usable", "agreement")  # 0 to 1
_MOST_ROWS = 20_000_000  # that segments may stand for: a week of film at 30 frames a second

Names = dict[tuple[str, int], str]


def holds_segments(path: Path) -> bool:
    """Whether a CSV holds segments that Tronie wrote: one line per expression, without the columns of a row a face."""
    with opened(path) as sheet:
        names = {folded(name) for name in sheet.names}
    return names.issuperset(SEGMENTS) and "time" not in names


def load_segments(path: Path) -> tuple[Timeline, Names]:
    """Segments that Tronie wrote as a timeline, and the names that they give people by (source, track).

    A segment of n rows becomes n rows that share its time, so that as much of it is usable as it says; the timeline's
    segments are those of the file. What segments do not say (boxes, quality, the probabilities of other labels) is NaN,
    and a warning says so. Raises SourceError with the line and column that cannot be read.
    """
    found: list[Segment] = []
    names: Names = {}
    with opened(path, exact=True) as sheet:
        sheet.need(*SEGMENTS)
        place = {name: sheet.place(name) for name in (*SEGMENTS, "person", *_OPTIONAL)}
        for line, row in sheet.rows():
            cells = {name: row[at] for name, at in place.items() if at is not None}
            one = _segment(sheet, line, cells)
            found.append(one)
            called = cells.get("person", "")
            if called and called != f"person {one.track}":
                names[one.source, one.track] = called
    if sum(one.rows for one in found) > _MOST_ROWS:
        raise SourceError(f"{path} claims more than {_MOST_ROWS:,} rows: its column rows was changed.")
    try:
        return _spread(found), names
    except SettingError as error:
        raise SourceError(f"{path} holds no segments of Tronie: {error}") from error


def _segment(sheet: Sheet, line: int, cells: dict[str, str]) -> Segment:
    def number(name: str) -> float | None:
        if not (cell := cells.get(name, "").strip()):
            return None
        value = sheet.number(line, name, cell)
        low = -1 if name in ("valence", "arousal") else 0
        if name not in ("start", "end") and not low <= value <= 1:
            raise sheet.wrong(line, name, cell, f"a number from {low} to 1 is needed")
        return value

    def needed(name: str) -> float:
        value = number(name)
        if value is None:
            raise sheet.wrong(line, name, cells[name], "a number is needed")
        return value

    start, end, rows = needed("start"), needed("end"), sheet.whole(line, "rows", cells["rows"])
    if rows < 1:
        raise sheet.wrong(line, "rows", cells["rows"], "a segment has 1 or more")
    if end < start:
        raise sheet.wrong(line, "end", cells["end"], "it ends before it starts")
    label = cells["label"].strip()
    clips = sheet.whole(line, "clips", cells["clips"]) if cells.get("clips", "").strip() else 0
    return Segment(
        cells["source"],
        sheet.whole(line, "track", cells["track"]),
        start,
        end,
        UNCERTAIN if canonical(label) == UNCERTAIN else label,
        needed("confidence"),
        needed("usable"),
        rows,
        number("agreement"),
        cells.get("said", "").strip(),
        clips,
        number("valence"),
        number("arousal"),
    )


def _spread(found: Sequence[Segment]) -> Timeline:
    """Rows for segments, ``rows`` of each, the usable ones first."""
    count = np.array([one.rows for one in found], np.int64)

    def each(values: list[object], kind: type) -> Column:
        return np.repeat(np.array(values, kind), count)

    labels, spelled = _labels(found)
    edges, usable = _rows(found, count)
    sure = each([one.confidence for one in found], float)
    leading = each([spelled[one.said or one.label] for one in found], object)
    columns: dict[str, Column] = {name: np.full(len(sure), np.nan) for name in BEFORE}
    columns |= {
        "source": each([one.source for one in found], object),
        "frame": np.round(edges[0] * 1e3),
        "time": edges[0],
        "duration": edges[1] - edges[0],
        "track": each([one.track for one in found], np.int64),
        "usable": usable,
        "label": each([spelled[one.label] for one in found], object),
        "confidence": sure,
        **{PROBABILITY + name: np.where(leading == name, sure, np.nan) for name in labels.names},
        **{name: np.full(len(sure), "", object) for name in AFTER},
    }
    for name in OPTIONAL:
        values = [np.nan if (value := getattr(one, name)) is None else value for one in found]
        if not np.isnan(values).all():
            columns[name] = each(values, float)
    clips = {one.clips for one in found}
    made = Provenance(clips=clips.pop() if len(clips) == 1 else 0, affect="valence" in columns)
    return Timeline(columns, labels, made, (), (FROM_SEGMENTS,))


def _labels(found: Sequence[Segment]) -> tuple[LabelSet, dict[str, str]]:
    """The labels that segments are about, and how each word in them is spelled there."""
    words = {word for one in found for word in (one.label, one.said)} - {"", UNCERTAIN}
    labels = classes(words)
    if set(labels.names) <= set(BASIC7.names):
        labels = BASIC7
    return labels, {UNCERTAIN: UNCERTAIN, "": "", **{word: labels.names[labels.index(word)] for word in words}}


def _rows(found: Sequence[Segment], count: NDArray[np.int64]) -> tuple[list[Column], NDArray[np.bool_]]:
    """Where each row begins and ends, seconds, and whether it is usable: the share of time that a segment says."""
    place = np.concatenate([np.arange(n) for n in count]) if len(count) else np.zeros(0, np.int64)
    start, end, share = (
        np.repeat(np.array([getattr(one, name) for one in found], np.float64), count)
        for name in ("start", "end", "usable")
    )
    number = np.repeat(count, count)
    fit = np.clip(np.round(share * number), share > 0, number - (share < 1))  # rows that are usable
    fit = np.where(number == 1, np.round(share), fit)
    turn = np.where(number == 1, end, start + share * (end - start))

    def edge(at: NDArray[np.int64]) -> Column:
        early = start + (turn - start) * at / np.maximum(fit, 1)
        late = turn + (end - turn) * (at - fit) / np.maximum(number - fit, 1)
        return np.round(np.where(number == 1, np.where(at > 0, end, start), np.where(at < fit, early, late)), 6)

    return [edge(place), edge(place + 1)], place < fit
