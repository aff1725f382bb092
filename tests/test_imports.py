"""What an import costs and what it may bring along, measured in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

REPO = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "onnx", "onnxruntime", "cv2", "av", "PIL", "numpy", "scipy", "pandas", "matplotlib", "sklearn"}
REPORT = "\nimport json, sys, time\nprint('\\n' + json.dumps([time.process_time() - begin, sorted(sys.modules)]))"


def fresh(code: str, *arguments: str) -> tuple[float, set[str]]:
    """Run ``code`` in a new interpreter; CPU seconds it took (load of the machine left out), packages it imported."""
    script = f"import sys, time\nsys.path.insert(0, {str(REPO / 'src')!r})\nbegin = time.process_time()\n{code}{REPORT}"
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds, names = json.loads(done.stdout.splitlines()[-1])
    return seconds, {name.partition(".")[0] for name in names}


def test_import_tronie_is_light() -> None:
    seconds, packages = fresh("import tronie\ntronie.__version__")
    assert packages & HEAVY == set()
    assert seconds < 0.1, f"import tronie took {seconds:.3f} CPU-s, meant to stay in milliseconds"


def test_help_is_light() -> None:
    code = "from tronie.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    seconds, packages = fresh(code, "--help")
    assert packages & (HEAVY - {"numpy"}) == set()
    assert seconds < 1.0, f"tronie --help took {seconds:.2f} CPU-s, the budget is 0.3 on a quiet machine"


def test_every_torch_free_module_imports_without_torch(floors: ModuleType) -> None:
    modules = [m.name for m in floors.read(REPO / "src").values() if m.torch_free and not m.name.endswith("__main__")]
    assert len(modules) > 10
    code = f"from importlib import import_module\nfor name in {sorted(modules)!r}:\n    import_module(name)"
    _, packages = fresh(code)
    assert packages & {"torch", "onnx", "scipy", "pandas", "matplotlib", "sklearn", "pyarrow"} == set()
