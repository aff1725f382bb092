"""``tronie compare``: a film's timeline against a human coder, or two coders against each other."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tronie.core.atomic import ensure_place, replacing
from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7, UNCERTAIN, canonical
from tronie.core.people import person
from tronie.core.registry import nearest
from tronie.core.segment_io import holds_segments
from tronie.core.sheet import folded, opened, text_cells, writer
from tronie.core.span import Span
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES
from tronie.metrics.coders import Agreement, agreement
from tronie.metrics.intervals import Interval
from tronie.metrics.segments import Segmentation
from tronie.output.coder import read_spans
from tronie.output.coder_table import Clock, Unit
from tronie.output.export import film, film_end
from tronie.output.text import grid
from tronie.pipeline.tables import Shown, shown
from tronie.study.compare_times import Answers, check_times, of_one_film

_MOST_MOMENTS, _MOST_BLOCKS = 50_000_000, 1_000_000
_PARTLY = re.compile(r"was stopped at|was read up to")  # what a timeline says that does not cover its film
ENDINGS = (".json", ".csv")
"""Endings of the files that a comparison is written to."""


@dataclass(frozen=True)
class Compared:
    """The agreement, who was compared with whom (tier, person), what was left out, and what the table warns of."""

    agreement: Agreement
    pairs: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def compare(
    given: Timeline | str | os.PathLike[str],
    coder: str | os.PathLike[str],
    *,
    names: str | Path | None = None,
    seats: int | None = None,
    tiers: Sequence[str] | None = None,
    blank: str | None = None,
    times: Unit | None = None,
    zero: str = "",
    step: float = 0.1,
    block: float = 10.0,
) -> Compared:
    """Compare the expressions shown, as answered, with a coder's file (.eaf, .TextGrid, .csv).

    ``given`` is a timeline, its table, a file of segments or another coder's file. People and tiers are joined by
    name ("person 3" without a name; ``names`` and ``seats`` give better ones); a single tier and a single person are
    joined whatever they are called. ``tiers`` chooses among the coder's. Labels are joined by name, synonyms too. Time
    that the coder left without a label does not count, unless ``blank`` says what it means ("neutral" where only
    events were coded). Her "uncertain" does not count either. ``step`` is the grid of the kappa and ``block`` the
    length of the blocks drawn for intervals, both in seconds; see :class:`tronie.metrics.coders.Agreement`.

    ``times`` is the unit of a coder's table whose columns do not say it ("ms", "frames" from 0; seconds otherwise),
    ``zero`` what the coder's clock shows where the film begins ("10:00:00"). Times that lie beyond the film are refused
    with the unit that they look like, unless ``times`` is "s". Of a coder's file about several films (column
    ``source``) the one that was answered counts; a file that names another film gives a warning.

    Raises SourceError, SettingError (nobody in common, unknown tier, a ``blank`` that nobody ever said, times of
    another unit or of another film, several films).
    """
    if not isinstance(given, Timeline) and Path(given).is_dir() and Path(coder).is_dir():
        raise SettingError(f"{given} and {coder} are folders: two models are compared by `tronie compare-models`.")
    if not (0 < step <= block):
        raise SettingError(f"step is {step} and block {block}: both must be above 0, and step not above block.")
    ours = _answers(given, names, seats)
    clock = Clock(times, ours.rate, zero)
    hers, warnings = of_one_film(_coder_spans(Path(coder), clock), ours.spans, Path(coder).name)
    hers = _chosen(hers, tiers, Path(coder).name)
    mine, theirs = _by_tier(ours.spans), _by_tier(hers)
    pairs, left_out = _paired(list(theirs), list(mine))
    check_times([span for tier, _ in pairs for span in theirs[tier]], ours, times)
    said = [*ours.known, *BASIC7.names, *(span.label for span in [*hers, *ours.spans])]
    if blank is not None and canonical(blank) not in map(canonical, said):
        hint = nearest(blank, list(dict.fromkeys(said)))
        raise SettingError(f"'{blank}' is no label of the film or the coder.{hint}")
    seen = {canonical(span.label) for span in [*hers, *ours.spans]} | ({canonical(blank)} if blank else set())
    order = dict.fromkeys([*map(canonical, ours.known), *sorted(seen)])
    labels = tuple(name for name in order if name in seen and name != UNCERTAIN)
    _check_grid(hers, step, block)
    result = agreement(
        {tier: _coder(theirs[tier], labels, blank, ours.film_s) for tier, _ in pairs},
        {tier: _answer(mine[name], labels) for tier, name in pairs},
        labels,
        step=step,
        block=block,
    )
    return Compared(result, tuple(pairs), tuple(left_out), (*warnings, *ours.warnings))


def _answers(given: Timeline | str | os.PathLike[str], names: str | Path | None, seats: int | None) -> Answers:
    """What was answered, by whom and when."""
    if not isinstance(given, Timeline) and not _is_table(Path(given)):
        if names is not None or seats is not None:
            raise SettingError(f"{given} holds segments of named people: --names and --seats are for a table of rows.")
        return Answers(read_spans(Path(given)))
    read = shown(given, names=names, seats=seats)
    timeline = read.timeline
    film(timeline, "A comparison")
    spans = _spans(read)
    partly = not timeline.looked or any(_PARTLY.search(words) for words in timeline.warnings)
    return Answers(spans, film_end(timeline), not partly, _rate(timeline), timeline.labels.names, timeline.warnings)


def _rate(timeline: Timeline) -> float:
    """Decoded frames per second of film; 0 where the table does not tell."""
    frame, time = timeline["frame"].astype(float), timeline["time"]
    if not len(time) or np.isnan(timeline["x"]).all() or time.max() <= time.min():  # segments know no frames
        return 0.0
    return float((frame[time.argmax()] - frame[time.argmin()]) / (time.max() - time.min()))


def _coder_spans(path: Path, clock: Clock) -> list[Span]:
    """A coder's file; a table that Tronie wrote stands for the coder who corrected it."""
    if path.suffix.lower() in SUFFIXES and _is_table(path) and not holds_segments(path):
        if clock.unit or clock.zero:
            raise SettingError(f"{path.name} is a table of Tronie, in seconds of film: leave out --times and --zero.")
        read = shown(path)
        film(read.timeline, "A comparison")
        return _spans(read)
    return read_spans(path, clock)


