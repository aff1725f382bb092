"""The domain tables: packs are read as they are labelled, twins are found and never judged, scores are right."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

REPO = Path(__file__).resolve().parents[2]
SEVEN = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """The scripts, importable beside one another as they are when run."""
    folder = str(REPO / "benchmarks" / "accuracy")
    sys.path.insert(0, folder)
    names = ("domain_packs", "domain_twins", "domain_nets", "domains", "domain_train", "domain_maps", "domain_trials")
    modules: dict[str, ModuleType] = {name: __import__(name) for name in names}
    yield SimpleNamespace(**modules)
    sys.path.remove(folder)


def picture(seed: int, side: int = 64) -> np.ndarray:
    """Smooth noise: two of them are no twins."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC))


def stored(pictures: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Pictures as a pack keeps them."""
    coded = [cv2.imencode(".png", one)[1].ravel() for one in pictures]
    return {"blob": np.concatenate(coded), "offsets": np.cumsum([0, *(len(c) for c in coded)])}


@pytest.fixture
def packs(tmp_path: Path, scripts: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three tiny packs: film stills and LFW share a photo, enlarged; two stills of one film show the same."""
    stills = [picture(0), picture(1), picture(1), picture(2)]
    np.savez(
        tmp_path / "stills.npz",
        **stored(stills),
        label=np.array([0, 5, 5, 6]),
        film=np.array([3, 4, 4, 4]),
        label_names=np.array(SEVEN),
    )
    np.savez(
        tmp_path / "lfw.npz",
        **stored([picture(5), picture(0, 96)]),
        label=np.array([7, 3]),
        subject=np.array([1, 2]),
        label_names=np.array([*SEVEN, "contempt"]),
    )
    votes = np.array([[5, 1, 0, 0, 0, 0, 2], [0, 0, 0, 4, 4, 0, 0]], np.float32)
    np.savez(
        tmp_path / "performers.npz",
        **stored([picture(7), picture(8)]),
        votes=votes,
        subject=np.array([0, 1]),
        vote_names=np.array(["happy", "angry", "sad", "fear", "disgust", "surprise", "peace"]),
    )
    files = {"film-stills": "stills.npz", "lfw": "lfw.npz", "performers": "performers.npz"}
    for module in (scripts.domain_packs, scripts.domain_twins):
        monkeypatch.setattr(module, "FILES", files)
    return tmp_path


def test_labels_and_votes_are_joined_by_name(scripts: Any, packs: Path) -> None:
    read = scripts.domain_packs.read_pack
    stills, lfw, performers = (read(name, packs) for name in ("film-stills", "lfw", "performers"))
    assert stills.label.tolist() == [0, 5, 5, 6]
    assert stills.group.tolist() == [3, 4, 4, 4]
    assert lfw.label.tolist() == [-1, 3]  # contempt is none of the seven
    assert lfw.target[0].sum() == 0
    assert performers.label[0] == SEVEN.index("happiness")
    assert performers.target[0, SEVEN.index("neutral")] == pytest.approx(0.25)
    assert performers.id[1] == "performers/1"


def test_a_photo_in_two_packs_is_found_and_one_within_a_film_is_not(scripts: Any, packs: Path) -> None:
    for name in ("film-stills", "lfw", "performers"):
        scripts.domain_packs.cut_faces(name, packs, packs)
    found = scripts.domain_twins.twins(packs, packs, 52, 40)
    assert [(a, b) for a, b, _, _ in found] == [("film-stills/0", "lfw/1")]


def test_twins_and_rows_without_a_label_are_not_judged(
    scripts: Any, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains = scripts.domains
    monkeypatch.setattr(domains, "twin_rows", lambda: {"film-stills/0": {"lfw/1"}, "lfw/1": {"film-stills/0"}})
    rows, left = domains.rows_of(domains.Domain("film stills", "film-stills", "film stills"), packs)
    assert (rows.row.tolist(), left) == ([1, 2, 3], 1)
    rows, left = domains.rows_of(domains.Domain("LFW", "lfw", "LFW"), packs)
    assert (len(rows), left) == (0, 2)


def test_only_classes_with_enough_rows_count(scripts: Any) -> None:
    domains = scripts.domains
    truth = np.repeat([0, 3, 5], [40, 20, 19])
    classes = domains.counted(truth)
    assert np.flatnonzero(classes).tolist() == [0, 3]
    answer = np.concatenate([np.zeros(40, int), np.full(10, 3), np.zeros(29, int)])
    assert domains.recall_of(truth, answer, classes, np.arange(79)) == pytest.approx(0.75)  # anger is all wrong
    told = domains.Answers(truth, np.arange(79), np.eye(7)[answer], 0)
    got = domains.scores(told)
    assert got["mean recall"].value == pytest.approx(0.75)
    assert got["accuracy"].value == pytest.approx(50 / 79)
    assert "anger" not in got


def test_a_clip_answers_by_the_mean_of_its_frames(scripts: Any) -> None:
    odds = np.array([[1.0, 0], [0, 1], [0.4, 0.6], [0.5, 0.5]])
    told = scripts.domains.Answers(np.array([0, 0, 1, 1]), np.array([1, 1, 2, 2]), odds, 0)
    clips = scripts.domains._by_clip(told, np.array([0, 0, 4, 4]))
    np.testing.assert_allclose(clips.probability, [[0.5, 0.5], [0.45, 0.55]])
    assert (clips.truth.tolist(), clips.group.tolist()) == ([0, 1], [1, 2])


def test_weights_survive_being_written_as_halves(scripts: Any, tmp_path: Path) -> None:
    nets = scripts.domain_nets
    net = nets.read_net(REPO / "models" / "static-2-fold0.npz")
    nets.write_net(net, tmp_path / "n.npz", ("rafdb:3", "lfw:1"))
    again = nets.read_net(tmp_path / "n.npz")
    assert nets.seen_by(tmp_path / "n.npz") == ("rafdb:3", "lfw:1")
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), again.state_dict()[name].numpy())


