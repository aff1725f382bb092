"""Graphs run without PyTorch, and broken ones are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import ModelError
from tronie.models.session import Session, sha256

RETINAFACE = Path(__file__).parents[2] / "src" / "tronie" / "faces" / "weights" / "retinaface_mobilenet025.onnx"


def test_the_detectors_graph_runs(tmp_path: Path) -> None:
    session = Session(RETINAFACE, expect=sha256(RETINAFACE))
    (name,) = session.inputs
    answers = session.run(**{name: np.zeros((1, 3, 64, 96), np.float32)})
    assert list(answers) == list(session.outputs) and all(np.isfinite(a).all() for a in answers.values())


def test_a_wrong_hash_a_missing_file_and_noise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not match its recorded hash"):
        Session(RETINAFACE, expect="0" * 64)
    with pytest.raises(ModelError, match="is missing"):
        Session(tmp_path / "absent.onnx")
    (tmp_path / "noise.onnx").write_bytes(b"\x00\x01noise")
    with pytest.raises(ModelError, match="not a graph"):
        Session(tmp_path / "noise.onnx")


def test_inference_does_not_import_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tronie.models.catalog import load_model, shipped\n"
        "for name in shipped():\n"
        "    m = load_model(name); m.predict(np.zeros((1, m.size, m.size, 3), np.uint8))\n"
        f"from tronie.models.session import Session; from pathlib import Path; Session(Path({str(RETINAFACE)!r}))\n"
        "print(sorted({'torch', 'onnx', 'scipy', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_onnx_runtime_notes_and_sends_nothing(tmp_path: Path) -> None:
    """From 1.29 on it keeps what was run in the cache folder and sends it to its maker; not under Tronie."""
    script = "import sys, pathlib; from tronie.models.session import Session; Session(pathlib.Path(sys.argv[1]))"
    here = {k: v for k, v in os.environ.items() if not k.startswith("ORT_") and k not in ("CI", "GITHUB_ACTIONS")}
    here |= {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
    }
    subprocess.run([sys.executable, "-c", script, str(RETINAFACE)], env=here, check=True)
    assert list(tmp_path.rglob("*")) == []
