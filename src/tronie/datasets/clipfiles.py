"""What readers of clips share: which files and folders are clips, their frames, and lists of official folds."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.files import pictures_in, present
from tronie.video.sources import IMAGE_ENDINGS, VIDEO_ENDINGS, walk

Labelled = dict[str, int]
"""Name of a clip → index of its label."""
FOLDS = (1, 2, 3, 4, 5)


def is_film(path: Path | str) -> bool:
    """Whether a name ends as a film's does."""
    return os.path.splitext(path)[1].lower() in VIDEO_ENDINGS


def without_ending(path: str) -> str:
    """A path without the ending of a picture or film; a folder's name keeps its dots."""
    stem, ending = os.path.splitext(path)
    return stem if ending.lower() in IMAGE_ENDINGS | VIDEO_ENDINGS else path


def by_number(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key under which ``2.jpg`` comes before ``10.jpg``."""
    pieces = re.split(r"(\d+)", name)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces], name


def frames_in(folder: Path) -> list[str]:
    """Names of the pictures in a folder, numbers in names by value: the frames of a clip in order."""
    return sorted(pictures_in(folder, deep=False), key=by_number)


def films_below(folder: Path) -> list[str]:
    """Paths of the films below ``folder``, relative to it, sorted; hidden files and folders are passed over."""
    found = []
    for here, below, names in walk(folder, links=True):
        below[:] = sorted(n for n in below if not n.startswith("."))
        relative = Path(here).relative_to(folder)
        found += [(relative / n).as_posix() for n in names if is_film(n) and not n.startswith(".")]
    return sorted(found)


def numbered_clips(folder: Path) -> dict[str, str]:
    """Path below ``folder`` of each clip by its number in five digits: films (``12.mp4``) and folders of frames.

    Folders that are no number (``part_1``) are looked into.
    """
    found: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            stem = entry.name if entry.is_dir() else os.path.splitext(entry.name)[0]
            if stem.isdecimal() and (entry.is_dir() or (is_film(entry.name) and entry.is_file())):
                found[f"{int(stem):05d}"] = entry.name
            elif entry.is_dir() and not entry.name.startswith("."):
                found |= {n: f"{entry.name}/{path}" for n, path in numbered_clips(Path(entry.path)).items()}
    return found


def check_fold(fold: int | None) -> None:
    """Raise SettingError unless ``fold`` is None or one of the five."""
    if fold is not None and fold not in FOLDS:
        raise SettingError(f"Option fold is {fold!r}; it must be one of 1 to 5, or left out.")


def by_fold(prefix: str, labels: LabelSet, parts: Mapping[tuple[str, int], Labelled], fold: int | None) -> Manifest:
    """Rows of official five-fold lists, ids ``prefix/name``, in the order of the names; ``path`` is the name for now.

    ``parts`` maps (``"train"`` or ``"test"``, official fold) to clips. With ``fold`` its two lists become the splits.
    Without, every clip comes once and ``fold`` 0 to 4 says which official fold (less 1) tests it.

    Raises SourceError where one clip is in two of the lists that are read.
    """
    label: Labelled = {}
    home: dict[str, tuple[str, int]] = {}
    for (part, number), clips in parts.items():
        if (fold is None and part == "train") or fold not in (None, number):
            continue
        for name, code in clips.items():
            if name in home:
                one, two = (f"{p} of fold {n}" for p, n in (home[name], (part, number)))
                raise SourceError(f"Clip {name} is in {one} and in {two}: download the lists again.")
            home[name], label[name] = (part, number), code
    names = sorted(label)
    split = [home[n][0] if fold is not None else "" for n in names]
    held = [home[n][1] - 1 if fold is None else -1 for n in names]
    return Manifest(
        np.array([f"{prefix}/{n}" for n in names], np.str_),
        np.array(names, np.str_),
        np.array([label[n] for n in names], np.int64),
        labels,
        split=np.array(split, np.str_),
        fold=np.array(held, np.int64),
    )


def paths_of(names: Sequence[str], home: Path, root: Path) -> list[str]:
    """Paths relative to ``root`` of the numbered clips in ``home``; of missing ones, where they ought to lie."""
    known = numbered_clips(home)
    ending = os.path.splitext(next(iter(known.values()), ""))[1]
    return [(home / known.get(name, f"{name}{ending}")).relative_to(root).as_posix() for name in names]


def there(root: Path, paths: Sequence[str], manifest: Manifest, listed_in: Path, skip_missing: bool) -> Manifest:
    """The rows whose clip exists at ``root / path``, with these paths. Raises SourceError as :func:`present` does."""
    found = present(root, paths, listed_in, skip_missing, "clips")
    return replace(manifest, path=np.array(paths, np.str_), root=root).select(found)