def test_losses_for_noisy_labels_touch_film_faces_alone(scripts: Any) -> None:
    import torch

    trials = scripts.domain_trials
    logits, target = torch.tensor([[2.0, 0, 0, 0, 0, 0, 0]] * 2), torch.eye(7)[[1, 1]]
    film, p = torch.tensor([False, True]), float(torch.softmax(logits[0], 0)[1])
    plain = trials.row_losses(logits, target, film, trials.Variant(film="ce", smoothing=0.0))
    robust = trials.row_losses(logits, target, film, trials.Variant(film="gce", smoothing=0.0))
    assert float(plain[0]) == pytest.approx(-np.log(p), rel=1e-5)
    assert float(robust[0]) == pytest.approx(float(plain[0]))
    assert float(robust[1]) == pytest.approx((1 - p**0.7) / 0.7, rel=1e-5)


def test_styles_are_mixed_but_not_what_is_shown(scripts: Any) -> None:
    import torch

    torch.manual_seed(0)
    x = torch.randn(8, 4, 6, 6) * torch.arange(1, 9)[:, None, None, None] + 3
    mixed = scripts.domain_trials.mixed_styles(x)

    def shape(of: torch.Tensor) -> torch.Tensor:
        return (of - of.mean((2, 3), keepdim=True)) / of.std((2, 3), keepdim=True)

    torch.testing.assert_close(shape(mixed), shape(x), rtol=1e-3, atol=1e-3)
    assert float((mixed - x).abs().max()) > 0.1


def test_centring_makes_people_alike_on_average(scripts: Any) -> None:
    log = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    group = np.repeat([1, 2, 3], 10)
    made = scripts.domain_trials.centred(log, group)
    for one in (1, 2, 3):
        np.testing.assert_allclose(made[group == one].mean(0), log.mean(0), atol=1e-5)
