"""Two records are equal but for what names the software and for rounding in what was learnt; all else is told."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_tool", REPO / "tools" / "golden.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(folder: Path, **change: str) -> Path:
    """A small record; ``change`` replaces whole files by stem."""
    content = {
        "film.csv": "time,label,model\n0,neutral,abc\n1,happiness,abc\n",
        "film.eaf": '<A DATE="today"/>\n<B MEDIA_URL="file:///a/film.mp4" RELATIVE_MEDIA_URL="./film.mp4"/>\n',
        "audit.csv": "id,p_wrong\na,0.50000\nb,0.1\n",
    }
    folder.mkdir()
    for name, text in (content | {k.replace("_", "."): v for k, v in change.items()}).items():
        (folder / name).write_text(text)
    return folder


def test_what_names_the_software_and_rounding_make_no_difference(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(tmp_path / "a")
    after = written(
        tmp_path / "b",
        film_csv="model,time,label\nxyz,0,neutral\nxyz,1,happiness\n",
        film_eaf='<A DATE="tomorrow"/>\n<B MEDIA_URL="file:///b/film.mp4" RELATIVE_MEDIA_URL="./film.mp4"/>\n',
        audit_csv="id,p_wrong\na,0.50001\nb,0.1\n",
    )
    assert tool.compare(before, after) == 0
    assert "3 files are equal" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"film_csv": "time,label\n0,neutral\n1,sadness\n"}, "film.csv: column label differs in 1 of 2 rows"),
        ({"film_csv": "time\n0\n1\n"}, "film.csv: lacks the column label"),
        ({"film_eaf": '<A DATE="x"/>\n<C/>\n'}, "film.eaf: differs from line 1 on"),
        (
            {"film_eaf": '<A DATE="x"/>\n<B MEDIA_URL="file:///a/film.mp4" RELATIVE_MEDIA_URL="../film.mp4"/>\n'},
            "film.eaf: differs from line 1 on",
        ),
        ({"audit_csv": "id,p_wrong\na,0.51\nb,0.1\n"}, "audit.csv: column p_wrong differs in 1 of 2 rows"),
        ({"audit_csv": "id,p_wrong\na,0.5\n"}, "audit.csv: column p_wrong differs in"),
    ],
)
def test_differences_are_told(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], told: str
) -> None:
    assert tool.compare(written(tmp_path / "a"), written(tmp_path / "b", **change)) == 1
    assert told in capsys.readouterr().out


def test_a_lost_file_is_told(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = written(tmp_path / "a"), written(tmp_path / "b")
    (after / "film.eaf").unlink()
    assert tool.compare(before, after) == 1 and "film.eaf: missing" in capsys.readouterr().out
