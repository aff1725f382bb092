"""Packs: many encoded pictures in one ``.npz`` that loads without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core.arrays import npz_names, read_npz
from tronie.core.errors import SourceError
from tronie.datasets.about import About
from tronie.datasets.files import first_of, not_found
from tronie.video.files import ensure_file

Arrays = dict[str, NDArray[Any]]


def load(path: Path, needed: tuple[str, ...]) -> Arrays:
    """The named arrays of a pack, each decompressed once. Raises SourceError for a missing array or a damaged file."""
    ensure_file(path)
    try:
        held = npz_names(path)
        if missing := [name for name in needed if name not in held]:
            raise SourceError(
                f"The pack {path} lacks the array {', '.join(missing)}: it holds "
                f"{', '.join(held)}. Is it the pack of another data set?"
            )
        return read_npz(path, needed)
    except (OSError, ValueError) as error:
        raise SourceError(f"The pack {path} cannot be read ({error}): copy or download it again.") from error


def pack_of(about: About, root: Path, name: str) -> Path:
    """The pack ``name``: ``root`` itself, in it, or in its folder ``data``. Raises SourceError where it is not."""
    tried = (name, f"data/{name}")
    pack = root if root.name == name and root.is_file() else first_of(root, tried)
    if pack is None:
        raise not_found(about, root, tried)
    return pack


def paths_in(path: Path, count: int) -> list[str]:
    """Manifest paths of a pack's pictures, relative to the pack's folder."""
    return [f"{path.name}::{i}" for i in range(count)]


def spans_in(path: Path, starts: NDArray[np.integer]) -> list[str]:
    """Manifest paths of a pack's clips, ``pack.npz::first-last`` (the last frame excluded); ``starts`` ``(n + 1,)``.

    Raises SourceError where a clip holds no frame.
    """
    if not len(starts) or (np.diff(starts) < 1).any():
        raise SourceError(f"The pack {path} holds a clip without frames: copy or download it again.")
    return [f"{path.name}::{a}-{b}" for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
