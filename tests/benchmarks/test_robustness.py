"""The campaigns in their short form; and what a model folder may not do."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import ModelError
from tronie.models.folder import load_folder

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "robustness"


def script(name: str):
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """``campaign`` with the package of this tree in its workers."""
    import os

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    yield script("hostile")
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def files():
    """What the campaign damages and reads."""
    return script("hostile_files")


@pytest.mark.parametrize(
    ("kind", "count", "needs"),
    [
        ("pictures", 300, "PIL"),
        ("films", 40, "av"),
        ("models", 80, "onnx"),
        ("clips", 60, "onnx"),
        ("tables", 150, "numpy"),
        ("settings", 60, "torch"),
    ],
)
def test_damaged_files_end_in_a_sentence(hostile, kind, count, needs) -> None:
    pytest.importorskip(needs)
    done = hostile.campaign(kind, 1, count, 20.0)
    assert done["bad"] == []
    assert done["words"]["refused"] + done["words"]["read"] == count
    assert done["words"]["refused"] > count / 10 and done["answers"] > 5


@pytest.mark.parametrize(
    ("kind", "count", "needs"),
    [
        ("graphs", 60, "onnx"),
        ("arrays", 80, "numpy"),
        ("coders", 60, "numpy"),
        ("sheets", 60, "numpy"),
        ("documents", 60, "onnx"),
        pytest.param("containers", 40, "av", marks=pytest.mark.slow),
        pytest.param("names", 12, "av", marks=pytest.mark.slow),
        pytest.param("archives", 12, "av", marks=pytest.mark.slow),
    ],
)
def test_damaged_structure_ends_in_a_sentence_and_reaches_for_nothing(hostile, kind, count, needs) -> None:
    pytest.importorskip(needs)
    done = hostile.campaign(kind, 1, count, 20.0)
    assert done["bad"] == []
    assert done["words"]["refused"] + done["words"]["read"] == count and done["answers"] > 2


def test_the_campaign_notices_what_it_is_for(hostile, files, tmp_path) -> None:
    """A reader that dies, hangs, raises or answers falsely is counted as such."""
    reader = files.Reader("tables", tmp_path)
    for answer, verdict in (
        (ZeroDivisionError("x"), "traceback"),
        (ModelError("It is damaged."), "refused"),
        ("read", "read"),
        ("FALSE ANSWER", "false answer"),
    ):

        def read(data: bytes, number: int, answer=answer) -> str:
            if isinstance(answer, Exception):
                raise answer
            return answer

        reader.read = read
        assert hostile.attempt(reader, b"", 0)[0] == verdict
    sleeper = "import time; print('{}', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE)
    assert list(hostile.lines(process, 1.0))[-1] is None
    process.kill()
    process.communicate()


def test_the_same_seed_gives_the_same_damage(hostile) -> None:
    mutated = script("mutate").mutated
    seeds = [bytes(range(256)), b"label = 3\n[part]\nname = 'x'\n"]
    for text in (False, True):
        made = [[mutated(seeds, np.random.default_rng([s, i]), text=text) for i in range(200)] for s in (1, 1, 2)]
        assert made[0] == made[1] != made[2]
        assert sum(data in seeds for data in made[0]) < 20


# A model folder runs no code


@pytest.fixture
def folder(files, tmp_path) -> Path:
    pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    return written(tmp_path / "model", files.graph(), files.INFO)


def written(folder: Path, graph: bytes, info: dict) -> Path:
    import hashlib

    folder.mkdir()
    (folder / "encoder.onnx").write_bytes(graph)
    (folder / "model.json").write_text(json.dumps({**info, "graph_sha256": hashlib.sha256(graph).hexdigest()}))
    return folder


WATCH = """
import sys
from pathlib import Path
import numpy as np
from tronie.models.folder import load_folder
import onnxruntime
folder = Path(sys.argv[1])
seen = []
def of_our_own():
    frame = sys._getframe(2)  # the types of our own dataclasses are written as text, and read as such
    while frame is not None and frame.f_code.co_name != "get_type_hints":
        frame = frame.f_back
    return frame is not None
def hook(event, arguments):
    if event in ("exec", "compile", "code.__new__") and of_our_own():
        return
    if event in ("exec", "compile", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "pickle.find_class",
                 "ctypes.dlopen", "socket.connect", "code.__new__"):
        seen.append((event, repr(arguments)[:200]))
    if event == "open" and not str(arguments[0]).startswith(("/dev", sys.prefix, sys.base_prefix)):
        if Path(str(arguments[0])).name not in ("model.json", "encoder.onnx"):
            seen.append((event, str(arguments[0])))
load_folder(folder).predict(np.zeros((1, 2, 2, 3), np.uint8))  # what is imported late is imported now
sys.addaudithook(hook)
load_folder(folder).predict(np.zeros((1, 2, 2, 3), np.uint8))
print(seen)
"""


def test_a_model_folder_runs_no_code_and_opens_nothing_but_its_own_files(folder) -> None:
    import os
    import pickle

    (folder / "__init__.py").write_text("raise SystemExit('code was run')\n")
    (folder / "model.py").write_text("raise SystemExit('code was run')\n")
    (folder / "weights.pkl").write_bytes(pickle.dumps(print))
    (folder / "custom_ops.so").write_bytes(b"\x7fELF")
    here = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", WATCH, str(folder)], capture_output=True, text=True, env=here, cwd=folder, check=False
    )
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr


@pytest.mark.parametrize("graph", ["../encoder.onnx", "/etc/passwd", "a/b.onnx", "..", "", "..\\x.onnx", "C:x.onnx"])
def test_a_graph_outside_the_folder_is_not_opened(folder, graph) -> None:
    shutil.copy(folder / "encoder.onnx", folder.parent / "encoder.onnx")
    info = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**info, "graph": graph}))
    with pytest.raises(ModelError):
        load_folder(folder)


@pytest.mark.parametrize("place", ["../secret.bin", "secret.bin", "/etc/hostname"])
def test_weights_outside_the_graph_are_not_opened(files, tmp_path, place) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    model = onnx.load_from_string(files.graph())
    weights = model.graph.initializer[0]
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 36))
    weights.ClearField("float_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", "144")):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    folder = written(tmp_path / "model", model.SerializeToString(), files.INFO)
    shutil.copy(tmp_path / "secret.bin", folder / "secret.bin")
    with pytest.raises(ModelError, match="keeps weights in another file"):
        load_folder(folder)


def test_an_operator_that_is_not_built_in_is_refused(files, tmp_path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    model = onnx.load_from_string(files.graph())
    model.graph.node[0].domain = "evil.custom"
    folder = written(tmp_path / "model", model.SerializeToString(), files.INFO)
    with pytest.raises(ModelError, match="not a graph that ONNX Runtime can run"):
        load_folder(folder)
