"""Film clips with valence and arousal (KERC 2020), as a pack: up to twelve face crops of each clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.pack import load, pack_of, spans_in

_PACK = "film_clips_va_train.npz"
_MIDDLE, _HALF = 5.0, 4.0  # the scale runs from 1 to 9

ABOUT = About(
    title="film clips (KERC 2020)",
    labels=LabelSet(()),
    source="the pack",
    licence="research only; may not be passed on",
    layouts=(f"the pack {_PACK}",),
    counts={"train": 634},
    size=(128, 128),
)


def read(root: Path) -> Manifest:
    """Clips without labels, with valence and arousal in [-1, 1] (1 to 9 in the pack), ids ``film-clips/001``.

    The pack's third rating, stress, is left in it. ``root`` is the pack or its folder. Raises SourceError.
    """
    pack = pack_of(ABOUT, root, _PACK)
    z = load(pack, ("clip_start", "clip_id", "valence_arousal_stress"))
    rated = (z["valence_arousal_stress"][:, :2].astype(np.float32) - _MIDDLE) / _HALF
    if len(rated) and np.abs(rated).max() > 1:
        raise SourceError(f"The pack {pack} holds ratings outside 1 to 9: get the pack again.")
    number = len(rated)
    return Manifest(
        np.array([f"film-clips/{i:03d}" for i in z["clip_id"]], np.str_),
        np.array(spans_in(pack, z["clip_start"]), np.str_),
        np.full(number, -1),
        LabelSet(()),
        split=np.full(number, "train"),
        valence=rated[:, 0],
        arousal=rated[:, 1],
        root=pack.parent,
    )
