"""Noise by a word: each word does what the function of its name does, and a wrong word is one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError, TronieError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.data.noise.labels import plant
from tronie.data.noise.named import named, read_shares


def manifest(n: int = 70, labels: LabelSet = BASIC7) -> Manifest:
    ids = np.array([f"rafdb/train_{i + 1:05d}" for i in range(n)])
    label = np.arange(n) % len(labels)
    votes = np.eye(len(labels), dtype=np.float32)[label] * 6 + 1
    return Manifest(ids, ids, label, labels, votes=votes, split=np.full(n, "train"))


@pytest.mark.parametrize(
    ("word", "kind", "rate"), [("symmetric:0.3", "symmetric", 0.3), ("pair:0.5", "pair", 0.5), ("votes", "votes", 0.0)]
)
def test_a_word_plants_what_its_function_plants(word: str, kind: str, rate: float) -> None:
    made, expected = named(manifest(), word, 3), plant(manifest(), kind, seed=3, rate=rate)
    np.testing.assert_array_equal(made.corruption.after, expected.after)
    assert made.corruption.flipped.any() and made.apply(manifest()).label.tolist() == expected.after.tolist()


def test_planted_noise_is_planted_again_from_its_file(tmp_path: Path) -> None:
    made = named(manifest(), "symmetric:0.3", 3)
    made.save(tmp_path / "noise.csv")
    fold = manifest().select(np.arange(69, -1, -2))
    again = named(fold, str(tmp_path / "noise.csv"), 99)
    assert again.apply(fold).label.tolist() == made.apply(fold).label.tolist()


def test_public_lists_are_read_by_their_word(tmp_path: Path) -> None:
    swapped = (manifest().label + 1) % 7
    eac, scn = tmp_path / "noise01.txt", tmp_path / "0.1noise_train.txt"
    eac.write_text("".join(f"train_{i + 1:05d}.jpg {c + 1}\n" for i, c in enumerate(swapped)))
    scn.write_text("".join(f"/x/train_{i + 1:05d}_aligned.jpg {c}\n" for i, c in enumerate(swapped)))
    for word in (f"eac:{eac}", f"scn:{scn}"):
        assert named(manifest(), word, 0).corruption.after.tolist() == swapped.tolist()


def test_a_table_of_confusions_is_joined_by_name(tmp_path: Path) -> None:
    path = tmp_path / "confusions.csv"
    path.write_text("right,happy,fear\nfear,3,1\nhappy,2,0\n")  # other order, a synonym, counts
    shares = read_shares(path, BASIC7)
    fear, happiness = BASIC7.index("fear"), BASIC7.index("happiness")
    assert shares[fear, happiness] == 0.75 and shares[fear, fear] == 0.25 and shares[happiness, happiness] == 1
    others = [i for i in range(7) if i not in (fear, happiness)]
    np.testing.assert_array_equal(shares[others][:, others], np.eye(5))
    many = manifest(7000)
    after = named(many, f"confusion:{path}", 0).corruption.after
    assert np.mean(after[many.label == fear] == happiness) == pytest.approx(0.75, abs=0.05)
    assert (after[many.label != fear] == many.label[many.label != fear]).all()


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("pairs:0.3", "is no noise: use symmetric:RATE"),
        ("symmetric", "has no rate: write it as in symmetric:0.3"),
        ("symmetric:much", "has no rate"),
        ("symmetric:1.5", "between 0 and 1"),
        ("confusion:", "is no noise"),
        ("nowhere.csv", "nowhere.csv cannot be read"),
        ("eac:nowhere.txt", "cannot be read"),
        ("confusion:nowhere.csv", "There is no file nowhere.csv"),
    ],
)
def test_a_wrong_word_is_one_sentence(word: str, told: str) -> None:
    with pytest.raises(TronieError, match=told):
        named(manifest(), word, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,fear\n",
        "a,fear\nfear,much\n",
        "a,fear\nfear,-1\n",
        "a,fear\nfear,0\n",
        "a,fear,fear\nfear,1,1\n",
        "a,fear,anger\nfear,1\nanger,1,2\n",
        "a,boredom\nboredom,1\n",
    ],
)
def test_a_broken_table_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises((SourceError, SettingError), match=r"broken\.csv"):
        read_shares(path, BASIC7)
