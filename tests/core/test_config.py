"""Settings: files only override, every value is checked, equal settings have equal hashes."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.config import as_dict, build, override, read_toml, settings_hash, to_toml
from tronie.core.errors import SettingError


@dataclass(frozen=True)
class Optim:
    rate: float = 1e-3
    steps: int = 100
    betas: tuple[float, float] = (0.9, 0.999)
    kind: Literal["sgd", "adamw"] = "adamw"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError("steps must be at least 1")


@dataclass(frozen=True)
class View:
    size: int = 112


@dataclass(frozen=True)
class Recipe:
    name: str
    optim: Optim = field(default_factory=Optim)
    views: tuple[View, ...] = (View(),)
    seed: int | None = None
    note: str | None = None
    half: bool = False
    limit: float | None = None
    folder: Path = Path("runs")
    weights: Mapping[str, float] = field(default_factory=dict)
    method: Mapping[str, Any] = field(default_factory=dict)


def test_nested_values_reach_their_types() -> None:
    made = build(
        Recipe,
        {
            "name": "a",
            "optim": {"rate": 1, "betas": [0, 0.5], "kind": "sgd"},
            "views": [{"size": 64}, {}],
            "seed": 3,
            "limit": "none",
            "folder": "a/b",
            "weights": {"fear": 2},
            "method": {"x": [1, "y"]},
        },
    )
    expected = Recipe(
        "a",
        Optim(1.0, 100, (0.0, 0.5), "sgd"),
        (View(64), View()),
        3,
        folder=Path("a/b"),
        weights={"fear": 2.0},
        method={"x": [1, "y"]},
    )
    assert made == expected
    assert isinstance(made.optim.rate, float) and isinstance(made.optim.betas[0], float)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"name": "a", "optim": {"rat": 1}}, r"Unknown setting 'optim\.rat'\. Did you mean 'optim\.rate'\?"),
        ({"name": "a", "betas": [1, 2]}, r"Unknown setting 'betas'\. Did you mean 'optim\.betas'\?"),
        ({"name": "a", "size": 1}, r"Unknown setting 'size'\. Did you mean 'views\.size'\?"),
        ({"name": "a", "qqqq": 1}, r"Unknown setting 'qqqq'\. Known here: name, optim,"),
        ({"name": "a", "optim": {"steps": 1.5}}, r"'optim\.steps' must be a whole number, not 1\.5"),
        ({"name": "a", "optim": {"steps": True}}, r"'optim\.steps' must be a whole number, not True"),
        ({"name": "a", "optim": {"rate": "fast"}}, r"'optim\.rate' must be a number, not 'fast'"),
        ({"name": "a", "optim": {"rate": False}}, r"'optim\.rate' must be a number, not False"),
        ({"name": "a", "optim": {"betas": [0.1]}}, r"'optim\.betas' must be a list of 2 items"),
        ({"name": "a", "optim": {"betas": [0.1, "x"]}}, r"'optim\.betas\[1\]' must be a number"),
        ({"name": "a", "optim": {"kind": "adam"}}, r"must be one of sgd, adamw, not 'adam'\. Did you mean 'adamw'\?"),
        ({"name": "a", "optim": 3}, r"'optim' must be a table of settings, not 3"),
        ({"name": "a", "views": [{"size": "x"}]}, r"'views\[0\]\.size' must be a whole number"),
        ({"name": 3}, r"'name' must be a text, not 3"),
        ({"name": "a", "half": 1}, r"'half' must be true or false, not 1"),
        ({"name": "a", "seed": "x"}, r"'seed' must be a whole number"),
        ({"name": "a", "weights": {"fear": "x"}}, r"'weights\.fear' must be a number"),
        ({}, r"'name' is missing and has no default: give a text"),
        ({"name": "a", "optim": {"steps": 0}}, r"Settings in \[optim\] are impossible: steps must be at least 1"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        build(Recipe, data)


def test_assignments_override_files() -> None:
    base = {"name": "a", "optim": {"rate": 0.1}}
    got = override(base, ["optim.rate=1e-4", "optim.kind=sgd", 'name="b = c"', "views=[{size=32}]", "seed=1", "seed=2"])
    assert build(Recipe, got) == Recipe("b = c", Optim(1e-4, kind="sgd"), (View(32),), 2)
    assert base == {"name": "a", "optim": {"rate": 0.1}}  # the original is untouched


@pytest.mark.parametrize("text", ["optim.rate", "=3", ".rate=3", "name.first=3"])
def test_an_assignment_that_sets_nothing_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        override({"name": "a"}, [text])


def test_toml_files(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('name = "é"\n[optim]\nrate = 2\n', encoding="utf-8")
    assert build(Recipe, read_toml(good)) == Recipe("é", Optim(2.0))
    bad.write_text("name = \n")
    with pytest.raises(SettingError, match=r"bad\.toml is not TOML.*line 1"):
        read_toml(bad)
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="is not TOML"):
        read_toml(bad)
    with pytest.raises(SettingError, match="cannot be read"):
        read_toml(tmp_path / "absent.toml")


INT64 = st.integers(-(2**63) + 1, 2**63 - 1)  # more is refused
recipes = st.builds(
    Recipe,
    name=st.text(),
    optim=st.builds(Optim, st.floats(allow_nan=False), st.integers(1, 2**62), kind=st.sampled_from(["sgd", "adamw"])),
    views=st.lists(st.builds(View, INT64)).map(tuple),
    seed=st.none() | INT64,
    note=st.none() | st.text().filter(lambda text: text != "none"),
    half=st.booleans(),
    weights=st.dictionaries(st.text(), st.floats(allow_nan=False)),
)


@given(recipes)
def test_settings_survive_the_way_through_toml(recipe: Recipe) -> None:
    assert build(Recipe, tomllib.loads(to_toml(as_dict(recipe)))) == recipe


@given(recipes, recipes)
def test_hashes_agree_exactly_when_settings_do(a: Recipe, b: Recipe) -> None:
    if "-0.0" not in repr((a, b)):  # equals 0.0, yet is written otherwise
        assert (settings_hash(a) == settings_hash(b)) == (a == b)
    assert settings_hash(a) == settings_hash(replace(a, weights=dict(reversed(a.weights.items()))))


def test_the_hash_reads_types_not_spelling() -> None:
    assert settings_hash(View(112)) == hashlib.sha256(b'{"size":112}').hexdigest()[:12]
    assert settings_hash(Optim(rate=1)) == settings_hash(Optim(rate=1.0))
    assert settings_hash(Optim(rate=1)) != settings_hash(Optim(rate=2))


def test_an_entry_of_a_list_of_tables_is_named_by_its_number() -> None:
    data = {"train": [{"data": "a"}, {"data": "b"}], "rates": [1, 2]}
    changed = override(data, ["train.1.share=0.5", "train.0.noise=symmetric:0.3"])
    assert changed["train"] == [{"data": "a", "noise": "symmetric:0.3"}, {"data": "b", "share": 0.5}]
    assert data["train"] == [{"data": "a"}, {"data": "b"}], "what was given stays"
    for wrong in ("train.2.share=1", "train.x.share=1", "train.0=1", "rates.0.x=1"):
        with pytest.raises(SettingError, match="reaches into"):
            override(data, [wrong])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = " + "9" * 30, "more than 64 bits"),
        ("seed = " + "9" * 5000, "not TOML"),
        ("seed = 0x" + "f" * 99, "64 bits"),
        ("name = " + "[" * 5000, "nested too deep|nested more than 32|not TOML"),
        ("a." * 4000 + "b = 1", "nested more than"),
        ("name = " + "[" * 40 + "]" * 40, "nested more than 32"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not TOML"),
        ("k" * 5000 + " = 1", "Unknown setting 'kkk.*…'"),
        ("name = " + "[" + "'x'," * 5000 + "]", "must be a text, not .*…"),
        ("# " + "x" * (1 << 20), "such a file may have 1,048,576"),
    ],
)
def test_settings_of_others_are_refused_in_a_sentence_that_can_be_read(tmp_path, text, says) -> None:
    (tmp_path / "bad.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingError, match=says) as caught:
        build(Recipe, read_toml(tmp_path / "bad.toml"))
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("number", [10**400, -(10**400), 2**63, 1 << 20_000], ids=["400", "-400", "63", "6000"])
@pytest.mark.parametrize("key", ["seed", "rate"])
def test_a_number_that_no_array_holds_is_no_setting(number, key) -> None:
    data = {"seed": number} if key == "seed" else {"optim": {"rate": number}}
    with pytest.raises(SettingError, match="must be"):
        build(Recipe, data)


def test_an_assignment_of_any_length_is_no_bug() -> None:
    for value in ("[" * 5000, "9" * 5000, "9" * 30):
        assert override({}, [f"name={value}"]) == {"name": value}
