"""The checker sees each kind of planted violation, and nothing in the tree itself."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]


def plant(root: Path, files: dict[str, str]) -> Path:
    """A small package below ``root/src`` with these files, and the packages they need."""
    for name, text in files.items():
        path = root / "src" / "tronie" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder in [p for p in (root / "src" / "tronie").rglob("*") if p.is_dir()] + [root / "src" / "tronie"]:
        (folder / "__init__.py").touch()
    return root / "src"


GOOD = {
    "core/labels.py": "import numpy\n",
    "faces/detect.py": "from tronie.core.labels import x\nfrom ..models import session\n",
    "core/version.py": "from tronie import __version__\n",
    "models/session.py": "def run():\n    import onnxruntime\n",
    "nn/losses.py": "import torch\nfrom tronie.core import labels\n",
    "methods/method.py": "import torch\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import anything\n",
    "methods/baseline.py": "from tronie.methods.method import Method\nfrom tronie.nn import losses\n",
    "train/train.py": "def train():\n    from tronie.train import loop\n    import matplotlib\n",
    "train/loop.py": "import torch\nfrom tronie.methods import method\n",
    "__main__.py": "from tronie.cli import main\n",
    "cli.py": "from tronie.train import train\nimport os.path\n",
}


def test_a_tree_that_keeps_the_rules_passes(floors: ModuleType, tmp_path: Path) -> None:
    assert floors.check(plant(tmp_path, GOOD), REPO / "pyproject.toml") == []


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("core/bad.py", "from tronie.faces import detect\n", "bad.py:1: core (floor 0) imports faces (floor 3)"),
        ("core/bad.py", "def f():\n    import tronie.train.train\n", "bad.py:2: core (floor 0) imports train"),
        ("core/bad.py", "import typing\nif typing.TYPE_CHECKING:\n    from tronie.nn import losses\n", "imports nn"),
        ("core/bad.py", "from ..models import session\n", "core (floor 0) imports models (floor 2)"),
        ("core/bad.py", "from tronie import x\n", "core (floor 0) imports __init__ (floor 8)"),
        ("datasets/bad.py", "from tronie.models import session\n", "datasets imports models, both on floor 2"),
        ("study/bad.py", "import tronie.data.loader\n", "study imports data, both on floor 5"),
        ("cellar/bad.py", "", "room 'cellar' has no floor"),
        ("methods/bad.py", "from tronie.methods import baseline\n", "a method imports tronie.methods.baseline"),
        ("methods/bad.py", "from .baseline import Baseline\n", "a method imports tronie.methods.baseline"),
        ("core/bad.py", "import torch.nn\n", "tronie.core.bad -> torch.nn: core must work without torch"),
        ("core/bad.py", "def f():\n    import torch\n", "tronie.core.bad -> torch: core must work without torch"),
        ("core/bad.py", "class C:\n    try:\n        import onnx\n    finally:\n        pass\n", "without onnx"),
        ("pipeline/bad.py", "from tronie.nn import losses\n", "tronie.pipeline.bad -> tronie.nn.losses -> torch: "),
        ("cli/bad.py", "from tronie.train import loop\n", "tronie.cli.bad -> tronie.train.loop -> torch: cli must"),
        ("core/bad.py", "import pandas\n", "imports pandas at the top, but it is optional"),
        ("nn/bad.py", "def f():\n    import scipy.stats\n", "imports scipy, which pyproject.toml does not name"),
    ],
)
def test_a_planted_violation_is_named(floors: ModuleType, tmp_path: Path, name: str, text: str, sentence: str) -> None:
    found = floors.check(plant(tmp_path, GOOD | {name: text}), REPO / "pyproject.toml")
    assert any(sentence in line for line in found), found
    assert len(found) <= 2  # an upward import may reach torch as well; nothing else is blamed


def test_a_package_that_imports_torch_is_found_through_its_children(floors: ModuleType, tmp_path: Path) -> None:
    source = plant(tmp_path, GOOD | {"data/__init__.py": "import torch\n", "data/noise/labels.py": ""})
    found = floors.check(source, REPO / "pyproject.toml")
    assert any("tronie.data.noise.labels -> tronie.data -> torch" in line for line in found), found


def test_this_tree_keeps_the_rules(floors: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert floors.main([]) == 0, capsys.readouterr().out


def test_exit_codes(floors: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert floors.main([str(plant(tmp_path, GOOD | {"core/bad.py": "import torch\n"}))]) == 1
    assert "must work without torch" in capsys.readouterr().out
    assert floors.main([str(tmp_path / "absent")]) == 2
