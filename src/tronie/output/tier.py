"""What the writers of segments share: a person's segments in whole milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from tronie.core.people import Names, person
from tronie.core.segment import Segment
from tronie.core.timeline import Timeline


@dataclass(frozen=True)
class Cue:
    """One segment in whole milliseconds of film. ``end`` is more than ``start``."""

    start: int
    end: int
    segment: Segment


@dataclass(frozen=True)
class Tier:
    """All cues of one person, in order and without overlap."""

    name: str
    cues: tuple[Cue, ...]


def tiers(timeline: Timeline, names: Names | None = None) -> list[Tier]:
    """The segments by person, persons by number, in milliseconds. Times that meet in seconds meet in milliseconds."""
    by_person: dict[tuple[str, int], list[Segment]] = {}
    for segment in sorted(timeline.segments(), key=lambda segment: segment.start):
        by_person.setdefault((segment.source, segment.track), []).append(segment)
    return [
        Tier(person(names, *who), tuple(_cues(found)))
        for who, found in sorted(by_person.items(), key=lambda item: item[0][1])
    ]


def _cues(found: list[Segment]) -> list[Cue]:
    starts = [round(segment.start * 1000) for segment in found]
    ends = [round(segment.end * 1000) for segment in found]
    ends = [min(end, following) for end, following in zip(ends, [*starts[1:], ends[-1]], strict=True)]
    return [Cue(s, e, segment) for s, e, segment in zip(starts, ends, found, strict=True) if e > s]
