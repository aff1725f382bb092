"""KE2NT against its equations written out row by row, and what must hold whatever the numbers are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.core.labels import BASIC7, LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.ke2nt import KE2NT, KE2NTConfig
from tronie.methods.method import Answers, Batch, Progress, TrainingRows, load_state
from tronie.metrics.actions import Looking, look
from tronie.metrics.agreement import VERDICTS
from tronie.nn.losses import cosines, expressive, self_contrast, transformation
from tronie.nn.text import text_table
from tronie.nn.text.table import TextEncoder

START = Progress(0, 5)
ROWS = 12
SEEDS = st.integers(0, 2**32)


def make(encoder: type[nn.Module], labels: LabelSet = BASIC7, **settings: object) -> KE2NT:
    torch.manual_seed(1)
    method = KE2NT(labels, KE2NTConfig(encoder=encoder, **settings))  # type: ignore[arg-type]  # tables take objects
    names = np.array([f"face{i}" for i in range(ROWS)])
    method.prepare(Manifest(names, names, np.zeros(ROWS, np.int64), labels), torch.zeros(2, 3, 8, 8))
    return method.train()


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cos(a: list[float], b: list[float]) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def minus(a: list[float], b: list[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def by_hand(method: KE2NT, batch: Batch, *, all_pairs: bool) -> dict[str, float]:
    """The three losses with Python's lists, for one-hot targets and weights."""
    out = method(batch.clips[0])
    assert out.neutral is not None
    face, calm, text = out.feature.tolist(), out.neutral.tolist(), method.text.tolist()
    label, weight, zero = batch.target.argmax(1).tolist(), batch.weight.tolist(), 6
    match = 0.0
    for f, y, w in zip(face, label, weight, strict=True):
        z = [100 * cos(f, t) for t in text]
        match += w * (math.log(sum(math.exp(v - max(z)) for v in z)) + max(z) - z[y])
    rows = [i for i in range(len(label)) if label[i] != zero]
    turned = sum(weight[i] * (1 - cos(minus(face[i], calm[i]), minus(text[label[i]], text[zero]))) for i in rows)
    pairs = [(i, j) for i in rows for j in rows] if all_pairs else [(i, i) for i in rows]
    scale = {(i, j): weight[i] * weight[j] if all_pairs else weight[i] for i, j in pairs}
    apart = sum(scale[i, j] * (cos(text[label[i]], calm[j]) - cos(text[label[i]], face[j]) + 2) for i, j in pairs)
    return {
        "match": match / sum(weight),
        "transform": turned / sum(weight[i] for i in rows),
        "contrast": apart / sum(scale.values()),
    }


@pytest.mark.parametrize(
    ("settings", "all_pairs"),
    [
        ({}, False),
        ({"pairs": "all-pairs"}, True),
        ({"faithful": True}, True),
        ({"residual": True, "centre": True}, False),
    ],
)
def test_the_losses_equal_the_equations_by_hand(
    pointwise: type[nn.Module], batch: Batch, settings: dict[str, object], all_pairs: bool
) -> None:
    method = make(pointwise, **settings)
    parts, wanted = method.loss(batch, START), by_hand(method, batch, all_pairs=all_pairs)
    assert parts.keys() == wanted.keys()
    for name, value in wanted.items():
        assert parts[name].item() == pytest.approx(value, rel=2e-4), name


def test_the_parts_carry_their_weights(pointwise: type[nn.Module], batch: Batch) -> None:
    one, three = make(pointwise), make(pointwise, transform=3.0, contrast=0.5)
    a, b = one.loss(batch, START), three.loss(batch, START)
    assert b["transform"].item() == pytest.approx(3 * a["transform"].item(), rel=1e-5)
    assert b["contrast"].item() == pytest.approx(0.5 * a["contrast"].item(), rel=1e-5)
    assert make(pointwise, transform=0.0).loss(batch, START).keys() == {"match", "contrast"}


def test_the_transformation_has_its_131712_parameters(pointwise: type[nn.Module]) -> None:
    method = make(pointwise)  # 384 wide here, 512 in the paper
    assert [m.weight.shape for m in method.neutral if isinstance(m, nn.Linear)] == [(128, 384), (384, 128)]

    class Wide(nn.Module):
        width = 512

        def start(self, faces: Tensor) -> None:
            """It has no pre-trained state."""

    paper = KE2NT(BASIC7, KE2NTConfig(encoder=Wide, text=f"{__name__}:clip_like"))  # type: ignore[arg-type]
    assert sum(p.numel() for p in paper.neutral.parameters()) == 131_712
    assert isinstance(paper.last, nn.Identity) and paper.text.shape == (7, 512)


