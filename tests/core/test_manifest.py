"""The table of labelled media: validated, joined by name, the same after a way through CSV."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest, concat

AB = LabelSet(("anger", "happy"))
COLUMNS = ("id", "path", "label", "split", "fold", "subject", "group", "votes", "valence", "arousal", "action_units")


def small(prefix: str = "a", labels: LabelSet = AB, **more: Any) -> Manifest:
    ids = np.array([f"{prefix}{i}" for i in range(3)])
    return Manifest(id=ids, path=np.char.add(ids, ".png"), label=np.array([0, 1, -1]), labels=labels, **more)


def same(a: Manifest, b: Manifest) -> bool:
    if a.labels.names != b.labels.names or a.units != b.units or len(a) != len(b):
        return False
    for name in COLUMNS:
        x, y = getattr(a, name), getattr(b, name)
        if (x is None) != (y is None):
            return False
        if x is not None and (x.dtype.kind != y.dtype.kind or not np.array_equal(x, y, equal_nan=x.dtype.kind == "f")):
            return False
    return True


def test_left_out_columns_say_that_nothing_is_known() -> None:
    m = small()
    assert (m.split.tolist(), m.fold.tolist(), m.subject.tolist()) == ([""] * 3, [-1] * 3, [""] * 3)
    assert m.group.tolist() == [0, 1, 2]  # each row is its own group
    assert m.votes is None and len(m) == 3


def test_nobody_can_change_a_manifest() -> None:
    labels = np.array([0, 1, -1])
    m = Manifest(np.array(["a", "b", "c"]), np.array(["x", "y", "z"]), labels, AB)
    labels[0] = 1
    assert m.label[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        m.label[0] = 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": np.array([0, 2, 0])}, r"Row 'a1' has label 2, but there are 2 labels: use 0 to 1"),
        ({"label": np.array([0, -2, 0])}, r"Row 'a1' has label -2"),
        ({"label": np.array([0, 1])}, r"Column 'label' has 2 values for 3 rows"),
        ({"id": np.array(["a", "b", "a"])}, r"Row id 'a' is empty or occurs more than once"),
        ({"id": np.array(["a", "b", ""])}, r"Row id '' is empty"),
        ({"votes": np.zeros((3, 3))}, r"Column 'votes' has 3 values a row, expected 2"),
        ({"votes": np.zeros(3)}, r"Column 'votes' has shape \(3,\)"),
        ({"votes": np.array([[0, 1], [0, -1], [0, 0]])}, r"Row 'a1' has votes outside 0 to inf"),
        ({"valence": np.array([0, 1.5, 0])}, r"Row 'a1' has valence outside -1 to 1"),
        ({"arousal": np.array([0, np.inf, 0])}, r"Row 'a1' has arousal outside"),
        ({"action_units": np.zeros((3, 2)), "units": (1,)}, r"'action_units' has 2 values a row, expected 1"),
        ({"units": (1,)}, r"named but no column"),
    ],
)
def test_impossible_columns_are_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        replace(small(), **change)


def test_select_by_mask_and_by_rows() -> None:
    m = small(votes=np.array([[1, 2], [3, 4], [np.nan, np.nan]]))
    assert m.select(m.label >= 0).id.tolist() == ["a0", "a1"]
    assert m.select([2, 0]).id.tolist() == ["a2", "a0"]
    assert m.select([]).id.tolist() == [] and len(m.select(np.zeros(3, bool))) == 0
    assert m.select([1]).votes.tolist() == [[3, 4]]  # type: ignore[union-attr]
    with pytest.raises(SettingError, match="one value per row"):
        m.select(np.array([True, False]))


def test_relabel_joins_by_name_and_loses_nothing() -> None:
    m = small(votes=np.array([[3, 1], [0, 4], [np.nan, np.nan]]))
    moved = m.relabel(BASIC7)
    assert [BASIC7.names[i] if i >= 0 else "" for i in moved.label] == ["anger", "happiness", ""]
    assert moved.votes is not None
    assert moved.votes[0, BASIC7.index("anger")] == 3 and moved.votes[1, BASIC7.index("happiness")] == 4
    assert np.isnan(moved.votes[2]).all() and np.nansum(moved.votes) == 8
    with pytest.raises(SettingError, match="Label happy does not exist among anger"):
        m.relabel(LabelSet(("anger",)))
    with pytest.raises(SettingError, match="Label happy does not exist"):  # nobody has the label, but it has votes
        m.select([0]).relabel(LabelSet(("anger",)))
    unused = small().select([0, 2]).relabel(LabelSet(("neutral", "anger")))
    assert unused.label.tolist() == [1, -1]


def test_concat_joins_labels_groups_columns_and_roots(tmp_path: Path) -> None:
    a = small("a", votes=np.ones((3, 2)), root=tmp_path / "one", group=np.array([5, 5, 0]))
    b = small(
        "b",
        LabelSet(("happiness", "anger")),
        root=tmp_path / "two" / "deep",
        valence=np.zeros(3),
        action_units=np.ones((3, 2)),
        units=(12, 4),
    )
    both = concat([a, b])
    assert both.labels == AB and both.label.tolist() == [0, 1, -1, 1, 0, -1]
    assert both.group.tolist() == [5, 5, 0, 6, 7, 8]
    assert both.root == tmp_path and both.path.tolist()[::3] == ["one/a0.png", "two/deep/b0.png"]
    assert both.locate(3) == (tmp_path / "two" / "deep" / "b0.png", None)
    assert both.votes is not None and np.isnan(both.votes[3:]).all() and (both.votes[:3] == 1).all()
    assert both.valence is not None and np.isnan(both.valence[:3]).all() and (both.valence[3:] == 0).all()
    assert both.units == (4, 12) and both.action_units is not None and np.isnan(both.action_units[:3]).all()


def test_concat_refuses_what_cannot_be_joined() -> None:
    with pytest.raises(SettingError, match="more than once"):
        concat([small(), small()])
    with pytest.raises(SettingError, match="Label contempt does not exist"):
        concat([small(), small("b", LabelSet(("contempt", "anger")))])
    with pytest.raises(SettingError, match="at least one"):
        concat([])
    assert len(concat([small().select([]), small().select([])])) == 0


def test_rows_of_a_pack_are_located(tmp_path: Path) -> None:
    m = replace(small(root=tmp_path), path=np.array(["pack.npz::17", "a/b.png", "pack.npz::x"]))
    assert m.locate(0) == (tmp_path / "pack.npz", 17)
    assert m.locate(1) == (tmp_path / "a" / "b.png", None)
    with pytest.raises(SourceError, match="after '::' comes a picture's number"):
        m.locate(2)


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
shares = st.floats(-1, 1, width=32) | st.just(float("nan"))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    n = draw(st.integers(0, 5))

    def column(of: st.SearchStrategy[Any]) -> Any:
        return draw(st.lists(of, min_size=n, max_size=n))

    def table(width: int) -> Any:
        cells = column(st.lists(st.floats(0, 1e6, width=32), min_size=width, max_size=width))
        return np.array(cells, np.float32).reshape(n, width)

    some = draw(st.booleans())
    return Manifest(
        id=np.array([f"{w}/{i}" for i, w in enumerate(column(words))], np.str_),
        path=np.array(inside(column(words)), np.str_),
        label=np.array(column(st.integers(-1, 6)), np.int64),
        labels=BASIC7,
        split=np.array(column(words), np.str_),
        fold=np.array(column(st.integers(-1, 9)), np.int64),
        subject=np.array(column(words), np.str_),
        group=np.array(column(st.integers(0, 10**12)), np.int64),
        votes=table(7) if some else None,
        valence=np.array(column(shares), np.float32) if some else None,
        action_units=table(2) if some else None,
        units=(1, 12) if some else (),
    )


def inside(words: list[str]) -> list[str]:
    """As paths that stay below their folder; others are refused, which has tests of its own."""
    return ["pic" + word.replace("..", "_") for word in words]


@settings(deadline=None)
@given(manifests())
def test_a_manifest_survives_the_way_through_csv(tmp_path_factory: pytest.TempPathFactory, m: Manifest) -> None:
    path = tmp_path_factory.mktemp("m") / "m.csv"
    m.save(path)
    again = Manifest.load(path)
    assert same(again, m) and again.root is None
    assert again.hash() == m.hash()


def test_the_hash_sees_every_column_but_not_the_place() -> None:
    m = small(votes=np.ones((3, 2)), valence=np.zeros(3), action_units=np.ones((3, 1)), units=(4,))
    hashes = {m.hash()}
    for change in (
        {"id": np.array(["x", "y", "z"])},
        {"path": np.array(["x", "y", "z"])},
        {"label": np.array([1, 1, -1])},
        {"labels": LabelSet(("anger", "fear"))},
        {"split": np.array(["train"] * 3)},
        {"fold": np.zeros(3)},
        {"subject": np.array(["s"] * 3)},
        {"group": np.zeros(3)},
        {"votes": None},
        {"votes": np.zeros((3, 2))},
        {"valence": None},
        {"arousal": np.zeros(3)},
        {"units": (5,)},
        {"action_units": np.zeros((3, 1))},
    ):
        hashes.add(replace(m, **change).hash())
    assert len(hashes) == 15
    assert m.select([0, 2, 1]).hash() != m.hash()
    assert replace(m, root=Path("elsewhere")).hash() == m.hash()
    assert replace(m, valence=np.full(3, -0.0)).hash() == m.hash()


def test_the_root_travels_with_the_file(tmp_path: Path) -> None:
    m = small(root=tmp_path / "data")
    m.save(tmp_path / "lists" / "m.csv")
    assert str(tmp_path) not in (tmp_path / "lists" / "m.csv").read_text(encoding="utf-8")
    assert Manifest.load(tmp_path / "lists" / "m.csv").root == tmp_path / "data"
    assert Manifest.load(tmp_path / "lists" / "m.csv", root=Path("x")).root == Path("x")


HEAD = '# {"tronie_manifest": 1, "labels": ["anger", "happy"]}\n'
TITLES = "id,path,label,split,fold,subject,group\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not a manifest"),
        ("id,label\na,0\n", "is not a manifest"),
        ('# {"labels": 3}\n', "is not a manifest"),
        ("# {broken\n", "is not a manifest"),
        (HEAD.replace("1", "9", 1), "has format 9, not 1"),
        (HEAD + "id,path\na,b\n", "lacks the column label, split"),
        (HEAD + TITLES + "a,a.png,anger,,0\n", "line 3: 5 cells for 7 columns"),
        (HEAD + TITLES + "a,a.png,anger,,0,,0\nb,b.png,angr,,0,,1\n", "line 4: 'angr' cannot stand in column 'label'"),
        (HEAD + TITLES + "a,a.png,anger,,one,,0\n", "'one' cannot stand in column 'fold'"),
        (HEAD + TITLES + "a,a.png,anger,,0,,0\na,b.png,happy,,0,,1\n", "Row id 'a'.*more than once"),
        (HEAD + "votes_anger," + TITLES + "1,a,a.png,anger,,0,,0\n", "votes for 1 of 2 labels"),
        (HEAD + "valence," + TITLES + "7,a,a.png,anger,,0,,0\n", "valence outside -1 to 1"),
    ],
)
def test_a_damaged_file_gives_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=sentence):
        Manifest.load(tmp_path / "m.csv")


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file"):
        Manifest.load(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"# {\xff\xfe")
    with pytest.raises(SourceError, match="is not a manifest"):
        Manifest.load(tmp_path / "binary.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        small().save(tmp_path / "file" / "m.csv")
