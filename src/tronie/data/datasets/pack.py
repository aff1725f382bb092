"""Packs: many encoded pictures in one ``.npz`` that loads without pickle."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import SourceError

Arrays = dict[str, NDArray[Any]]


def load(path: Path, needed: tuple[str, ...]) -> Arrays:
    """The named arrays of a pack, each decompressed once. Raises SourceError for a missing array or a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as pack:
            missing = [name for name in needed if name not in pack.files]
            if missing:
                raise SourceError(f"The pack {path} lacks the array {', '.join(missing)}: it holds "
                                  f"{', '.join(pack.files)}. Is it the pack of another data set?")  # fmt: skip
            return {name: pack[name] for name in needed}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise SourceError(f"The pack {path} cannot be read ({error}): copy or download it again.") from error


def paths_in(path: Path, count: int) -> list[str]:
    """Manifest paths of a pack's pictures, relative to the pack's folder."""
    return [f"{path.name}::{i}" for i in range(count)]
