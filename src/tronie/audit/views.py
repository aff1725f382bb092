"""Views of all rows as principal components, kept on disk, so that a stopped audit goes on. Works without PyTorch."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.audit.probe import Components, Matrix, principal
from tronie.core.arrays import read_npy
from tronie.core.atomic import replacing
from tronie.core.errors import SourceError
from tronie.core.files import read_json
from tronie.data.prepared import Opened

DIMS = 512
"""Principal components that are kept of a view's features."""
BATCH = 64
"""Rows that a reader gives at a time."""
_SAMPLE = 6000  # rows that the principal components are found on

Progress = Callable[[int, int], None]
Reader = Callable[[NDArray[np.int64], int, int], Iterator[Matrix]]
"""Row numbers, number of the view, seed → features ``(m, D)``, a batch at a time."""


def kept_views(
    opened: Opened, folder: Path, read: Reader, net: str, views: int, seed: int, progress: Progress
) -> Matrix:
    """What ``read`` gives of all rows as components ``(views, n, d)``; views that lie in ``folder`` are not made again.

    ``net`` names what looks: with another name, other data or other numbers all is made anew.
    """
    begin(folder, key(opened, net) | {"views": views, "seed": seed})
    n = len(opened.manifest)
    targets = [folder / f"view-{v}.npy" for v in range(views)]
    missing = [v for v in range(views) if not targets[v].is_file()]
    count = (views - len(missing)) * n
    project = _axes(folder / "view-axes.npy", read, n, seed) if missing else None
    for v in missing:
        assert project is not None
        parts = []
        for part in read(np.arange(n), v, seed):
            parts.append(project(part))
            count += len(part)
            progress(count, views * n)
        keep(targets[v], np.concatenate(parts))
    return np.stack([read_npy(path) for path in targets])


def _said(path: Path) -> Any:
    """What ``key.json`` says; None where it is damaged, so that all is made again."""
    try:
        return read_json(path)
    except SourceError:
        return None


def begin(folder: Path, known: dict[str, Any]) -> None:
    """Throw away what was kept of other data, another net or other numbers."""
    path = folder / "key.json"
    if not path.is_file() or _said(path) != known:
        for old in folder.glob("view-*.npy"):
            old.unlink()
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(known) + "\n", encoding="utf-8")


def keep(path: Path, array: NDArray[Any]) -> None:
    """Write ``array``, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)


def key(opened: Opened, net: str) -> dict[str, Any]:
    """What features depend on; of the pixels a sample, spread over all rows."""
    step = max(len(opened.faces) // 256, 1)
    pixels = zlib.crc32(np.ascontiguousarray(opened.faces[::step]).tobytes())
    return {"rows": len(opened.manifest), "shape": list(opened.faces.shape), "sample": pixels, "net": net, "dims": DIMS}


def _axes(path: Path, read: Reader, n: int, seed: int) -> Components:
    """The principal components of the first view, found on some rows and kept."""
    if not path.is_file():
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:_SAMPLE])
        found = principal(np.concatenate(list(read(rows, 0, seed))), DIMS, seed)
        keep(path, np.vstack([found.mean, found.spread, found.axes.T]))
    kept = read_npy(path)
    return Components(kept[0], kept[1], kept[2:].T)