def _spans(read: Shown) -> list[Span]:
    return [
        Span(person(read.names, s.source, s.track), s.start, s.end, s.label, s.source) for s in read.timeline.segments()
    ]


def _is_table(path: Path) -> bool:
    """A table has a row per face and time, or is the segments of one; a CSV may also hold a coder's spans."""
    if path.suffix.lower() != ".csv":
        return path.suffix.lower() in SUFFIXES
    with opened(path) as sheet:
        here = {folded(name) for name in sheet.names}
    return {"frame", "time"} <= here or holds_segments(path)


def _check_grid(spans: Sequence[Span], step: float, block: float) -> None:
    """Raise SettingError for a grid that no memory holds."""
    length = max(span.end for span in spans) - min(span.start for span in spans)
    if length / step > _MOST_MOMENTS or length / block > _MOST_BLOCKS:
        raise SettingError(f"step {step:g} and block {block:g} cut {length:,.0f} s too finely: give larger ones.")


def _chosen(spans: list[Span], tiers: Sequence[str] | None, name: str) -> list[Span]:
    known = list(dict.fromkeys(span.tier for span in spans))
    for tier in tiers or ():
        if tier not in known:
            raise SettingError(f"{name} has no tier '{tier}' with annotations; it has {_listed(known)}.")
    chosen = [span for span in spans if not tiers or span.tier in tiers]
    if not chosen:
        raise SettingError(f"{name} holds no annotation: there is nothing to compare with.")
    return chosen


