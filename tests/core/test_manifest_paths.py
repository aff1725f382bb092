"""Lists of pictures come from anybody: no row leads out of its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets import csvfile

LABELS = LabelSet(("anger", "happiness"))
OUT = (
    "../secret.png",
    "a/../../secret.png",
    "/etc/passwd",
    "..\\secret.png",
    "C:\\secret.png",
    "//host/share/x.png",
    "a/..",
    "../pack.npz::3",
    "/etc/passwd::0-7",
    "\\\\host\\x.png",
)
IN = ("a.png", "a/b.png", "a..b/c.png", "..a.png", "a/b..", "ab:c.png", "12:3")


def one(path: str, root: Path | None) -> Manifest:
    return Manifest(np.array(["row"]), np.array([path]), np.array([0]), LABELS, root=root)


@pytest.mark.parametrize("path", OUT)
def test_a_path_that_leads_out_is_refused(tmp_path, path) -> None:
    with pytest.raises(SettingError, match=r"Row 'row' names .* which leads out of"):
        one(path, tmp_path)


@pytest.mark.parametrize("path", IN)
def test_a_path_that_stays_is_not(tmp_path, path) -> None:
    assert one(path, tmp_path).locate(0)[0].is_relative_to(tmp_path) or "::" in path


def test_an_absolute_path_below_the_root_stays(tmp_path) -> None:
    assert one(str(tmp_path / "a.png"), tmp_path).locate(0) == (tmp_path / "a.png", None)


@pytest.mark.parametrize("path", OUT[:3])
@pytest.mark.parametrize("root", [', "root": "."', ""])
def test_a_saved_manifest_that_leads_out_is_refused(tmp_path, path, root) -> None:
    (tmp_path / "m.csv").write_text(
        f'# {{"tronie_manifest": 1, "labels": ["anger", "happiness"]{root}}}\n'
        f"id,path,label,split,fold,subject,group\nrow,{path},anger,,-1,,0\n"
    )
    with pytest.raises(SourceError, match="leads out of"):
        Manifest.load(tmp_path / "m.csv")


def test_a_user_s_own_table_too(tmp_path) -> None:
    (tmp_path / "secret.png").touch()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "list.csv").write_text("path,label\n../secret.png,anger\n")
    with pytest.raises(SourceError, match="leads out of"):
        csvfile.read(tmp_path / "set" / "list.csv")
