"""Answers to columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tronie.core.labels import UNCERTAIN, LabelSet
from tronie.core.timeline import AFFECT, PROBABILITY, Column, Provenance, Timeline
from tronie.pipeline.looks import Settled


def to_timeline(answers: Sequence[Settled], source: str, labels: LabelSet, provenance: Provenance) -> Timeline:
    """One row per answer, in the order given."""
    if not answers:
        return Timeline.empty(labels, provenance)
    looks = [answer.look for answer in answers]
    names = [*labels.names, UNCERTAIN]  # index -1 is "uncertain"
    boxes = np.array([look.box for look in looks])
    smoothed = np.stack([answer.probabilities for answer in answers])
    columns: dict[str, Column] = {
        "source": np.array([source] * len(looks), object),
        "frame": np.array([look.frame for look in looks]),
        "time": np.array([look.time for look in looks]),
        "duration": np.array([look.duration for look in looks]),
        "track": np.array([look.track for look in looks]),
        **{name: boxes[:, i] for i, name in enumerate(("x", "y", "width", "height"))},
        "face_size": boxes[:, 2:].min(1),
        "detection": np.array([look.detection for look in looks]),
        "quality": np.array([look.quality for look in looks]),
        "usable": np.array([look.usable for look in looks]),
        "label": np.array([names[answer.label] for answer in answers], object),
        "confidence": np.array([answer.confidence for answer in answers]),
        **{PROBABILITY + name: smoothed[:, i] for i, name in enumerate(labels.names)},
        **({"agreement": np.array([answer.agreement for answer in answers])} if provenance.clips else {}),
        **(_affect(answers) if provenance.affect else {}),
        "model": np.array([provenance.model_hash[:12]] * len(looks), object),
        "settings": np.array([provenance.settings_hash[:12]] * len(looks), object),
        "version": np.array([provenance.version] * len(looks), object),
    }
    return Timeline(columns, labels, provenance)


def _affect(answers: Sequence[Settled]) -> dict[str, Column]:
    values = np.stack([np.full(2, np.nan) if answer.affect is None else answer.affect for answer in answers])
    return {name: values[:, i] for i, name in enumerate(AFFECT)}
