"""``tronie evaluate``: a model against labelled faces, with intervals, as JSON, rows and one HTML page.

Works in the core install: models run on ONNX Runtime.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tronie.core.atomic import ensure_writable, replacing
from tronie.core.errors import SettingError, SourceError
from tronie.core.files import read_json
from tronie.core.manifest import Manifest
from tronie.models.catalog import load_model, model_folder
from tronie.models.folder import Model
from tronie.output.evaluation import evaluation_page

if TYPE_CHECKING:
    from tronie.train.predictions import Answered
    from tronie.train.robustness import Hardship
    from tronie.train.scores import Evaluation

Data = str | Path | Manifest
Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is."""
_JSON, _PAGE = "evaluation.json", "report.html"


@dataclass(frozen=True)
class Evaluated:
    """How a model was judged, by name of the data; ``warnings`` say what a reader of the figures must know.

    ``left_out`` says, a sentence for each data set, which rows were not scored.
    """

    model: str
    hash: str
    evaluations: dict[str, Evaluation]
    robustness: dict[str, list[Hardship]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def mostly_left_out(self) -> bool:
        """Whether more rows of some data set were left out than were scored."""
        return any(e.left_out > e.rows for e in self.evaluations.values())


def evaluate(
    model: str | Path | Model,
    data: Data | Sequence[Data],
    *,
    split: str = "",
    folds: str = "",
    fold: int | None = None,
    cut: Literal["aligned", "whole"] = "aligned",
    robustness: bool = False,
    out: str | Path | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Evaluated:
    """Judge ``model`` (a name, a model folder, a run folder) on one or several data sets.

    Each of ``data`` is a folder that ``tronie prepare`` made, a manifest (or its CSV) of pictures, or a folder with a
    folder of pictures per class; pictures are first cut as the chain would cut them. Labels are joined by name; rows
    whose label the model does not know are left out and counted. ``split`` keeps the owners' part ("": all rows);
    ``fold`` one fold of ``folds``, a fold file or "manifest". ``cut``: faces as the aligner cuts them, or pictures
    as a whole (what ``detector="whole"`` sees). ``robustness`` adds scores by face size, blur, noise, occlusion and
    rotation. ``out`` is a folder for ``evaluation.json``, ``answers.csv`` and ``report.html``; one that holds a run, or
    the evaluation of another model or of other data, is refused.

    Raises SourceError, SettingError, ModelError and OutputError.
    """
    from tronie.train.exported import harden, judge, left_out, open_bench, what_to_know

    if (fold is None) == bool(folds):
        raise SettingError("A fold and its folds belong together: give both (fold 0 of rafdb-train) or neither.")
    loaded = load_model(model_folder(model))
    items = [data] if isinstance(data, (str, Path, Manifest)) else list(data)
    evaluations, answered, hardships = {}, {}, {}
    warnings: dict[str, None] = {}
    unscored: list[str] = []
    for item in items:
        with _prepared(item, loaded, progress) as (name, folder):
            bench = open_bench(folder, name, loaded.labels, split=split, folds=folds, fold=fold, affect=loaded.affect)
            if bench.name in evaluations:
                raise SettingError(f"Two data sets are called '{bench.name}': rename one of the folders.")
            if out is not None:
                _refuse_other(Path(out), loaded, bench.name, len(items))
                ensure_writable(Path(out) / _JSON)  # before the work, not after it
            found = judge(loaded, bench, cut, lambda d, n, w=bench.name: progress(w, d, n))  # type: ignore[misc]
            evaluations[bench.name], answered[bench.name] = found
            warnings |= dict.fromkeys(what_to_know(loaded, bench, folds))
            unscored += filter(None, [left_out(bench)])
            if robustness:
                hardships[bench.name] = harden(loaded, bench, cut, lambda d, n: progress("harder faces", d, n))
    result = Evaluated(loaded.name, loaded.hash, evaluations, hardships, tuple(warnings), left_out=tuple(unscored))
    return result if out is None else _written(result, loaded, answered, Path(out))


def _refuse_other(out: Path, model: Model, name: str, count: int) -> None:
    """Raise SettingError where ``out`` holds what this evaluation does not make again: it is not written over."""
    if (out / "recipe.toml").is_file():
        raise SettingError(f"{out} is the folder of a run, which has its own evaluation: give another with --out.")
    if not (out / _JSON).is_file():
        return
    there = read_json(out / _JSON)
    sources = there.get("sources", {}) if isinstance(there, dict) else {}
    if sources and (there.get("hash") != model.hash or name not in sources or len(sources) != count):
        raise SettingError(
            f"{out} holds the evaluation of {there.get('model')} on {', '.join(sources)}: give another "
            "folder with --out, or remove that one first."
        )


def write_page(folder: Path) -> Path:
    """``report.html`` from what lies in a run folder, or in one that :func:`evaluate` wrote. Raises SourceError."""
    from tronie.train.log import figures, read_log

    if not (folder / _JSON).is_file():
        raise SourceError(f"There is no {folder / _JSON}: give the folder of a run or of an evaluation.")
    content: dict[str, Any] = read_json(folder / _JSON)
    if not isinstance(content, dict):
        raise SourceError(f"{folder / _JSON} is no evaluation: judge the model again.")
    recipe = (folder / "recipe.toml").read_text(encoding="utf-8") if (folder / "recipe.toml").is_file() else ""
    log = read_log(folder)
    name = content.get("name") or folder.resolve().name
    try:
        page = evaluation_page(
            content, name, log=log, facts=_facts(content), recipe=recipe, epochs=[asdict(one) for one in figures(log)]
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError) as error:
        raise SourceError(
            f"{folder / _JSON} or the log beside it is damaged ({type(error).__name__}: {error}): judge "
            "the model again."
        ) from error
    with replacing(folder / _PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return folder / _PAGE


def _facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("model", f"{content['model']} {content['hash']}")] if "model" in content else []
    if "calibrated" in content:
        temperature = f", temperature {content['temperature']:.3f}"
        facts.append(("calibrated on", content["calibrated"] + temperature if content["calibrated"] else "nothing"))
    return facts + [("note", note) for note in content.get("warnings", ())]


def _written(result: Evaluated, model: Model, answered: Mapping[str, Answered], out: Path) -> Evaluated:
    """Lay the result down in ``out``."""
    from tronie.train.predictions import write_answers
    from tronie.train.scores import plain

    content = {
        "model": result.model,
        "hash": result.hash,
        "temperature": model.info.temperature,
        "calibrated": model.info.calibrated,
        "warnings": (*result.left_out, *result.warnings),
        "sources": {name: plain(e) for name, e in result.evaluations.items()},
        "robustness": {name: [asdict(h) for h in steps] for name, steps in result.robustness.items()},
    }
    with replacing(out / _JSON) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    rows = write_answers(out, answered)
    return replace(result, files=(out / _JSON, rows, write_page(out)))


@contextmanager
def _prepared(item: Data, model: Model, progress: Progress) -> Iterator[tuple[str, Path]]:
    """A data set's name and prepared folder; pictures are cut, at the model's size, into a folder that passes."""
    if not isinstance(item, Manifest) and (Path(item) / "manifest.csv").is_file():
        yield Path(item).resolve().name, Path(item)
        return
    from tronie.data.prepare import prepare
    from tronie.datasets.folder import read

    if isinstance(item, Manifest):
        name, manifest = "manifest", item
    else:
        path = Path(item)
        name, manifest = path.stem, Manifest.load(path) if path.suffix.lower() == ".csv" else read(path)
    with tempfile.TemporaryDirectory(prefix="tronie-") as scratch:
        prepare(manifest, ".", scratch, size=model.size, progress=lambda d, n: progress(f"cutting {name}", d, n))
        yield name, Path(scratch)
