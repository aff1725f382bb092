"""The planted films and fakes of ``tests/planted.py``, for this folder's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """Films with planted faces, a detector that finds them and a model that reads their colour."""
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).parents[1] / "planted.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
