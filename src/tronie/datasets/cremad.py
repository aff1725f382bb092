"""CREMA-D (Cao et al., IEEE T-AFFC 2014): 91 actors say twelve sentences; what they acted, and what people saw.

2,443 people rated the clips by their pictures alone, their sound alone, or both. Folds are those of MAE-DFER (Sun et
al., ACM MM 2023): actors in ascending order, five times 18 (the last 19); rows of one actor form a group.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.clipfiles import films_below
from tronie.datasets.files import first_of, not_found, one_of, table

LABELS = LabelSet(("anger", "disgust", "fear", "happiness", "neutral", "sadness"))
_CODES = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
_LETTERS = "ADFHNS"
_NAME = re.compile(rf"(\d{{4}})_([A-Z]{{3}})_({'|'.join(_CODES)})_(LO|MD|HI|XX?)")
_ACTORS, _FIRST, _LAST = 18, 1001, 4  # actors in a fold, the first of them, the last fold
_TOPS = ("", "CREMA-D/")
_FOLDERS = ("VideoFlash/", "VideoMP4/", "video/")
_SUMMARY, _ANSWERS = "processedResults/summaryTable.csv", "finishedResponses.csv"
_ASKED = {"face": ("FaceVote", "2"), "voice": ("VoiceVote", "1"), "both": ("MultiModalVote", "3")}
"""What people were shown → the column of the summary, the code of the answers."""

ABOUT = About(
    title="CREMA-D",
    labels=LABELS,
    source="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="Open Database License; contents under the Database Contents License",
    layouts=(f"VideoFlash/1001_DFA_ANG_XX.flv (or films in VideoMP4) and, for the votes, {_ANSWERS} and {_SUMMARY}",),
    counts={"": dict(zip(LABELS.names, (1271, 1271, 1271, 1271, 1087, 1271), strict=True))},
)


def read(
    root: Path, *, label: Literal["acted", "voted"] = "acted", shown: Literal["face", "voice", "both"] = "face"
) -> Manifest:
    """Films, ids ``crema-d/1001_DFA_ANG_XX``: actor, sentence, expression acted, level.

    ``label="voted"`` takes what most people answered (the summary table) in the place of what was acted; clips with a
    tie then carry none. ``votes`` are the single answers, where ``finishedResponses.csv`` lies there. ``shown`` says
    what those people were given. Raises SourceError, and SettingError for a wrong option.
    """
    one_of("label", label, ("acted", "voted"))
    one_of("shown", shown, tuple(_ASKED))
    homes = [f"{top}{name}" for top in _TOPS for name in _FOLDERS]
    home = first_of(root, homes)
    films = (
        {m[0]: f"{home.name}/{path}" for path in films_below(home) if (m := _NAME.fullmatch(Path(path).stem))}
        if home is not None
        else {}
    )
    if home is None or not films:
        raise not_found(ABOUT, root, [f"{h}1001_DFA_ANG_XX.flv" for h in homes])
    base, names = home.parent, sorted(films)
    parts = [m.groups() for name in names if (m := _NAME.fullmatch(name))]
    actor = np.array([int(p[0]) for p in parts], np.int64)
    manifest = Manifest(
        np.array([f"crema-d/{_id(name)}" for name in names], np.str_),
        np.array([films[name] for name in names], np.str_),
        np.array([_CODES.index(p[2]) for p in parts], np.int64),
        LABELS,
        fold=np.clip((actor - _FIRST) // _ACTORS, 0, _LAST),
        group=actor,
        subject=np.array([p[0] for p in parts], np.str_),
        root=base,
    )
    manifest = _with_votes(manifest, base / _ANSWERS, _ASKED[shown][1])
    return manifest if label == "acted" else _voted(manifest, base / _SUMMARY, _ASKED[shown][0])


def _id(name: str) -> str:
    """One clip's level is written ``X`` in its file name and ``XX`` in the tables."""
    return f"{name}X" if name.endswith("_X") else name


def _with_votes(manifest: Manifest, path: Path, asked: str) -> Manifest:
    """Add the number of people who answered each expression; answers that name none are not counted."""
    if not path.is_file():
        return manifest
    row = {i.rpartition("/")[2]: n for n, i in enumerate(manifest.id.tolist())}
    votes = np.zeros((len(manifest), len(LABELS)), np.float32)
    for _, line in table(path, ("clipName", "queryType", "respEmo")):
        if line["queryType"] == asked and line["clipName"] in row and line["respEmo"] in tuple(_LETTERS):
            votes[row[line["clipName"]], _LETTERS.index(line["respEmo"])] += 1
    votes[votes.sum(1) == 0] = np.nan
    return replace(manifest, votes=votes)


def _voted(manifest: Manifest, path: Path, column: str) -> Manifest:
    """The label with most votes by the owners' summary; -1 where several lead (``A:D``). Raises SourceError."""
    if not path.is_file():
        raise not_found(ABOUT, path.parents[1], [_SUMMARY])
    leading = {}
    for number, line in table(path, ("FileName", column)):
        if not set(line[column].split(":")) <= set(_LETTERS):
            raise SourceError(
                f"{path}, line {number}: '{line[column]}' is none of {', '.join(_LETTERS)}, nor several "
                "joined by ':': download the table again."
            )
        leading[line["FileName"]] = _LETTERS.index(line[column]) if len(line[column]) == 1 else -1
    names = [i.rpartition("/")[2] for i in manifest.id.tolist()]
    return replace(manifest, label=np.array([leading.get(name, -1) for name in names], np.int64))
