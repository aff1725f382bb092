"""How FERPlus' votes become labels, and how its layouts agree."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tronie.core.errors import SettingError, SourceError
from tronie.datasets import ferplus


@pytest.mark.parametrize(
    ("votes", "majority", "plurality"),
    [
        ((10, 0, 0, 0, 0, 0, 0, 0, 0, 0), "neutral", "neutral"),
        ((4, 0, 0, 1, 3, 2, 0, 0, 0, 0), "", "neutral"),  # 4 of the 9 that are no slips
        ((5, 0, 0, 4, 1, 0, 0, 0, 0, 0), "neutral", "neutral"),  # 5 of 9
        ((5, 0, 0, 5, 0, 0, 0, 0, 0, 0), "", "neutral"),  # the first of equals
        ((0, 0, 0, 2, 0, 0, 0, 0, 8, 0), "", ""),  # unknown wins
        ((0, 4, 0, 0, 0, 0, 0, 0, 4, 0), "", "happiness"),  # not fewer than unknown
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "", "neutral"),  # nothing but slips
        ((0, 0, 0, 0, 0, 0, 0, 7, 3, 0), "contempt", "contempt"),
        ((0,) * 10, "", ""),
    ],
)
def test_rules_by_hand(votes: tuple[int, ...], majority: str, plurality: str) -> None:
    counts = np.array([votes], np.float32)
    words = (*ferplus.VOTED, "")
    assert words[ferplus.winners(counts, "majority")[0]] == majority
    assert words[ferplus.winners(counts, "plurality")[0]] == plurality


def _majority_by_the_paper(raw: list[int]) -> int:
    """Barsoum et al.'s steps one by one."""
    kept = [v if v > 1 else 0 for v in raw]
    if max(kept) <= 0.5 * sum(kept):
        return len(ferplus.VOTED)
    best = kept.index(max(kept))
    return best if best < 8 else len(ferplus.VOTED)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 10), min_size=10, max_size=10), min_size=1, max_size=20))
def test_majority_agrees_with_the_papers_steps(votes: list[list[int]]) -> None:
    found = ferplus.winners(np.array(votes, np.float32), "majority")
    assert found.tolist() == [_majority_by_the_paper(v) for v in votes]


def test_ferplus_layouts_agree_and_keep_raw_votes(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ferplus_csv(tmp_path / "tables")
    fakes.ferplus_folders(tmp_path / "with" / "data")
    fakes.ferplus_folders(tmp_path / "without", box=False)
    read = {name: ferplus.read(tmp_path / name, keep_unlabelled=True) for name in ("tables", "with", "without")}
    wanted = {f"fer2013/fer{i:07d}": list(votes[:8]) for i, (_, votes, _) in enumerate(fakes.FACES) if votes[9] < 10}
    for manifest in read.values():
        assert manifest.votes is not None
        assert dict(zip(manifest.id.tolist(), manifest.votes.tolist(), strict=True)) == wanted
        assert (manifest.label == -1).sum() == 3


def test_seven_classes_drop_contempt_from_labels_and_votes(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ferplus_csv(tmp_path)
    seven = ferplus.read(tmp_path, classes=7, keep_unlabelled=True)
    assert seven.votes is not None and seven.votes.shape[1] == 7 == len(seven.labels)
    assert seven.label[seven.id == "fer2013/fer0000004"] == -1  # contempt by majority
    with pytest.raises(SettingError, match="classes is 9; it must be 7 or 8"):
        ferplus.read(tmp_path, classes=9)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="'majority' or 'plurality'"):
        ferplus.read(tmp_path, rule="majorty")  # type: ignore[arg-type]


def test_fer2013_keeps_its_label_and_takes_votes_along(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.fer2013_csv(tmp_path / "plain")
    assert ferplus.read_fer2013(tmp_path / "plain").votes is None
    fakes.ferplus_pack(tmp_path / "pack")
    manifest = ferplus.read_fer2013(tmp_path / "pack")
    assert [manifest.labels.names[i] for i in manifest.label] == [f for f, _, _ in fakes.FACES]
    assert manifest.votes is not None and manifest.votes[0, manifest.labels.index("happiness")] == 10
    assert np.isnan(manifest.votes[5]).all()
    assert manifest.group.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7], "exact twins as the pack marks them"


def test_tables_that_do_not_belong_together(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ferplus_csv(tmp_path)
    votes = tmp_path / "fer2013new.csv"
    votes.write_text("".join(votes.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(SourceError, match=r"has 8 rows and .* has 9"):
        ferplus.read(tmp_path)
