"""Two runs' weights are mixed tensor by tensor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

TOOL = Path(__file__).parents[2] / "tools" / "mix_runs.py"


def test_the_mean_of_two_runs_is_a_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    a, b = torch.randn(3, 2), torch.randn(3, 2)
    for name, weights, count in (("a", a, 3), ("b", b, 7)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.toml").write_text(name)
        state = {"average": {"w": weights, "n": torch.tensor(count)}, "model": {}, "epoch": count}
        torch.save(state, tmp_path / name / "last.pt")
    args = [
        sys.executable,
        str(TOOL),
        str(tmp_path / "a"),
        str(tmp_path / "b"),
        "--share",
        "0.3",
        "--out",
        str(tmp_path / "c"),
    ]
    assert subprocess.run(args, check=False).returncode == 0
    found = torch.load(tmp_path / "c" / "last.pt", weights_only=True)
    assert torch.allclose(found["average"]["w"], 0.7 * a + 0.3 * b, atol=1e-6)
    assert int(found["average"]["n"]) == 7 and found["epoch"] == 7
    assert (tmp_path / "c" / "recipe.toml").read_text() == "b"
