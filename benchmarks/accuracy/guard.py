"""Ways of reading a clip's looks, and the guard against expressions that are only speech."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from acted import CODES, MEANT, SURE, Clip
from joined import Row, rows_of
from numpy.typing import NDArray

from tronie.core.labels import UNCERTAIN, LabelSet
from tronie.core.timeline import Provenance, Timeline
from tronie.metrics.intervals import bootstrap
from tronie.pipeline.rows import to_timeline
from tronie.pipeline.settings import Settings
from tronie.pipeline.smooth import Smoother, spoken

LIKELY = (*SURE, 3)
BEFORE = (6.5, 0.0)
"""Settings ``switch`` and ``speech`` before there was a guard."""
GUARDS = (BEFORE, *((switch, speech) for switch in (4.5, 5.0, 5.5) for speech in (0.0, 0.1, 0.2, 0.3, 0.4)))
"""Settings tried. Dearer changes miss the end of a smile that fades; with all of these a clear expression (0.95) of
0.4 s pays for its two changes."""
LOSS = 0.02  # most mean recall of acted expressions that a guard may cost the actors it is chosen on


def read(clip: Clip, labels: LabelSet, settings: Settings) -> Timeline:
    """What the chain makes of a clip's looks; its segments' confidence as it comes (uncalibrated)."""
    smoother = Smoother(settings, spoken(labels))
    smoother.add(clip.looks)
    return to_timeline(smoother.settle(np.inf), "clip", labels, Provenance())


def majority(clip: Clip, labels: LabelSet, width: float) -> list[Row]:
    """Frame-wise labels, each replaced by the most frequent one within ``width`` seconds around it (0: as they are)."""
    time = np.array([look.time for look in clip.looks])
    best = np.array([int(look.probabilities.argmax()) for look in clip.looks])
    votes = (np.abs(time[:, None] - time) <= width / 2 + 1e-9) @ np.eye(len(labels))[best]
    votes[np.arange(len(best)), best] += 0.5  # a tie leaves the label as it is
    return rows_of([(look.time, look.end, int(label)) for look, label in zip(clip.looks, votes.argmax(1), strict=True)])


def chain(clip: Clip, labels: LabelSet, settings: Settings) -> list[Row]:
    """The chain's labelled segments."""
    found = read(clip, labels, settings).segments()
    return [(s.start, s.end, labels.names.index(s.label)) for s in found if s.label != UNCERTAIN]


@dataclass(frozen=True)
class Guarded:
    """Per clip: its seconds, expressions shown that it does not have, whether one that it has was shown."""

    actor: NDArray[np.int64]
    code: NDArray[np.int64]
    seconds: NDArray[np.float64]
    false: NDArray[np.int64]
    seen: NDArray[np.bool_]


def guarded(clips: Sequence[Clip], labels: LabelSet, answer: Callable[[Clip], list[Row]]) -> Guarded:
    """False and true expressions of each clip."""
    rows = []
    for clip in clips:
        shown = [labels.names[label] for _, _, label in answer(clip)]
        false = sum(name != "neutral" and name not in MEANT[clip.code] for name in shown)
        rows.append((clip.actor, clip.code, clip.end, false, any(name in MEANT[clip.code] for name in shown)))
    columns = zip(*rows, strict=True)
    return Guarded(*(np.array(c, k) for c, k in zip(columns, (int, int, float, int, bool), strict=True)))


def per_minute(of: Guarded, i: NDArray[np.int64]) -> float:
    """False expressions per minute of neutral speech."""
    i = i[of.code[i] == 0]
    return float(60 * of.false[i].sum() / of.seconds[i].sum()) if len(i) else np.nan


def recall(of: Guarded, i: NDArray[np.int64], codes: Sequence[int]) -> float:
    """Mean over codes of the share of clips in which what was acted was seen."""
    shares = [of.seen[i][of.code[i] == code].mean() for code in codes if (of.code[i] == code).any()]
    return float(np.mean(shares)) if shares else np.nan


Guard = tuple[float, float]


def chosen_guard(tried: dict[Guard, Guarded], rows: NDArray[np.int64]) -> Guard:
    """The guard with the fewest false expressions among those that lose few true ones; the least one of equals."""
    expressive = [code for code in LIKELY if code]
    floor = recall(tried[BEFORE], rows, expressive) - LOSS
    allowed = [guard for guard, of in tried.items() if recall(of, rows, expressive) >= floor]
    return min(allowed, key=lambda guard: (per_minute(tried[guard], rows), guard[1], guard[0]))


def guard_table(clips: Sequence[Clip], labels: LabelSet, settings: Settings) -> list[str]:
    """False expressions per minute of neutral speech and recall of the acted ones, by way of reading."""
    tried = {
        g: guarded(clips, labels, lambda c, g=g: chain(c, labels, replace(settings, switch=g[0], speech=g[1])))
        for g in GUARDS
    }
    before, everything = tried[BEFORE], np.arange(len(clips))
    actor = before.actor
    picks = {int(a): chosen_guard(tried, np.flatnonzero(actor != a)) for a in np.unique(actor)}
    false, seen = ([getattr(tried[picks[int(a)]], name)[i] for i, a in enumerate(actor)] for name in ("false", "seen"))
    left_out = replace(before, false=np.array(false), seen=np.array(seen))
    ways = {
        "frame-wise": guarded(clips, labels, lambda c: majority(c, labels, 0.0)),
        "frame-wise, 1 s majority": guarded(clips, labels, lambda c: majority(c, labels, 1.0)),
        "chain before (no guard)": before,
        "chain, guard chosen on the other actors": left_out,
        "chain as it is": guarded(clips, labels, lambda c: chain(c, labels, settings)),
    }
    heads = [f"{CODES[code]} seen" for code in LIKELY if code]
    lines = [
        f"| | false expressions a minute of neutral speech | expressive seen, sure codes | {' | '.join(heads)} |",
        "| --- " * (len(heads) + 3) + "|",
    ]
    for name, of in ways.items():
        cells = [
            bootstrap(lambda i, s=s, of=of: s(of, i), len(clips), groups=actor)
            for s in (per_minute, lambda of, i: recall(of, i, SURE[1:]))
        ]
        each = " | ".join(f"{recall(of, everything, [code]):.2f}" for code in LIKELY if code)
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {each} |")
    fewer = bootstrap(lambda i: per_minute(before, i) - per_minute(left_out, i), len(clips), groups=actor)
    lost = bootstrap(
        lambda i: recall(before, i, LIKELY[1:]) - recall(left_out, i, LIKELY[1:]), len(clips), groups=actor
    )
    return [
        *lines,
        "",
        f"The guard chosen on the other actors spares {fewer} false expressions a minute and loses "
        f"{lost} of mean recall (with surprise).",
        "",
        f"Chosen (switch, speech) per held-out actor: {picks}; on "
        f"all actors: {chosen_guard(tried, everything)}; in force: {(settings.switch, settings.speech)}. Neutral "
        f"speech: {before.seconds[before.code == 0].sum():.0f} s.",
    ]
