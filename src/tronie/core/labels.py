"""Label sets: ordered vocabularies of expressions, joined by name and never by index.

A label names an *expression shown*, not a feeling felt.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SettingError
from tronie.core.words import printable, shortened

UNCERTAIN = "uncertain"
"""The word a table carries where the evidence supports no label."""

_LONGEST = 100  # letters of a label's name

# Words that data sets and tools use for the same expression.
_SYNONYMS: dict[str, str] = {
    "angry": "anger",
    "anger": "anger",
    "disgusted": "disgust",
    "disgust": "disgust",
    "fear": "fear",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happy": "happiness",
    "happiness": "happiness",
    "joy": "happiness",
    "smiling": "happiness",
    "neutral": "neutral",
    "calm": "calm",
    "sad": "sadness",
    "sadness": "sadness",
    "surprise": "surprise",
    "surprised": "surprise",
    "contempt": "contempt",
    "contemptuous": "contempt",
    "anxiety": "anxiety",
    "helplessness": "helplessness",
    "disappointment": "disappointment",
}


_HIDDEN = re.compile("[\u200b\u2060\ufeff]")  # characters without width, which come along when text is copied
_WHOLE = re.compile(r"(-?\d+)[.,]0{1,2}")  # a spreadsheet writes the class 1 as 1.0


@lru_cache(4096)
def canonical(name: str) -> str:
    """The one spelling by which labels are compared everywhere: two names are one class exactly if theirs is the same.

    Case, spaces at the ends and doubled, and the ways of coding one letter do not count; neither does the ``.0`` of a
    whole number. Words for one expression become the field's standard word (``joy`` → ``happiness``). Any other word
    passes through: a person's own labels are joined by case and spaces only.
    """
    word = " ".join(_HIDDEN.sub("", unicodedata.normalize("NFKC", name)).casefold().split())
    if number := _WHOLE.fullmatch(word):
        word = number[1]
    return _SYNONYMS.get(word, word)


@dataclass(frozen=True)
class LabelSet:
    """An ordered vocabulary.

    ``names`` are unique (as :func:`canonical` compares them) and in the order of the model's outputs. ``neutral`` is
    found by name. ``prompts`` holds zero or more texts per label for methods that match faces with words.
    ``spellings`` holds, for each class that a data set spells in several ways, those spellings (see :func:`classes`).
    Raises SettingError for names that repeat, cannot be written, or are kept for something else.
    """

    names: tuple[str, ...]
    prompts: tuple[tuple[str, ...], ...] = field(default=(), compare=False)
    spellings: tuple[tuple[str, ...], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        known: dict[str, str] = {}
        for name in self.names:
            _check(name)
            if (word := canonical(name)) in known:
                same = f"'{known[word]}' and '{name}' are one" if name != known[word] else ", ".join(self.names)
                raise SettingError(f"Label names repeat: {same}. Give each label one name.")
            known[word] = name
        if UNCERTAIN in known:
            raise SettingError(f"'{known[UNCERTAIN]}' is kept for rows without a label: rename that class.")
        if self.prompts and len(self.prompts) != len(self.names):
            raise SettingError(f"{len(self.names)} labels but {len(self.prompts)} prompt lists: give one per label.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def neutral(self) -> int | None:
        """Index of the neutral expression, or None if the vocabulary has none."""
        words = [canonical(name) for name in self.names]
        return words.index("neutral") if "neutral" in words else None

    def index(self, name: str) -> int:
        """Index of ``name`` (synonyms allowed). Raises SettingError that names the nearest label."""
        if name in self.names:
            return self.names.index(name)
        word = canonical(name)
        ours = [canonical(n) for n in self.names]
        if word in ours:
            return ours.index(word)
        near = difflib.get_close_matches(name[:_LONGEST], self.names, 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise SettingError(f"Unknown label '{shortened(name)}'; known are {', '.join(self.names)}.{hint}")

    def translate(self, to: LabelSet) -> NDArray[np.int64]:
        """For each own label its index in ``to``, or -1 where ``to`` has no such expression. Joined by name."""
        theirs = [canonical(n) for n in to.names]
        return np.array([theirs.index(c) if (c := canonical(n)) in theirs else -1 for n in self.names], np.int64)


def _check(name: str) -> None:
    """Raise SettingError for a name that cannot be shown or written."""
    if len(name) > _LONGEST or printable(name) != name or not name.strip():
        raise SettingError(f"'{shortened(name)}' is no name of a label: give 1 to {_LONGEST} visible letters.")


def classes(words: Iterable[str], labels: Iterable[str] | None = None) -> LabelSet:
    """The classes of a data set whose labels are spelled as ``words`` say, in alphabetical order.

    Words that :func:`canonical` makes one are one class. A class keeps its word where there is one spelling of it; of
    several it is called by the canonical one, so that the name depends on no order and no count. ``labels`` gives the
    classes and their names instead.

    Raises SettingError for words that may or may not be one class: they differ only in marks (``very-sad``,
    ``very sad``), or one is a letter away from a word for an expression that is there too (``suprise``). Whoever knows
    what they are can say so with ``labels``, or write them alike.
    """
    groups: dict[str, dict[str, None]] = {}
    for word in words:
        groups.setdefault(canonical(word), {})[word] = None
    spellings = tuple(tuple(sorted(group)) for _, group in sorted(groups.items()) if len(group) > 1)
    if labels is not None:
        return LabelSet(tuple(labels), spellings=spellings)
    _refuse_doubtful(groups)
    names = []
    for word, group in groups.items():
        written = " ".join(_HIDDEN.sub("", next(iter(group))).split())
        names.append(word if len(group) > 1 or _WHOLE.fullmatch(written) else written)
    return LabelSet(tuple(sorted(names)), spellings=spellings)


def _refuse_doubtful(groups: Iterable[str]) -> None:
    words = sorted(groups)
    bare: dict[str, str] = {}
    for word in words:
        key = "".join(letter for letter in word if letter.isalnum()) or word
        if bare.setdefault(key, word) != word:
            raise SettingError(_doubt(bare[key], word))
    here = set(words)
    for word in words:
        if word not in _SYNONYMS:
            near = next((n for n, c in _SYNONYMS.items() if c in here and len(n) > 4 and _one_letter(word, n)), None)
            if near is not None:
                raise SettingError(_doubt(word, near))


def _doubt(one: str, other: str) -> str:
    return (
        f"'{one}' and '{other}' may be one label in two spellings: write them alike if they are; of a data set whose "
        "classes they are, name them all (--set 'labels=[…]')."
    )


def _one_letter(one: str, other: str) -> bool:
    """Whether one letter was left out, put in or taken for another, or two neighbours were swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    first = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[first:], other[first:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[1::-1] == b[:2] and a[2:] == b[2:])


BASIC7 = LabelSet(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"))
"""The seven basic expressions in RAF-DB's published order."""
