"""Praat's TextGrid in its text format: interval tiers written and read.

Format: Boersma and Weenink, Praat manual, "TextGrid file formats". A reader of that format looks only at numbers that
stand alone, at quoted text (a quote in it is doubled) and at flags in angle brackets; all else is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tronie.core.span import Span
from tronie.core.words import shortened
from tronie.output.tier import Tier

_LONGEST = 1e7  # seconds: four months, more than any film has
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|(?<!\S)(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)|![^\n]*')


def text(tiers: Sequence[Tier], end: int) -> str:
    """The whole file. ``end`` in milliseconds; gaps between segments become intervals without text, as Praat wants."""
    end = max([end, *(cue.end for tier in tiers for cue in tier.cues)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_seconds(end)}"]
    if not tiers:
        return "\n".join([*lines, "tiers? <absent>", ""])
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, 1):
        intervals = list(_intervals(tier, end))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(tier.name)}",
            "        xmin = 0",
            f"        xmax = {_seconds(end)}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start, stop, label) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {_seconds(start)}",
                f"            xmax = {_seconds(stop)}",
                f"            text = {_quoted(label)}",
            ]
    return "\n".join([*lines, ""])


def _intervals(tier: Tier, end: int) -> Iterator[tuple[int, int, str]]:
    at = 0
    for cue in tier.cues:
        if cue.start > at:
            yield at, cue.start, ""
        yield cue.start, cue.end, cue.segment.label
        at = cue.end
    if at < end:
        yield at, end, ""


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _quoted(words: str) -> str:
    return '"' + " ".join(words.split()).replace('"', '""') + '"'


def read(data: bytes) -> list[Span]:
    """The intervals with text of every interval tier, in seconds; long and short form, UTF-8 or UTF-16.

    Point tiers are passed over. Raises ValueError for anything else.
    """
    tokens = _tokens(_decoded(data))
    if (next(tokens, None), next(tokens, None)) != ("ooTextFile", "TextGrid"):
        raise ValueError("it does not begin with ooTextFile and TextGrid")
    try:
        _number(tokens), _number(tokens)
        if next(tokens) != ("exists",):
            return []
        return [span for _ in range(int(_number(tokens))) for span in _tier(tokens)]
    except StopIteration:
        raise ValueError("it ends too early") from None


def _tier(tokens: Iterator[object]) -> list[Span]:
    kind, name = str(next(tokens)), str(next(tokens))
    _number(tokens), _number(tokens)
    found = []
    for _ in range(int(_number(tokens))):
        if kind == "TextTier":
            _number(tokens), next(tokens)
            continue
        start, end, label = _number(tokens), _number(tokens), str(next(tokens)).strip()
        if label and end > start:
            found.append(Span(name, start, end, label))
    return found


def _tokens(words: str) -> Iterator[object]:
    for match in _TOKEN.finditer(words):
        quoted, flag, number = match.groups()
        if quoted is not None:
            yield quoted.replace('""', '"')
        elif flag is not None:
            yield (flag,)
        elif number is not None:
            value = float(number)
            if not abs(value) <= _LONGEST:
                raise ValueError(f"its number {shortened(number, 24)} is no time of a film")
            yield value


def _number(tokens: Iterator[object]) -> float:
    value = next(tokens)
    if not isinstance(value, float):
        raise ValueError(f"a number was expected where it says '{shortened(str(value))}'")
    return value


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")
