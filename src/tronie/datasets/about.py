"""What a person should know about a data set before reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tronie.core.labels import LabelSet


@dataclass(frozen=True)
class About:
    """Facts that belong to a reader.

    ``labels`` is None where the user's own folders name the classes. ``layouts`` are the ways it may lie on disk,
    each one line. ``counts``: published rows per split, as a number or per label. ``size``: (height, width) that
    every picture should have, None where sizes differ. ``aligned``: its faces are published cut as the models expect.
    ``whole``: reader options under which ``counts`` hold. ``kind``: whether its rows are pictures (or films) or tracked
    points. ``folds``: published rows to train on and to test on by official fold, numbered from 1.
    """

    title: str
    labels: LabelSet | None
    source: str
    licence: str
    layouts: tuple[str, ...]
    counts: Mapping[str, int | Mapping[str, int]] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    aligned: bool = False
    whole: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["pixels", "points"] = "pixels"
    folds: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def published(self, split: str) -> int | None:
        """Published number of rows in a split, None where nothing was published."""
        count = self.counts.get(split)
        return sum(count.values()) if isinstance(count, Mapping) else count
