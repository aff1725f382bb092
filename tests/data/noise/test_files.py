from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.data.noise.files import apply, load, read_eac, read_scn, save
from tronie.data.noise.labels import confusion, plant


def whole(n: int = 60, labels: LabelSet = BASIC7) -> Manifest:
    """RAF-DB's ids: 40 training rows, 20 of the test part."""
    number = np.arange(n)
    ids = [f"rafdb/{'train' if i < 40 else 'test'}_{i % 40 + 1:05d}" for i in range(n)]
    label = number % 7
    label[5] = -1
    votes = np.eye(7, dtype=np.float32)[number % 7]
    return Manifest(
        np.array(ids),
        np.array(ids),
        label,
        labels,
        votes=votes,
        split=np.array(["train" if i < 40 else "test" for i in range(n)]),
    )


def test_saved_noise_comes_back_by_id(tmp_path: Path) -> None:
    manifest = whole()
    made = plant(manifest, "symmetric", seed=7, rate=0.4)
    save(made, manifest.id, tmp_path / "noise.csv")
    ids, again = load(tmp_path / "noise.csv")
    assert ids.tolist() == manifest.id.tolist() and (again.kind, again.seed, again.rate) == ("symmetric", 7, 0.4)
    np.testing.assert_array_equal(again.before, made.before)
    np.testing.assert_array_equal(again.after, made.after)
    np.testing.assert_array_equal(again.flipped, made.flipped)
    text = (tmp_path / "noise.csv").read_text().splitlines()
    assert text[1] == "id,before,after,flipped" and text[2].startswith("rafdb/train_00001,surprise,")
    part = manifest.select(np.arange(59, -1, -3))  # other rows in another order
    noisy = apply(part, again, ids)
    assert noisy.label.tolist() == made.after[np.arange(59, -1, -3)].tolist()
    assert noisy.votes is None, "votes would tell the clean labels"
    assert (apply(manifest, made).label == made.after).all()


def test_noise_joins_labels_by_name(tmp_path: Path) -> None:
    manifest = whole()
    made = plant(manifest, "pair", seed=1, rate=1.0)
    turned = LabelSet(tuple(reversed(BASIC7.names)))
    other = manifest.relabel(turned)
    noisy = apply(other, made, manifest.id)
    words, theirs = [*turned.names, ""], [*BASIC7.names, ""]
    assert [words[i] for i in noisy.label] == [theirs[i] for i in made.after]


def test_noise_for_other_data_is_refused() -> None:
    manifest = whole()
    made = plant(manifest, "symmetric", seed=7, rate=0.4)
    few = manifest.select(np.arange(30))
    with pytest.raises(SourceError, match=r"does not cover 10 of the training rows \(such as 'rafdb/train_00031'\)"):
        apply(manifest, plant(few, "symmetric", seed=7, rate=0.4), few.id)
    moved = plant(manifest, "pair", seed=0, rate=1.0)
    with pytest.raises(SourceError, match="had another label than now"):
        apply(apply(manifest, moved), made, manifest.id)
    with pytest.raises(SettingError, match="60 ids for noise of 30 rows"):
        apply(manifest, plant(few, "symmetric", seed=7, rate=0.4))


def test_empty_noise_on_an_empty_manifest(tmp_path: Path) -> None:
    none = whole().select([])
    made = confusion([], BASIC7, np.eye(7), 0)
    assert made.realised == 0 and len(apply(none, made)) == 0
    save(made, none.id, tmp_path / "n.csv")
    assert len(load(tmp_path / "n.csv")[0]) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("# {", "{"), "must begin with"),
        (('"tronie_noise": 1', '"tronie_noise": 2'), "must begin with"),
        (("id,before", "id,was"), "lacks its line of columns"),
        (("rafdb/train_00003,disgust", "rafdb/train_00003,disgst"), "line 5"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    manifest, path = whole(), tmp_path / "noise.csv"
    save(plant(manifest, "symmetric", seed=7, rate=0.4), manifest.id, path)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    with pytest.raises(SourceError, match=told):
        load(path)


def test_places_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        load(tmp_path / "nowhere.csv")
    with pytest.raises(OutputError):
        save(plant(whole(), "symmetric", seed=7, rate=0.4), whole().id, tmp_path)


# ---- public lists: lines as EAC and SCN publish them


def eac(path: Path, codes: dict[str, int]) -> Path:
    path.write_text("".join(f"{name}.jpg {code + 1}\n" for name, code in codes.items()))
    return path


def scn(path: Path, codes: dict[str, int]) -> Path:
    path.write_text("".join(f"/home/some one/RAFDB_DATA/aligned/{n}_aligned.jpg {code}\n" for n, code in codes.items()))
    return path


def test_public_lists_are_read_onto_the_training_rows(tmp_path: Path) -> None:
    manifest = whole()
    names = [str(i).partition("/")[2] for i in manifest.id[:40]]
    codes = {name: (i * 3) % 7 for i, name in enumerate(names)}
    for read, write in ((read_eac, eac), (read_scn, scn)):
        made = read(write(tmp_path / "list.txt", codes), manifest)
        assert made.after[:40].tolist() == list(codes.values()) and made.seed is None
        assert (made.after[40:] == manifest.label[40:]).all() and not made.flipped[40:].any()
        noisy = apply(manifest, made)
        assert noisy.label[0] == manifest.label[0] and noisy.label[1] == 3


def test_the_other_ones_list_is_noticed(tmp_path: Path) -> None:
    manifest = whole()
    codes = {str(i).partition("/")[2]: k % 7 for k, i in enumerate(manifest.id[:40])}
    with pytest.raises(SourceError, match=r"line 1: label 0 is not one of 1 to 7\. EAC counts from 1, SCN from 0"):
        read_eac(scn(tmp_path / "list.txt", codes), manifest)
    with pytest.raises(SourceError, match="line 7: label 7 is not one of 0 to 6"):
        read_scn(eac(tmp_path / "list.txt", codes), manifest)


def test_a_list_that_does_not_fit_is_told(tmp_path: Path) -> None:
    manifest = whole()
    with pytest.raises(SourceError, match=r"lacks 39 of the training rows \(the first: train_00002\)"):
        read_eac(eac(tmp_path / "list.txt", {"train_00001": 3}), manifest)
    (tmp_path / "list.txt").write_text("train_00001.jpg\n")
    with pytest.raises(SourceError, match=r"line 1: 'train_00001\.jpg' is not a picture's name and a number"):
        read_eac(tmp_path / "list.txt", manifest)
    with pytest.raises(SourceError, match="cannot be read"):
        read_scn(tmp_path / "nowhere.txt", manifest)
