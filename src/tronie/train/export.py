"""``tronie export``: a run to a model folder: stored as fp16, whole, or as int8 where that costs nothing.

A run on features becomes a video model of two graphs: the image model's, and one that reads its frames.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tronie.core.atomic import ensure_writable, unwritable
from tronie.core.errors import ModelError, SettingError
from tronie.core.extras import needing
from tronie.models.catalog import model_folder
from tronie.models.folder import Model

if TYPE_CHECKING:
    from tronie.methods.method import Method
    from tronie.train.package import Quantized
    from tronie.train.recipe import Recipe
    from tronie.train.sources import Part


@dataclass(frozen=True)
class Exported:
    """The model folder, its size in bytes, and for int8 how it compared with the full graph."""

    folder: Path
    size: int
    quantized: Quantized | None = None


def export(
    run: str | Path,
    out: str | Path,
    *,
    precision: Literal["half", "full", "int8"] = "half",
    mirror: bool = False,
    data: str | Path | None = None,
    temperature: float | None = None,
    encoder: str | Path | None = None,
    looks: int | None = None,
    window: float | None = None,
    hop: float | None = None,
) -> Exported:
    """Write the run's averaged weights as a model folder ``out``, which must not exist yet.

    ``precision``: "half" stores weights as fp16 and computes in fp32, "full" is fp32, "int8" is a quarter of the size
    and faster. ``mirror`` answers the mean of a face and its mirror image, at twice the cost. With
    ``data`` (the root of the prepared sets) the graph itself is judged: its scores and its temperature are measured
    anew; int8 and ``mirror`` need that. ``temperature`` is set as given, for weights trained on everything whose
    calibration was measured on held-out folds.

    Of a method of clips that learnt from features, ``encoder`` is the image model that made them (looked for by itself
    where it ships or still lies where it was); films are read in windows of ``window`` seconds that begin every ``hop``
    seconds, each in ``looks`` random looks (:class:`tronie.models.clip.ClipInfo` has the usual numbers).

    Raises ModelError, with the figures, for an int8 graph that gives fewer than 99 % of the full graph's answers or
    whose accuracy is not the same within its 95 % interval. Raises SettingError, SourceError, OutputError.
    """
    out = Path(out)
    _check(out, precision, mirror, data, temperature)
    with needing("Exporting"):
        from tronie.train.package import reads_faces
        from tronie.train.run import open_run
    recipe, method = open_run(Path(run))
    how = {name: value for name, value in (("looks", looks), ("window", window), ("hop", hop)) if value is not None}
    if not reads_faces(method):
        image = None if encoder is None else model_folder(encoder)
        return _export_clips(recipe, method, Path(run), out, precision, mirror, data, temperature, image, how)
    if encoder is not None or how:
        raise SettingError("The encoder, looks, window and hop are for methods of clips; this run reads single faces.")
    return _export_faces(recipe, method, Path(run), out, precision, mirror, data, temperature)


def _export_faces(
    recipe: Recipe,
    method: Method,
    run: Path,
    out: Path,
    precision: Literal["half", "full", "int8"],
    mirror: bool,
    data: str | Path | None,
    temperature: float | None,
) -> Exported:
    """A model of single faces, judged anew with ``data``, else described as the run's own."""
    from tronie.train.package import describe_as_before, graph_answers, with_temperature, write_graph, write_model
    from tronie.train.sources import training_parts, validation_parts
    from tronie.train.validate import judge_finally

    learn = training_parts(recipe, Path(data)) if data is not None else []
    judged = validation_parts(recipe, Path(data)) if data is not None else []
    size, report = method.views(False)[0].size, None
    with tempfile.TemporaryDirectory(prefix="tronie-") as scratch:
        made = Path(scratch) / "model"
        graph = write_graph(method, made, precision, mirror=mirror, learn=learn)
        if precision == "int8":
            full = write_graph(method, Path(scratch) / "full", "full", mirror=mirror)
            report = _same(full, graph, judged, size)
        if data is None:
            describe_as_before(run / "model", made, temperature)
        else:
            verdict = judge_finally(lambda part: graph_answers(graph, part, size), judged, recipe.labels)
            write_model(recipe, made, size, with_temperature(verdict, temperature), learn)
        return Exported(out, _placed(made, out), report)


def _placed(made: Path, out: Path) -> int:
    """Copy a finished model folder to where it shall lie; its size in bytes. Raises OutputError."""
    try:
        shutil.copytree(made, out)
    except OSError as error:
        raise unwritable(out, error) from error
    return sum(f.stat().st_size for f in out.iterdir())


def _export_clips(
    recipe: Recipe,
    method: Method,
    run: Path,
    out: Path,
    precision: str,
    mirror: bool,
    data: str | Path | None,
    temperature: float | None,
    encoder: str | Path | Model | None,
    how: dict[str, Any],
) -> Exported:
    """A video model, judged anew with ``data``, else described as the run's own. Raises ModelError, SettingError."""
    from tronie.train.package_clips import find_encoder, why_not, write_again, write_clip_model
    from tronie.train.sources import training_parts, validation_parts

    if reason := why_not(method):
        raise ModelError(f"The method '{recipe.method}' of this run cannot be exported: {reason}.")
    if mirror or precision == "int8":
        raise SettingError("A video model is stored with precision half or full, and not mirrored.")
    stored: Literal["half", "full"] = "full" if precision == "full" else "half"
    with tempfile.TemporaryDirectory(prefix="tronie-") as scratch:
        made = Path(scratch) / "model"
        if data is None:
            write_again(
                method, run / "model", made, precision=stored, temperature=temperature, how=how, encoder=encoder
            )
        else:
            found = find_encoder([Path(data) / source.data for source in recipe.train], encoder)
            write_clip_model(
                recipe,
                method,
                made,
                found,
                training_parts(recipe, Path(data)),
                validation_parts(recipe, Path(data)),
                precision=stored,
                temperature=temperature,
                how=how,
            )
        return Exported(out, _placed(made, out))


def _check(out: Path, precision: str, mirror: bool, data: str | Path | None, temperature: float | None) -> None:
    """What can be known to be wrong before any work."""
    if out.exists():
        raise SettingError(f"{out} exists: give a new folder.")
    if data is None and (mirror or precision == "int8"):
        raise SettingError("An int8 or mirrored model is another model: give data, so that it can be judged.")
    if temperature is not None and not temperature > 0:
        raise SettingError(f"A temperature is above 0, not {temperature:g}.")
    ensure_writable(out)


def _same(full: Path, small: Path, judged: list[Part], size: int) -> Quantized:
    """How the int8 graph compares; raises ModelError where it is another model."""
    from tronie.train.package import compare_graphs

    report = compare_graphs(full, small, judged, size)
    if not report.passes:
        raise ModelError(f"The int8 model is not the same model: {report}. Export it with precision half.")
    return report
