"""Timelines told in a few words: who shows what from when to when."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tronie.core.labels import BASIC7, LabelSet
from tronie.core.timeline import Looked, Provenance, Timeline

Spell = tuple[int, float, float, str]
"""Track, start, end, label."""


def timeline_of(
    spells: Iterable[Spell],
    *,
    fps: float = 25,
    source: str = "film.mp4",
    length: float | None = None,
    labels: LabelSet = BASIC7,
    confidence: float = 0.8,
) -> Timeline:
    """Rows at ``fps`` in the order of time. Boxes stand in columns by track; ``length`` is what was looked at."""
    rows = [
        (round(start * fps) + i, track, label)
        for track, start, end, label in spells
        for i in range(round((end - start) * fps))
    ]
    rows.sort()
    frame = np.array([row[0] for row in rows], np.int64)
    track = np.array([row[1] for row in rows], np.int64)
    label = np.array([row[2] for row in rows], object)
    rest = (1 - confidence) / (len(labels) - 1)
    count = len(rows)
    columns = {
        "source": np.array([source] * count, object),
        "frame": frame,
        "time": frame / fps,
        "duration": np.full(count, 1 / fps),
        "track": track,
        "x": 20.0 + 100 * track,
        "y": np.full(count, 30.0),
        "width": np.full(count, 40.0),
        "height": np.full(count, 50.0),
        "face_size": np.full(count, 40.0),
        "detection": np.ones(count),
        "quality": np.full(count, 0.9),
        "usable": np.ones(count, bool),
        "label": label,
        "confidence": np.where(label == "uncertain", 1 / len(labels), confidence),
        **{
            f"p_{name}": np.where(label == name, confidence, np.where(label == "uncertain", 1 / len(labels), rest))
            for name in labels.names
        },
        **{name: np.array(["0" * 12] * count, object) for name in ("model", "settings", "version")},
    }
    end = length if length is not None else max((row[0] + 1 for row in rows), default=0) / fps
    return Timeline(columns, labels, Provenance(), (Looked(source, "video", round(end * fps), 0.0, end),))
