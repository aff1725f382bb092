"""Raw films to clips of aligned faces, one person per clip, cut by the very detector, tracker and aligner that serve.

Each clip is gone through twice, so that memory does not grow with it: first every frame is looked at and faces are
followed; then the frames of the one person who is seen most are cut out. A prepared folder of clips is written as
:mod:`tronie.data.clip_store` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tronie.clips.sampling import uniform
from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Face, Frame, Pixels
from tronie.core.manifest import Manifest
from tronie.data.clip_store import ClipStore
from tronie.datasets.clipfiles import frames_in
from tronie.faces import align
from tronie.faces.detect import SHA256, Detector, RetinaFace
from tronie.pipeline.find import Finder
from tronie.pipeline.settings import Settings
from tronie.video.image import read_image
from tronie.video.reader import VideoReader

THIN = 0.5
"""Share of the frames looked at below which a clip is named, because its person is seen in so few."""


@dataclass(frozen=True)
class ClipSettings:
    """How clips are cut. Raises SettingError for a value that cannot work.

    ``size``: side of the crops in pixels. ``fps``: frames looked at per second of film, None for every frame.
    ``frames``: most frames kept of a clip, spread evenly over those in which the person is seen. ``rate``: frames per
    second of clips that are folders of frames, as no file says it.
    """

    size: int = 112
    fps: float | None = None
    frames: int = 128
    rate: float = 25.0

    def __post_init__(self) -> None:
        if self.size < 16 or self.frames < 1 or not self.rate > 0:
            raise SettingError("Clips need a size of 16 pixels or more, 1 frame or more, and a rate above 0.")
        Settings(fps=self.fps)


@dataclass(frozen=True)
class PreparedClips:
    """What was made: ``rows`` clips of ``frames`` frames in all; ``resumed`` of them by an earlier run.

    ``unread`` are ids that were left out (no face, unreadable), with the reason; ``thin`` are ids whose person is seen
    in less than ``THIN`` of the frames; ``notes`` are further sentences, about damaged films.
    """

    folder: Path
    rows: int
    frames: int
    resumed: int
    unread: tuple[tuple[str, str], ...]
    thin: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """One person in a clip: ``faces`` by frame index, among ``looked`` frames; ``told`` says what is damaged in it."""

    faces: dict[int, Face]
    looked: int
    told: tuple[str, ...]


def prepare_clips(
    manifest: Manifest,
    folder: Path,
    detector: Detector,
    settings: ClipSettings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> PreparedClips:
    """Cut every clip of ``manifest`` (films, folders of frames) into ``folder``; clips that cannot be are named.

    An interrupted run is taken up after the last clip that was finished. Raises SourceError if no clip shows a face,
    SettingError if the folder holds the beginnings of other clips, OutputError if it cannot be written. ``progress`` is
    called with (clips done, clips).
    """
    how = settings or ClipSettings()
    making = {
        "manifest": manifest.hash(),
        "settings": asdict(how),
        "detector": SHA256 if isinstance(detector, RetinaFace) else type(detector).__name__,
    }
    with ClipStore(folder, (how.size, how.size, 3), np.uint8, making) as store:
        resumed = len(store.done)
        for row, id_ in enumerate(manifest.id.tolist()):
            if id_ not in store.done:
                _cut(store, manifest, row, detector, how)
            if progress:
                progress(row + 1, len(manifest))
        unread = tuple((i, note["left_out"]) for i, note in store.done.items() if "left_out" in note)
        if not store.total:
            store.forget()
            first = f"; the first: {unread[0][1]}" if unread else "."
            raise SourceError(f"None of the {len(manifest)} clips shows a face{first}")
        kept = {i: note for i, note in store.done.items() if note["frames"]}
        thin = tuple(i for i, note in kept.items() if note["seen"] < THIN * note["looked"])
        notes = tuple(text for note in kept.values() for text in note["told"])
        told = {
            "kind": "pixels",
            "size": how.size,
            "template": align.TEMPLATE.tolist(),
            "detector": making["detector"],
            "settings": making["settings"],
            "source": making["manifest"],
            "thin": thin,
            "unread": unread,
            "notes": notes,
        }
        store.finish(manifest, told)
        return PreparedClips(folder, len(kept), store.total, resumed, unread, thin, notes)


def follow(path: Path, detector: Detector, settings: ClipSettings) -> Seen:
    """The person whom a clip shows most: the track with the largest sum of face sizes over its frames.

    Raises SourceError for a clip that cannot be read, or that shows no face.
    """
    finder = Finder(detector, Settings(fps=settings.fps))
    tracks: dict[int, dict[int, Face]] = {}
    told: list[str] = []
    looked = 0
    for frame in frames_of(path, settings, told):
        looked += 1
        for face in finder.step(frame):
            tracks.setdefault(face.track, {})[frame.index] = face
    if not tracks:
        raise SourceError(f"Clip {path} shows no face in {looked} frames.")
    most = max(tracks, key=lambda t: (sum(f.size for f in tracks[t].values()), -t))
    return Seen(tracks[most], looked, tuple(told))


def crops_of(path: Path, seen: Seen, settings: ClipSettings) -> Iterator[Pixels]:
    """The frames that are kept of a person, ``(size, size, 3)`` uint8 RGB each, aligned to the template."""
    there = sorted(seen.faces)
    wanted = {there[i] for i in uniform(len(there), min(settings.frames, len(there)))}
    last = max(wanted)
    for frame in frames_of(path, settings, []):
        if frame.index in wanted:
            yield align.crop(frame.image, seen.faces[frame.index], settings.size)
        if frame.index >= last:
            return


def frames_of(path: Path, settings: ClipSettings, told: list[str]) -> Iterator[Frame]:
    """Frames of a film or of a folder of pictures, thinned to ``settings.fps``; ``told`` gets what is damaged in it.

    Raises SourceError where nothing can be read.
    """
    if path.is_dir():
        yield from _pictures(path, settings, told)
        return
    with VideoReader(path, fps=settings.fps) as reader:
        yield from reader
        told += reader.warnings


def _pictures(folder: Path, settings: ClipSettings, told: list[str]) -> Iterator[Frame]:
    """Pictures that cannot be read are passed over. Raises SourceError if none can."""
    names = frames_in(folder)
    slot, readable = -1, 0
    for index, name in enumerate(names):
        time = index / settings.rate
        now = index if settings.fps is None else math.floor(time * settings.fps + 1e-6)
        if now == slot:
            continue
        slot = now
        try:
            image = read_image(folder / name)
        except SourceError as error:
            told.append(str(error))
            continue
        readable += 1
        yield Frame(image, time, index, 1 / settings.rate)
    if not readable:
        reason = f"; the first: {told[0]}" if told else "."
        raise SourceError(f"Clip {folder} holds no frame that can be read{reason}")


def _cut(store: ClipStore, manifest: Manifest, row: int, detector: Detector, settings: ClipSettings) -> None:
    """One clip into the store, or the reason why not. Raises OutputError."""
    id_ = str(manifest.id[row])
    try:
        path, _ = manifest.locate(row)
        seen = follow(path, detector, settings)
        note = {"seen": len(seen.faces), "looked": seen.looked, "told": seen.told}
        store.add(id_, crops_of(path, seen, settings), note)
    except SourceError as error:
        store.leave_out(id_, str(error))
