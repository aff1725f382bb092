"""Who is who: names for tracks, and tracks of one person joined over cuts. Pure functions on a Timeline.

A track ends at a cut or where a face was lost. Two things join tracks again: a table of names that a person wrote
(two tracks with one name are one person), and seats (people who keep their order from left to right, as in an
interview). Nothing here compares faces: Tronie stores no identities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.segment import tracks
from tronie.core.sheet import opened
from tronie.core.timeline import Timeline

Names = Mapping[tuple[str, int], str]
"""(source, track) -> the person's name. Tracks that are missing are called "person <track>"."""

LONGEST_NAME = 200
"""Letters of a person's name; longer ones fit no plot and no tier."""
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
DOUBLE_SECONDS = 0.5
DOUBLE_SHARE = 0.05
"""A joined person may be seen twice at once (a face found double) for no more than this; else the joining is wrong."""


@dataclass(frozen=True)
class Naming:
    """One line of a table of names: ``source`` is None where the table has no such column (it then fits every film)."""

    track: int
    name: str
    source: str | None = None


def person(names: Names | None, source: str, track: int) -> str:
    """What a person is called in pictures and files: the name given, else "person <track>".

    On one line, without control characters, which XML and SVG cannot hold.
    """
    name = _CONTROLS.sub(" ", (names or {}).get((source, track), ""))
    return " ".join(name.split()) or f"person {track}"


def read_names(path: Path) -> list[Naming]:
    """Read ``names.csv``: columns track and name, and source (film, file, video) for people of several films.

    Lines with an empty name are left out. Raises SourceError for a file that is missing or not such a table.
    """
    found = []
    with opened(path, "table of names") as sheet:
        at_track, at_name = sheet.need("track", "name")
        at_source = sheet.place("source", "film", "file", "video")
        for line, row in sheet.rows():
            name = " ".join(row[at_name].split())
            if not name:
                continue
            if len(name) > LONGEST_NAME:
                raise sheet.wrong(line, "name", name, f"a name has at most {LONGEST_NAME} letters")
            source = row[at_source].replace("\\", "/") if at_source is not None else ""
            found.append(Naming(sheet.whole(line, "track", row[at_track]), name, source or None))
    return found


def who_is_who(
    timeline: Timeline, *, names: Path | None = None, seats: int | None = None
) -> tuple[Timeline, dict[tuple[str, int], str]]:
    """Join tracks by ``seats``, then by the table ``names`` (which names seats, if both are given); and the names."""
    if seats is not None:
        timeline = by_seats(timeline, seats)
    return by_names(timeline, read_names(names)) if names is not None else (timeline, {})


def by_names(timeline: Timeline, namings: Iterable[Naming]) -> tuple[Timeline, dict[tuple[str, int], str]]:
    """Join the tracks that carry one name and give the names by track. A joined person keeps the lowest track number.

    Lines about other films are passed over. Raises SettingError for a track that the timeline does not have, a track
    with two names, a name that another track goes by without one, and for two tracks of one name that are seen at the
    same time (see :func:`join`).
    """
    here = {(source, track) for source, track, _ in tracks(timeline)}
    given: dict[tuple[str, int], str] = {}
    for naming in _about(here, list(namings)):
        fits = {(s, t) for s, t in here if t == naming.track and naming.source in (None, s)}
        if not fits:
            where = f" of {naming.source}" if naming.source else ""
            known = ", ".join(map(str, sorted({t for s, t in here if naming.source in (None, s)}))) or "none"
            raise SettingError(
                f"'{naming.name}' is the name of track {naming.track}{where}, which is not there: "
                f"the tracks are {known}."
            )
        for key in fits:
            if given.setdefault(key, naming.name) != naming.name:
                raise SettingError(
                    f"Track {key[1]} of {key[0]} has two names, '{given[key]}' and '{naming.name}': give it one."
                )
    lowest: dict[tuple[str, str], int] = {}
    for (source, track), name in sorted(given.items()):
        lowest.setdefault((source, name), track)
    for source, track in sorted(here - set(given)):
        if (source, f"person {track}") in lowest:
            raise SettingError(f"'person {track}' is what track {track} of {source} is called: choose another name.")
    joined = join(timeline, {key: lowest[key[0], name] for key, name in given.items()})
    return joined, {(source, track): name for (source, name), track in lowest.items()}


def _about(here: Iterable[tuple[str, int]], namings: Sequence[Naming]) -> list[Naming]:
    """Those that name people of the films that are ``here``: one table may hold the names of a whole study.

    A film is found by its name as the table has it, or where only one may be it (:func:`may_be_one`). Raises
    SettingError where all lines name other films.
    """
    sources = list(dict.fromkeys(source for source, _ in here))
    kept = []
    for naming in namings:
        if naming.source is None or naming.source in sources:
            kept.append(naming)
        elif len(same := [source for source in sources if may_be_one(source, naming.source)]) == 1:
            kept.append(replace(naming, source=same[0]))
    if namings and sources and not kept:
        raise SettingError(
            f"The table of names is about {namings[0].source} and other films, not about {sources[0]}: "
            "its column source must say which film a line is about."
        )
    return kept


