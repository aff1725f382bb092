"""The readers on real packs, where they lie at hand: counts as their data sheet publishes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tronie.core.manifest import Manifest
from tronie.datasets.pictures import read_picture
from tronie.datasets.table import about, read


@pytest.fixture(scope="module")
def fer2013(shared_data: Path) -> Manifest:
    return read("fer2013", shared_data)


def test_rafdb(shared_data: Path) -> None:
    manifest, facts = read("rafdb", shared_data), about("rafdb")
    assert facts is not None
    counts = {n: int(np.sum(manifest.label == i)) for i, n in enumerate(manifest.labels.names)}
    assert counts == facts.counts["train"] and set(manifest.split.tolist()) == {"train"}
    assert [read_picture(manifest, row).shape for row in (0, 6000, 12270)] == [(100, 100, 3)] * 3


def test_fer2013(fer2013: Manifest) -> None:
    assert [int(np.sum(fer2013.split == s)) for s in ("train", "valid")] == [28006, 3543]
    assert [read_picture(fer2013, row).shape for row in (0, 31548)] == [(48, 48, 3)] * 2


def test_ferplus_votes_and_fer2013s_labels_disagree_as_published(fer2013: Manifest, shared_data: Path) -> None:
    voted = read("ferplus", shared_data, rule="plurality", keep_unlabelled=True)
    rows = np.flatnonzero(np.isin(fer2013.id, voted.id))
    assert len(voted) == len(rows) == 31399 and voted.id.tolist() == fer2013.id[rows].tolist()
    assert voted.votes is not None
    plain = voted.votes.argmax(1)  # of the eight expressions
    same = np.array(voted.labels.names)[plain] == np.array(fer2013.labels.names)[fer2013.label[rows]]
    assert same.mean() == pytest.approx(0.626, abs=0.0005)


def test_ferplus_majority_by_hand_on_real_votes(shared_data: Path) -> None:
    manifest = read("ferplus", shared_data)
    with np.load(shared_data / "fer2013_ferplus_train_valid.npz") as pack:
        raw, names = pack["ferplus_votes"].astype(int), pack["vote_names"].tolist()
    for row in range(0, len(manifest), 997):
        cast = raw[int(str(manifest.id[row]).removeprefix("fer2013/pack"))]
        kept = [v if v > 1 else 0 for v in cast]
        assert max(kept) > sum(kept) / 2
        assert names[kept.index(max(kept))] == manifest.labels.names[manifest.label[row]]
    assert manifest.votes is not None and (manifest.votes.max(1) > 1).all()
