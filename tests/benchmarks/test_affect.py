"""The page on valence and arousal: what lies above what, counted by hand, and faces made small."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tronie.core.labels import BASIC7

pytest.importorskip("onnx")
FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    before = list(sys.path)
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("affect")
    finally:
        sys.path[:] = before


@pytest.fixture(scope="module")
def read() -> tuple[np.ndarray, SimpleNamespace]:
    """Twenty faces of each label; valence falls with the label's number, arousal is drawn."""
    rng, truth = np.random.default_rng(0), np.repeat(np.arange(7), 20)
    said = np.stack([0.9 - 0.25 * truth + rng.normal(0, 0.05, 140), rng.uniform(-0.5, 0.5, 140)], 1)
    return said, SimpleNamespace(truth=truth, manifest=SimpleNamespace(group=np.arange(140)))


def test_gaps_and_pairs_are_those_by_hand(bench, read) -> None:
    said, rows = read
    lines = bench.checks(said, rows, BASIC7.names)
    assert len(lines) == 2 + len(bench.CHECKS)
    for line, (name, above, below) in zip(lines[2:], bench.CHECKS, strict=True):
        j = ("valence", "arousal").index(name)
        high, low = ([said[rows.truth == BASIC7.index(one), j] for one in some] for some in (above, below))
        gap = np.mean([v.mean() for v in high]) - np.mean([v.mean() for v in low])
        pairs = np.mean([[a > b for a in v for b in w] for v in high for w in low])
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[:3] == [", ".join(above), ", ".join(below), name]
        assert float(cells[3].split()[0]) == pytest.approx(gap, abs=0.006) and cells[4] == f"{100 * pairs:.0f} %"


def test_labels_come_from_the_highest_valence_down(bench, read) -> None:
    said, rows = read
    lines = bench.label_table(said, -said, rows, BASIC7.names)[2:]
    assert [line.split("|")[1].strip() for line in lines] == list(BASIC7.names)  # as they were planted
    first = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert first[1] == "20" and float(first[2].split()[0]) == pytest.approx(said[:20, 0].mean(), abs=0.006)
    assert first[5].startswith(f"{-said[:20, 0].mean():.2f}")


def test_a_face_made_small_keeps_its_means_and_loses_its_detail(bench) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    small = bench.shrunk(lambda a, b: faces[a:b], 16, 0, 2)
    assert small.shape == faces.shape and small.mean() == pytest.approx(faces.mean(), abs=1)
    assert small.std() < 0.4 * faces.std()
