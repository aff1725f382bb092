"""A coder's table: one labelled stretch of time a line, in the columns and units that annotation programs write.

The unit is taken from the column's name (``start_ms``, ``Begin Time - msec``, ``Start (s)``) or from how a cell is
written (``00:01:02.5``, ``10:00:00:12``); a bare number is seconds, unless the caller says otherwise.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tronie.core.errors import SettingError, SourceError
from tronie.core.sheet import Sheet, folded, opened
from tronie.core.span import Span
from tronie.core.words import shortened

Unit = Literal["s", "ms", "frames"]

LATEST_S = 1e6
"""Seconds (11 days): no coder's film is longer."""
_COLUMNS = {
    "tier": ("tier", "person", "name", "participant", "subject", "track"),
    "start": ("start", "begin", "onset", "begin time", "start time", "tmin"),
    "end": ("end", "stop", "offset", "end time", "stop time", "tmax"),
    "duration": ("duration",),
    "label": ("label", "expression", "emotion", "code", "value", "annotation", "behavior", "behaviour", "text"),
    "source": ("source",),
}
_UNITS = {
    "s": "s",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "ss.msec": "s",
    "ms": "ms",
    "msec": "ms",
    "msecs": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "frame": "frames",
    "frames": "frames",
    "hh:mm:ss.ms": "clock",
    "hh:mm:ss.msec": "clock",
    "hh:mm:ss": "clock",
    "hh:mm:ss:ff": "clock",
    "timecode": "clock",
}
_PREFERRED = ("", "s", "ms", "clock", "frames")
_NAMED = re.compile(r"(.+?)[ _-]+[(\[]?(\S+?)[)\]]?|(.+?)[(\[](\S+)[)\]]")
_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2}(?:[.,][0-9]+)?)")
_TIMECODE = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})([:;.])([0-9]{2,3})")


