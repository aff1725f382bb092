"""The rows of an audit before any label is doubted: which are twins, leaks or no faces. Works without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError
from tronie.core.face import Pixels
from tronie.core.manifest import Manifest
from tronie.data.prepared import Opened, open_prepared, read_note
from tronie.faces.quality import sharpness
from tronie.metrics.duplicates import perceptual_hash, twin_groups

SAME = 8
"""Bits of 256 within which two pictures are one, saved again; near-duplicates (52 bits) may be two of one burst."""
_BLURRED = 0.005  # sharpness of a face behind a Gaussian blur of 5 pixels, see faces/quality
_FRAMES = 3  # frames of a clip that are looked at
_DARK = 6.0  # grey levels of contrast below which there is only the camera's noise, see pipeline/quality


@dataclass(frozen=True, eq=False)
class Flaws:
    """What is wrong with rows themselves, all ``(n,)``.

    ``twins`` near-duplicates' group; ``duplicate_of`` the row that shows the same picture in the same split, -1 where
    there is none; ``leaked_to`` a row of another split that is a near-duplicate, told of training rows, else -1;
    ``blurred``, ``dark``; ``faceless``: no face was found (a tight crop may hide one).
    """

    twins: NDArray[np.int64]
    duplicate_of: NDArray[np.int64]
    leaked_to: NDArray[np.int64]
    blurred: NDArray[np.bool_]
    dark: NDArray[np.bool_]
    faceless: NDArray[np.bool_]

    @property
    def unreadable(self) -> NDArray[np.bool_]:
        """Rows in which nothing could be read, whoever looked."""
        return np.asarray(self.blurred | self.dark)

    def told(self, row: int) -> str:
        """Why a row is unusable."""
        words = [
            ("it is blurred", self.blurred),
            ("it is dark or flat", self.dark),
            ("no face was found, and the looks do not agree or are unsure", self.faceless),
        ]
        return f"Nothing can be read: {', '.join(text for text, column in words if column[row])}."


def open_data(path: Path) -> tuple[Opened, bool, list[tuple[str, str]], set[str]]:
    """What lies in ``path``, whether there are faces to look at, rows left out when cutting, ids without a face.

    ``path`` is a prepared folder, or a manifest (CSV) without anything to look at. Raises SourceError.
    """
    if path.is_file():
        return Opened(Manifest.load(path), np.empty((0, 1, 1, 1, 3), np.uint8)), False, [], set()
    if not path.exists():
        raise SourceError(f"There is no {path}: give a folder that `tronie prepare` made, or a manifest (CSV).")
    opened = open_prepared(path)
    known = read_note(path)
    unread = [(str(name), str(reason)) for name, reason in known.get("unread", ())]
    return opened, True, unread, {str(name) for name in known.get("missed", ())}


def find_flaws(manifest: Manifest, opened: Opened | None, missed: set[str]) -> Flaws:
    """Look at the pixels of photos, and of clips at three frames; without pixels, equal clips are still found.

    Clips are twins only where they are one clip, saved again: a person who talks looks much the same in all of them.
    """
    n = len(manifest)
    none, no = np.full(n, -1), np.zeros(n, bool)
    faceless = np.array([name in missed for name in manifest.id.tolist()], bool)
    if opened is None:
        return Flaws(np.arange(n), none, none, no, no, faceless)
    if opened.kind != "pixels":
        twins = _equal(opened)
        return Flaws(twins, _first(twins, manifest.split), _elsewhere(twins, manifest.split), no, no, faceless)
    looks = 1 if opened.starts is None else _FRAMES
    grey, blurred, dark = np.empty((n, looks, 32, 32), np.uint8), no.copy(), no.copy()
    for i in range(n):
        shown = _shown(opened, i)
        for k, (whole, _) in enumerate(shown):
            small = cv2.cvtColor(np.ascontiguousarray(whole), cv2.COLOR_RGB2GRAY)
            grey[i, k] = cv2.resize(small, (32, 32), interpolation=cv2.INTER_AREA)
        crops = [np.ascontiguousarray(crop) for _, crop in shown]
        dark[i] = all(float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).std()) < _DARK for crop in crops)
        blurred[i] = not dark[i] and all(sharpness(crop) < _BLURRED for crop in crops)
    twins, same = np.arange(n), np.arange(n)
    rows = np.flatnonzero(~dark)  # flat pictures have no structure to hash: all of them would be twins
    hashes = np.concatenate([perceptual_hash(grey[rows, k]) for k in range(looks)], axis=1)
    same[rows] = rows[twin_groups(hashes, SAME * looks)]
    twins[rows] = rows[twin_groups(hashes)] if opened.starts is None else same[rows]
    return Flaws(twins, _first(same, manifest.split), _elsewhere(twins, manifest.split), blurred, dark, faceless)


def _shown(opened: Opened, row: int) -> list[tuple[Pixels, Pixels]]:
    """Of a photo the whole picture and the aligned cut; of a clip frames at a quarter, a half and three quarters."""
    if opened.starts is None:
        return [(opened.faces[row, 0], opened.faces[row, -1])]
    start, length = int(opened.starts[row]), int(opened.starts[row + 1] - opened.starts[row])
    return [(opened.faces[i], opened.faces[i]) for i in (start + length * k // (_FRAMES + 1) for k in (1, 2, 3))]


def _equal(opened: Opened) -> NDArray[np.int64]:
    """The first row that has the very frames of this one."""
    assert opened.starts is not None
    first: dict[bytes, int] = {}
    ends = zip(opened.starts.tolist(), opened.starts[1:].tolist(), strict=False)
    frames = (np.ascontiguousarray(opened.faces[a:b]).tobytes() for a, b in ends)
    return np.array([first.setdefault(sha256(f).digest(), row) for row, f in enumerate(frames)], np.int64)


def _first(group: NDArray[np.int64], split: NDArray[np.str_]) -> NDArray[np.int64]:
    """The first row of the same group and split, -1 for that row itself."""
    first: dict[tuple[int, str], int] = {}
    found = np.full(len(group), -1)
    for row, key in enumerate(zip(group.tolist(), split.tolist(), strict=True)):
        found[row] = first.setdefault(key, row)
    found[found == np.arange(len(group))] = -1
    return found


def _elsewhere(group: NDArray[np.int64], split: NDArray[np.str_]) -> NDArray[np.int64]:
    """For rows of the training part a row of their group that the owners put into another part, -1 without one."""
    other: dict[int, int] = {}
    for row, (g, s) in enumerate(zip(group.tolist(), split.tolist(), strict=True)):
        if s not in ("train", ""):
            other.setdefault(g, row)
    return np.array(
        [other.get(g, -1) if s == "train" else -1 for g, s in zip(group.tolist(), split.tolist(), strict=True)],
        np.int64,
    )
