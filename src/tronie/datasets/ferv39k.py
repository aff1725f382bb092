"""FERV39k (Wang et al., CVPR 2022): 38,935 clips of 22 scenes from films and television, with an official test part."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.clipfiles import there
from tronie.datasets.files import first_of, lines, not_found

WORDS = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
LABELS = LabelSet(("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"))
"""In the alphabetical order of FERV39k's own words, which are also its codes 0 to 6."""

ABOUT = About(
    title="FERV39k",
    labels=LABELS,
    source="https://github.com/wangyanckxx/FERV39k (by request)",
    licence="non-commercial research only; clips may not be passed on",
    layouts=("4_setups/All_scenes/train_All.csv and test_All.csv, and 2_ClipsforFaceCrop/Action/Angry/0001/*.jpg",),
    counts={
        "train": dict(zip(LABELS.names, (5906, 1833, 1680, 5854, 7790, 5523, 2502), strict=True)),
        "test": dict(zip(LABELS.names, (1487, 467, 431, 1473, 1958, 1393, 638), strict=True)),
    },
)

_TOPS = ("", "FERV39k/", "FERV39K/")
_LISTS = ("4_setups/All_scenes/{}_All.csv", "All_scenes/{}_All.csv", "Annotation/{}.csv", "{}_All.csv")
_CLIPS = ("2_ClipsforFaceCrop/2_ClipsforFaceCrop/", "2_ClipsforFaceCrop/", "Image/CropFace/2_ClipsforFaceCrop/")


def read(root: Path, *, skip_missing: bool = False) -> Manifest:
    """All scenes, with the owners' splits train and test; ids ``ferv39k/Action/Angry/0001``, paths folders of frames.

    The split isolates scenes' films no more than the owners did. Raises SourceError.
    """
    homes = [f"{top}{name}" for top in _TOPS for name in _CLIPS]
    home = first_of(root, homes)
    rows: list[tuple[str, int, str]] = []
    listed = root
    for part in ("train", "test"):
        names = [f"{top}{name.format(part)}" for top in _TOPS for name in _LISTS]
        path = first_of(root, names)
        if path is None or home is None:
            raise not_found(ABOUT, root, names if path is None else homes)
        listed = path
        rows += [(*_row(path, n, line), part) for n, line in lines(path) if line.lower() != "path,id"]
    clips, label, split = zip(*rows, strict=True) if rows else ((), (), ())
    paths = [f"{home.relative_to(root).as_posix()}/{clip}" for clip in clips] if home else []
    manifest = Manifest(
        np.array([f"ferv39k/{clip}" for clip in clips], np.str_),
        np.array(paths, np.str_),
        np.array(label, np.int64),
        LABELS,
        split=np.array(split, np.str_),
    )
    return there(root, paths, manifest, listed, skip_missing)


def _row(path: Path, line: int, text: str) -> tuple[str, int]:
    """``Action/Angry/0001 Angry`` or ``Action/Angry/0001,0``: the clip, and the label that line and folder agree on."""
    clip, *rest = re.split(r"[ ,\t]+", text)
    parts = clip.split("/")
    word = rest[0] if rest else ""
    label = WORDS[int(word)] if word.isdecimal() and int(word) < len(WORDS) else word
    if len(parts) != 3 or label != parts[1] or label not in WORDS:
        raise SourceError(
            f"{path}, line {line}: '{text}' is not a clip and its label, as in "
            "'Action/Angry/0001 Angry': download the list again."
        )
    return clip, WORDS.index(label)
