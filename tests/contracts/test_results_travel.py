"""Every result can be copied, pickled and handed over by another process, and arrives as it was."""

from __future__ import annotations

import copy
import importlib
import inspect
import multiprocessing
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tronie
from tronie.core import errors
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.core.segment import SegmentCalibration
from tronie.core.timeline import Looked, Provenance, Timeline
from tronie.data.inspect import datasets
from tronie.pipeline.analyser import Analyser, Progress
from tronie.pipeline.segments import segments
from tronie.pipeline.settings import Settings
from tronie.study.compare import compare


@pytest.fixture(scope="module")
def results(timeline_of, planted, tmp_path_factory) -> dict[str, Any]:
    """One of each kind of result, made as a caller makes it."""
    folder: Path = tmp_path_factory.mktemp("results")
    told: Timeline = timeline_of([(0, 0, 2, "happiness"), (0, 2, 3, "uncertain"), (1, 0, 2, "neutral")], fps=10)
    calibration = SegmentCalibration(0.5, -0.25, {"sadness": 1.0})
    made = Provenance("m", "h", {"fps": None}, "s", "0.1.0", segments=calibration)
    timeline = Timeline(
        told.columns, told.labels, made, (Looked("film.mp4", "video", 30, 0.0, 3.0, ((1.0, 2.0),)),), ("a",)
    )
    (folder / "coder.csv").write_text("tier,start,end,label\nperson 0,0,2,happy\nperson 0,2,3,sad\n")
    film = planted.two_people("nh")
    warm = Analyser(planted.Model(), detector=planted.Detector(film))
    readings = [warm.push(planted.paint(faces, i), i / 5) for i, faces in enumerate(film)]
    manifest = Manifest(np.array(["a", "b"]), np.array(["a.jpg", "b.jpg"]), np.array([0, -1]), LabelSet(("x", "y")))
    return {
        "timeline": timeline,
        "segments": timeline.segments(),
        "totals": timeline.summary(),
        "labels": BASIC7,
        "streamed": warm.finish(),
        "readings": readings,
        "manifest": manifest,
        "progress": Progress("film.mp4", 1.0),
        "settings": Settings(),
        "comparison": compare(timeline, folder / "coder.csv"),
        "data sets": datasets("jaffe"),
        "files": segments(timeline, folder / "film.vtt"),
    }


def same(one: Any, other: Any) -> bool:
    """Equal in type and in content, arrays included, read-only where they were."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.flags.writeable == other.flags.writeable
            and (np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
        )
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if hasattr(one, "items"):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other or one != one)


NAMES = (
    "timeline",
    "segments",
    "totals",
    "labels",
    "streamed",
    "readings",
    "manifest",
    "progress",
    "settings",
    "comparison",
    "data sets",
    "files",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_copied_and_pickled(results: dict[str, Any], name: str) -> None:
    one = results[name]
    assert same(copy.deepcopy(one), one)
    assert same(copy.copy(one), one)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert same(pickle.loads(pickle.dumps(one, protocol)), one)


def test_the_list_above_is_whole(results: dict[str, Any]) -> None:
    assert set(results) == set(NAMES)
    public = {getattr(tronie, name) for name in tronie.__all__ if inspect.isclass(getattr(tronie, name))}
    shown = {type(one) for value in results.values() for one in (value if isinstance(value, list) else [value])}
    assert public - shown - {Analyser, tronie.TronieError} == set(), "a new public class is a result to travel, too"


def kinds(kind: type[errors.TronieError]) -> list[type[errors.TronieError]]:
    return [kind, *(below for one in kind.__subclasses__() for below in kinds(one))]


def test_every_error_reaches_whoever_waits_for_it() -> None:
    for path in (Path(tronie.__file__).parent).rglob("*.py"):  # kinds are known once their module is imported
        if re.search(r"^class \w+\(\w*Error\)", path.read_text(encoding="utf-8"), re.MULTILINE):
            inside = path.relative_to(Path(tronie.__file__).parent).with_suffix("")
            importlib.import_module(".".join(("tronie", *inside.parts)))
    for kind in kinds(errors.TronieError):
        given = ("Plots", "plot") if kind is errors.MissingExtraError else ("What is wrong.",)
        error = kind(*given)
        for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
            assert type(other) is kind and str(other) == str(error) and other.exit_code == kind.exit_code


def test_a_worker_process_hands_over_timelines_and_errors(results: dict[str, Any], tmp_path: Path) -> None:
    results["timeline"].save(tmp_path / "film.csv")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(Timeline.load, tmp_path / "film.csv").result() == results["timeline"]
        with pytest.raises(errors.SourceError, match="There is no file"):
            pool.submit(Timeline.load, tmp_path / "gone.csv").result()
