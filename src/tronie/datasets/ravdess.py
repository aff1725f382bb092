"""RAVDESS (Livingstone & Russo, PLoS ONE 2018): 24 actors speak, and sing, two sentences in two intensities.

File names say everything: modality, channel, expression, intensity, statement, repetition, actor. Folds are the usual
six by actor (MAE-DFER; Sun et al., ACM MM 2023): actors 1 to 4 are fold 0, and so on; rows of one actor form a group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.clipfiles import films_below
from tronie.datasets.files import not_found, one_of

LABELS = LabelSet(("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"))
"""In the order of RAVDESS' codes 01 to 08. Songs lack disgust and surprise."""
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
_NAME = re.compile(r"0([12])-0([12])-0([1-8])-0([12])-0([12])-0([12])-(0[1-9]|1\d|2[0-4])")
_CHANNELS = {"speech": 1, "song": 2}
_INTENSITIES = {"normal": 1, "strong": 2}
_IN_A_FOLD = 4

ABOUT = About(
    title="RAVDESS (films)",
    labels=LABELS,
    source="https://zenodo.org/records/1188976",
    licence="CC BY-NC-SA 4.0",
    layouts=(
        "Actor_01/02-01-06-01-02-01-01.mp4, perhaps in Video_Speech_Actor_01/ (pictures alone, 02-…, or with "
        "sound, 01-…)",
    ),
    counts={"": dict(zip(LABELS.names, (96, *[192] * 7), strict=True))},
)


@dataclass(frozen=True)
class Recording:
    """What a file name says. ``label`` indexes ``LABELS``, ``statement`` indexes ``STATEMENTS``; the rest from 1."""

    sound: bool
    channel: Literal["speech", "song"]
    label: int
    intensity: Literal["normal", "strong"]
    statement: int
    repetition: int
    actor: int

    @property
    def key(self) -> str:
        """The name without its first part: the same for the recording with and without sound."""
        codes = (_CHANNELS[self.channel], self.label + 1, _INTENSITIES[self.intensity], self.statement + 1)
        return "-".join(f"{c:02d}" for c in (*codes, self.repetition, self.actor))


def recording(name: str) -> Recording:
    """What the name of a film, or a row's id, stands for. Raises SourceError for a name of another form."""
    stem = name.rpartition("/")[2].partition(".")[0]
    match = _NAME.fullmatch(stem if stem.count("-") == 6 else f"02-{stem}")
    if match is None:
        raise SourceError(f"'{name}' is no name of RAVDESS, such as 02-01-06-01-02-01-12.mp4: give it its own name.")
    sound, channel, label, intensity, statement, repetition, actor = (int(g) for g in match.groups())
    return Recording(
        sound == 1,
        "speech" if channel == 1 else "song",
        label - 1,
        "normal" if intensity == 1 else "strong",
        statement - 1,
        repetition,
        actor,
    )


def read(
    root: Path,
    *,
    channel: Literal["speech", "song", "both"] = "speech",
    intensity: Literal["any", "normal", "strong"] = "any",
) -> Manifest:
    """Films, ids ``ravdess/01-06-01-02-01-12``; :func:`recording` tells statement, intensity and actor of an id.

    Where a recording lies there with and without sound, it is read once, without. Other files are passed over. Raises
    SourceError, and SettingError for a wrong option.
    """
    one_of("channel", channel, ("speech", "song", "both"))
    one_of("intensity", intensity, ("any", "normal", "strong"))
    films: dict[str, tuple[Recording, str]] = {}
    for path in films_below(root):
        if _NAME.fullmatch(Path(path).stem) is None:
            continue
        one = recording(Path(path).stem)
        wanted = channel in ("both", one.channel) and intensity in ("any", one.intensity)
        if wanted and (one.key not in films or not one.sound):
            films[one.key] = one, path
    if not films:
        raise not_found(
            ABOUT,
            root,
            ["Actor_01/02-01-01-01-01-01-01.mp4", "Video_Speech_Actor_01/Actor_01/02-01-01-01-01-01-01.mp4"],
        )
    keys = sorted(films)
    actor = np.array([films[k][0].actor for k in keys], np.int64)
    return Manifest(
        np.array([f"ravdess/{k}" for k in keys], np.str_),
        np.array([films[k][1] for k in keys], np.str_),
        np.array([films[k][0].label for k in keys], np.int64),
        LABELS,
        fold=(actor - 1) // _IN_A_FOLD,
        group=actor,
        subject=np.array([f"{a:02d}" for a in actor], np.str_),
        root=root,
    )