@dataclass(frozen=True)
class Clock:
    """How a coder's times count.

    ``unit`` of bare numbers, None for seconds where the column does not say. ``rate`` is the film's frames per second,
    0 where it is not known. ``zero`` is what the coder's clock shows where the film begins, "" for 0.
    """

    unit: Unit | None = None
    rate: float = 0.0
    zero: str = ""

    def seconds(self, words: str, unit: str) -> float:
        """Seconds of a cell whose column is in ``unit``. Raises ValueError that says why it is none."""
        if ":" in words:
            if unit not in ("", "s", "clock"):
                raise ValueError(f"a number of {unit} is needed")
            return self._clock(words)
        if unit == "clock":
            raise ValueError("a time such as 00:01:02.5 is needed")
        number = float(words)
        unit = unit or self.unit or "s"
        return number / 1000 if unit == "ms" else number / self._rate() if unit == "frames" else number

    def _clock(self, words: str) -> float:
        if match := _CLOCK.fullmatch(words):
            hours, minutes, rest = int(match[1] or 0), int(match[2]), float(match[3].replace(",", "."))
            if rest < 60 and (match[1] is None or minutes < 60):
                return hours * 3600 + minutes * 60 + rest
        elif (match := _TIMECODE.fullmatch(words)) and match[4] in ":;":
            hours, minutes, seconds, frames = (int(match[part]) for part in (1, 2, 3, 5))
            rate = self._rate()
            if minutes < 60 and seconds < 60 and frames < round(rate):
                dropped = match[4] == ";"
                return self._timecode(hours * 60 + minutes, seconds, frames, dropped=dropped) - self._behind(dropped)
        raise ValueError("a time such as 00:01:02.5 is needed")

    def _behind(self, dropped: bool) -> float:
        """Seconds that a timecode runs behind ``zero``: at 29.97 frames a second it shows 10:00:00 after 10 h and 36 s.

        0 where ``zero`` is a timecode itself, which is counted in frames like all others.
        """
        if not _CLOCK.fullmatch(self.zero):
            return 0.0
        zero = self._clock(self.zero)
        return self._timecode(int(zero // 60), zero % 60, 0, dropped=dropped) - zero

    def _timecode(self, minutes: int, seconds: float, frames: int, *, dropped: bool) -> float:
        """SMPTE 12M: the code counts frames at the rounded rate; with ";" it leaves numbers out nine minutes of ten."""
        whole = round(self.rate)
        count = (minutes * 60 + seconds) * whole + frames
        if dropped:
            count -= round(whole / 15) * (minutes - minutes // 10)
        return count / self.rate

    def _rate(self) -> float:
        if not self.rate:
            raise ValueError("frames need the film's frame rate: compare with the table of the film")
        return self.rate

    @property
    def zero_s(self) -> float:
        """Seconds on the coder's clock where the film begins. Raises SettingError for what is no time."""
        if not self.zero:
            return 0.0
        try:
            zero = self.seconds(self.zero, "s")
        except ValueError:
            zero = math.nan
        if not abs(zero) <= LATEST_S:  # also where it is no number
            raise SettingError(f"'{shortened(self.zero)}' is no time on a coder's clock: write 10:00:00, or seconds.")
        return zero


def read_table(path: Path, clock: Clock) -> list[Span]:
    """The stretches of a table, in seconds of the coder's clock. Raises SourceError by line and column."""
    with opened(path, "coder's table") as sheet:
        place, unit = _places(sheet)
        if clock.unit and unit and unit != clock.unit:
            raise SourceError(
                f"{path} says in the names of its columns that times are in {unit}: leave out --times {clock.unit}."
            )
        found = []
        for line, row in sheet.rows():
            span = _span(sheet, line, {what: row[at] for what, at in place.items()}, clock, unit)
            if span.label and span.end > span.start:
                found.append(span)
    return found


def _places(sheet: Sheet) -> tuple[dict[str, int], str]:
    """Where each column stands, and the unit of times: "" (not said), "s", "ms", "frames" or "clock"."""
    place = {what: at for what in ("tier", "label", "source") if (at := sheet.place(*_COLUMNS[what])) is not None}
    by_unit: dict[str, dict[str, int]] = {}
    for at, name in enumerate(sheet.names):
        what, unit = _meaning(name)
        if what and by_unit.setdefault(unit, {}).setdefault(what, at) != at:
            raise SourceError(f"{sheet.path} has two columns for the {what} of a stretch: take one out.")
    for unit in _PREFERRED:
        times = by_unit.get(unit, {})
        if "start" in times and ("end" in times or "duration" in times) and "label" in place:
            return {**place, **times}, unit
    there = {what for times in by_unit.values() for what in times} | set(place)
    for what in ("start", "label"):
        if what not in there:
            names = shortened(", ".join(sheet.names), 300)
            raise SourceError(f"{sheet.path} has no column '{what}'; its columns are {names or 'none'}.")
    raise SourceError(f"{sheet.path} has neither a column 'end' nor 'duration' in the unit of 'start'.")


def _meaning(name: str) -> tuple[str, str]:
    """What a column of times is, "" for another column, and its unit."""
    plain = folded(name).replace("_", " ")
    kinds = {word: what for what in ("start", "end", "duration") for word in _COLUMNS[what]}
    if plain in kinds:
        return kinds[plain], ""
    match = _NAMED.fullmatch(plain)
    if match is None:
        return "", ""
    word, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
    return (kinds.get(word.rstrip(" -"), ""), _UNITS[unit]) if unit in _UNITS else ("", "")


def _span(sheet: Sheet, line: int, cell: dict[str, str], clock: Clock, unit: str) -> Span:
    def time(what: str) -> float:
        words = cell[what]
        if ":" not in words:
            words = repr(sheet.number(line, what, words))
        try:
            seconds = clock.seconds(words, unit)
        except ValueError as error:
            raise sheet.wrong(line, what, cell[what], str(error)) from None
        if abs(seconds) > LATEST_S:
            hint = "" if unit or clock.unit or ":" in words else "; if it is in milliseconds, say so (--times ms)"
            raise sheet.wrong(line, what, cell[what], f"that is {seconds / 86400:,.5g} days of film{hint}")
        return seconds

    start = time("start")
    end = time("end") if "end" in cell else start + time("duration")
    if end < start:
        raise SourceError(f"{sheet.path}, line {line}: it ends at {end:g} s, before it starts at {start:g} s.")
    tier = cell.get("tier", "")
    if re.fullmatch(r"[0-9]+([.,]0+)?", tier):  # a track: the name that it has in pictures and files
        tier = f"person {sheet.whole(line, 'track', tier)}"
    return Span(tier, start, end, cell["label"], cell.get("source", ""))
