"""Random looks at training rows: repeatable, apart from one another, and no part of what is learnt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny_method import Tiny, TinyConfig  # noqa: E402

from tronie.clips.views import View  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.data.augmentation import Augment, augment  # noqa: E402
from tronie.data.loader import Rows  # noqa: E402
from tronie.methods.method import Answers, Method, Predict, Progress, TrainingRows  # noqa: E402
from tronie.train.loop import Listeners, Look, Loop, answer, train  # noqa: E402
from tronie.train.optim import Optim  # noqa: E402

LABELS = LabelSet(("happiness", "sadness", "neutral"))
MILD = Augment(rotate=5, scale=0.05, shift=0.03, smallest=16)


def rows(data: Path, part: slice = slice(0, 30)) -> Rows:
    faces = np.load(data / "drawn" / "faces.npy", mmap_mode="r")
    index = np.arange(60)[part]
    return Rows(faces, index, np.eye(3, dtype=np.float32)[index % 3], np.ones(len(index), np.float32))


class Looking(Tiny):
    """Asks what a test wants to know, after every epoch."""

    def __init__(self, ask: Callable[[Predict, Progress], None], n: int = 30) -> None:
        torch.manual_seed(3)
        super().__init__(LABELS, TinyConfig())
        self.ask, self.times = ask, torch.zeros(n)

    def __deepcopy__(self, memo: object) -> Method:
        other = Looking(lambda predict, at: None, len(self.times))
        other.load_state_dict(self.state_dict())
        return other

    def refresh(self, predict: Predict, rows: TrainingRows, at: Progress) -> None:
        self.ask(predict, at)


def trained(
    data: Path, folder: Path, ask: Callable[[Predict, Progress], None], seed: int = 0, half: bool = False
) -> Method:
    sources = [rows(data, slice(0, 20)), rows(data, slice(20, 30))]
    loop = Loop(2, 16, seed=seed, half=half)
    return train(Looking(ask), sources, loop, Optim(rate=5e-3, ema=0), MILD, folder, Listeners())


def test_no_draw_is_the_unvaried_view(data: Path, tmp_path: Path) -> None:
    found: list[Answers] = []
    method = trained(data, tmp_path, lambda predict, at: found.append(predict(np.arange(30))))
    expected = answer(method, rows(data))
    assert len(found) == 2
    assert np.array_equal(found[1].logits, expected.logits) and np.array_equal(found[1].feature, expected.feature)
    with torch.no_grad():  # by hand: the last cut, as it lies there
        faces = torch.from_numpy(np.array(rows(data).faces[:30, -1])).permute(0, 3, 1, 2)[:, None]
        assert np.array_equal(method.eval()(faces).logits.numpy(), expected.logits)


def test_a_look_is_cut_by_the_draw_view_and_its_seed(data: Path, tmp_path: Path) -> None:
    """The oracle cuts every face by hand; row 22 is row 2 of the second source."""
    found: dict[tuple[int, int], Answers] = {}

    def ask(predict: Predict, at: Progress) -> None:
        found[at.epoch, 1] = predict(np.array([4, 22]), 1)

    method = trained(data, tmp_path, ask, seed=5).eval()
    how, clips = MILD, []
    for source, row, number in ((0, 4, 4), (1, 2, 22)):
        rng = np.random.default_rng((5, 1, source, row, 0, 1))
        cuts = rows(data).faces[number]
        clips.append(augment(cuts[rng.integers(len(cuts))], 32, rng, how))
    with torch.no_grad():
        expected = method(torch.from_numpy(np.stack(clips)).permute(0, 3, 1, 2)[:, None]).logits.numpy()
    assert found[1, 1].logits == pytest.approx(expected, abs=1e-6)


def test_looks_repeat_and_differ_by_draw_epoch_and_seed(data: Path, tmp_path: Path) -> None:
    kept: dict[tuple[int, int, int], np.ndarray] = {}

    def ask(seed: int) -> Callable[[Predict, Progress], None]:
        def looked(predict: Predict, at: Progress) -> None:
            everything = np.arange(30)
            for k in range(3):
                kept[seed, at.epoch, k] = predict(everything, k).logits
                assert np.array_equal(kept[seed, at.epoch, k], predict(everything, k).logits)
            part = np.array([17, 3, 25])
            assert np.allclose(predict(part, 2).logits, kept[seed, at.epoch, 2][part], atol=1e-5)
            plain = predict(everything).logits
            for k in range(3):  # nearly every row is seen otherwise
                assert (np.abs(kept[seed, at.epoch, k] - plain).max(1) > 1e-4).mean() > 0.9
            for k in range(2):
                a, b = kept[seed, at.epoch, k], kept[seed, at.epoch, k + 1]
                assert (np.abs(a - b).max(1) > 1e-4).mean() > 0.9

        return looked

    for seed in (0, 1):
        trained(data, tmp_path / str(seed), ask(seed), seed)
    weights = Looking(lambda predict, at: None)
    looks = [
        answer(weights, rows(data), look=Look(0, seed, epoch, MILD)).logits for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert not np.allclose(looks[0], looks[1], atol=1e-3) and not np.allclose(looks[0], looks[2], atol=1e-3)


@pytest.mark.parametrize("half", [False, True])
def test_looking_changes_nothing_that_is_learnt(data: Path, tmp_path: Path, half: bool) -> None:
    def curious(predict: Predict, at: Progress) -> None:
        for k in range(2):
            predict(np.arange(7), k)

    a = trained(data, tmp_path / "a", lambda predict, at: None, half=half).state_dict()
    b = trained(data, tmp_path / "b", curious, half=half).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_every_row_is_answered_however_small_the_last_batch(data: Path) -> None:
    method = Looking(lambda predict, at: None)
    found = answer(method, rows(data), batch=28, look=Look(0))  # two rows are left: training would drop them
    assert found.logits.shape == (30, 3)


def test_the_draw_view_is_the_first_training_view_unless_a_method_says_otherwise() -> None:
    method = Tiny(LABELS, TinyConfig())
    assert method.draw_view() == method.views(True)[0] == View(32, augment=True)
    with pytest.raises(ValueError, match="0 or more"):
        Look(-1)
