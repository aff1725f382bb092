"""From a run on features to the model folder of a video model: the image model's graph, and one that reads its frames.

The image model must be the very one whose features were learnt from; a prepared folder says which that was.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tronie.core.errors import ModelError, SourceError
from tronie.data.prepared import read_note
from tronie.methods.method import Method
from tronie.models.catalog import load_model, shipped
from tronie.models.clip import ClipInfo, ClipReader
from tronie.models.folder import Model, load_folder
from tronie.models.session import Session, sha256
from tronie.train.graph import store_half
from tronie.train.graph_clips import export_temporal, frames_of_a_key
from tronie.train.package import GRAPH, describe_as_before, with_temperature, write_model
from tronie.train.predictions import views_read
from tronie.train.recipe import Recipe
from tronie.train.sources import Part
from tronie.train.validate import Said, judge_finally

TEMPORAL = "temporal.onnx"


@dataclass(frozen=True)
class Encoder:
    """The image model's ``graph``, which takes faces of ``size`` pixels; ``width`` of its features; name and hash."""

    graph: Path
    size: int
    width: int
    name: str


def why_not(method: Method) -> str:
    """Why this method of clips cannot read films, "" where it can."""
    kind = method.views(False)[0].kind
    if kind == "features":
        return ""
    if kind == "points":
        return "it looks at tracked points, and no tracker of points is part of the chain that reads films"
    return (
        "it looks at clips of pixels, and films are read by clips of features: keep what an image model sees with "
        "`tronie features` and train on that"
    )


def find_encoder(folders: Sequence[Path], given: str | Path | Model | None = None) -> Encoder:
    """The image model that made the features in the prepared ``folders``, by its hash.

    It is ``given``, or one of those that ship, or still where it lay. Raises ModelError where it is
    none of these, SourceError for folders of other things or of several models.
    """
    notes = {str(folder): read_note(folder) for folder in folders}
    made_by = {note.get("model") for note in notes.values()}
    if len(made_by) != 1 or None in made_by:
        raise SourceError(f"{', '.join(notes)} are not features of one model: make them anew with `tronie features`.")
    note = next(iter(notes.values()))
    wanted, name = str(note["model"]), str(note.get("name", ""))
    if given is not None:
        model = load_model(given)
        if model.hash != wanted:
            raise ModelError(
                f"{given} is model {model.hash}, and the features were made by model {wanted} ('{name}'): "
                "give that one."
            )
        return _encoder(model)
    lay = str(note.get("folder", ""))
    for place in (*shipped(), *([lay] if lay and (Path(lay) / "model.json").is_file() else [])):
        model = load_model(place)
        if model.hash == wanted:
            return _encoder(model)
    raise ModelError(
        f"The features were made by model {wanted} ('{name}'), which is not where it was: name its folder "
        "with --encoder."
    )


def _encoder(model: Model) -> Encoder:
    blank = model.features(np.zeros((1, model.size, model.size, 3), np.uint8))
    return Encoder(model.folder / model.info.graph, model.size, blank.shape[1], f"{model.name} {model.hash}")


def write_graphs(
    method: Method, encoder: Encoder, folder: Path, precision: Literal["half", "full"], how: ClipInfo
) -> ClipInfo:
    """``encoder.onnx`` as it is and ``temporal.onnx``; ``how`` has the looks and windows, all else is found out."""
    folder.mkdir(parents=True, exist_ok=True)
    full, graph = folder / "full.onnx", folder / TEMPORAL
    export_temporal(method, full, encoder.width)
    shutil.copyfile(encoder.graph, folder / GRAPH)
    if precision == "half":
        store_half(full, graph)
        full.unlink()
    else:
        full.replace(graph)
    each = frames_of_a_key(method, Session(graph).outputs)
    return replace(
        how,
        graph=TEMPORAL,
        graph_sha256=sha256(graph),
        frames=method.draw_view().frames,
        width=encoder.width,
        each=each,
        encoder=encoder.name,
    )


def read_clips(reader: ClipReader, part: Part) -> Said:
    """What the looks at each of a part's clips say together, as films are read: each clip is one window."""
    rows = part.rows
    assert rows.starts is not None
    logits, affect = [], []
    for number, index in enumerate(rows.index):
        frames = rows.frames(np.arange(rows.starts[index], rows.starts[index + 1]))
        heard = reader.read(frames, np.arange(len(frames), dtype=np.float64), float(len(frames)), number)
        logits.append(np.log(heard.probability))
        affect += [] if heard.affect is None else [heard.affect]
    rated = np.stack(affect).astype(np.float32) if affect else None
    return Said(np.stack(logits).astype(np.float32), rated, views_read(reader.info.looks))


def write_again(
    method: Method,
    source: Path,
    folder: Path,
    *,
    precision: Literal["half", "full"] = "half",
    temperature: float | None = None,
    how: Mapping[str, Any] | None = None,
    encoder: str | Path | Model | None = None,
) -> None:
    """The model folder ``source`` of the same weights once more, at another precision or with other windows.

    ``encoder``, where it is given, must be the very image model. Raises ModelError where there is no such folder.
    """
    if not (source / "model.json").is_file() or (info := load_folder(source).info).clip is None:
        raise ModelError(
            f"There is no video model in {source}, as the model that made its features was not found: "
            "give --data, the folder of the prepared sets, and --encoder, that model."
        )
    assert info.clip is not None
    if encoder is not None and (given := load_model(encoder)).hash != (wanted := info.clip.encoder.rpartition(" ")[2]):
        raise ModelError(f"{encoder} is model {given.hash}, and the features were made by {wanted}: give that one.")
    clip = checked(info.clip, how)
    if precision == "half":  # as a run stores its own
        folder.mkdir(parents=True, exist_ok=True)
        for name in (info.graph, info.clip.graph):
            shutil.copyfile(source / name, folder / name)
    else:
        same = Encoder(source / info.graph, info.size, info.clip.width, info.clip.encoder)
        clip = write_graphs(method, same, folder, precision, clip)
    describe_as_before(source, folder, temperature, clip)


def checked(clip: ClipInfo, how: Mapping[str, Any] | None) -> ClipInfo:
    """With looks, window and hop as in ``how``. Raises ModelError where films cannot be read so."""
    try:
        return replace(clip, **(how or {}))
    except ValueError as error:
        raise ModelError(f"Films cannot be read so: {error}.") from error


def write_clip_model(
    recipe: Recipe,
    method: Method,
    folder: Path,
    encoder: Encoder,
    learn: Sequence[Part],
    judged: Sequence[Part],
    *,
    precision: Literal["half", "full"] = "half",
    temperature: float | None = None,
    how: Mapping[str, Any] | None = None,
) -> Path:
    """The whole model folder; scores and temperature are those of the graph, read in looks as in a film.

    ``temperature`` takes the place of the one that is fitted. Raises ModelError for what cannot be exported.
    """
    clip = write_graphs(method, encoder, folder, precision, checked(ClipInfo(TEMPORAL, "", 1, 1), how))
    reader = ClipReader(clip, Session(folder / TEMPORAL), 1.0)
    verdict = judge_finally(lambda part: read_clips(reader, part), judged, recipe.labels)
    return write_model(recipe, folder, encoder.size, with_temperature(verdict, temperature), learn, clip)
