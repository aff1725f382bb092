"""A recipe that plants wrong labels: where they go, what is kept of them, and how decisions are held against them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.errors import SettingError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.data.noise.named import named  # noqa: E402
from tronie.data.prepared import open_prepared  # noqa: E402
from tronie.train.injected import told_apart  # noqa: E402
from tronie.train.recipe import Recipe, Source, read_recipe  # noqa: E402
from tronie.train.run import execute  # noqa: E402
from tronie.train.sources import open_part, training_parts, validation_parts  # noqa: E402

LABELS = LabelSet(("neutral", "happiness", "sadness"))  # another order than on disk
NOISY = Source("drawn", folds="manifest", noise="symmetric:0.5", noise_seed=4)


def test_only_rows_that_are_learnt_from_get_wrong_labels(data: Path) -> None:
    recipe = Recipe("test", (NOISY,), (), LABELS.names, 1)
    learn, judged = training_parts(recipe, data)[0], validation_parts(recipe, data)[0]
    clean = open_part(data, NOISY, LABELS, drop_fold=1)
    wrong = learn.truth != clean.truth
    assert 5 < wrong.sum() < 35 and learn.rows.target.argmax(1).tolist() == learn.truth.tolist()
    kept = open_part(data, Source("drawn", folds="manifest"), LABELS, keep_fold=1)
    assert judged.truth.tolist() == kept.truth.tolist()
    whole = named(open_prepared(data / "drawn").manifest.relabel(LABELS), "symmetric:0.5", 4)
    assert learn.truth.tolist() == whole.apply(clean.manifest.relabel(LABELS)).label.tolist()
    other = training_parts(Recipe("test", (NOISY,), (), LABELS.names, 2), data)[0]
    common = set(learn.manifest.id) & set(other.manifest.id)
    one, two = (dict(zip(p.manifest.id, p.truth, strict=True)) for p in (learn, other))
    assert common and all(one[i] == two[i] for i in common), "folds share their wrong labels"


def test_flips_go_to_labels_of_the_recipe(data: Path) -> None:
    two = LabelSet(("happiness", "sadness"))
    part = open_part(data, NOISY, two, noisy=True)
    assert len(part.rows) == 40 and set(part.truth) == {0, 1}


def test_votes_and_noise_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="noise needs soft = false"):
        Source("voted", soft=True, noise="symmetric:0.1")


def test_a_run_keeps_its_noise_and_says_what_was_told_apart(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "noisy.toml"
    path.write_text(
        'method = "tiny_method:Tiny"\nlabels = []\nfold = 1\n'
        '[[train]]\ndata = "drawn"\nfolds = "manifest"\nnoise = "symmetric:0.3"\n'
        "[config]\ndecide = true\n[loop]\nepochs = 2\nbatch = 16\nhalf = false\n"
        "[augment]\nerase = 0\n"
    )
    said: list[str] = []
    run = execute(read_recipe(path), data, tmp_path / "run", said.append)
    found = json.loads((run.folder / "noise.json").read_text())
    assert found["rows"] == 39 and 0 < found["wrong"] < 39
    assert any(f"{found['wrong']} of 39 labels were wrong on purpose" in line for line in said)
    assert "symmetric noise was planted" in (run.model / "card.md").read_text()
    again = read_recipe(run.folder / "recipe.toml", [f"train.0.noise={run.folder / 'noise-drawn.csv'}"])
    one, two = (training_parts(r, data)[0].truth.tolist() for r in (read_recipe(run.folder / "recipe.toml"), again))
    assert one == two, "the file plants what the seed planted"


def test_decisions_are_held_against_what_was_planted(data: Path, tmp_path: Path) -> None:
    part = open_part(data, NOISY, LABELS, noisy=True)
    assert part.planted is not None
    flipped = part.planted.corruption.flipped
    wrong, right = part.planted.ids[flipped], part.planted.ids[~flipped]
    samples = tmp_path / "samples.csv"
    rows = [
        (1, wrong[0], "noisy"),
        (1, wrong[1], "noisy"),
        (2, wrong[1], "clean"),
        (2, wrong[2], "noisy"),
        (2, right[0], "noisy"),
        (2, right[1], "hard"),
    ]
    samples.write_text("epoch,id,verdict\n" + "".join(f"{e},{i},{v}\n" for e, i, v in rows))
    told = told_apart(tmp_path, samples, [part])
    assert told is not None and (told.called, told.rightly, told.wrong) == (3, 2, int(np.sum(flipped)))
    assert "precision 0.67" in str(told)
    assert told_apart(tmp_path, samples, [open_part(data, NOISY, LABELS)]) is None
    nothing = told_apart(tmp_path, tmp_path / "no.csv", [part])
    assert nothing is not None and "gives no verdicts" in str(nothing)
    samples.write_text(f"epoch,id,verdict\n1,{right[0]},clean\n")
    calm = told_apart(tmp_path, samples, [part])
    assert calm is not None and "none was called noisy" in str(calm)


def test_a_word_that_is_no_noise_is_told_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    recipe = Recipe("test", (Source("drawn", folds="manifest", noise="loud"),), (), LABELS.names, 1, "tiny_method:Tiny")
    with pytest.raises(SettingError, match="'loud' is no noise"):
        execute(recipe, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