def test_an_encoder_of_another_width_ends_in_the_texts_width(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise)
    out = method(batch.clips[0])
    assert isinstance(method.last, nn.Linear) and (method.last.in_features, method.last.out_features) == (6, 384)
    assert out.neutral is not None and out.feature.shape == out.neutral.shape == (6, 384)
    assert out.logits.shape == (6, 7)


def test_logits_are_scaled_cosines_with_the_texts(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise)
    out = method(batch.clips[0])
    for logits, face in zip(out.logits.tolist(), out.feature.tolist(), strict=True):
        assert logits == pytest.approx([100 * cos(face, t) for t in text_table(BASIC7).tolist()], abs=2e-3)


def test_the_text_is_frozen_and_matching_leaves_m_alone(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise)
    assert not method.text.requires_grad and "text" not in dict(method.named_parameters())
    parts = method.loss(batch, START)
    parts["match"].backward(retain_graph=True)  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in method.neutral.parameters())
    (parts["transform"] + parts["contrast"]).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.neutral.parameters())
    assert torch.equal(method.text, text_table(BASIC7))


@pytest.mark.parametrize("part", ["transform", "contrast"])
def test_the_encoder_learns_through_the_face_and_through_its_neutral(
    pointwise: type[nn.Module], batch: Batch, part: str
) -> None:
    method = make(pointwise)
    for cut_face in (True, False):
        out = method(batch.clips[0])
        face, calm = (out.feature.detach(), out.neutral) if cut_face else (out.feature, out.neutral.detach())
        mass = expressive(batch.target, batch.weight, 6)
        loss = (
            transformation(face, calm, method.text, 6, mass)
            if part == "transform"
            else self_contrast(face, calm, method.text, mass)
        )
        method.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert method.encoder.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("pairs", ["paired", "all-pairs"])
def test_a_batch_of_neutral_faces_gives_zero_and_no_nan(pointwise: type[nn.Module], batch: Batch, pairs: str) -> None:
    method = make(pointwise, pairs=pairs)
    parts = method.loss(Batch(batch.clips, torch.eye(7)[torch.full((6,), 6)], batch.weight, batch.row), START)
    assert parts["transform"].item() == 0 and parts["contrast"].item() == 0
    torch.stack(list(parts.values())).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_neutral_faces_change_nothing_but_the_matching(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise).eval()
    all_rows = method.loss(batch, START)
    keep = batch.target.argmax(1) != 6
    some = method.loss(Batch((batch.clips[0][keep],), batch.target[keep], batch.weight[keep], batch.row[keep]), START)
    for name in ("transform", "contrast"):
        assert some[name].item() == pytest.approx(all_rows[name].item(), rel=1e-5)


def test_no_gradient_explodes_where_a_face_is_its_own_neutral() -> None:
    face = torch.ones(2, 4, requires_grad=True)
    mass = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    transformation(face, face.detach(), torch.eye(4)[:2], 1, mass).backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(face.grad).all()  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.01, 50))
