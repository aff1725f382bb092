"""What is said about each expression: sets of prompts, by name, from a mapping or from a person's own file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tronie.core.config import read_toml
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet, canonical
from tronie.core.registry import nearest

SETS = ("paper", "words", "muscles", "labels")
"""KE2NT's template, bare words, what the facial muscles do, and the label set's own prompts."""

Prompts = str | Mapping[str, str | tuple[str, ...]]
"""A name of SETS, the path of a TOML file of own prompts, or those prompts themselves: label → text or texts."""

MUSCLES: dict[str, str] = {
    "surprise": "The eyebrows are raised high and curved, the eyes are wide open, and the jaw drops open with relaxed "
    "lips.",
    "fear": "The eyebrows are raised and drawn together, the eyes are wide with tense lower lids, and the lips are "
    "stretched sideways towards the ears.",
    "disgust": "The nose is wrinkled, the upper lip is raised, and the cheeks push up under narrowed eyes.",
    "happiness": "The corners of the lips are pulled up into a smile, the cheeks are raised, and small wrinkles appear "
    "beside the eyes.",
    "sadness": "The inner ends of the eyebrows are raised, the upper eyelids droop, and the corners of the lips are "
    "pulled down above a raised chin.",
    "anger": "The eyebrows are lowered and drawn together, the eyes stare with tightened lids, and the lips are "
    "pressed hard against each other.",
    "neutral": "All muscles of the face are at rest: the forehead is smooth, the eyelids are relaxed, and the mouth is "
    "closed without tension.",
    "contempt": "One corner of the lips alone is tightened and raised, while the other half of the face stays still.",
}
"""What the muscles do, after the Facial Action Coding System (Ekman, Friesen and Hager 2002): surprise 1+2+5+26, fear
1+2+4+5+7+20, disgust 9+10, happiness 6+12, sadness 1+4+15+17, anger 4+5+7+24, contempt 12+14 on one side. The wording
is ours."""


def prompts_of(labels: LabelSet, prompts: Prompts = "paper") -> tuple[tuple[str, ...], ...]:
    """One or more texts per label, in the labels' order; labels are found by name, synonyms allowed.

    "paper" and "words" take any word. Raises SettingError for an unknown set, a class that the set does not describe,
    or a file that holds no prompts.
    """
    if not isinstance(prompts, str):
        return _chosen(labels, prompts, "the mapping of prompts")
    if prompts.endswith(".toml"):
        return _chosen(labels, _read(Path(prompts)), prompts)
    if prompts == "paper":
        return tuple((paper(word(name)),) for name in labels.names)
    if prompts == "words":
        return tuple((word(name),) for name in labels.names)
    if prompts == "muscles":
        return _chosen(labels, MUSCLES, "the prompt set 'muscles'")
    if prompts == "labels":
        if not labels.prompts:
            raise SettingError("The label set carries no prompts of its own: take 'paper', 'words' or 'muscles'.")
        return labels.prompts
    raise SettingError(
        f"Unknown prompt set '{prompts}'.{nearest(prompts, list(SETS))} Own prompts go into a file that ends in .toml."
    )


def word(name: str) -> str:
    """How a label is written in a prompt: the field's standard word, with spaces."""
    return canonical(name).replace("_", " ")


def paper(said: str) -> str:
    """The template of KE2NT's release (arXiv 2409.08598), its "a(n)" resolved by the first letter."""
    return f"a photo of a person making a{'n' if said[:1].lower() in 'aeiou' else ''} {said} facial expression."


def _chosen(labels: LabelSet, known: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], ...]:
    by_word = {canonical(name): texts for name, texts in known.items()}
    if missing := [name for name in labels.names if canonical(name) not in by_word]:
        raise SettingError(
            f"{where[0].upper() + where[1:]} says nothing about '{missing[0]}': describe every class in "
            "a TOML file of your own, or take 'paper' or 'words', which fit any word."
        )
    return tuple(_texts(by_word[canonical(name)], name, where) for name in labels.names)


def _texts(value: object, name: str, where: str) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
        raise SettingError(f"In {where}, '{name}' must be a text or a list of texts.")
    return tuple(texts)


def _read(path: Path) -> dict[str, Any]:
    """Prompts of a TOML file: ``label = "text"`` or ``label = ["text", "text"]`` at its top."""
    try:
        return read_toml(path)
    except SettingError as error:
        raise SettingError(f"{error} Write one line per label, such as happiness = 'a broad smile'.") from error
