"""RAVDESS as tracks of 68 points (Livingstone & Russo, PLoS ONE 2018): every frame of each spoken clip, no pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.pack import load, pack_of, spans_in
from tronie.datasets.ravdess import LABELS, recording

_PACK = "ravdess_tracks_train.npz"
_IN_A_FOLD = 4

ABOUT = About(
    title="RAVDESS (tracked points, actors 1 to 20)",
    labels=LABELS,
    source="the pack; the films: https://zenodo.org/records/1188976",
    licence="CC BY-NC-SA 4.0",
    layouts=(f"the pack {_PACK}",),
    kind="points",
    counts={"train": dict(zip(LABELS.names, (80, *[160] * 7), strict=True))},
)


def read(root: Path) -> Manifest:
    """Clips of points, split train, ids ``ravdess/01-06-01-02-01-12`` as those of the films.

    :func:`tronie.datasets.ravdess.recording` tells intensity, statement and actor of an id. Folds are the films',
    four actors each; rows of one actor form a group. ``root`` is the pack or its folder. Raises SourceError.
    """
    pack = pack_of(ABOUT, root, _PACK)
    z = load(pack, ("offsets", "name", "label"))
    found = [recording(str(name)) for name in z["name"]]
    wrong = [str(n) for n, one, code in zip(z["name"], found, z["label"], strict=True) if one.label != code]
    if wrong:
        raise SourceError(f"The pack {pack} labels {wrong[0]} otherwise than its name does: get the pack again.")
    actor = np.array([one.actor for one in found], np.int64)
    return Manifest(
        np.array([f"ravdess/{one.key}" for one in found], np.str_),
        np.array(spans_in(pack, z["offsets"]), np.str_),
        z["label"].astype(np.int64),
        LABELS,
        split=np.full(len(found), "train"),
        fold=(actor - 1) // _IN_A_FOLD,
        group=actor,
        subject=np.array([f"{a:02d}" for a in actor], np.str_),
        root=pack.parent,
    )
