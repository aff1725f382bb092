"""Fixtures that all tests may use."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which never enters the repository: ``TRONIE_DATA`` or ``../shared/data``."""
    folder = Path(os.environ.get("TRONIE_DATA") or REPO.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set TRONIE_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The two public-domain portraits that the repository carries."""
    return REPO / "examples" / "samples"


@pytest.fixture(scope="session")
def floors() -> ModuleType:
    """The checker of the architecture, ``tools/floors.py``, as a module."""
    spec = importlib.util.spec_from_file_location("floors", REPO / "tools" / "floors.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["floors"] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


Spell = tuple[int, float, float, str]
"""Who shows what from when to when: track, start, end, label."""


@pytest.fixture(scope="session")
def timeline_of() -> Callable[..., Timeline]:
    """A maker of timelines: spells in, rows at ``fps`` out, with boxes in columns by track."""

    def make(spells: Iterable[Spell], *, fps: float = 25, source: str = "film.mp4", length: float | None = None,
             labels: LabelSet = BASIC7, confidence: float = 0.8) -> Timeline:  # fmt: skip
        rows = [(round(start * fps) + i, track, label) for track, start, end, label in spells
                for i in range(round((end - start) * fps))]  # fmt: skip
        rows.sort()
        frame = np.array([row[0] for row in rows], np.int64)
        track = np.array([row[1] for row in rows], np.int64)
        label = np.array([row[2] for row in rows], object)
        rest = (1 - confidence) / (len(labels) - 1)
        count = len(rows)
        columns = {
            "source": np.array([source] * count, object), "frame": frame, "time": frame / fps,
            "duration": np.full(count, 1 / fps), "track": track, "x": 20.0 + 100 * track, "y": np.full(count, 30.0),
            "width": np.full(count, 40.0), "height": np.full(count, 50.0), "face_size": np.full(count, 40.0),
            "detection": np.ones(count), "quality": np.full(count, 0.9), "usable": np.ones(count, bool), "label": label,
            "confidence": np.where(label == "uncertain", 1 / len(labels), confidence),
            **{f"p_{name}": np.where(label == name, confidence, np.where(label == "uncertain", 1 / len(labels), rest))
               for name in labels.names},
            **{name: np.array(["0" * 12] * count, object) for name in ("model", "settings", "version")},
        }  # fmt: skip
        end = length if length is not None else max((row[0] + 1 for row in rows), default=0) / fps
        return Timeline(columns, labels, Provenance(), (Looked(source, "video", round(end * fps), 0.0, end),))

    return make
