"""Fixtures that all tests may use."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tronie.core.timeline import Timeline

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


def _module(path: Path) -> ModuleType:
    """A file of this repository that is in no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def floors() -> ModuleType:
    """The checker of the architecture, ``tools/floors.py``, as a module."""
    return _module(REPO / "tools" / "floors.py")


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """Writers of data sets in their official layouts, ``tests/fake_trees.py``."""
    return _module(REPO / "tests" / "fake_trees.py")


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """Films with planted faces, a detector that finds them and a model that reads their colour."""
    return _module(REPO / "tests" / "planted.py")


@pytest.fixture(scope="session")
def joined_films() -> ModuleType:
    """Films joined of parts with different tags, ``tests/joined.py``."""
    return _module(REPO / "tests" / "joined.py")


@pytest.fixture(scope="session")
def films() -> ModuleType:
    """Makers of small films in many containers, with a face that needs no network to be found, ``tests/films.py``."""
    return _module(REPO / "tests" / "films.py")


@pytest.fixture(scope="session")
def plain_net() -> ModuleType:
    """``tests/plain_net.py`` as a module: an encoder that costs little to export. Needs PyTorch."""
    pytest.importorskip("torch")
    return _module(REPO / "tests" / "plain_net.py")


@pytest.fixture(scope="session")
def timeline_of() -> Callable[..., Timeline]:
    """A maker of timelines: ``[(track, start, end, label), ...]`` in seconds becomes rows, see ``tests/told.py``."""
    make: Callable[..., Timeline] = _module(REPO / "tests" / "told.py").timeline_of
    return make
