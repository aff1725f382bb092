"""Distillation: the mixed target by hand, whom a student may ask, and a whole run that a teacher has a say in."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.errors import ModelError, SettingError  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.models.folder import both_ways, load_folder  # noqa: E402
from tronie.train.recipe import Recipe, Teacher, read_recipe  # noqa: E402
from tronie.train.run import execute, open_run  # noqa: E402
from tronie.train.sources import Part, training_parts  # noqa: E402
from tronie.train.teacher import known, mixed, taught  # noqa: E402

RECIPE = """
method = "tiny_method:Tiny"
labels = ["happiness", "sadness", "neutral"]
fold = 1
[[train]]
data = "drawn"
folds = "manifest"
[loop]
epochs = 25
batch = 12
half = false
judge_every = 25
[optim]
rate = 5e-3
ema = 0.9
[augment]
smallest = 16
erase = 0
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "drawn.toml"
    path.write_text(RECIPE)
    return read_recipe(path)


@pytest.fixture(scope="module")
def teacher(recipe: Recipe, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose training left fold 1 out, as the students here do."""
    return execute(recipe, data, tmp_path_factory.mktemp("runs") / "teacher").model


def of(recipe: Recipe, *models: Path, share: float = 0.5, heat: float = 1.0) -> Recipe:
    return replace(recipe, teacher=Teacher(tuple(str(m) for m in models), share, heat))


def faces(part: Part) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.ascontiguousarray(part.rows.faces[part.rows.index, -1])


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 0.1),
    st.integers(0, 2),
    st.floats(0, 1),
    st.floats(1, 8),
)
def test_the_mixed_target_is_what_the_formula_says(p: list[float], label: int, share: float, heat: float) -> None:
    said = np.array([p]) / sum(p)
    found = mixed(np.eye(3, dtype=np.float32)[[label]], said.astype(np.float32), Teacher(("x",), share, heat))[0]
    power = [max(float(v), 1e-12) ** (1 / heat) for v in said.astype(np.float32)[0]]
    slow = [(1 - share) * (k == label) + share * power[k] / sum(power) for k in range(3)]
    assert found == pytest.approx(slow, abs=1e-5) and found.sum() == pytest.approx(1, abs=1e-5)


def test_heat_flattens_and_keeps_the_order() -> None:
    said, label = np.array([[0.7, 0.2, 0.1]], np.float32), np.zeros((1, 3), np.float32)
    cold, hot = (mixed(label, said, Teacher(("x",), 1.0, heat))[0] for heat in (1.0, 4.0))
    assert cold == pytest.approx([0.7, 0.2, 0.1], abs=1e-6) and hot[0] > hot[1] > hot[2] and hot[0] < 0.5


def test_targets_hold_what_the_teachers_say_together(recipe: Recipe, data: Path, teacher: Path, tmp_path: Path) -> None:
    """Two teachers are one ensemble: the mean of their probabilities, face and mirror image together."""
    other = tmp_path / "other"
    shutil.copytree(teacher, other)
    text = (other / "model.json").read_text()
    (other / "model.json").write_text(text.replace('"temperature": 1.0', '"temperature": 2.5'))
    learn = training_parts(recipe, data)
    lines: list[str] = []
    found = taught(learn, of(recipe, teacher, other, share=0.4), tmp_path / "run", lines.append)
    both = [both_ways(load_folder(m).predict, faces(learn[0])) for m in (teacher, other)]
    assert np.abs(both[0] - both[1]).max() > 0.01
    assert np.allclose(found[0].rows.target, 0.6 * learn[0].rows.target + 0.4 * (both[0] + both[1]) / 2, atol=1e-4)
    assert (found[0].truth == learn[0].truth).all() and lines[0].startswith("teachers answered 39 faces of drawn; ")


def test_a_run_that_goes_on_does_not_ask_again(recipe: Recipe, data: Path, teacher: Path, tmp_path: Path) -> None:
    learn, lines = training_parts(recipe, data), list[str]()
    first = taught(learn, of(recipe, teacher), tmp_path, lines.append)
    again = taught(learn, of(recipe, teacher), tmp_path, lines.append)
    assert len(lines) == 1 and (first[0].rows.target == again[0].rows.target).all()
    for torn in (b"torn", b"", (tmp_path / "teacher.npz").read_bytes()[:-100]):
        (tmp_path / "teacher.npz").write_bytes(torn)
        taught(learn, of(recipe, teacher), tmp_path, lines.append)
    taught(learn, of(recipe, teacher, teacher), tmp_path, lines.append)  # others: asked anew
    assert len(lines) == 5


def test_a_teacher_of_other_rows_of_the_same_data_is_refused(
    recipe: Recipe, data: Path, teacher: Path, tmp_path: Path
) -> None:
    """It may have learnt the very rows that the student is judged on."""
    asking = of(replace(recipe, fold=2), teacher)
    with pytest.raises(SettingError, match="39 rows of 'drawn' that are not the 42 of this run"):
        taught(training_parts(asking, data), asking, tmp_path)
    whole = of(replace(recipe, fold=-1), teacher)  # nothing is held out: anyone may teach
    assert len(taught(training_parts(whole, data), whole, tmp_path)) == 1


def test_a_teacher_is_held_to_the_parts_of_the_data_that_it_learnt_from(
    recipe: Recipe, data: Path, teacher: Path, tmp_path: Path
) -> None:
    """Whatever split they come from: two splits that are both learnt from alike are fine, other rows are not."""
    two = replace(recipe, train=(*recipe.train, replace(recipe.train[0], data="voted", split="valid")))
    learn = training_parts(two, data)
    ours = [f"{part.name}:{len(part.rows)}:{part.manifest.hash()}" for part in learn]
    assert ours[1].startswith("voted/valid:")
    for number, (seen, refused) in enumerate(
        (
            (ours, ""),
            ([ours[0], "voted/valid:30:000000000000"], "30 rows of 'voted'"),
            ([*ours, "drawn/valid:9:000000000000"], "9 rows of 'drawn'"),
            ([*ours, "drawn-elsewhere:9:000000000000"], ""),
        )
    ):
        folder = tmp_path / str(number)
        shutil.copytree(teacher, folder)
        about = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(about | {"seen": seen}))
        if refused:
            with pytest.raises(SettingError, match=refused):
                taught(learn, of(two, folder), folder)
        else:
            assert len(taught(learn, of(two, folder), folder)) == 2


def test_rows_without_a_label_have_no_say_in_how_often_a_teacher_is_right(
    recipe: Recipe, data: Path, teacher: Path, tmp_path: Path
) -> None:
    learn, lines = training_parts(recipe, data), list[str]()
    truth = learn[0].truth.copy()
    truth[: len(truth) // 2] = -1
    taught(learn, of(recipe, teacher), tmp_path / "all", lines.append)
    half = [replace(learn[0], truth=truth)]
    taught(half, of(recipe, teacher), tmp_path / "half", lines.append)
    taught([replace(learn[0], truth=np.full_like(truth, -1))], of(recipe, teacher), tmp_path / "none", lines.append)
    model = load_folder(teacher)
    right = both_ways(model.predict, faces(learn[0])).argmax(1)
    order = [model.labels.names.index(name) for name in recipe.labels]
    known = truth >= 0
    share = (np.argsort(order)[right][known] == truth[known]).mean()
    assert f"{share:.1%} as they are labelled" in lines[1] and lines[2].endswith("drawn")


def test_whom_a_student_cannot_ask_is_said(recipe: Recipe, data: Path, teacher: Path, tmp_path: Path) -> None:
    learn = training_parts(recipe, data)
    with pytest.raises(ModelError, match="There is no model"):
        taught(learn, of(recipe, tmp_path / "nobody"), tmp_path)
    with pytest.raises(SettingError, match="does not know 'confusion'"):
        taught(learn, replace(of(recipe, teacher), labels=("happiness", "sadness", "confusion")), tmp_path)
    clips = [replace(learn[0], rows=replace(learn[0].rows, starts=np.arange(61)))]
    with pytest.raises(SettingError, match="holds clips"):
        taught(clips, of(recipe, teacher), tmp_path)
    with pytest.raises(ValueError, match="share lies in"):
        Teacher(("x",), 1.5)
    assert taught(learn, of(recipe), tmp_path / "none") == learn and not (tmp_path / "none").exists()


def test_a_student_that_only_hears_its_teacher_comes_to_say_what_it_says(
    recipe: Recipe, data: Path, teacher: Path, tmp_path: Path, prepared: object
) -> None:
    """Labels are wrong on purpose and have no share: what is learnt can only be the teacher's."""
    made: Manifest = prepared(tmp_path, "wrong", 60, names=("sadness", "neutral", "happiness"))  # type: ignore[operator]
    assert made.labels.names[0] == "sadness"
    wrong = replace(recipe, fold=-1, train=(replace(recipe.train[0], data="wrong", folds=""),))
    student = execute(of(wrong, teacher, share=1.0), tmp_path, tmp_path / "student")
    part = training_parts(recipe, data)[0]
    theirs, mine = (load_folder(m).predict(faces(part)).argmax(1) for m in (teacher, student.model))
    assert (theirs == mine).mean() > 0.8 > 0.4 > (mine == (part.truth + 1) % 3).mean()
    assert open_run(student.folder)[0].teacher == Teacher((str(teacher),), 1.0)
    seen = load_folder(student.model).info.seen  # what the teacher knows its student knows, too
    assert set(load_folder(teacher).info.seen) < set(seen) and seen[0].startswith("wrong:60:")
    assert known(of(recipe, tmp_path / "gone")) == ("teacher gone",) and known(recipe) == ()
