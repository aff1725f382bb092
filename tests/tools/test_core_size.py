"""The size of a core installation: what counts, what does not, and when it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "core_size.py"


def install(site: Path, name: str, requires: tuple[str, ...] = (), size: int = 0, file: str = "__init__.py") -> None:
    """A distribution as pip leaves it: a module, and metadata that lists its files."""
    module, info = site / name.replace("-", "_"), site / f"{name.replace('-', '_')}-1.0.dist-info"
    module.mkdir(parents=True)
    info.mkdir()
    (module / file).write_bytes(b"#" * size)
    needs = "".join(f"Requires-Dist: {r}\n" for r in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    (info / "RECORD").write_text(f"{module.name}/{file},,\n{info.name}/METADATA,,\n")


def run(site: Path) -> tuple[int, str]:
    """The tool in an interpreter whose only packages are those in ``site``."""
    code = f"import runpy, sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(site)!r}]; "
    code += f"runpy.run_path({str(TOOL)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_counts_what_the_core_needs_and_nothing_else(tmp_path: Path) -> None:
    install(tmp_path, "tronie", ("numpy>=2", "some-lib[x] (>=1)", "torch ; extra == 'train'"), 1_000_000)
    install(tmp_path, "numpy", (), 40_000_000)
    install(tmp_path, "some-lib", ("deep", "absent; sys_platform == 'nowhere'"), 2_000_000)
    install(tmp_path, "deep", ("numpy",), 3_000_000)
    install(tmp_path, "torch", (), 90_000_000)
    code, text = run(tmp_path)
    assert code == 0
    assert text.startswith("core size: 46 MB in 4 packages (budget 480 MB): numpy 40, deep 3, some-lib 2, tronie 1\n")


@pytest.mark.parametrize("name", ["torch", "scipy"])
def test_a_barred_package_in_the_core_fails(tmp_path: Path, name: str) -> None:
    install(tmp_path, "tronie", ("middle",), 10)
    install(tmp_path, "middle", (name,))
    install(tmp_path, name)
    code, text = run(tmp_path)
    assert code == 1
    assert f"must not need {name}" in text


def test_above_the_budget_fails(tmp_path: Path) -> None:
    install(tmp_path, "tronie", ("huge",), 10)
    install(tmp_path, "huge")
    with (tmp_path / "huge" / "__init__.py").open("wb") as file:
        file.truncate(500_000_000)  # a hole: it takes no room on the disk
    code, text = run(tmp_path)
    assert code == 1
    assert "The core is 20 MB above its budget." in text


def test_what_is_not_installed_is_said(tmp_path: Path) -> None:
    assert run(tmp_path) == (2, "Tronie is not installed for this Python: run python -m pip install . first.\n")
    install(tmp_path, "tronie", file="link.pth")
    code, text = run(tmp_path)
    assert code == 2
    assert "as a link to its source" in text