def _by_tier(spans: Iterable[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.tier, []).append(span)
    return found


def _paired(tiers: list[str], people: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Tiers with the people of the same name; what has no partner. One tier and one person need no common name."""
    by_word = {" ".join(name.split()).casefold(): name for name in people}
    pairs = [(tier, by_word[word]) for tier in tiers if (word := " ".join(tier.split()).casefold()) in by_word]
    if not pairs and len(tiers) == len(people) == 1:
        pairs = [(tiers[0], people[0])]
    if not pairs:
        raise SettingError(
            f"No tier of the coder ({_listed(tiers)}) is called like a person of the film ({_listed(people)}): "
            "give a table of names (track, name)."
        )
    partners = {name for pair in pairs for name in pair}
    return pairs, [name for name in [*tiers, *people] if name not in partners]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:6]) + (", …" if len(names) > 6 else "") if names else "none"


def _coder(spans: Sequence[Span], labels: Sequence[str], blank: str | None, end: float) -> Segmentation:
    """A coder's tier. With ``blank`` the time from 0 to the film's end that she left empty gets that label."""
    rows = [(s.start, s.end, labels.index(word)) for s in spans if (word := canonical(s.label)) != UNCERTAIN]
    if blank is not None:
        at = 0.0
        for start, stop in [*sorted((s.start, s.end) for s in spans), (max(end, 0.0), math.inf)]:
            if start > at + 1e-6:
                rows.append((at, start, labels.index(canonical(blank))))
            at = max(at, stop)
    return Segmentation.of(rows)


def _answer(spans: Sequence[Span], labels: Sequence[str]) -> Segmentation:
    numbers = {**{name: i for i, name in enumerate(labels)}, UNCERTAIN: len(labels)}
    return Segmentation.of([(s.start, s.end, numbers[canonical(s.label)]) for s in spans])


def compared_text(compared: Compared) -> str:
    """The comparison for a terminal."""
    a = compared.agreement
    pairs = "; ".join(f"{tier} with {name}" if tier != name else name for tier, name in compared.pairs)
    low = f"{100 * a.least:.0f} %"
    numbers = [
        ("", "value", "95 % interval"),
        ("Cohen's kappa, sure answers", *_cells(a.kappa)),
        ("Cohen's kappa, uncertain counted as wrong", *_cells(a.kappa_all)),
        ("agreement, sure answers", *_cells(a.accuracy)),
        (f"segment F1, overlap of at least {low}", *_cells(a.f1)),
        ("coder's time with a sure answer", _words(a.coverage, ".3f"), ""),
        ("median delay of segments, s", _words(a.lag, "+.2f"), ""),
        ("segments per segment of the coder", _words(a.pieces, ".2f"), ""),
    ]
    head = [("coder, down", *a.labels, UNCERTAIN, "no face")]
    seconds = [(name, *(f"{a.step * count:.1f}" for count in row)) for name, row in zip(a.labels, a.table, strict=True)]
    per_label = [("expression", "F1", "coder's", "found")]
    per_label += [(name, _words(f1, ".3f"), str(n), str(m)) for name, (f1, n, m) in a.per_label.items()]
    right = frozenset(range(1, len(a.labels) + 3))
    parts = [
        f"Compared: {pairs}",
        grid(numbers, frozenset({1})),
        f"Intervals: bootstrap over {a.blocks} blocks of one person and {a.block:g} s"
        + (", few: they are rough" * (a.blocks < 10)),
        "Seconds by label:",
        grid(head + seconds, right),
        "Segments by label:",
        grid(per_label, frozenset({1, 2, 3})),
    ]
    if compared.left_out:
        parts.append(f"Without a partner, left out: {', '.join(compared.left_out)}")
    return "\n\n".join(parts)


def save_compared(compared: Compared, path: str | Path, *, csv_safe: bool = False) -> Path:
    """Write the comparison as .json, or as .csv with one figure a line (:func:`as_rows`).

    ``csv_safe``: text of a CSV that a spreadsheet would run as a formula is written so that it does not.
    What is not a number (nothing to count) is null, in a CSV an empty cell. Raises SettingError for another ending,
    OutputError.
    """
    path = ensure_place(path, ENDINGS, "A comparison")
    with replacing(path) as temporary:
        if path.suffix.lower() == ".json":
            temporary.write_text(json.dumps(as_json(compared), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        else:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer(file).writerows(text_cells(row, csv_safe=csv_safe) for row in as_rows(compared))
    return path


def as_rows(compared: Compared) -> list[tuple[Any, ...]]:
    """The comparison as lines of a table: figure, the coder's label, the label found, value, low, high (95 %).

    ``pair`` names who was compared with whom, ``left_out`` who had no partner. ``seconds`` are the confusion;
    ``segment_f1``, ``segments_coder`` and ``segments_found`` are by label.
    """
    a = compared.agreement
    rows: list[tuple[Any, ...]] = [("figure", "coder", "found", "value", "low", "high")]
    rows += [("pair", tier, name, None, None, None) for tier, name in compared.pairs]
    rows += [("left_out", name, "", None, None, None) for name in compared.left_out]
    for name in ("kappa", "kappa_all", "accuracy", "f1"):
        one: Interval = getattr(a, name)
        rows.append((name, "", "", *map(_number, (one.value, one.low, one.high))))
    single = {"coverage": a.coverage, "lag_seconds": a.lag, "pieces": a.pieces, "blocks": a.blocks}
    rows += [(name, "", "", _number(value), None, None) for name, value in single.items()]
    columns = [*a.labels, UNCERTAIN, "no face"]
    rows += [
        ("seconds", label, column, round(a.step * int(count), 6), None, None)
        for label, counts in zip(a.labels, a.table, strict=True)
        for column, count in zip(columns, counts, strict=True)
    ]
    for label, (f1, coder, found) in a.per_label.items():
        rows += [
            ("segment_f1", label, label, _number(f1), None, None),
            ("segments_coder", label, "", coder, None, None),
            ("segments_found", "", label, found, None, None),
        ]
    return rows


def as_json(compared: Compared) -> dict[str, Any]:
    """The comparison as plain values."""
    a = compared.agreement
    return {
        "pairs": [list(pair) for pair in compared.pairs],
        "left_out": list(compared.left_out),
        **{
            name: [_number(getattr(a, name).value), _number(getattr(a, name).low), _number(getattr(a, name).high)]
            for name in ("kappa", "kappa_all", "accuracy", "f1")
        },
        **{name: _number(getattr(a, name)) for name in ("coverage", "lag", "pieces", "least", "step", "block")},
        "blocks": a.blocks,
        "labels": list(a.labels),
        "columns": [*a.labels, UNCERTAIN, "no face"],
        "table": a.table.tolist(),
        "per_label": {name: {"f1": _number(f1), "coder": n, "found": m} for name, (f1, n, m) in a.per_label.items()},
    }


def _cells(value: Interval) -> tuple[str, str]:
    interval = f"{value.low:.3f} to {value.high:.3f}" if math.isfinite(value.low) else "–"
    return _words(value.value, ".3f"), interval


def _words(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
