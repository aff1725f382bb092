"""``tronie compare``: a film's timeline against a human coder, or two coders against each other."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tronie.core.atomic import replacing
from tronie.core.errors import SettingError
from tronie.core.labels import UNCERTAIN, LabelSet, canonical
from tronie.core.people import person
from tronie.core.span import Span
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES
from tronie.measure.coders import Agreement, agreement
from tronie.measure.intervals import Interval
from tronie.measure.segments import Segmentation
from tronie.show.coder import read_spans
from tronie.show.export import film
from tronie.show.text import grid
from tronie.verbs.tables import shown


@dataclass(frozen=True)
class Compared:
    """The agreement, who was compared with whom (tier, person), and what was left out."""

    agreement: Agreement
    pairs: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()


def compare(given: Timeline | str | os.PathLike[str], coder: str | os.PathLike[str], *,
            names: str | Path | None = None, seats: int | None = None, tiers: Sequence[str] | None = None,
            blank: str | None = None, step: float = 0.1, block: float = 10.0) -> Compared:  # fmt: skip
    """Compare the expressions shown, as answered, with a coder's file (.eaf, .TextGrid, .csv).

    ``given`` is a timeline, its table, a file of segments or another coder's file. People and tiers are joined by
    name ("person 3" without a name; ``names`` and ``seats`` give better ones); a single tier and a single person are
    joined whatever they are called. ``tiers`` chooses among the coder's. Labels are joined by name, synonyms too. Time
    that the coder left without a label does not count, unless ``blank`` says what it means ("neutral" where only
    events were coded). Her "uncertain" does not count either. ``step`` is the grid of the kappa and ``block`` the
    length of the blocks drawn for intervals, both in seconds; see :class:`tronie.measure.coders.Agreement`.

    Raises SourceError, SettingError (nobody in common, unknown tier).
    """
    if not (0 < step <= block):
        raise SettingError(f"step is {step} and block {block}: both must be above 0, and step not above block.")
    ours, end, known = _answers(given, names, seats)
    hers = _chosen(read_spans(coder), tiers, Path(coder).name)
    pairs, left_out = _paired(_by_tier(hers), _by_tier(ours))
    words = [*known.names, *sorted({canonical(s.label) for s in [*hers, *ours]})]
    labels = LabelSet(tuple(dict.fromkeys(canonical(word) for word in words if canonical(word) != UNCERTAIN)))
    truth = {tier: _segmentation(spans, labels, blank, end) for tier, spans in _by_tier(hers).items()}
    answers = {tier: _segmentation(_by_tier(ours)[name], labels, None, end) for tier, name in pairs}
    used = tuple(n for n in labels.names if n in {canonical(s.label) for s in [*hers, *ours]} or n == canonical(blank or ""))
    return Compared(
        agreement({tier: _renumbered(truth[tier], labels, used) for tier, _ in pairs},
                  {tier: _renumbered(answers[tier], labels, used) for tier, _ in pairs}, used, step=step, block=block),
        tuple(pairs), tuple(left_out),
    )  # fmt: skip
