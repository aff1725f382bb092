"""Read back what a human coder wrote: ELAN, Praat or a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tronie.core.errors import SettingError, SourceError
from tronie.core.files import read_bytes
from tronie.core.span import Span
from tronie.output import elan, textgrid
from tronie.output.coder_table import LATEST_S, Clock, read_table

_LARGEST = 256 << 20  # bytes of a coder's file
TABLES = (".csv", ".tsv", ".txt")
"""Endings of coders' files that are tables."""


def read_spans(path: str | Path, clock: Clock | None = None) -> list[Span]:
    """The coder's labelled stretches of time, by suffix: ``.eaf``, ``.TextGrid``, or ``.csv``/``.tsv``/``.txt``.

    A table has a line of column names: start and end (or duration), label, and a person (tier, person, name or track).
    Times are seconds, hh:mm:ss.mmm, or what the columns' names say (``start_ms``, ``start_frame``, ELAN's
    ``Begin Time - msec``); ``clock`` says otherwise. The segments that Tronie writes are such a table. Times count
    from where the film begins: ``clock.zero`` is taken off.

    Raises SourceError for a file that is missing, damaged or of another kind, and for times that no film has;
    SettingError for a clock that does not fit the file.
    """
    path, clock = Path(path), clock or Clock()
    if not path.exists():
        raise SourceError(f"There is no file {path}: check the path.")
    suffix = path.suffix.lower()
    if suffix in TABLES:
        found = read_table(path, clock)
    elif suffix in _READERS:
        if clock.unit is not None:
            raise SettingError(f"{path.name} says itself in which unit its times are: leave out --times.")
        found = _read(path, _READERS[suffix])
    else:
        raise SourceError(f"{path} is no coder's file: give an .eaf, a .TextGrid or a .csv.")
    return _from_zero(path, found, clock)


def _read(path: Path, read: Callable[[bytes], list[Span]]) -> list[Span]:
    try:
        found = read(read_bytes(path, most=_LARGEST))
    except (ValueError, KeyError) as error:
        raise SourceError(f"{path} is damaged or not what its name says ({error}).") from error
    for span in found:
        if not max(abs(span.start), abs(span.end)) <= LATEST_S:  # also where one is no number
            raise SourceError(f"{path} holds an annotation from {span.start:g} to {span.end:g} s: no film is as long.")
    return found


def _from_zero(path: Path, found: list[Span], clock: Clock) -> list[Span]:
    """The spans in seconds of film. Raises SettingError where ``zero`` leaves none of them in it."""
    zero = clock.zero_s
    if not zero:
        return found
    if found and max(span.end for span in found) <= zero:
        raise SettingError(f"{path.name} ends at {max(span.end for span in found):g} s, before --zero {clock.zero}.")
    return [replace(span, start=span.start - zero, end=span.end - zero) for span in found if span.end > zero]


_READERS: dict[str, Callable[[bytes], list[Span]]] = {".eaf": elan.read, ".textgrid": textgrid.read}
