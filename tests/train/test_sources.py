"""Which rows a recipe learns from and is judged on, and what their targets are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tronie.core.errors import SettingError, SourceError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.core.manifest import Manifest  # noqa: E402
from tronie.data.prepared import read_folds, vote_shares  # noqa: E402
from tronie.train.recipe import Recipe, Source  # noqa: E402
from tronie.train.sources import balanced, open_part, training_manifest, training_parts, validation_parts  # noqa: E402

LABELS = LabelSet(("neutral", "happiness", "sadness"))  # another order than on disk
DRAWN = Source("drawn", folds="manifest")


def recipe(*train: Source, valid: tuple[Source, ...] = (), fold: int = 1) -> Recipe:
    return Recipe("test", train, valid, LABELS.names, fold)


def test_the_held_out_fold_is_never_learnt_from(data: Path) -> None:
    learn, judged = training_parts(recipe(DRAWN), data), validation_parts(recipe(DRAWN), data)
    assert [(p.name, len(p.rows)) for p in learn + judged] == [("drawn", 39), ("drawn/fold1", 21)]
    assert not set(learn[0].manifest.id) & set(judged[0].manifest.id)
    assert set(judged[0].manifest.fold) == {1} and 1 not in learn[0].manifest.fold
    everything = recipe(DRAWN, fold=-1)
    assert len(training_parts(everything, data)[0].rows) == 60 and validation_parts(everything, data) == []


def test_rows_and_labels_are_joined_by_name(data: Path) -> None:
    part = open_part(data, DRAWN, LABELS)
    assert part.truth.tolist() == [(1, 2, 0)[i % 3] for i in range(60)]  # happiness, sadness, neutral go round
    assert part.rows.target.argmax(1).tolist() == part.truth.tolist()
    fewer = open_part(data, DRAWN, LabelSet(("sad", "Happy")))
    assert len(fewer.rows) == 40 and set(fewer.manifest.label) == {0, 1}


def test_votes_become_targets_where_enough_of_them_lead(data: Path) -> None:
    manifest = Manifest.load(data / "voted" / "manifest.csv")
    part = open_part(data, Source("voted", "valid", soft=True, least_votes=8), LABELS)
    assert manifest.votes is not None
    kept = np.flatnonzero(manifest.votes.sum(1) >= 8)
    assert 0 < len(kept) < 30 and part.manifest.id.tolist() == manifest.id[kept].tolist()
    for row, target, truth in zip(kept, part.rows.target, part.truth, strict=True):
        happy, sad, neutral = manifest.votes[row] / manifest.votes[row].sum()
        assert target == pytest.approx([neutral, happy, sad])
        assert truth == target.argmax()
    assert vote_shares(manifest, LABELS)[kept] == pytest.approx(part.rows.target)


def test_rows_led_by_a_label_we_do_not_have_are_left_out(data: Path) -> None:
    part = open_part(data, Source("voted", "valid", soft=True), LabelSet(("happiness", "sadness")))
    assert len(part.rows) == 20 and part.rows.target.sum(1) == pytest.approx(1)


def test_weights_balance_classes_by_the_first_source(data: Path) -> None:
    part = open_part(data, DRAWN, LABELS)
    keep = np.flatnonzero((part.truth != 1) | (np.arange(60) < 12))  # happiness is rare: 4 of 44
    from dataclasses import replace

    rows = replace(part.rows, index=part.rows.index[keep], target=part.rows.target[keep], weight=part.rows.weight[keep])
    rare = replace(part, rows=rows)
    (even,) = balanced([rare], 0.0)
    assert even.weight == pytest.approx(1)
    (full,) = balanced([rare], 1.0)
    by_class = [full.weight[rows.target[:, c] == 1].sum() for c in range(3)]
    assert by_class == pytest.approx([44 / 3] * 3, rel=1e-5) and full.weight.mean() == pytest.approx(1)
    (some,) = balanced([rare], 0.35)
    assert some.weight.max() / some.weight.min() == pytest.approx((20 / 4) ** 0.35, rel=1e-5)


def test_a_class_the_first_source_lacks_is_counted_in_the_others(data: Path) -> None:
    from dataclasses import replace

    part = open_part(data, DRAWN, LABELS)
    keep = np.flatnonzero(part.truth != 1)
    first = replace(
        part,
        rows=replace(
            part.rows, index=part.rows.index[keep], target=part.rows.target[keep], weight=part.rows.weight[keep]
        ),
    )
    _, second = balanced([first, part], 0.5)
    assert second.weight == pytest.approx(np.ones(60), rel=1e-5)  # twenty of each, wherever they are counted


def test_the_training_manifest_counts_rows_as_batches_do(data: Path) -> None:
    parts = training_parts(recipe(DRAWN, Source("voted", "valid", soft=True)), data)
    manifest = training_manifest(parts, LABELS)
    assert manifest.id.tolist() == [*parts[0].manifest.id, *parts[1].manifest.id]
    assert manifest.label.tolist() == [*parts[0].truth, *parts[1].truth]
    assert len(np.unique(manifest.group)) == len(manifest)
    with pytest.raises(SettingError, match="more than once"):
        training_manifest(training_parts(recipe(DRAWN, Source("drawn")), data), LABELS)


def test_what_is_missing_is_said_in_a_sentence(data: Path, tmp_path: Path) -> None:
    cases = [
        (Source("absent"), SourceError, r"No prepared data in .*absent: run `tronie prepare`"),
        (Source("drawn", "test"), SourceError, r"no row in fold 0 of split 'test' with a label of neutral"),
        (Source("drawn", soft=True), SettingError, r"'drawn' has no votes"),
        (Source("voted", "valid", soft=True, least_votes=99), SourceError, r"and 99 votes"),
        (Source("drawn", folds="rafdb-trai"), SettingError, r"no fold file 'rafdb-trai'.*Did you mean 'rafdb-train'"),
        (Source("drawn", folds="rafdb-train"), SourceError, r"does not know row 'train0000'"),
    ]
    for source, kind, sentence in cases:
        with pytest.raises(kind, match=sentence):
            open_part(data, source, LABELS, keep_fold=0)
    with pytest.raises(SettingError, match="called voted/valid"):
        validation_parts(recipe(DRAWN, valid=(Source("voted", "valid"), Source("voted", "valid", soft=True))), data)


def test_damaged_prepared_data_is_refused(tmp_path: Path, prepared: Callable[..., Manifest]) -> None:
    prepared(tmp_path, "short", 9)
    np.save(tmp_path / "short" / "faces.npy", np.zeros((8, 2, 32, 32, 3), np.uint8))
    with pytest.raises(SourceError, match="8 faces for 9 rows"):
        open_part(tmp_path, Source("short"), LABELS)
    (tmp_path / "short" / "faces.npy").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="cannot be read"):
        open_part(tmp_path, Source("short"), LABELS)


def test_a_fold_file_of_ones_own_is_joined_by_id(data: Path, tmp_path: Path) -> None:
    manifest = Manifest.load(data / "drawn" / "manifest.csv")
    lines = [f"train{i:04d},{i % 4}" for i in reversed(range(60))]
    (tmp_path / "folds.csv").write_text("id,fold\n" + "\n".join(lines) + "\n")
    assert read_folds(str(tmp_path / "folds.csv"), manifest).tolist() == [i % 4 for i in range(60)]
    (tmp_path / "folds.csv").write_text("id,fold\na,b\n")
    with pytest.raises(SourceError, match=r"folds.csv, line 2: 'b' cannot stand in column 'fold'"):
        read_folds(str(tmp_path / "folds.csv"), manifest)
