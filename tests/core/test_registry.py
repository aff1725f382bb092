"""Names resolve to things; a wrong name is answered with the nearest right one."""

from __future__ import annotations

import collections
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tronie.core import registry
from tronie.core.errors import MissingExtraError, SettingError
from tronie.core.registry import names, resolve

TABLE = {"ordered": "collections:OrderedDict", "method": "collections:OrderedDict.fromkeys"}


def test_a_built_in_name_is_imported_on_first_use() -> None:
    assert resolve(TABLE, "ordered", "thing") is collections.OrderedDict
    assert resolve(TABLE, "method", "thing")("ab") == collections.OrderedDict.fromkeys("ab")


def test_a_reference_and_an_object_are_accepted() -> None:
    assert resolve({}, "collections:Counter", "thing") is collections.Counter
    assert resolve({}, collections.Counter, "thing") is collections.Counter


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"Unknown thing 'orderd'\. Did you mean 'ordered'\?"):
        resolve(TABLE, "orderd", "thing")
    with pytest.raises(SettingError, match=r"Unknown thing 'xyz'\. Known: method, ordered\."):
        resolve(TABLE, "xyz", "thing")


def test_entry_points_are_found_and_built_ins_win(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def installed(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("extra", "collections:deque", group), EntryPoint("ordered", "collections:deque", group)]

    monkeypatch.setattr(registry, "entry_points", installed)
    assert resolve(TABLE, "extra", "data set") is collections.deque
    assert asked == ["tronie.data_set"]
    assert resolve(TABLE, "ordered", "data set") is collections.OrderedDict
    assert names(TABLE, "data set") == ("ordered", "method", "extra")


def test_untrusted_names_must_be_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap_module.py").write_text("raise RuntimeError('was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve(TABLE, "ordered", "thing", trusted=False) is collections.OrderedDict
    for name in ("trap_module:thing", "collections:Counter", collections.Counter):
        with pytest.raises(SettingError, match="not a built-in thing"):
            resolve(TABLE, name, "thing", trusted=False)
    assert "trap_module" not in sys.modules


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_package_at_all:thing", "Cannot import thing 'no_such_package_at_all:thing'"),
        ("collections:OrderedDit", r"has no 'OrderedDit'.*Did you mean 'OrderedDict'"),
        (":thing", "write it as package.module:thing"),
        ("collections:", "write it as package.module:thing"),
    ],
)
def test_a_broken_reference_gives_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        resolve({}, name, "thing")


def test_a_module_with_a_syntax_error_gives_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingError, match="Cannot import thing"):
        resolve({}, "broken_module:f", "thing")


def test_a_missing_optional_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_torch.py").write_text("import torch.nn\nthing = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [m for m in sys.modules if m.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without("torch"), *sys.meta_path])
    with pytest.raises(MissingExtraError, match=r"The method 'deep' needs the extra 'train'.*tronie\[train\]"):
        resolve({"deep": "needs_torch:thing"}, "deep", "method")


class _Without:
    """An import hook under which one package is not installed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named '{self.name}'", name=self.name)
