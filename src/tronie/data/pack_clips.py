"""Clips of packs to training clips: face crops cut by the aligner that serves, point tracks freed of place and scale.

A prepared folder of clips is written as :mod:`tronie.data.clip_store` says; ``frames.npy`` holds pixels ``(total,
size, size, 3)`` uint8, points ``(total, P, 2)`` float32 or features ``(total, D)`` float16, and ``prepared.json`` the
``kind``. A frame in which no face is found is cut as the nearest frame of its clip in which one was; a clip without any
is cut whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tronie.clips.points import IBUG68_MIRROR, SMOOTH, normalised, person_shapes, refaced, smoothed
from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Face, Floats, Pixels
from tronie.core.manifest import Manifest
from tronie.data.clip_store import ClipStore
from tronie.data.crops import Prepared
from tronie.datasets.clips import read_frames, read_points
from tronie.faces import align
from tronie.faces.detect import SHA256
from tronie.faces.whole import Finder, find_points, plausible

Progress = Callable[[int, int], None]
Baseline = Literal["none", "person"]
"""What tracked points are taken relative to."""
Work = Callable[[int], tuple[NDArray[Any], int]]
"""Row → its frames, and in how many of them a face was found."""


def cut_clip(frames: Iterable[Pixels], detector: Finder, size: int) -> tuple[NDArray[np.uint8], int]:
    """Aligned faces ``(T, size, size, 3)`` of frames that are a face each, and in how many the face was found."""
    seen = list(frames)
    points = [_believed(frame, detector) for frame in seen]
    found = [i for i, p in enumerate(points) if p is not None]
    made = []
    for i, frame in enumerate(seen):
        near = min((j for j in found if seen[j].shape == frame.shape), key=lambda j: abs(j - i), default=None)
        height, width = frame.shape[:2]
        made.append(align.crop(frame, Face((0, 0, width, height), 1.0, None if near is None else points[near]), size))
    return np.stack(made), len(found)


def _believed(frame: Pixels, detector: Finder) -> Floats | None:
    points = find_points(frame, detector)
    return points if points is not None and plausible(points, frame) else None


def prepare_crops(
    manifest: Manifest,
    folder: Path,
    detector: Finder,
    *,
    size: int = 112,
    most: int = 0,
    progress: Progress | None = None,
) -> Prepared:
    """Cut every clip of ``manifest``, spans of a pack of face crops, into ``folder``.

    At most ``most`` frames of each clip are kept, evenly spread (0: all). Unreadable clips are left out and named;
    stopped work goes on with the next clip. Raises SourceError if no clip can be read, SettingError if the folder holds
    the beginnings of other clips, OutputError if it cannot be written. ``progress`` hears (clips done, clips).
    """

    def work(row: int) -> tuple[NDArray[np.uint8], int]:
        return cut_clip(read_frames(manifest, row, most), detector, size)

    note = {"kind": "pixels", "size": size, "most": most, "template": align.TEMPLATE.tolist(), "detector": SHA256}
    return prepare_rows(manifest, folder, note, np.zeros((0, size, size, 3), np.uint8), work, progress)


def prepare_points(
    manifest: Manifest, folder: Path, *, baseline: Baseline = "none", progress: Progress | None = None
) -> Prepared:
    """Write the tracks of ``manifest``, each normalised and smoothed (:mod:`tronie.clips.points`), into ``folder``.

    ``baseline`` "person" gives everyone the same face (:func:`tronie.clips.points.refaced`), by all clips of each
    person and no label; SettingError where the rows do not say who they show. Raises as :func:`prepare_crops` does.
    """
    note: dict[str, Any] = {
        "kind": "points",
        "layout": "ibug68",
        "unit": "distance between the eyes",
        "smooth": SMOOTH,
        "mirror": IBUG68_MIRROR.tolist(),
    }
    faces = _faces(manifest) if baseline == "person" else None
    if faces:
        note |= {"baseline": baseline, "face": faces[0].tolist()}

    def work(row: int) -> tuple[Floats, int]:
        points = _track(manifest, row)
        return refaced(points, faces[1][str(manifest.subject[row])], faces[0]) if faces else points, len(points)

    return prepare_rows(manifest, folder, note, np.zeros((0, 68, 2), np.float32), work, progress)


def _track(manifest: Manifest, row: int) -> Floats:
    return smoothed(normalised(read_points(manifest, row)))


def _faces(manifest: Manifest) -> tuple[Floats, dict[str, Floats]]:
    """:func:`person_shapes` of the rows that can be read. Raises SettingError, or SourceError where none can."""
    if (manifest.subject == "").any():
        row = np.flatnonzero(manifest.subject == "")[0]
        raise SettingError(
            f"Row '{manifest.id[row]}' does not say who is seen: baseline=person needs the subject of every clip."
        )
    tracks: list[Floats] = []
    subject: list[str] = []
    for row, who in enumerate(manifest.subject.tolist()):
        with suppress(SourceError):  # the row is left out, and named, when it is its turn
            tracks.append(_track(manifest, row))
            subject.append(who)
    if not tracks:
        raise SourceError(f"None of the {len(manifest)} clips could be read.")
    return person_shapes(tracks, subject)


def prepare_rows(
    manifest: Manifest,
    folder: Path,
    note: Mapping[str, Any],
    empty: NDArray[Any],
    work: Work,
    progress: Progress | None = None,
) -> Prepared:
    """A prepared folder of clips whose frames ``work`` gives; ``empty`` has their shape ``(0, …)`` and type.

    ``note`` goes into ``prepared.json``, ``kind`` included; stopped work goes on where note and rows are the same. A
    row for which ``work`` raises SourceError is left out and named. Raises as :func:`prepare_crops` does.
    """
    making = {**note, "rows": manifest.hash()}
    with ClipStore(folder, empty.shape[1:], empty.dtype.type, making) as store:
        for row, id_ in enumerate(manifest.id.tolist()):
            if id_ not in store.done:
                try:
                    frames, found = work(row)
                except SourceError as error:
                    store.leave_out(id_, str(error))
                else:
                    store.add(id_, frames, {"found": found})
            if progress:
                progress(row + 1, len(manifest))
        unread = tuple((i, told["left_out"]) for i, told in store.done.items() if "left_out" in told)
        if not store.total:
            store.forget()
            first = f"; the first: {unread[0][1]}" if unread else "."
            raise SourceError(f"None of the {len(manifest)} clips could be read{first}")
        kept = {i: told for i, told in store.done.items() if told["frames"]}
        missed = tuple(i for i, told in kept.items() if not told["found"])
        store.finish(manifest, {**making, "missed": missed, "unread": unread})
        return Prepared(folder, len(kept), sum(t["found"] for t in kept.values()), missed, unread, store.total)
