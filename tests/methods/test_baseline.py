"""The baseline does what its page says, and old checkpoints load."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tronie.core.errors import ModelError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.methods.baseline import Baseline, BaselineConfig, blend  # noqa: E402
from tronie.methods.method import Batch, Method, Progress, as_images, load_state  # noqa: E402

LABELS = LabelSet(("happiness", "sadness", "neutral"))


@pytest.fixture
def baseline() -> Baseline:
    torch.manual_seed(0)
    return Baseline(LABELS, BaselineConfig("resnet18-half", size=32, dropout=0.0))


def batch(rows: int = 4, frames: int = 1) -> Batch:
    clip = torch.randint(0, 256, (rows, frames, 3, 32, 32), dtype=torch.uint8)
    target, weight = torch.eye(3)[[0, 1, 2, 0]], torch.tensor([1.0, 2.0, 0.5, 0.0])
    return Batch((clip,), target[:rows], weight[:rows], torch.arange(rows))


def test_its_loss_is_smoothed_weighted_cross_entropy(baseline: Baseline) -> None:
    rows = batch()
    baseline.eval()
    loss = baseline.loss(rows, Progress(0, 1))["ce"].item()
    logits = baseline(rows.clips[0]).logits.detach().double()
    total = 0.0
    for i in range(4):  # by hand
        p = torch.exp(logits[i]) / torch.exp(logits[i]).sum()
        target = [0.9 * float(t) + 0.1 / 3 for t in rows.target[i]]
        total -= float(rows.weight[i]) * sum(t * float(torch.log(p[c])) for c, t in enumerate(target))
    assert loss == pytest.approx(total / 3.5, rel=1e-5)


def test_a_clip_is_the_mean_of_its_frames(baseline: Baseline) -> None:
    clip = batch(2, frames=3).clips[0]
    baseline.eval()
    with torch.no_grad():
        whole = baseline(clip).feature
        single = torch.stack([baseline(clip[:, t : t + 1]).feature for t in range(3)]).mean(0)
    assert torch.allclose(whole, single, atol=1e-5)


def test_views_have_its_size_and_vary_in_training_only(baseline: Baseline) -> None:
    assert [(v.size, v.augment) for v in baseline.views(True) + baseline.views(False)] == [(32, True), (32, False)]


def test_images_keep_their_numbers() -> None:
    clip = torch.arange(2 * 3 * 3 * 4 * 4, dtype=torch.uint8).view(2, 3, 3, 4, 4)
    images = as_images(clip)
    assert images.shape == (6, 3, 4, 4) and images.dtype == torch.float32
    assert torch.equal(images, clip.flatten(0, 1).float())


def test_names_in_checkpoints_stay() -> None:
    names = set(Baseline(LABELS, BaselineConfig()).state_dict())
    some = {
        "encoder.conv1.weight",
        "encoder.bn1.running_var",
        "encoder.blocks.0.conv1.weight",
        "encoder.blocks.13.bn2.bias",
        "head.weight",
        "head.bias",
    }
    assert some <= names and len(names) == 29 * 6 + 2  # a kernel and five tensors of a norm, 29 times


class Remembering(Method):
    def __init__(self, rows: int) -> None:
        super().__init__(LABELS)
        self.register_buffer("memory", torch.zeros(rows, 2))


def test_a_checkpoint_brings_its_memory_of_any_size(baseline: Baseline) -> None:
    full, empty = Remembering(5), Remembering(0)
    full.memory += 3
    load_state(empty, full.state_dict())
    assert torch.equal(empty.memory, full.memory)
    with pytest.raises(ModelError, match="not those of this Remembering"):
        load_state(empty, baseline.state_dict())


def test_a_blend_teaches_what_its_two_rows_teach(baseline: Baseline) -> None:
    """Cross-entropy is linear in the target: the blended loss is the weighted sum of both rows' own."""
    rows, share, partner = batch(), 0.7, torch.tensor([2, 0, 3, 1])
    clip, target, weight = blend(rows.clips[0], rows.target, rows.weight, partner, share)
    logits = torch.randn(4, 3, dtype=torch.float64)
    log = torch.log_softmax(logits, 1)
    by_hand = 0.0
    for i in range(4):
        j = int(partner[i])
        assert torch.allclose(clip[i], 0.7 * rows.clips[0][i].float() + 0.3 * rows.clips[0][j].float(), atol=1e-3)
        by_hand -= float(rows.weight[i]) * 0.7 * float((rows.target[i] * log[i]).sum())
        by_hand -= float(rows.weight[j]) * 0.3 * float((rows.target[j] * log[i]).sum())
    blended = -float((weight * (target * log).sum(1)).sum())
    assert blended == pytest.approx(by_hand, rel=1e-5)
    assert float(weight.sum()) == pytest.approx(float(rows.weight.sum()))


def test_mixup_is_drawn_for_its_share_of_batches_and_from_the_seed() -> None:
    torch.manual_seed(0)
    method = Baseline(LABELS, BaselineConfig("resnet18-half", size=32, dropout=0.0, mixup=0.5)).eval()
    rows, losses = batch(), []
    for seed in range(40):
        torch.manual_seed(seed)
        losses.append(method.loss(rows, Progress(0, 1))["ce"].item())
        torch.manual_seed(seed)
        assert method.loss(rows, Progress(0, 1))["ce"].item() == losses[-1]
    method.config = BaselineConfig("resnet18-half", size=32, dropout=0.0)
    plain = method.loss(rows, Progress(0, 1))["ce"].item()
    untouched = sum(loss == pytest.approx(plain, rel=1e-6) for loss in losses)
    assert 10 <= untouched <= 30


@pytest.mark.parametrize("wrong", [{"mixup": 1.5}, {"alpha": 0.0}])
def test_impossible_blends_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="mixup"):
        BaselineConfig(**wrong)
