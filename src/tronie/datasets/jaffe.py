"""JAFFE (Lyons, Kamachi & Gyoba, 1998): 213 posed photos of ten Japanese women; folds leave one subject out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.files import not_found, pictures_in

LABELS = LabelSet(("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"))
_CODES = ("AN", "DI", "FE", "HA", "NE", "SA", "SU")
_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d*\.\d+\.(tiff?|png|jpe?g)", re.IGNORECASE)
_FOLDERS = ("", "jaffe/", "jaffedbase/", "JAFFE/", "jaffedbase/jaffe/", "jaffeimages/jaffe/")

ABOUT = About(
    title="JAFFE",
    labels=LABELS,
    source="https://zenodo.org/records/3451524 (by request)",
    licence="non-commercial research only",
    layouts=("jaffe/KA.AN1.39.tiff (subject, expression and take, number)",),
    counts={"": dict(zip(LABELS.names, (30, 29, 32, 31, 30, 31, 30), strict=True))},
    size=(256, 256),
)


def read(root: Path) -> Manifest:
    """All photos, ids ``jaffe/KA.AN1.39``; fold and group are the subject's number in alphabetical order.

    Files of other names are passed over. Raises SourceError.
    """
    for top in _FOLDERS:
        folder = root / top
        names = [n for n in pictures_in(folder, deep=False) if _NAME.fullmatch(n)]
        if names:
            break
    else:
        raise not_found(ABOUT, root, [f"{top}KA.AN1.39.tiff" for top in _FOLDERS])
    parts = [n.upper().split(".") for n in names]
    subject = np.array([p[0] for p in parts], np.str_)
    number = np.unique(subject, return_inverse=True)[1].astype(np.int64)
    return Manifest(
        np.array([f"jaffe/{'.'.join(p[:3])}" for p in parts], np.str_),
        np.array(names, np.str_),
        np.array([_CODES.index(p[1][:2]) for p in parts], np.int64),
        LABELS,
        subject=subject,
        fold=number,
        group=number,
        root=folder,
    )
