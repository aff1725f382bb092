"""Every data set that can be read by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tronie.core.errors import SettingError
from tronie.core.manifest import Manifest
from tronie.core.registry import nearest, resolve
from tronie.datasets.about import About

_HERE = "tronie.datasets"

DATASETS: dict[str, str] = {
    "rafdb": f"{_HERE}.rafdb:read",
    "rafdb-compound": f"{_HERE}.rafdb:read_compound",
    "ferplus": f"{_HERE}.ferplus:read",
    "ferplus7": f"{_HERE}.ferplus:read7",
    "fer2013": f"{_HERE}.ferplus:read_fer2013",
    "affectnet8": f"{_HERE}.affectnet:read",
    "affectnet7": f"{_HERE}.affectnet:read7",
    "ckplus": f"{_HERE}.ckplus:read",
    "ckplus-sequences": f"{_HERE}.ckplus:read_sequences",
    "jaffe": f"{_HERE}.jaffe:read",
    "dfew": f"{_HERE}.dfew:read",
    "ferv39k": f"{_HERE}.ferv39k:read",
    "mafw": f"{_HERE}.mafw:read",
    "mafw-compound": f"{_HERE}.mafw:read_compound",
    "crema-d": f"{_HERE}.cremad:read",
    "ravdess": f"{_HERE}.ravdess:read",
    "ravdess-tracks": f"{_HERE}.tracks:read",
    "acted-clips": f"{_HERE}.acted:read",
    "film-clips": f"{_HERE}.kerc:read",
    "folder": f"{_HERE}.folder:read",
    "video-folder": f"{_HERE}.folder:read_clips",
    "csv": f"{_HERE}.csvfile:read",
}
"""Name to reader: a function of the data set's folder, and of options by name, that returns a Manifest."""

FACTS: dict[str, str] = {
    "rafdb": f"{_HERE}.rafdb:ABOUT",
    "rafdb-compound": f"{_HERE}.rafdb:ABOUT_COMPOUND",
    "ferplus": f"{_HERE}.ferplus:ABOUT",
    "ferplus7": f"{_HERE}.ferplus:ABOUT7",
    "fer2013": f"{_HERE}.ferplus:ABOUT_FER2013",
    "affectnet8": f"{_HERE}.affectnet:ABOUT8",
    "affectnet7": f"{_HERE}.affectnet:ABOUT7",
    "ckplus": f"{_HERE}.ckplus:ABOUT",
    "ckplus-sequences": f"{_HERE}.ckplus:ABOUT_SEQUENCES",
    "jaffe": f"{_HERE}.jaffe:ABOUT",
    "dfew": f"{_HERE}.dfew:ABOUT",
    "ferv39k": f"{_HERE}.ferv39k:ABOUT",
    "mafw": f"{_HERE}.mafw:ABOUT",
    "mafw-compound": f"{_HERE}.mafw:ABOUT_COMPOUND",
    "crema-d": f"{_HERE}.cremad:ABOUT",
    "ravdess": f"{_HERE}.ravdess:ABOUT",
    "ravdess-tracks": f"{_HERE}.tracks:ABOUT",
    "acted-clips": f"{_HERE}.acted:ABOUT",
    "film-clips": f"{_HERE}.kerc:ABOUT",
    "folder": f"{_HERE}.folder:ABOUT",
    "video-folder": f"{_HERE}.folder:ABOUT_CLIPS",
    "csv": f"{_HERE}.csvfile:ABOUT",
}
"""Name to the :class:`About` of a built-in reader."""


def read(name: object, root: Path, **options: Any) -> Manifest:
    """Read the data set ``name`` (a name in the table, ``package.module:function``, or a function) below ``root``.

    Raises SettingError for an unknown name or option, and what the reader raises.
    """
    reader = resolve(DATASETS, name, "data set")
    takes = inspect.signature(reader).parameters.values()
    known = [p.name for p in takes if p.kind == p.KEYWORD_ONLY]
    wrong = [o for o in options if o not in known]
    if wrong and not any(p.kind == p.VAR_KEYWORD for p in takes):
        hint = nearest(wrong[0], known) if known else " It has none."
        raise SettingError(f"The data set '{name}' has no option '{wrong[0]}'.{hint}")
    for taken in takes:
        if taken.name in options:
            _check(str(taken.annotation), taken.name, options[taken.name])
    manifest = reader(Path(root), **options)
    if not isinstance(manifest, Manifest):
        raise SettingError(f"The reader of '{name}' returned {type(manifest).__name__}, not a Manifest: mend it.")
    return manifest


def _check(kind: str, name: str, value: object) -> None:
    """Raises SettingError for a value that is not of the ``kind`` that the reader says, such as a word for a list."""
    if "Sequence" in kind and value is not None and (isinstance(value, str) or not isinstance(value, Sequence)):
        raise SettingError(f"The option {name} is a list, such as {name}=['happy', 'sad'], not {value!r}.")
    if "Mapping" in kind and value is not None and not isinstance(value, Mapping):
        raise SettingError(f"The option {name} is a table, such as {name}={{1 = 'happy', 2 = 'sad'}}, not {value!r}.")


def about(name: object) -> About | None:
    """The facts about a built-in data set, None for any other."""
    facts: About | None = resolve(FACTS, name, "data set") if isinstance(name, str) and name in FACTS else None
    return facts
