"""``tronie features``: what a model sees in each frame of prepared clips, kept, so that clip methods learn quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.clips.views import resize
from tronie.core.errors import ModelError, SettingError, SourceError
from tronie.pipeline.packclips import prepare_rows
from tronie.verbs.evaluate import model_folder
from tronie.zoo.catalog import load_model
from tronie.zoo.folder import Model

_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Cached:
    """Where the features lie: ``clips`` clips of ``frames`` frames in all, ``width`` numbers a frame."""

    folder: Path
    clips: int
    frames: int
    width: int


def features(prepared: str | Path, model: str | Path | Model, out: str | Path, *,
             progress: Callable[[int, int], None] | None = None) -> Cached:  # fmt: skip
    """Run ``model`` (a name, a model folder, a run folder) over every frame of the clips in ``prepared`` into ``out``.

    ``prepared`` is a folder of clips of pixels that ``tronie prepare`` made; ``out`` becomes one of clips of features,
    with the same rows. Features are those the model gives to a frame as it is, stored as float16. Stopped work goes
    on. Raises SourceError, ModelError, SettingError and OutputError.
    """
    from tronie.lab.prepared import open_prepared  # a researcher's room, though without PyTorch

    opened, out = open_prepared(Path(prepared)), Path(out)
    starts, faces = opened.starts, opened.faces
    if starts is None or opened.kind != "pixels":
        what = "photos" if starts is None else opened.kind
        raise SourceError(f"{prepared} holds {what}: features are made of clips of pixels, such as those of "
                          "`tronie prepare acted-clips`.")  # fmt: skip
    if out.resolve() == Path(prepared).resolve():
        raise SettingError(f"{out} holds the clips themselves: give another folder for their features.")
    loaded = load_model(model_folder(model))
    size = loaded.size
    blank = _looked(loaded, np.zeros((1, size, size, 3), np.uint8))

    def work(row: int) -> tuple[NDArray[np.float16], int]:
        frames = faces[starts[row] : starts[row + 1]]
        found = _looked(loaded, np.stack([resize(np.asarray(frame), size) for frame in frames]))
        return found, len(found)

    note = {"kind": "features", "model": loaded.hash, "name": loaded.name, "size": size, "width": blank.shape[1]}
    made = prepare_rows(opened.manifest, out, note, blank[:0], work, progress)
    return Cached(out, made.rows, made.frames, blank.shape[1])


def _looked(model: Model, faces: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Features ``(n, d)`` of faces ``(n, s, s, 3)``. Raises ModelError for a model that gives none."""
    found = model.answer(faces).feature
    if found is None:
        raise ModelError(f"Model '{model.name}' gives no feature, only labels: export it again with this Tronie.")
    return found.clip(-_LARGEST, _LARGEST).astype(np.float16)
