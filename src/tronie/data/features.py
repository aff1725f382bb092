"""``tronie features``: what a model sees in each frame of prepared clips, kept, so that clip methods learn quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tronie.clips.views import resize
from tronie.core.errors import SettingError, SourceError
from tronie.data.pack_clips import prepare_rows
from tronie.models.catalog import load_model, model_folder
from tronie.models.folder import Model

if TYPE_CHECKING:
    from tronie.data.prepared import Opened


@dataclass(frozen=True)
class Cached:
    """Where the features lie: ``clips`` clips of ``frames`` frames in all, ``width`` numbers a frame."""

    folder: Path
    clips: int
    frames: int
    width: int


def features(
    prepared: str | Path,
    model: str | Path | Model,
    out: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Cached:
    """Run ``model`` (a name, a model folder, a run folder) over every frame of the clips in ``prepared`` into ``out``.

    ``prepared`` is a folder of clips of pixels, or of photos, that ``tronie prepare`` made; ``out`` becomes one of
    clips of features, with the same rows: a photo, as the serving aligner cuts it, is a clip of one frame. Features are
    those the model gives to a frame as it is, stored as float16. Stopped work goes on. Raises SourceError, ModelError,
    SettingError and OutputError.
    """
    from tronie.data.prepared import open_prepared  # a researcher's room, though without PyTorch

    opened, out = open_prepared(Path(prepared)), Path(out)
    if opened.kind != "pixels":
        raise SourceError(
            f"{prepared} holds {opened.kind}: features are made of clips of pixels, such as those of "
            "`tronie prepare acted-clips`, or of photos."
        )
    if out.resolve() == Path(prepared).resolve():
        raise SettingError(f"{out} holds the clips themselves: give another folder for their features.")
    loaded = load_model(model_folder(model))
    size = loaded.size
    blank = loaded.features(np.zeros((1, size, size, 3), np.uint8))

    def work(row: int) -> tuple[NDArray[np.float16], int]:
        frames = _frames(opened, row)
        found = loaded.features(np.stack([resize(np.asarray(frame), size) for frame in frames]))
        return found, len(found)

    note = {
        "kind": "features",
        "model": loaded.hash,
        "name": loaded.name,
        "folder": str(loaded.folder.resolve()),
        "size": size,
        "width": blank.shape[1],
    }
    made = prepare_rows(opened.manifest, out, note, blank[:0], work, progress)
    return Cached(out, made.rows, made.frames, blank.shape[1])


def _frames(opened: Opened, row: int) -> NDArray[np.uint8]:
    """The frames ``(n, s, s, 3)`` of a clip; of a photo its last cut, which is the serving aligner's."""
    if opened.starts is None:
        return np.asarray(opened.faces[row, -1:])
    return np.asarray(opened.faces[opened.starts[row] : opened.starts[row + 1]])
