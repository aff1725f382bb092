"""CK+ (Lucey et al., CVPR workshops 2010): posed sequences from neutral to the peak, FACS-coded at the peak.

``Emotion`` labels 327 of the 593 sequences, ``FACS`` codes the last frame of each. Folds are the usual ten by subject:
subjects in ascending order are dealt to folds 0, 1, … 9, 0, 1, …, so that nobody is in two of them; rows of one subject
form a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.files import cell, coded, first_of, lines, not_found, pictures_in

CODED = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""What the codes 0 to 7 of the Emotion files stand for; no sequence carries 0."""
_SEQUENCES = dict(zip(CODED[1:], (45, 18, 59, 25, 69, 28, 83), strict=True))
_IMAGES = ("cohn-kanade-images/", "CK+/cohn-kanade-images/", "extended-cohn-kanade-images/cohn-kanade-images/")
_SOURCE = "https://www.jeffcohn.net/Resources/ (by request)"
_LICENCE = "non-commercial research only; few subjects allow their picture in print"
_LAYOUTS = (
    "cohn-kanade-images/S005/001/S005_001_00000001.png, Emotion/S005/001/…_emotion.txt and FACS/S005/001/…_facs.txt",
)

ABOUT = About(
    title="CK+ (last frames)",
    labels=LabelSet(CODED),
    source=_SOURCE,
    licence=_LICENCE,
    layouts=_LAYOUTS,
    counts={"": {"neutral": 327} | {n: 3 * c for n, c in _SEQUENCES.items()}},
)
ABOUT_SEQUENCES = About(
    title="CK+ (sequences)",
    labels=LabelSet(CODED[1:]),
    source=_SOURCE,
    licence=_LICENCE,
    layouts=_LAYOUTS,
    counts={"": _SEQUENCES},
)


def read(root: Path, *, last: int = 3, neutral: bool = True, contempt: bool = True) -> Manifest:
    """Photos: the ``last`` frames of each labelled sequence, and its first frame as neutral if ``neutral``.

    The usual counts are 8 classes, 7 without contempt, 7 without neutral. Action units stand on the peak frame alone.
    Ids are ``ckplus/S005_001_00000011``. Raises SourceError.
    """
    found = [s for s in _sequences(root, ABOUT) if s.label and (contempt or s.label != "contempt")]
    rows = []
    for s in found:
        picked = s.frames[max(1, len(s.frames) - last) :] if neutral else s.frames[-last:]
        rows += [(s, s.frames[0], "neutral")] if neutral else []
        rows += [(s, frame, s.label) for frame in picked]
    names = tuple(n for n in CODED if (neutral or n != "neutral") and (contempt or n != "contempt"))
    return _manifest(rows, LabelSet(names))


def read_sequences(root: Path, *, unlabelled: bool = False, contempt: bool = True) -> Manifest:
    """Clips: one row per sequence, ``path`` the folder of its frames; ``unlabelled`` adds those with action units only.

    Ids are ``ckplus/S005_001``. Raises SourceError.
    """
    found = [s for s in _sequences(root, ABOUT_SEQUENCES) if s.label or unlabelled]
    rows = [(s, "", s.label) for s in found if contempt or s.label != "contempt"]
    return _manifest(rows, LabelSet(tuple(n for n in CODED[1:] if contempt or n != "contempt")))


@dataclass(frozen=True)
class _Sequence:
    folder: str  # below base
    frames: tuple[str, ...]
    label: str  # "" where it has none
    units: dict[int, float]  # intensity at the peak by unit
    coded: bool
    base: Path

    @property
    def subject(self) -> str:
        return self.folder.split("/")[-2]


def _sequences(root: Path, about: About) -> list[_Sequence]:
    images = first_of(root, _IMAGES)
    if images is None:
        raise not_found(about, root, _IMAGES)
    base = images.parent
    emotion = first_of(base, _homes("Emotion"))
    facs = first_of(base, _homes("FACS"))
    if emotion is None:
        raise not_found(about, base, _homes("Emotion"))
    found = []
    for folder in sorted(p for p in images.glob("S*/*") if p.is_dir() and not p.name.startswith(".")):
        frames = tuple(pictures_in(folder, deep=False))
        if not frames:
            raise SourceError(f"The sequence {folder} holds no frames: unpack cohn-kanade-images.zip again.")
        tail = f"{folder.parent.name}/{folder.name}"
        label = _label(emotion / tail)
        units = _units(facs / tail) if facs is not None else None
        found.append(_Sequence(f"{images.name}/{tail}", frames, label, units or {}, units is not None, base))
    if not found:
        raise SourceError(f"{images} holds no sequences such as S005/001: unpack cohn-kanade-images.zip there again.")
    return found


def _homes(kind: str) -> tuple[str, ...]:
    return (f"{kind}/", f"{kind}_labels/{kind}/", f"{kind}_labels/")


def _label(folder: Path) -> str:
    for path in sorted(folder.glob("[!.]*_emotion.txt")):
        for number, line in lines(path):
            return coded(path, number, line, dict(enumerate(CODED)))
    return ""  # no file means no label


def _units(folder: Path) -> dict[int, float] | None:
    """Intensity by action unit, 1 (a trace) to 5; None without a file.

    The files write 0 for a unit that is shown but not graded. Read as 0 it would count as absent, so it becomes 1.
    """
    for path in sorted(folder.glob("[!.]*_facs.txt")):
        units = {}
        for number, line in lines(path):
            values = [cell(path, number, text, float, "action unit") for text in line.split()]
            if len(values) != 2:
                raise SourceError(f"{path}, line {number}: '{line}' is not an action unit and its intensity.")
            units[int(values[0])] = max(1.0, values[1])
        return units
    return None


def _manifest(rows: list[tuple[_Sequence, str, str]], labels: LabelSet) -> Manifest:
    """``rows``: sequence, frame ("" for the whole), label."""
    units = tuple(sorted({u for s, _, _ in rows for u in s.units}))
    subjects = sorted({s.subject for s, _, _ in rows})
    number = np.array([subjects.index(s.subject) for s, _, _ in rows], np.int64)
    actions = np.full((len(rows), len(units)), np.nan, np.float32)
    for i, (s, frame, _) in enumerate(rows):
        if s.coded and frame in ("", s.frames[-1]):
            actions[i] = [s.units.get(u, 0.0) for u in units]
    ids = [f"ckplus/{Path(f).stem if f else '_'.join(s.folder.split('/')[-2:])}" for s, f, _ in rows]
    paths = [f"{s.folder}/{f}" if f else s.folder for s, f, _ in rows]
    label = [labels.names.index(name) if name else -1 for _, _, name in rows]
    return Manifest(
        np.array(ids, np.str_),
        np.array(paths, np.str_),
        np.array(label, np.int64),
        labels,
        fold=number % 10,
        subject=np.array([s.subject for s, _, _ in rows], np.str_),
        group=number,
        action_units=actions if units else None,
        units=units,
        root=rows[0][0].base if rows else None,
    )
