from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.check import Checked, check
from tronie.datasets.folder import read

COUNTS = {"train": {"happy": 3, "grumpy": 3}, "valid": 6}


def facts(**change: object) -> About:
    known = About("Test", LabelSet(("grumpy", "happy")), "nowhere", "none", ("train/happy/1.png",), COUNTS, (40, 40))
    return replace(known, **change)  # type: ignore[arg-type]


@pytest.fixture
def tree(fakes: ModuleType, tmp_path: Path) -> Path:
    fakes.folder(tmp_path)
    return tmp_path


def wrong(checked: Checked) -> list[str]:
    return [f.text for f in checked.findings if not f.fine]


def test_a_data_set_as_published_is_fine(tree: Path) -> None:
    seen: list[tuple[int, int]] = []
    checked = check(read(tree), facts(), progress=lambda done, total: seen.append((done, total)))
    assert checked.fine and wrong(checked) == []
    assert "The part 'train' holds 6 rows, as published." in str(checked)
    assert "All 12 pictures can be read." in str(checked) and "All are 40 x 40 pixels, as published." in str(checked)
    assert "No picture of valid has a near-duplicate in train." in str(checked)
    assert seen[-1] == (12, 12)
    assert checked.group is not None and len(set(checked.group.tolist())) == 12


def test_other_counts_are_told(tree: Path) -> None:
    checked = check(read(tree), facts(counts={"train": {"happy": 4, "grumpy": 3}, "valid": 5, "test": 9}))
    assert wrong(checked) == [
        "The part 'train' holds 6 rows, 1 fewer than the 7 published.",
        "The part 'train' by label: grumpy 3, happy 3. Published otherwise: happy (4).",
        "The part 'valid' holds 6 rows, 1 more than the 5 published.",
        "The part 'test' is missing: 9 rows were published.",
    ]


def test_sizes_and_unreadable_files_are_told(tree: Path, fakes: ModuleType) -> None:
    fakes.draw(tree / "train/happy/0.png", 5, 50, 60)
    (tree / "val/happy/1.png").write_bytes(b"no picture")
    manifest = read(tree)
    told = wrong(check(manifest, facts()))
    assert told[0].startswith("1 of 12 pictures cannot be read; the first is row 'val/happy/1': ")
    assert told[1].startswith("1 pictures are not 40 x 40 pixels as published (most of them 60 x 50)")
    assert "Pictures have 2 sizes, from 40 x 40 to 60 x 50." in str(check(manifest))
    assert check(manifest, facts(), pixels=False).group is None
    assert wrong(check(manifest, facts(), pixels=False)) == []


def near(path: Path, copy: Path) -> None:
    """The same picture, brighter and compressed."""
    picture = cv2.imread(str(path))
    cv2.imwrite(str(copy), cv2.convertScaleAbs(picture, alpha=0.8, beta=30), [cv2.IMWRITE_JPEG_QUALITY, 70])


def test_near_duplicates_within_and_between_parts(tree: Path) -> None:
    near(tree / "train/happy/0.png", tree / "val/grumpy/leak.jpg")
    near(tree / "train/happy/1.png", tree / "train/grumpy/twin.jpg")
    manifest = read(tree)
    checked = check(manifest)
    assert wrong(checked) == [
        "1 pictures of valid have a near-duplicate in train (such as 'val/grumpy/leak' and "
        "'train/happy/0'): leave them out of one, or scores are too high."
    ]
    assert (
        "The part 'train' holds 2 pictures that are near-duplicates of one another, in 1 group, 1 of them with "
        "different labels"
    ) in str(checked)
    assert "The part 'valid' holds no near-duplicates." in str(checked)
    assert checked.group is not None
    group = dict(zip(manifest.id.tolist(), checked.group.tolist(), strict=True))
    assert group["val/grumpy/leak"] == group["train/happy/0"] and group["train/grumpy/twin"] == group["train/happy/1"]
    assert len(set(group.values())) == len(manifest) - 2


def test_groups_that_were_known_stay_joined(tree: Path) -> None:
    near(tree / "train/happy/0.png", tree / "val/grumpy/leak.jpg")
    manifest = read(tree)
    named = manifest.id.tolist()
    people = np.arange(len(manifest))
    people[named.index("val/happy/2")] = people[named.index("val/grumpy/leak")]
    checked = check(replace(manifest, group=people))
    assert checked.group is not None
    same = [checked.group[named.index(n)] for n in ("val/happy/2", "val/grumpy/leak", "train/happy/0")]
    assert len(set(same)) == 1


def test_an_empty_manifest_is_no_crash() -> None:
    none = np.empty(0, np.str_)
    assert check(Manifest(none, none, np.empty(0, np.int64), LabelSet(("sad",)))).fine
