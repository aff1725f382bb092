"""Batches: seeded by (seed, epoch, row, view), each row once, shares kept, shards that make up the whole."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tronie.clips.views import View, resize  # noqa: E402
from tronie.core.errors import SettingError  # noqa: E402
from tronie.data.augmentation import Augment  # noqa: E402
from tronie.data.loader import Cut, Rows, batch_starts, batches, epoch_order  # noqa: E402

VARIED = (View(16, augment=True), View(16, augment=True))


def rows(n: int, seed: int = 0, share: float = 1.0, cuts: int = 2) -> Rows:
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, 256, (n + 3, cuts, 20, 20, 3), np.uint8)
    index = rng.permutation(n + 3)[:n]
    return Rows(faces, index, np.eye(4, dtype=np.float32)[index % 4], rng.random(n).astype(np.float32), share)


def draw(
    sources: list[Rows],
    views: tuple[View, ...] = VARIED,
    *,
    size: int = 8,
    seed: int = 1,
    epoch: int = 0,
    team: tuple[int, int] = (0, 1),
) -> list[Cut]:
    order = epoch_order(sources, seed, epoch)
    return list(batches(sources, order, views, size, how=Augment(), seed=seed, epoch=epoch, team=team))


def pixels(cuts: list[Cut]) -> dict[tuple[int, int], list[np.ndarray]]:
    return {tuple(w): [c[i].numpy() for c in cut.clips] for cut in cuts for i, w in enumerate(cut.where.tolist())}


def test_pixels_depend_on_seed_epoch_row_and_view_and_on_nothing_else() -> None:
    sources = [rows(21), rows(10, 1)]
    base = pixels(draw(sources))
    other_size, again = pixels(draw(sources, size=5)), pixels(draw(sources))
    for key, clips in base.items():
        assert all(np.array_equal(a, b) for a, b in zip(clips, again[key], strict=True))
        if key in other_size:  # another batch size, other neighbours: the same pixels
            assert all(np.array_equal(a, b) for a, b in zip(clips, other_size[key], strict=True))
        assert not np.array_equal(clips[0], clips[1])  # views differ
    for changed in (pixels(draw(sources, seed=2)), pixels(draw(sources, epoch=1))):
        same = [np.array_equal(base[k][0], changed[k][0]) for k in base.keys() & changed.keys()]
        assert len(same) > 10 and not any(same)


def test_an_epoch_draws_each_row_once_and_each_source_its_share() -> None:
    sources = [rows(40), rows(30, 1, share=0.4)]
    seen = []
    for epoch in range(6):
        order = epoch_order(sources, 3, epoch)
        assert len({tuple(o) for o in order.tolist()}) == len(order) == 40 + 12
        assert np.bincount(order[:, 0]).tolist() == [40, 12]
        seen.append({r for s, r in order.tolist() if s == 1})
    assert len(set.union(*seen)) > 24  # the share is drawn afresh
    assert epoch_order(sources, 3, 2).tolist() == epoch_order(sources, 3, 2).tolist()
    assert epoch_order(sources, 3, 2).tolist() != epoch_order(sources, 4, 2).tolist()


def test_targets_and_weights_belong_to_their_rows() -> None:
    sources = [rows(9), rows(12, 1)]
    for cut in draw(sources):
        for i, (s, r) in enumerate(cut.where):
            assert np.array_equal(cut.target[i].numpy(), sources[s].target[r])
            assert cut.weight[i].item() == sources[s].weight[r]


@pytest.mark.parametrize(
    ("n", "size", "varied", "expected"),
    [
        (20, 8, True, [8, 8, 4]),
        (19, 8, True, [8, 8]),
        (19, 8, False, [8, 8, 3]),
        (3, 8, True, [3]),
        (16, 8, True, [8, 8]),
        (1, 2, True, [1]),
        (5, 2, True, [2, 2, 1]),
    ],
)
def test_a_small_last_batch_is_dropped_in_training_only(n: int, size: int, varied: bool, expected: list[int]) -> None:
    cuts = draw([rows(n)], (View(16, augment=varied),), size=size)
    assert [len(c.weight) for c in cuts] == expected
    assert len(batch_starts(n, size, varied)) == len(expected)


def test_unvaried_is_the_last_cut_at_the_size_asked_for() -> None:
    source = rows(5)
    for side in (20, 16):
        for cut in draw([source], (View(side),)):
            for i, (_, r) in enumerate(cut.where):
                expected = resize(source.faces[source.index[r], -1], side)
                assert np.array_equal(cut.clips[0][i, 0].permute(1, 2, 0).numpy(), expected)
                if side == 20:
                    assert np.array_equal(expected, source.faces[source.index[r], -1])


def test_training_meets_every_cut() -> None:
    faces = np.stack([np.zeros((1, 20, 20, 3), np.uint8), np.full((1, 20, 20, 3), 200, np.uint8)], 1)
    flat = Rows(faces, np.zeros(64, np.int64), np.ones((64, 1), np.float32), np.ones(64, np.float32))
    still = Augment(colour=0, erase=0, grey=0)
    levels = {
        int(c.clips[0].float().mean())
        for c in batches([flat], epoch_order([flat], 0, 0), VARIED[:1], 1, how=still, seed=0, epoch=0)
    }
    assert levels == {0, 200}


def test_a_mirror_view_is_the_view_before_it_mirrored() -> None:
    for cut in draw([rows(9)], (VARIED[0], View(16, mirror=True))):
        assert torch.equal(cut.clips[1], cut.clips[0].flip(-1))
    with pytest.raises(SettingError, match="first view"):
        draw([rows(9)], (View(16, mirror=True),))


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shards_of_a_batch_make_up_the_whole(processes: int) -> None:
    sources = [rows(21), rows(10, 1)]
    whole = draw(sources)
    shards = [draw(sources, team=(rank, processes)) for rank in range(processes)]
    for number, cut in enumerate(whole):
        together = np.concatenate([s[number].where for s in shards])
        assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, cut.where.tolist()))
    merged = {k: v for s in shards for k, v in pixels(s).items()}
    assert all(np.array_equal(merged[k][0], v[0]) for k, v in pixels(whole).items())
