"""Raw or published faces to training crops, cut by the very aligner that serves: training crops equal serving crops.

A prepared folder holds ``faces.npy`` ``(n, 2, size, size, 3)`` uint8, ``manifest.csv`` and ``prepared.json``. Cut 0 is
the picture as published, stretched to the square (what ``detector="whole"`` sees); cut 1 is the same face found by the
detector and aligned to the template (what the full chain sees), or cut 0 again where no face was found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tronie.core.atomic import replacing
from tronie.core.errors import SourceError
from tronie.core.face import Face, Pixels
from tronie.core.manifest import Manifest
from tronie.datasets.pictures import read_picture
from tronie.faces import align
from tronie.faces.detect import SHA256
from tronie.faces.whole import Finder, find_points, plausible


@dataclass(frozen=True)
class Prepared:
    """What was made: ``rows`` faces, or clips of ``frames`` frames in all; ``aligned`` faces were found and aligned.

    ``missed`` are ids of rows in which no face was found; ``unread`` are ids whose picture or clip could not be read,
    and so were left out, with the reason. ``frames`` is 0 where rows are photos.
    """

    folder: Path
    rows: int
    aligned: int
    missed: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]
    frames: int = 0


def cuts(face: Pixels, detector: Finder, size: int) -> tuple[Pixels, bool]:
    """Both cuts ``(2, size, size, 3)`` of a published face, and whether the second is an aligned one."""
    height, width = face.shape[:2]
    whole = align.crop(face, Face((0, 0, width, height), 1.0), size)
    points = find_points(face, detector)
    if points is None or not plausible(points, face):
        return np.stack([whole, whole]), False
    return np.stack([whole, align.crop(face, Face((0, 0, width, height), 1.0, points), size)]), True


def prepare(
    manifest: Manifest,
    folder: Path,
    detector: Finder,
    *,
    size: int = 112,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Cut every picture of ``manifest`` into ``folder``. Unreadable pictures are left out and named.

    Raises SourceError if none can be read, OutputError if the folder cannot be written. ``progress`` is called with
    (rows done, rows).
    """
    kept, found, unread = [], [], []
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(manifest), 2, size, size, 3)}
    with replacing(folder / "faces.npy") as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        begin = file.tell()
        for row in range(len(manifest)):
            try:
                pair, aligned = cuts(read_picture(manifest, row), detector, size)
            except SourceError as error:
                unread.append((str(manifest.id[row]), str(error)))
                continue
            file.write(pair.tobytes())
            kept.append(row)
            found.append(aligned)
            if progress:
                progress(row + 1, len(manifest))
        if not kept:
            first = f"; the first: {unread[0][1]}" if unread else "."
            raise SourceError(f"None of the {len(manifest)} pictures could be read{first}")
        file.seek(0)  # NumPy leaves room for any count, so a smaller one fits in its place
        np.lib.format.write_array_header_1_0(file, header | {"shape": (len(kept), 2, size, size, 3)})
        assert file.tell() == begin
        # An older manifest must never meet these faces, should the work end between the two files.
        (folder / "manifest.csv").unlink(missing_ok=True)
    chosen = manifest.select(np.array(kept))
    paths = np.array([f"faces.npy::{i}" for i in range(len(kept))])
    replace(chosen, path=paths, root=folder).save(folder / "manifest.csv")
    missed = tuple(str(i) for i, ok in zip(chosen.id, found, strict=True) if not ok)
    note = {
        "size": size,
        "cuts": ["whole", "aligned"],
        "template": align.TEMPLATE.tolist(),
        "detector": SHA256,
        "manifest": chosen.hash(),
        "missed": missed,
        "unread": unread,
    }
    with replacing(folder / "prepared.json") as temporary:
        temporary.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return Prepared(folder, len(kept), sum(found), missed, tuple(unread))
