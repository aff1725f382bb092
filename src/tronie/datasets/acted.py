"""Acted talking clips, as a pack: eight actors say four sentences in six ways; 16 face crops of each clip."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.files import one_of
from tronie.datasets.pack import load, pack_of, paths_in, spans_in

LABELS = LabelSet(("neutral", "sadness", "happiness", "surprise", "fear or disgust", "anger"))
"""In the order of the codes 0 to 5. Surprise is likely; what code 4 stands for is not known for sure."""
UNSURE = 4
_PACK = "acted_clips_train.npz"

ABOUT = About(
    title="acted talking clips",
    labels=LABELS,
    source="the pack",
    licence="research only; may not be passed on",
    layouts=(f"the pack {_PACK}",),
    counts={"train": dict.fromkeys(LABELS.names, 32)},
    size=(112, 112),
)


def read(root: Path, *, unsure: bool = True, frames: Literal["clips", "photos"] = "clips") -> Manifest:
    """Clips, ids ``acted-clips/03-2-5`` (actor, sentence, code), split train; the actor is subject and group.

    ``unsure=False`` leaves out code 4, fear or disgust. ``frames="photos"``: every frame is a row of its own with its
    clip's label, ids ``acted-clips/03-2-5/07``. ``root`` is the pack or its folder. Raises SourceError, and
    SettingError for a wrong option.
    """
    one_of("unsure", unsure, (True, False))
    one_of("frames", frames, ("clips", "photos"))
    pack = pack_of(ABOUT, root, _PACK)
    z = load(pack, ("clip_start", "actor", "sentence", "label"))
    label, actor, number = z["label"].astype(np.int64), z["actor"].astype(np.int64), np.diff(z["clip_start"])
    if len(label) and label.max() >= len(LABELS):
        raise SourceError(f"The pack {pack} holds code {label.max()}, and 0 to 5 are known: get the pack again.")
    ids = [f"acted-clips/{a:02d}-{s}-{c}" for a, s, c in zip(actor, z["sentence"], label, strict=True)]
    paths, row = spans_in(pack, z["clip_start"]), np.arange(len(label))
    if frames == "photos":
        row = np.repeat(row, number)
        place = np.arange(len(row)) - np.repeat(z["clip_start"][:-1], number)
        ids = [f"{ids[r]}/{i:02d}" for r, i in zip(row, place, strict=True)]
        paths = paths_in(pack, len(row))
    found = Manifest(
        np.array(ids, np.str_),
        np.array(paths, np.str_),
        label[row],
        LABELS,
        split=np.full(len(row), "train"),
        group=actor[row],
        subject=np.array([f"{a:02d}" for a in actor[row]], np.str_),
        root=pack.parent,
    )
    return found if unsure else found.select(found.label != UNSURE)
