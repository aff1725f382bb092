"""Label sets: ordered vocabularies of expressions, joined by name and never by index.

A label names an *expression shown*, not a feeling felt.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.words import printable, shortened

UNCERTAIN = "uncertain"
"""The word a table carries where the evidence supports no label."""

_LONGEST = 100  # letters of a label's name

# Words that data sets and tools use for the same expression.
_SYNONYMS: dict[str, str] = {
    "angry": "anger", "anger": "anger",
    "disgusted": "disgust", "disgust": "disgust",
    "fear": "fear", "fearful": "fear", "afraid": "fear", "scared": "fear",
    "happy": "happiness", "happiness": "happiness", "joy": "happiness", "smiling": "happiness",
    "neutral": "neutral", "calm": "calm",
    "sad": "sadness", "sadness": "sadness",
    "surprise": "surprise", "surprised": "surprise",
    "contempt": "contempt", "contemptuous": "contempt",
    "anxiety": "anxiety", "helplessness": "helplessness", "disappointment": "disappointment",
}  # fmt: skip


def canonical(name: str) -> str:
    """The field's standard word for a label: lower case, synonyms resolved; unknown words pass through."""
    word = name.strip().lower()
    return _SYNONYMS.get(word, word)


@dataclass(frozen=True)
class LabelSet:
    """An ordered vocabulary.

    ``names`` are unique and in the order of the model's outputs. ``neutral`` is found by name. ``prompts`` holds
    zero or more texts per label for methods that match faces with words.
    """

    names: tuple[str, ...]
    prompts: tuple[tuple[str, ...], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            names = shortened(", ".join(self.names), 200)
            raise SettingError(f"Label names repeat: {names}. Give each label one name.")
        for name in self.names:
            if len(name) > _LONGEST or printable(name) != name or not name.strip():
                raise SettingError(f"'{shortened(name)}' is no name of a label: give 1 to {_LONGEST} visible letters.")
        if UNCERTAIN in self.names:
            raise SettingError(f"'{UNCERTAIN}' is kept for rows without a label: rename that class.")
        if self.prompts and len(self.prompts) != len(self.names):
            raise SettingError(f"{len(self.names)} labels but {len(self.prompts)} prompt lists: give one per label.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def neutral(self) -> int | None:
        """Index of the neutral expression, or None if the vocabulary has none."""
        return self.names.index("neutral") if "neutral" in self.names else None

    def index(self, name: str) -> int:
        """Index of ``name`` (synonyms allowed). Raises SettingError that names the nearest label."""
        if name in self.names:
            return self.names.index(name)
        word = canonical(name)
        ours = [canonical(n) for n in self.names]
        if word in ours:
            return ours.index(word)
        near = difflib.get_close_matches(name, self.names, 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise SettingError(f"Unknown label '{shortened(name)}'; known are {', '.join(self.names)}.{hint}")

    def translate(self, to: LabelSet) -> NDArray[np.int64]:
        """For each own label its index in ``to``, or -1 where ``to`` has no such expression. Joined by name."""
        theirs = [canonical(n) for n in to.names]
        return np.array([theirs.index(c) if (c := canonical(n)) in theirs else -1 for n in self.names], np.int64)


BASIC7 = LabelSet(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"))
"""The seven basic expressions in RAF-DB's published order."""
