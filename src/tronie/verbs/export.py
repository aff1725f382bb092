"""``tronie export``: a run to a model folder: stored as fp16, whole, or as int8 where that costs nothing."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tronie.core.atomic import unwritable
from tronie.core.errors import ModelError, SettingError
from tronie.verbs.extras import needing

if TYPE_CHECKING:
    from tronie.lab.deliver import Quantized
    from tronie.lab.sources import Part


@dataclass(frozen=True)
class Exported:
    """The model folder, its size in bytes, and for int8 how it compared with the full graph."""

    folder: Path
    size: int
    quantized: Quantized | None = None


def export(run: str | Path, out: str | Path, *, precision: Literal["half", "full", "int8"] = "half",
           mirror: bool = False, data: str | Path | None = None,
           temperature: float | None = None) -> Exported:  # fmt: skip
    """Write the run's averaged weights as a model folder ``out``, which must not exist yet.

    ``precision``: "half" stores weights as fp16 and computes in fp32, "full" is fp32, "int8" is a quarter of the size
    and faster. ``mirror`` answers the mean of a face and its mirror image, at twice the cost. With
    ``data`` (the root of the prepared sets) the graph itself is judged: its scores and its temperature are measured
    anew; int8 and ``mirror`` need that. ``temperature`` is set as given, for weights trained on everything whose
    calibration was measured on held-out folds.

    Raises ModelError, with the figures, for an int8 graph that gives fewer than 99 % of the full graph's answers or
    whose accuracy is not the same within its 95 % interval. Raises SettingError, SourceError, OutputError.
    """
    out = Path(out)
    _check(out, precision, mirror, data, temperature)
    with needing("Exporting"):
        from tronie.lab.deliver import (
            describe_as_before,
            graph_logits,
            reads_faces,
            with_temperature,
            write_graph,
            write_model,
        )
        from tronie.lab.judge import judge_finally
        from tronie.lab.run import open_run
        from tronie.lab.sources import training_parts, validation_parts
    recipe, method = open_run(Path(run))
    if not reads_faces(method):
        raise ModelError(f"The method '{recipe.method}' of this run looks at clips, and a model folder answers one "
                         "face at a time: it cannot be exported.")  # fmt: skip
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
            describe_as_before(Path(run) / "model", made, temperature)
        else:
            verdict = judge_finally(lambda part: graph_logits(graph, part, size), judged, recipe.labels)
            write_model(recipe, made, size, with_temperature(verdict, temperature), learn)
        try:
            shutil.copytree(made, out)
        except OSError as error:
            raise unwritable(out, error) from error
    return Exported(out, sum(f.stat().st_size for f in out.iterdir()), report)


def _check(out: Path, precision: str, mirror: bool, data: str | Path | None, temperature: float | None) -> None:
    """What can be known to be wrong before any work."""
    if out.exists():
        raise SettingError(f"{out} exists: give a new folder.")
    if data is None and (mirror or precision == "int8"):
        raise SettingError("An int8 or mirrored model is another model: give data, so that it can be judged.")
    if temperature is not None and not temperature > 0:
        raise SettingError(f"A temperature is above 0, not {temperature:g}.")


def _same(full: Path, small: Path, judged: list[Part], size: int) -> Quantized:
    """How the int8 graph compares; raises ModelError where it is another model."""
    from tronie.lab.deliver import compare_graphs

    report = compare_graphs(full, small, judged, size)
    if not report.passes:
        raise ModelError(f"The int8 model is not the same model: {report}. Export it with precision half.")
    return report
