"""Runs of ``noise.py`` to Markdown: scores with their spread over seeds, paired differences with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.metrics import scores

DRAWS = 500
CLASSES = 10  # digits; classes that do not occur change nothing
WHEN = {"chosen": "Epoch chosen on noisy validation labels", "last": "Last epoch"}

Ints = NDArray[np.int64]
Pair = tuple[float, float]


def digits(label: Ints) -> str:
    """Labels as one character a face (up to ten classes), so that a run stays one readable line."""
    return "".join(map(str, label.tolist()))


def integers(text: str) -> Ints:
    """What :func:`digits` wrote."""
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64) - ord("0")


def score(truth: Ints, answered: Ints) -> Pair:
    """Accuracy and mean recall, in per cent."""
    table = scores.confusion(truth, answered, CLASSES)
    return 100 * scores.accuracy(table), 100 * scores.mean_recall(table)


def cell(found: Sequence[dict[str, Any]], when: str) -> str:
    """Mean and standard deviation over the seeds of accuracy / mean recall; a dash where nothing is there."""
    if not found:
        return "–"
    each = np.array([score(integers(line["truth"]), integers(line[when])) for line in found])
    mean, sd = each.mean(0), each.std(0, ddof=1) if len(each) > 1 else np.full(2, np.nan)
    return " / ".join(f"{m:.1f} ± {s:.1f}" if np.isfinite(s) else f"{m:.1f}" for m, s in zip(mean, sd, strict=True))


def difference(found: Sequence[dict[str, Any]], plain: Sequence[dict[str, Any]], when: str) -> str:
    """Paired difference to ``plain`` of accuracy / mean recall, in points, with 95 % intervals.

    The bootstrap draws seeds again and, within each, faces. A dash where no seed has both on the same faces.
    """
    pairs = []
    for line in found:
        other = next((p for p in plain if p["seed"] == line["seed"] and p["reported"] == line["reported"]), None)
        if other is not None:
            pairs.append(tuple(integers(text) for text in (line["truth"], line[when], other[when])))
    if not pairs:
        return "–"
    rng = np.random.default_rng(0)
    whole = np.mean([gap(*pair) for pair in pairs], axis=0)
    drawn = []
    for _ in range(DRAWS):
        each = []
        for number in rng.integers(0, len(pairs), len(pairs)):
            face = rng.integers(0, len(pairs[number][0]), len(pairs[number][0]))
            each.append(gap(*(column[face] for column in pairs[number])))
        drawn.append(np.mean(each, axis=0))
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return " / ".join(f"{v:+.1f} [{a:+.1f}, {b:+.1f}]" for v, a, b in zip(whole, low, high, strict=True))


def gap(truth: Ints, answered: Ints, plain: Ints) -> Pair:
    """Differences of accuracy and of mean recall to ``plain``, in points."""
    mine, theirs = score(truth, answered), score(truth, plain)
    return mine[0] - theirs[0], mine[1] - theirs[1]


def tables(found: Sequence[dict[str, Any]], names: Sequence[str], noises: Sequence[str], plain: str) -> Iterable[str]:
    """Markdown lines: for each choice of the epoch the scores, and the paired differences to the row ``plain``."""
    sizes = "; ".join(sorted({"/".join(map(str, line["faces"])) for line in found}))
    seeds = ", ".join(map(str, sorted({line["seed"] for line in found})))
    yield f"Faces learnt from / chosen by / reported on: {sizes}; seeds {seeds}. Accuracy / mean recall in %,"
    yield "mean ± sd over seeds. Differences in points with 95 % intervals: seeds and faces drawn again."
    by = {
        (row, noise): [x for x in found if x["row"] == row and x["noise"] == noise]
        for row in {*names, plain}
        for noise in noises
    }
    for when, title in WHEN.items():
        scored = [[cell(by[row, noise], when) for noise in noises] for row in names]
        yield from table(title, noises, names, scored)
        others = [row for row in names if row != plain]
        apart = [[difference(by[row, noise], by[plain, noise], when) for noise in noises] for row in others]
        yield from table(f"{title}: difference to {plain}", noises, others, apart)


def table(title: str, noises: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterable[str]:
    """One Markdown table under its title."""
    heads = [f"{kind} {float(rate):.0%}" for kind, _, rate in (noise.partition(":") for noise in noises)]
    yield from ("", f"### {title}", "", f"| | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads))
    for name, row in zip(names, cells, strict=True):
        yield f"| {name} | {' | '.join(row)} |"
