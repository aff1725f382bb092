"""The tables of the speed benchmark are made from figures alone: what they say of them is held here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "speed"


def load(path: Path) -> ModuleType:
    """A script of the benchmark as a module; it finds its neighbours as when it is run."""
    spec = importlib.util.spec_from_file_location(f"speed_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readme() -> ModuleType:
    return load(FOLDER / "readme.py")


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return load(FOLDER / "peers" / "table.py")


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return load(FOLDER / "peers" / "compare.py")


def measured(name: str, cpu: float, **more: Any) -> dict[str, Any]:
    """A contestant's figures."""
    clips = {
        key: {"cpu": cpu * k, "wall": cpu, "peak": 100.0, "faces": 1.0}
        for key, k in (("360p", 1), ("1080p", 2), ("crowd", 10))
    }
    return {"name": name, **clips, "found": 20, **more}


READS = {"changes": 6, "filtered": 6, "steady": {"all": 10.0, "held": 0.9, "lost": 1.0, "extra": 0.0}}


def test_ratios_are_to_the_first_row_and_errors_are_said(page: ModuleType) -> None:
    rows = [
        measured("tronie", 5.0, **READS),
        measured("slow", 25.0, note="wasm"),
        {"name": "gone", "error": "no | disk"},
    ]
    text = page.peers_table(rows)
    assert "| slow (wasm) | 25.0 (×5.0) | 50.0 (×5.0) | 250.0 (×5.0) | 20 |" in text
    assert "| **tronie** | 5.0 |" in text and "did not run: no / disk" in text
    assert "| **tronie** | 6 | 6 | 90.0 % of 10 | 1 | 0 |" in text


def test_the_readme_block_is_replaced_and_nothing_else(readme: ModuleType) -> None:
    told = [
        {"what": "photo", "shown": "0.6 s", "value": 0.6, "readme": True},
        {"what": "tests", "shown": "", "value": None, "readme": True},
    ]
    made = readme.block(
        [measured("tronie", 5.0, **READS), measured("other", 10.0), {"name": "gone", "error": "x"}], told
    )
    assert "| other | 10 (×2.0) |" in made and "gone" not in made and "Also: photo 0.6 s." in made
    before = f"# A\n{readme.BEGIN}\nold\n{readme.END}\nrest \\1\n"
    after = readme.updated(before, made)
    assert after == f"# A\n{readme.BEGIN}\n{made}{readme.END}\nrest \\1\n" and readme.updated(after, made) == after
    with pytest.raises(ValueError, match="markers"):
        readme.updated("# A", made)


def test_changes_and_the_majority_by_hand(compare: ModuleType) -> None:
    labels = list("nnnhnnhhhnhh")
    assert compare.changes(labels) == 5 and compare.changes([]) == 0
    assert compare.majority(labels, 3) == list("nnnnnnhhhhhh") and compare.changes(compare.majority(labels, 3)) == 1
    film = [[[0, 0, 9, 9, "happy"], [0, 0, 30, 30, "sad"]], [], [[0, 0, 1, 1, "neutral"]]]
    assert compare.labels_of_largest(film) == ["sadness", "neutral"]


def test_a_varied_photo_is_compared_where_its_faces_came_from(compare: ModuleType) -> None:
    shift = {"a|moved": lambda box: box - np.array([50, 0, 0, 0]), "b|same": lambda box: box}
    answer = {
        "a": {"faces": [[[0, 0, 10, 10, "happy"], [100, 0, 10, 10, "sad"]]]},
        "b": {"faces": [[]]},
        "a|moved": {"faces": [[[50, 0, 10, 10, "happy"], [150, 0, 10, 10, "happy"]]]},
        "b|same": {"faces": [[[5, 5, 10, 10, "sad"]]]},
    }
    found = compare.steadied(answer, shift)
    assert (found.all, found.same, found.lost, found.extra) == (2, 1, 0, 1)


def test_budgets_are_kept_missed_or_not_measured() -> None:
    Budget = load(FOLDER / "budgets.py").Budget
    verdicts = [Budget("x", "≤ 4", value, "", most=4).verdict for value in (4.0, 4.1, None)]
    assert verdicts == ["kept", "**missed**", "not measured in this run"]
    assert Budget("x", "≥ 0.9", 0.89, "", least=0.9).verdict == "**missed**"


def test_every_peer_has_an_environment_and_a_script(compare: ModuleType) -> None:
    for one in compare.contestants(Path("peers")):
        assert not one.peer or one.peer in compare.PEERS
        script = next(part for part in one.command if "run_" in part)
        assert Path(script).is_file() and {"{job}", "{out}"} <= set(one.command)


def test_the_share_of_varying_faces_is_of_the_whole_step() -> None:
    pytest.importorskip("torch")
    line = load(FOLDER / "training.py").table([("small", 112, 0.1, 0.5, 1.5)]).splitlines()[-1]
    assert line == "| small | 112 | 0.10 | 0.50 | 1.5 | 20.0% |"
