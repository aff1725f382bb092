"""Results as plain text for a terminal: who shows what, from when to when."""

from __future__ import annotations

from collections.abc import Sequence

from tronie.core.labels import UNCERTAIN
from tronie.core.segment import Segment
from tronie.core.timeline import Looked, Timeline
from tronie.core.words import printable


def clock(seconds: float) -> str:
    """Seconds as ``m:ss.ss``, or ``h:mm:ss.ss`` from an hour on."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 100:02d}.{rest % 100:02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def grid(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Rows (the first one the heading) as columns of equal width; columns in ``right`` are set to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        sized = enumerate(zip(row, widths, strict=True))
        return "  ".join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in sized).rstrip()

    return "\n".join(map(line, rows))


def film_text(timeline: Timeline) -> str:
    """One film: a heading with what was looked at, then its segments."""
    looked = timeline.looked[0]
    persons = len(set(timeline["track"].tolist()))
    span = f"{clock(looked.start)}-{clock(looked.end)}, {_count(looked.frames, 'frame')} looked at{_unseen(looked)}"
    if not len(timeline):
        return f"{printable(looked.source)}: no face found ({span})"
    heading = f"{printable(looked.source)}: {_count(persons, 'person')} ({span}{_empty(looked)})"
    found = timeline.segments()
    rows: list[tuple[str, ...]] = [("person", "from", "to", "expression", "confidence", "usable")]
    rows += [(str(s.track), clock(s.start), clock(s.end), *_answer(s)) for s in found]
    if any(s.told for s in found):
        rows = [(*row, told) for row, told in zip(rows, ["agreement", *(s.told for s in found)], strict=True)]
    return heading + "\n" + grid(rows, frozenset({0, 1, 2, 4, 5}))


def pictures_text(timelines: Sequence[Timeline]) -> str:
    """Pictures under one heading: a line per face, and a line for each picture without one."""
    rows = [("picture", "person", "expression", "confidence", "usable")]
    for timeline in timelines:
        name = timeline.looked[0].source
        rows += [(name, str(s.track), *_answer(s)) for s in timeline.segments()]
        if not len(timeline):
            rows.append((name, "-", "no face found", "", ""))
    return grid(rows, frozenset({1, 3, 4}))


def _answer(segment: Segment) -> tuple[str, str, str]:
    # The probability that was not enough is no confidence in "uncertain": it stays in the table.
    confidence = "-" if segment.label == UNCERTAIN else f"{segment.confidence:.2f}"
    return segment.label, confidence, f"{segment.usable:.0%}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _empty(looked: Looked) -> str:
    seconds = sum(end - start for start, end in looked.empty)
    return f", no face in {seconds:.1f} s of it" if looked.empty else ""


def _unseen(looked: Looked) -> str:
    seconds = sum(end - start for start, end in looked.unseen)
    return f", no pictures in {seconds:.1f} s" if looked.unseen else ""
