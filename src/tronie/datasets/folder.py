"""A user's own pictures or films: one folder per class, perhaps below folders for the parts (train, valid, test)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet, classes
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.clipfiles import films_below, without_ending
from tronie.datasets.files import PICTURES, not_found, pictures_in

PARTS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""Folder names, in any case, that stand for a part."""

ABOUT = About(
    title="Folder of folders",
    labels=None,
    source="your own pictures",
    licence="yours",
    layouts=("happy/1.jpg, sad/2.jpg, … (a folder per class)", "train/happy/1.jpg, valid/happy/2.jpg, …"),
)
ABOUT_CLIPS = About(
    title="Folder of folders of clips",
    labels=None,
    source="your own films",
    licence="yours",
    layouts=(
        "happy/1.mp4, sad/2.mp4, … (a folder per class)",
        "train/happy/1.mp4, valid/happy/2.mp4, …",
        "happy/clip1/0001.jpg, … (clips as folders of frames)",
    ),
)


def read(root: Path, *, labels: Sequence[str] | None = None, names: Mapping[str, str] | None = None) -> Manifest:
    """Classes are the folders' names, in alphabetical order or in that of ``labels``; ids the paths without ending.

    Folders whose names are spellings of one label are one class (:func:`tronie.core.labels.classes`). ``names``
    renames folders (``{"1": "surprise"}``). Raises SourceError.
    """
    return _read(root, ABOUT, pictures_in, f"pictures ({', '.join(PICTURES)})", labels, names)


def read_clips(root: Path, *, labels: Sequence[str] | None = None, names: Mapping[str, str] | None = None) -> Manifest:
    """:func:`read` for films, and for clips that are folders of frames. Raises SourceError."""
    return _read(root, ABOUT_CLIPS, _clips_in, "films or folders of frames", labels, names)


def _clips_in(folder: Path) -> list[str]:
    """Films below ``folder``, and folders right in it that hold pictures."""
    return sorted([*films_below(folder), *(f.name for f in _folders(folder) if pictures_in(f, deep=False))])


def _read(
    root: Path,
    about: About,
    found_in: Callable[[Path], list[str]],
    things: str,
    labels: Sequence[str] | None,
    names: Mapping[str, str] | None,
) -> Manifest:
    if not root.is_dir():
        raise not_found(about, root, ("",))
    kind = things.partition(" (")[0]
    parts = [p for p in _folders(root) if p.name.lower() in PARTS]
    others = [c for c in _folders(root) if c not in parts]
    homes = [c for p in parts for c in _folders(p)] or others
    astray = [c for c in others if parts and homes is not others and any("/" not in n for n in found_in(c))]
    if astray:
        raise SourceError(
            f"{root} holds parts ({', '.join(p.name for p in parts)}) and beside them the folder "
            f"'{astray[0].name}' with {kind}: move it into a part, or elsewhere."
        )
    if not homes:
        raise SourceError(f"{root} has no folders with {kind}: it needs {' or '.join(about.layouts)}.")
    words = {home: (names or {}).get(home.name, home.name) for home in homes}
    vocabulary = _vocabulary(root, words, labels)
    path: list[str] = []
    label: list[int] = []
    split: list[str] = []
    for home in homes:
        found = found_in(home)
        if not found:
            raise SourceError(f"The class folder {home} holds no {things}: put some there, or remove the folder.")
        below = home.relative_to(root)
        path += [f"{below.as_posix()}/{name}" for name in found]
        label += [vocabulary.index(words[home])] * len(found)
        split += [PARTS[below.parts[0].lower()] if parts else ""] * len(found)
    return Manifest(
        np.array(_ids(path), np.str_),
        np.array(path, np.str_),
        np.array(label, np.int64),
        vocabulary,
        split=np.array(split, np.str_),
        root=root,
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _vocabulary(root: Path, words: Mapping[Path, str], labels: Sequence[str] | None) -> LabelSet:
    try:
        vocabulary = classes(words.values(), labels)
    except SettingError as error:
        raise SourceError(f"{root}, whose folders are classes: {error}") from error
    if labels is None:
        return vocabulary
    for home, word in words.items():
        if vocabulary.translate(LabelSet((word,))).max() < 0:
            raise SourceError(
                f"The class folder {home} is none of the labels {', '.join(labels)}: rename it, name it "
                "in 'names', or add its label."
            )
    return vocabulary


def _ids(paths: list[str]) -> list[str]:
    """Paths without ending; where two differ only in that, with it."""
    stems = [without_ending(p) for p in paths]
    uses = Counter(stems)
    return [p if uses[s] > 1 else s for p, s in zip(paths, stems, strict=True)]