def test_the_ends_of_the_transformation_loss(seed: int, length: float) -> None:
    """0 for a change parallel to the words', 2 for the opposite, whatever its length; contrast is 2 where f_n = f_e."""
    rng = torch.Generator().manual_seed(seed)
    text, calm = torch.randn(3, 8, generator=rng), torch.randn(2, 8, generator=rng)
    mass = torch.eye(3)[torch.tensor([0, 1])]
    change = length * (text[:2] - text[2])
    assert transformation(calm + change, calm, text, 2, mass).item() == pytest.approx(0, abs=1e-3)
    assert transformation(calm - change, calm, text, 2, mass).item() == pytest.approx(2, abs=1e-3)
    for all_pairs in (False, True):
        assert self_contrast(calm, calm, text, mass, all_pairs=all_pairs).item() == pytest.approx(2, abs=1e-5)
    best = self_contrast(text[:2], -length * text[:2], text, mass)
    assert best.item() == pytest.approx(0, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_soft_targets_are_expectations_over_labels(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    text, face, calm = (torch.randn(n, 5, generator=rng) for n in (4, 6, 6))
    target = torch.softmax(2 * torch.randn(6, 4, generator=rng), 1)
    weight = torch.rand(6, generator=rng)
    mass = expressive(target, weight, 1)
    turned = apart = total = both = everything = 0.0
    for i in range(6):
        for c in (0, 2, 3):
            w = float(weight[i] * target[i, c])
            total += w
            turned += w * (1 - cos((face[i] - calm[i]).tolist(), (text[c] - text[1]).tolist()))
            apart += w * (cos(text[c].tolist(), calm[i].tolist()) - cos(text[c].tolist(), face[i].tolist()) + 2)
            for j in range(6):
                v = w * float(weight[j] * (1 - target[j, 1]))
                everything += v
                both += v * (cos(text[c].tolist(), calm[j].tolist()) - cos(text[c].tolist(), face[j].tolist()) + 2)
    assert transformation(face, calm, text, 1, mass).item() == pytest.approx(turned / total, rel=1e-4)
    assert self_contrast(face, calm, text, mass).item() == pytest.approx(apart / total, rel=1e-4)
    assert self_contrast(face, calm, text, mass, all_pairs=True).item() == pytest.approx(both / everything, rel=1e-4)


def test_the_release_takes_the_leading_label_of_votes(pointwise: type[nn.Module], batch: Batch) -> None:
    soft = Batch(batch.clips, 0.7 * batch.target + 0.3 / 7, batch.weight, batch.row)
    hard, released = make(pointwise, pairs="all-pairs"), make(pointwise, faithful=True)
    assert released.loss(soft, START)["match"].item() == pytest.approx(hard.loss(batch, START)["match"].item())
    assert hard.loss(soft, START)["match"].item() != pytest.approx(hard.loss(batch, START)["match"].item(), rel=1e-3)


def test_autocast_does_not_coarsen_the_cosines() -> None:
    a, b = (torch.randn(64, 384, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    with torch.autocast("cpu", torch.bfloat16):
        half = cosines(a, b)
    assert half.dtype == torch.float32 and torch.equal(half, cosines(a, b))
    assert torch.allclose(half, nn.functional.cosine_similarity(a[:, None], b[None], dim=2), atol=1e-6)
    assert cosines(torch.zeros(1, 3), torch.ones(1, 3)).item() == 0


def test_neutral_is_found_by_name(pointwise: type[nn.Module], batch: Batch) -> None:
    """With the labels in another order, everything but the order of the logits stays."""
    order = [6, 2, 0, 1, 3, 4, 5]
    other = make(pointwise, LabelSet(tuple(BASIC7.names[i] for i in order)))
    moved = Batch(batch.clips, batch.target[:, order], batch.weight, batch.row)
    first, second = make(pointwise).loss(batch, START), other.loss(moved, START)
    for name, value in first.items():
        assert second[name].item() == pytest.approx(value.item(), rel=1e-5)


def test_labels_without_neutral_learn_by_matching_or_are_refused(pointwise: type[nn.Module], batch: Batch) -> None:
    labels = LabelSet(("happiness", "sadness"))
    with pytest.raises(SettingError, match="no label 'neutral' among happiness, sadness: call it so, or"):
        make(pointwise, labels)
    method = make(pointwise, labels, transform=0.0, contrast=0.0)
    assert method(batch.clips[0]).neutral is None
    target = torch.eye(2)[torch.tensor([0, 1, 0, 1, 1, 0])]
    assert method.loss(Batch(batch.clips, target, batch.weight, batch.row), START).keys() == {"match"}


def test_a_learned_scale_starts_as_clips_did_and_stays_below_100(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise, scale="learned")
    assert float(torch.as_tensor(method.scale()).detach()) == pytest.approx(1 / 0.07)
    method.loss(batch, START)["match"].backward()  # type: ignore[no-untyped-call]
    assert method.log_scale is not None and method.log_scale.grad is not None and method.log_scale.grad.abs() > 0
    with torch.no_grad():
        method.log_scale.fill_(9.0)
    assert float(torch.as_tensor(method.scale()).detach()) == pytest.approx(100.0)
    assert make(pointwise).scale() == 100.0


def test_centred_texts_have_mean_zero_and_turn_alike(pointwise: type[nn.Module]) -> None:
    plain, centred = make(pointwise).text, make(pointwise, centre=True).text
    assert torch.allclose(centred.mean(0), torch.zeros(384), atol=1e-6)
    assert torch.allclose(centred - centred[6], plain - plain[6], atol=1e-6)


def test_the_residual_form_starts_from_the_face_itself(pointwise: type[nn.Module], batch: Batch) -> None:
    method = make(pointwise, residual=True)
    out = method(batch.clips[0])
    assert torch.allclose(out.neutral, out.feature + method.neutral(out.feature))  # type: ignore[arg-type]


def looks_at(rows: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    logits = (4 * rng.normal(size=(1, rows, 7)) + rng.normal(size=(5, rows, 7))).astype(np.float32)
    return logits, np.eye(7, dtype=np.float32)[rng.integers(0, 7, rows)]


def clip_like(argument: str) -> TextEncoder:
    """A text encoder as wide as CLIP's."""
    return lambda texts: torch.randn(len(texts), 512, generator=torch.Generator().manual_seed(0))


class Looker:
    """A predictor whose k-th look is given; it remembers what it was asked."""

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self.logits, self.draws = logits, list[int | None]()

    def __call__(self, rows: NDArray[np.int64], draw: int | None = None) -> Answers:
        self.draws.append(draw)
        return Answers(self.logits[draw or 0, rows], np.zeros((len(rows), 1), np.float32))


def test_looking_decides_as_the_shared_rules_say(pointwise: type[nn.Module]) -> None:
    how = Looking(looks=5, warmup=2, every=1, cap=1.0)
    method = make(pointwise, looking=how)
    logits, given = looks_at(ROWS, 0)
    rows, label = TrainingRows(given, np.ones(ROWS, np.float32), given), given.argmax(1)
    looker = Looker(logits)
    assert method.refresh(looker, rows, Progress(0, 4)) is None and not looker.draws
    assert method.epoch_end(Progress(0, 4)) == {}
    found = method.refresh(looker, rows, Progress(1, 4))
    assert looker.draws == [0, 1, 2, 3, 4] and found is not None
    p = torch.softmax(torch.from_numpy(logits), 2).numpy()
    wanted = look(p, label, how, done=0.5)
    named = np.flatnonzero(wanted.verdict > 0)
    assert 0 < len(named) < ROWS and found.row.tolist() == named.tolist() and found.epoch == 1
    assert found.verdict.tolist() == wanted.word[named].tolist()
    assert found.weight.tolist() == wanted.weight[named].tolist() and set(found.label.tolist()) == {-1}
    said = method.epoch_end(Progress(1, 4))
    assert sum(said[word] for word in VERDICTS) == pytest.approx(1)
    again, _ = looks_at(ROWS, 1)
    second = method.refresh(Looker(again), rows, Progress(2, 4))
    q = torch.softmax(torch.from_numpy(again), 2).numpy()
    later = look(q, label, how, memory=wanted.memory, done=0.75)
    assert second is not None
    assert second.row.tolist() == sorted({*named.tolist(), *np.flatnonzero(later.verdict > 0).tolist()})
    assert np.allclose(method.seen.numpy(), later.memory) and method.verdict.tolist() == later.verdict.tolist()


def test_looks_are_remembered_by_a_checkpoint(pointwise: type[nn.Module]) -> None:
    method = make(pointwise, looking=Looking(looks=5, warmup=1))
    logits, given = looks_at(ROWS, 0)
    method.refresh(Looker(logits), TrainingRows(given, np.ones(ROWS, np.float32), given), Progress(0, 4))
    fresh = KE2NT(BASIC7, method.config)
    load_state(fresh, method.state_dict())
    assert torch.equal(fresh.seen, method.seen) and torch.equal(fresh.verdict, method.verdict)


def test_without_looking_nothing_is_looked_at(pointwise: type[nn.Module]) -> None:
    method, (logits, given) = make(pointwise), looks_at(ROWS, 0)
    looker = Looker(logits)
    assert method.refresh(looker, TrainingRows(given, np.ones(ROWS, np.float32), given), Progress(3, 4)) is None
    assert not looker.draws and len(method.seen) == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"transform": -1.0}, "transform and contrast >= 0"),
        ({"hidden": 0}, "hidden >= 1"),
        ({"faithful": True, "centre": True}, "faithful is the release"),
        ({"faithful": True, "looking": Looking(looks=3)}, "faithful is the release"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        KE2NTConfig(**wrong)  # type: ignore[arg-type]
