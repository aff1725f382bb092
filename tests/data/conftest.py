"""The fake data sets of ``tests/fake_trees.py``, for this folder's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """Writers of data sets in their official layouts."""
    spec = importlib.util.spec_from_file_location("fake_trees", Path(__file__).parents[1] / "fake_trees.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
