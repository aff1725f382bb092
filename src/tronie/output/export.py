"""Segments for other programs, by the suffix of the file: CSV, WebVTT, ELAN and Praat."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError
from tronie.core.people import Names, person
from tronie.core.sheet import ensure_csv, text_cell, writer
from tronie.core.timeline import Timeline
from tronie.output.tier import tiers


def export(
    timeline: Timeline,
    path: str | Path,
    *,
    names: Names | None = None,
    film: str | Path | None = None,
    csv_safe: bool = False,
) -> Path:
    """Write the segments of a timeline; ``names`` gives tracks people's names. Returns the file.

    ``film`` is where the film lies, for files that link it; without it they look for it beside themselves.
    ``csv_safe``: text of a CSV that a spreadsheet would run as a formula is written so that it does not.

    =============  ==========================================================================================
    ``.csv``       one segment a line; any number of films and photos
    ``.vtt``       WebVTT: shown by players and browsers as subtitles
    ``.eaf``       ELAN 3.0: one tier per person, the labels as a controlled vocabulary, the film linked
    ``.TextGrid``  Praat: one interval tier per person, from 0 to the end of what was looked at
    =============  ==========================================================================================

    All but CSV hold one film, and times rounded to whole milliseconds. A segment that rounds to no length is left
    out. Raises SettingError for another suffix, several films or photos, and OutputError.
    """
    path = checked(path)
    ensure_csv(path, csv_safe=csv_safe)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".csv":
            write_csv(timeline, temporary, names, csv_safe=csv_safe)
            return path
        WRITERS[path.suffix.lower()](timeline, temporary, names, None if film is None else Path(film))
    return path


def checked(path: str | Path) -> Path:
    """A place for :func:`export`. Raises SettingError for a suffix that is not written."""
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise SettingError(f"Segments end in {', '.join(ENDINGS)}; '{path.name}' does not. Rename it.")
    return path


def film(timeline: Timeline, use: str) -> str:
    """The one film that a timeline is about. Raises SettingError where it holds several or only photos."""
    names = list(dict.fromkeys([*(one.source for one in timeline.looked), *timeline["source"]]))
    if len(names) > 1:
        raise SettingError(
            f"{use} is about one film, and this table holds {len(names)} ({names[0]}, {names[1]}"
            f"{', …' if len(names) > 2 else ''}): choose one of them."
        )
    if not names:
        raise SettingError(f"{use} needs a film, and this table is empty.")
    if film_end(timeline) <= 0:
        raise SettingError(f"{use} needs a film, and {names[0]} is a photo, which has no time: write a CSV.")
    return str(names[0])


def film_end(timeline: Timeline) -> float:
    """Seconds up to which was looked, or the end of the last row where the table does not say."""
    return max([0.0, *(one.end for one in timeline.looked), *([float(timeline.end.max())] if len(timeline) else [])])


def write_csv(
    timeline: Timeline, path: Path, names: Names | None, place: Path | None = None, *, csv_safe: bool = False
) -> None:
    """source, track, person, start, end, label, confidence, usable, rows[, agreement, said, clips][, valence, arousal].

    Times are seconds, shares 0..1, valence and arousal -1..1.
    """

    def text(words: str) -> str:
        return text_cell(words, csv_safe=csv_safe)

    found = timeline.segments()
    agreement = any(segment.agreement is not None for segment in found)
    affect = any(segment.valence is not None for segment in found)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = writer(file)
        head = ["source", "track", "person", "start", "end", "label", "confidence", "usable", "rows"]
        lines.writerow([*head, *["agreement", "said", "clips"] * agreement, *["valence", "arousal"] * affect])
        for one in found:
            called = person(names, one.source, one.track)
            line = [
                text(one.source),
                one.track,
                text(called),
                f"{one.start:.6f}",
                f"{one.end:.6f}",
                text(one.label),
                f"{one.confidence:.5f}",
                f"{one.usable:.5f}",
                one.rows,
            ]
            if agreement:
                line += [_number(one.agreement), text(one.said), one.clips]
            if affect:
                line += [_number(one.valence), _number(one.arousal)]
            lines.writerow(line)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def _webvtt(timeline: Timeline, path: Path, names: Names | None, place: Path | None) -> None:
    from tronie.output import webvtt

    film(timeline, "WebVTT")
    path.write_text(webvtt.text(tiers(timeline, names)), encoding="utf-8", newline="\n")


def _elan(timeline: Timeline, path: Path, names: Names | None, place: Path | None) -> None:
    from tronie.output import elan

    source = film(timeline, "ELAN")
    target = PurePath(source).name if place is None else Path(os.path.abspath(place))
    media = elan.linked(Path(os.path.abspath(path)), target)
    path.write_bytes(elan.document(tiers(timeline, names), timeline.labels.names, media))


def _textgrid(timeline: Timeline, path: Path, names: Names | None, place: Path | None) -> None:
    from tronie.output import textgrid

    film(timeline, "Praat")
    words = textgrid.text(tiers(timeline, names), round(film_end(timeline) * 1000))
    path.write_text(words, encoding="utf-8", newline="\n")


WRITERS: dict[str, Callable[[Timeline, Path, Names | None, Path | None], None]] = {
    ".csv": write_csv,
    ".vtt": _webvtt,
    ".eaf": _elan,
    ".textgrid": _textgrid,
}
ENDINGS = (".csv", ".vtt", ".eaf", ".TextGrid")
"""Endings of the files that segments are written to."""
