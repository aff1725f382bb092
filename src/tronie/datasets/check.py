"""Is what lies on disk the data set that was published? Counts, files, sizes and near-duplicates, told in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.core.labels import canonical
from tronie.core.manifest import Integers, Manifest
from tronie.datasets.about import About
from tronie.datasets.pictures import read_picture
from tronie.metrics.duplicates import close_pairs, perceptual_hash, twin_groups

MOST = 40_000
"""Rows of one split up to which every pair in it is compared; between splits all are."""


@dataclass(frozen=True)
class Finding:
    """One sentence; ``fine`` says whether it is as it should be."""

    fine: bool
    text: str


@dataclass(frozen=True, eq=False)
class Checked:
    """What was found. ``group`` ``(n,)``: the manifest's groups with near-duplicates joined; None without pixels."""

    findings: tuple[Finding, ...]
    group: Integers | None = None

    @property
    def fine(self) -> bool:
        return all(f.fine for f in self.findings)

    def __str__(self) -> str:
        return "\n".join(f"{'  ' if f.fine else '! '}{f.text}" for f in self.findings)


def check(
    manifest: Manifest,
    facts: About | None = None,
    *,
    pixels: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Compare a manifest with what was published and with itself.

    With ``pixels`` every picture is read (a clip by one frame). ``progress`` is called with the rows done and in
    all. Raises nothing: what is wrong is a finding.
    """
    findings = _counted(manifest, facts)
    if not pixels:
        return Checked(tuple(findings))
    sizes, hashes, broken = _look(manifest, progress)
    findings += _readable(manifest, broken) + _sized(sizes, facts)
    seen = np.array([i for i in range(len(manifest)) if i not in broken], np.int64)
    twins, group = _twins(manifest, seen, hashes)
    return Checked((*findings, *twins), group)


def _counted(manifest: Manifest, facts: About | None) -> list[Finding]:
    found = []
    for split in sorted({*manifest.split.tolist(), *(facts.counts if facts else ())}, key=_order):
        rows = manifest.split == split
        if not split and not rows.any():  # published as a whole, read in parts
            rows = np.ones(len(manifest), bool)
        where, number = _named(split), int(rows.sum())
        published = facts.published(split) if facts else None
        if published is None or number == published:
            agrees = "" if published is None else ", as published"
            found.append(Finding(True, f"{where} holds {number:,} rows{agrees}."))
        elif not number:
            found.append(Finding(False, f"{where} is missing: {published:,} rows were published."))
        else:
            gap = f"{abs(number - published):,} {'fewer' if number < published else 'more'}"
            found.append(Finding(False, f"{where} holds {number:,} rows, {gap} than the {published:,} published."))
        expected = facts.counts.get(split) if facts else None
        found += _per_label(manifest, rows, where, expected if isinstance(expected, Mapping) else None)
    return found + _spelled(manifest) + _per_fold(manifest, facts)


def _spelled(manifest: Manifest) -> list[Finding]:
    """Which spellings were joined into one class."""
    names = manifest.labels.names
    return [
        Finding(
            True, f"{', '.join(map(repr, words))} are spellings of one class, {names[manifest.labels.index(words[0])]}."
        )
        for words in manifest.labels.spellings
        if canonical(words[0]) in map(canonical, names)
    ]


def _per_fold(manifest: Manifest, facts: About | None) -> list[Finding]:
    """The sizes of official folds, where the manifest brings them."""
    if facts is None or not facts.folds or not (manifest.fold >= 0).any():
        return []
    sizes = [int(np.sum(manifest.fold == number - 1)) for number in facts.folds]
    published = [test for _, test in facts.folds.values()]
    told = f"The folds hold {', '.join(f'{n:,}' for n in sizes)} rows to test on"
    if sizes == published:
        return [Finding(True, f"{told}, as published.")]
    return [Finding(False, f"{told}; published are {', '.join(f'{n:,}' for n in published)}.")]


def _per_label(
    manifest: Manifest, rows: NDArray[np.bool_], where: str, expected: Mapping[str, int] | None
) -> list[Finding]:
    counts = {name: int(np.sum(manifest.label[rows] == i)) for i, name in enumerate(manifest.labels.names)}
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    none = int(np.sum(manifest.label[rows] < 0))
    told += f", without a label {none:,}" if none else ""
    wrong = [f"{n} ({expected[n]:,})" for n in counts if n in expected and counts[n] != expected[n]] if expected else []
    if wrong and rows.any():
        return [Finding(False, f"{where} by label: {told}. Published otherwise: {', '.join(wrong)}.")]
    return [Finding(True, f"{where} by label: {told}{', as published' if expected else ''}.")] if rows.any() else []


def _look(
    manifest: Manifest, progress: Callable[[int, int], None]
) -> tuple[Counter[tuple[int, int]], NDArray[np.uint8], dict[int, str]]:
    """Sizes, hashes of the readable rows ``(m, 32)``, and the reason by unreadable row."""
    sizes: Counter[tuple[int, int]] = Counter()
    broken: dict[int, str] = {}
    grey = np.empty((len(manifest), 32, 32), np.uint8)
    for row in range(len(manifest)):
        try:
            picture = read_picture(manifest, row)
            sizes[picture.shape[:2]] += 1
            grey[row] = small_grey(picture)
        except SourceError as error:
            broken[row] = str(error)
        if row % 1000 == 999 or row == len(manifest) - 1:
            progress(row + 1, len(manifest))
    kept = np.delete(grey, list(broken), axis=0)
    parts = [perceptual_hash(kept[i : i + 4096]) for i in range(0, len(kept), 4096)]
    return sizes, np.concatenate(parts) if parts else np.empty((0, 32), np.uint8), broken


def small_grey(picture: Pixels) -> NDArray[np.uint8]:
    """``(32, 32)`` grey, what the perceptual hash is taken of."""
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _readable(manifest: Manifest, broken: dict[int, str]) -> list[Finding]:
    if not broken:
        return [Finding(True, f"All {len(manifest):,} pictures can be read.")] if len(manifest) else []
    row, reason = next(iter(broken.items()))
    return [
        Finding(
            False,
            f"{len(broken):,} of {len(manifest):,} pictures cannot be read; the first is row "
            f"'{manifest.id[row]}': {reason}",
        )
    ]


def _sized(sizes: Counter[tuple[int, int]], facts: About | None) -> list[Finding]:
    if not sizes:
        return []
    wanted = facts.size if facts else None
    if wanted and set(sizes) != {wanted}:
        other = next(s for s, _ in sizes.most_common() if s != wanted)
        number = sum(n for s, n in sizes.items() if s != wanted)
        return [
            Finding(
                False,
                f"{number:,} pictures are not {wanted[1]} x {wanted[0]} pixels as published (most of "
                f"them {other[1]} x {other[0]}): are these the aligned pictures?",
            )
        ]
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        return [Finding(True, f"All are {width} x {height} pixels{', as published' if wanted else ''}.")]
    low, high = min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])
    return [Finding(True, f"Pictures have {len(sizes):,} sizes, from {low[1]} x {low[0]} to {high[1]} x {high[0]}.")]


def _twins(manifest: Manifest, seen: Integers, hashes: NDArray[np.uint8]) -> tuple[list[Finding], Integers]:
    """Near-duplicates within each split and between any two, and the manifest's groups joined by them."""
    found: list[Finding] = []
    links: list[NDArray[np.int64]] = []
    split, label = manifest.split[seen], manifest.label[seen]
    parts = sorted(set(split.tolist()), key=_order)
    for i, one in enumerate(parts):
        mine = np.flatnonzero(split == one)
        if len(mine) > MOST:
            found.append(
                Finding(
                    True,
                    f"{_named(one)} has more than {MOST:,} rows, so it was not searched for "
                    "near-duplicates within itself.",
                )
            )
        else:
            group = mine[twin_groups(hashes[mine])]
            links.append(seen[np.stack([mine, group], 1)[mine != group]])
            found.append(_within(one, group, label[mine]))
        for other in parts[i + 1 :]:
            yours = np.flatnonzero(split == other)
            pairs = np.concatenate([*close_pairs(hashes[mine], hashes[yours])] or [np.empty((0, 2), np.int64)])
            both = seen[np.stack([mine[pairs[:, 0]], yours[pairs[:, 1]]], 1)]
            links.append(both)
            found.append(_between(manifest, one, other, both))
    return found, _joined(manifest.group, np.concatenate(links) if links else np.empty((0, 2), np.int64))


def _within(split: str, group: Integers, label: Integers) -> Finding:
    numbers, counts = np.unique(group, return_counts=True)
    several = numbers[counts > 1]
    if not len(several):
        return Finding(True, f"{_named(split)} holds no near-duplicates.")
    torn = sum(len(set(label[group == g].tolist())) > 1 for g in several)
    number = int(counts[counts > 1].sum())
    return Finding(
        True,
        f"{_named(split)} holds {number:,} pictures that are near-duplicates of one another, in "
        f"{len(several):,} group{'s' * (len(several) > 1)}, {torn:,} of them with different labels: keep each in one "
        "fold.",
    )


def _between(manifest: Manifest, one: str, other: str, both: NDArray[np.int64]) -> Finding:
    if not len(both):
        return Finding(True, f"No picture of {other or 'the rest'} has a near-duplicate in {one or 'the rest'}.")
    a, b = both[0]
    return Finding(
        False,
        f"{len(np.unique(both[:, 1])):,} pictures of {other or 'the rest'} have a near-duplicate in "
        f"{one or 'the rest'} (such as '{manifest.id[b]}' and '{manifest.id[a]}'): leave them out of "
        "one, or scores are too high.",
    )


def _joined(group: Integers, links: NDArray[np.int64]) -> Integers:
    """Group numbers after joining the groups of linked rows; each takes the smallest number."""
    parent = {g: g for g in group.tolist()}

    def top(g: int) -> int:
        while parent[g] != g:
            g = parent[g]
        return g

    for a, b in group[links].tolist():
        low, high = sorted((top(a), top(b)))
        parent[high] = low
    return np.array([top(g) for g in group.tolist()], np.int64)


def _named(split: str) -> str:
    return f"The part '{split}'" if split else "The data set"


def _order(split: str) -> tuple[int, str]:
    """train, valid, test, then others."""
    known = ("train", "valid", "test")
    return (known.index(split) if split in known else len(known), split)