def may_be_one(one: str, other: str, *, ending: bool = True) -> bool:
    """Whether two names may be of one film: the file's name, and the folders that both give, are the same.

    Case does not count; without ``ending`` neither does what the file's name ends in.
    """
    a, b = (name.casefold().replace("\\", "/").split("/")[::-1] for name in (one, other))
    if not ending:
        a[0], b[0] = (name.rpartition(".")[0] or name for name in (a[0], b[0]))
    return all(x == y for x, y in zip(a, b, strict=False))


def by_seats(timeline: Timeline, count: int) -> Timeline:
    """Join tracks by where they are: tracks become 1 (leftmost) to ``count``, in every source by itself.

    A track stands where its face's centre is half of its time. The tracks, ordered from left to right, are cut into
    ``count`` neighbouring groups with the least sum of squared distances, weighted by time (Fisher 1958). That is
    exact in one dimension, so the same table gives the same seats. It fits people who keep their order before one
    camera position. Raises SettingError where there are fewer tracks than seats, or where two tracks of a seat are
    seen at the same time (see :func:`join`).
    """
    if count < 1:
        raise SettingError(f"{count} seats make no sense: give 1 or more.")
    to: dict[tuple[str, int], int] = {}
    by_source: dict[str, list[tuple[int, float, float]]] = {}
    if np.isnan(timeline["x"]).any():
        raise SettingError("Seats need to know where faces were, which segments do not say: give the table of rows.")
    for source, track, rows in tracks(timeline):
        weight = np.maximum(timeline["duration"][rows], 1e-6)
        centre = timeline["x"][rows] + timeline["width"][rows] / 2
        by_source.setdefault(source, []).append((track, _median(centre, weight), float(weight.sum())))
    for source, found in by_source.items():
        if len(found) < count:
            raise SettingError(f"{count} seats, but {source} has {len(found)} tracks: give at most {len(found)}.")
        position = np.array([middle for _, middle, _ in found])
        group = neighbours(position, np.array([weight for *_, weight in found]), count)
        to |= {(source, track): int(g) + 1 for (track, *_), g in zip(found, group, strict=True)}
    return join(timeline, to)


def join(timeline: Timeline, to: Mapping[tuple[str, int], int]) -> Timeline:
    """Give tracks new numbers; tracks that get one number become one person. Tracks that are not in ``to`` stay.

    Where a person is then seen twice in one frame, the row of the longer track is kept and a warning says so. Raises
    SettingError where that happens for more than half a second and 5 % of the person's time: those are two people.
    """
    track = timeline["track"].copy()
    keep = np.ones(len(timeline), bool)
    length = np.zeros(len(timeline), np.int64)
    for source, number, rows in tracks(timeline):
        track[rows] = to.get((source, number), number)
        length[rows] = len(rows)
    moved = replace(timeline, columns={**timeline.columns, "track": track})
    warnings = list(timeline.warnings)
    for source, number, rows in tracks(moved):
        order = rows[np.lexsort((-length[rows], timeline["frame"][rows]))]
        double = order[1:][timeline["frame"][order[1:]] == timeline["frame"][order[:-1]]]
        seconds = float(timeline["duration"][double].sum())
        whole = float(timeline["duration"][rows].sum()) - seconds
        if not len(double):
            continue
        old = ", ".join(map(str, sorted(set(timeline["track"][rows].tolist()))))
        first = float(timeline["time"][double].min())
        if whole <= 0 or (seconds > DOUBLE_SECONDS and seconds > DOUBLE_SHARE * whole):
            raise SettingError(
                f"Tracks {old} of {source} cannot be one person: they are seen at the same time "
                f"({seconds:.1f} s in all, first at {first:.1f} s)."
            )
        keep[double] = False
        warnings.append(f"{source}, person {number}: the face was found twice for {seconds:.2f} s; one is left out.")
    columns = {name: column[keep] for name, column in moved.columns.items()}
    return replace(moved, columns=columns, warnings=tuple(warnings))


def neighbours(position: NDArray[np.float64], weight: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Group ``0..count-1`` per point, ascending with position: the cut with the least weighted squared distance.

    Dynamic programming over the sorted points, O(count · n²) (Fisher, "On grouping for maximum homogeneity", 1958).
    """
    order = np.argsort(position, kind="stable")
    p, w = position[order] - position.mean(), weight[order]
    s0, s1, s2 = (np.concatenate([[0.0], np.cumsum(values)]) for values in (w, w * p, w * p * p))
    n = len(p)

    def cost(first: NDArray[np.int64], end: int) -> NDArray[np.float64]:
        spread = s2[end] - s2[first] - (s1[end] - s1[first]) ** 2 / (s0[end] - s0[first])
        return np.asarray(spread, np.float64)

    best = np.concatenate([[0.0], [cost(np.zeros(1, np.int64), end)[0] for end in range(1, n + 1)]])
    cut = np.zeros((count, n + 1), np.int64)
    for group in range(1, count):
        value = np.full(n + 1, np.inf)
        for end in range(group + 1, n + 1):
            first = np.arange(group, end)
            total = best[first] + cost(first, end)
            at = int(total.argmin())
            value[end], cut[group, end] = total[at], first[at]
        best = value
    answer, end = np.empty(n, np.int64), n
    for group in range(count - 1, -1, -1):
        answer[order[cut[group, end] : end]] = group
        end = int(cut[group, end])
    return answer


def _median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(reached, reached[-1] / 2)]])
