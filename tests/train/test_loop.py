"""The loop: it learns, it goes on to the bit where it was stopped, and it applies what methods decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny_method import Tiny, TinyConfig  # noqa: E402

from tronie.core.errors import SettingError, SourceError  # noqa: E402
from tronie.core.labels import LabelSet  # noqa: E402
from tronie.data.augmentation import Augment  # noqa: E402
from tronie.data.loader import Rows  # noqa: E402
from tronie.methods.method import Decisions, Method  # noqa: E402
from tronie.train import checkpoint  # noqa: E402
from tronie.train.log import append_log, read_log  # noqa: E402
from tronie.train.loop import Listeners, Loop, answer, train  # noqa: E402
from tronie.train.optim import Optim, average_into, copy_memories, rate_at  # noqa: E402

LABELS = LabelSet(("happiness", "sadness", "neutral"))
MILD = Augment(rotate=5, scale=0.05, shift=0.03, low_resolution=0.1, smallest=16, erase=0.1)
QUICK = Loop(epochs=4, batch=16, half=False, judge_every=2)
RATE = Optim(rate=5e-3, ema=0.9)


def rows(data: Path, part: slice, share: float = 1.0) -> Rows:
    faces = np.load(data / "drawn" / "faces.npy", mmap_mode="r")
    index = np.arange(60)[part]
    return Rows(faces, index, np.eye(3, dtype=np.float32)[index % 3], np.ones(len(index), np.float32), share)


def make(n: int, **config: Any) -> Method:
    torch.manual_seed(3)
    method = Tiny(LABELS, TinyConfig(**config))
    method.times = torch.zeros(n)
    return method


def same(a: Method, b: Method) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


def test_it_learns_generated_faces(data: Path, tmp_path: Path) -> None:
    learn, held = rows(data, slice(0, 42)), rows(data, slice(42, 60))
    lines: list[str] = []

    def judge(weights: Method) -> dict[str, float]:
        return {"held": float((answer(weights, held).logits.argmax(1) == held.target.argmax(1)).mean())}

    method = make(42)
    weights = train(
        method,
        [learn],
        Loop(14, 14, half=False, judge_every=7),
        RATE,
        MILD,
        tmp_path,
        Listeners(judge, say=lines.append),
    )
    log = read_log(tmp_path)
    assert [line["epoch"] for line in log] == list(range(14)) == list(range(len(lines)))
    assert log[-1]["ce"] < 0.5 * log[0]["ce"]
    assert [i for i, line in enumerate(log) if "held" in line] == [6, 13]
    assert log[-1]["held"] >= 0.8  # three kinds: chance is a third
    assert log[-1]["rows_seen"] == 1.0
    assert weights is not method and not weights.training


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize("half", [False, True])
def test_a_stopped_run_goes_on_to_the_bit(data: Path, tmp_path: Path, stop: int, half: bool) -> None:
    """With dropout, norms, momentum, an average, a memory and decisions; the kill comes before an epoch is saved."""
    sources = [rows(data, slice(0, 30)), rows(data, slice(30, 60), share=0.5)]
    loop = Loop(epochs=4, batch=16, half=half, judge_every=1)

    class Killed(Exception):
        pass

    def kill(weights: Method) -> dict[str, float]:
        if len(read_log(tmp_path / "b")) == stop:
            raise Killed  # in the middle of epoch stop + 1: its steps are done and lost
        return {}

    straight = train(make(60, decide=True), sources, loop, RATE, MILD, tmp_path / "a")
    with pytest.raises(Killed):
        train(make(60, decide=True), sources, loop, RATE, MILD, tmp_path / "b", Listeners(kill))
    torch.rand(7)  # the random state is another one than an uninterrupted run has here
    resumed = train(make(60, decide=True), sources, loop, RATE, MILD, tmp_path / "b")
    assert same(straight, resumed)
    a, b = (checkpoint.read(tmp_path / name / checkpoint.LAST) for name in "ab")
    assert all(torch.equal(a["model"][k], b["model"][k]) for k in a["model"])
    assert all(torch.equal(a["rows"][k], b["rows"][k]) for k in a["rows"])
    logs = [read_log(tmp_path / name) for name in "ab"]
    for line in logs[0] + logs[1]:
        line.pop("seconds")
    assert logs[0] == logs[1] and len(logs[0]) == 4


def test_a_finished_run_has_nothing_left_to_do(data: Path, tmp_path: Path) -> None:
    first = train(make(30), [rows(data, slice(0, 30))], QUICK, RATE, MILD, tmp_path)
    stamp = (tmp_path / checkpoint.LAST).stat().st_mtime_ns
    again = train(make(30), [rows(data, slice(0, 30))], QUICK, RATE, MILD, tmp_path)
    assert same(first, again) and (tmp_path / checkpoint.LAST).stat().st_mtime_ns == stamp


def test_an_epoch_that_was_logged_but_not_saved_is_taken_back(data: Path, tmp_path: Path) -> None:
    train(make(30), [rows(data, slice(0, 30))], Loop(2, 16, half=False), RATE, MILD, tmp_path)
    append_log(tmp_path, {"epoch": 2, "ce": 1.0})
    (tmp_path / "samples.csv").write_text("epoch,id\n1,a\n2,b\n")
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"epoch": 3, "c')  # cut short by the kill
    train(make(30), [rows(data, slice(0, 30))], Loop(3, 16, half=False), RATE, MILD, tmp_path)
    assert [line["epoch"] for line in read_log(tmp_path)] == [0, 1, 2]
    assert (tmp_path / "samples.csv").read_text() == "epoch,id\n1,a\n"


def test_decisions_change_what_is_learnt_from(data: Path, tmp_path: Path) -> None:
    heard: list[Decisions] = []
    source = rows(data, slice(0, 30))
    loop = Loop(2, 16, half=False)
    train(make(30, decide=True), [source], loop, RATE, MILD, tmp_path, Listeners(record=heard.append))
    assert [d.epoch for d in heard] == [0, 1]
    kept = checkpoint.read(tmp_path / checkpoint.LAST)["rows"]
    assert kept["label"].tolist() == [2 if i == 4 else -1 for i in range(30)]
    assert kept["factor"].tolist() == heard[1].weight.tolist() and 0 < kept["factor"].sum() < 30
    untouched = train(make(30), [source], Loop(2, 16, half=False), RATE, MILD, tmp_path / "plain")
    decided = train(make(30, decide=True), [source], Loop(2, 16, half=False), RATE, MILD, tmp_path / "again")
    assert not same(untouched, decided)


def test_decisions_begin_with_the_next_epoch(data: Path, tmp_path: Path) -> None:
    one = [rows(data, slice(0, 30))]
    plain = train(make(30), one, Loop(1, 16, half=False), RATE, MILD, tmp_path / "a")
    deciding = train(make(30, decide=True), one, Loop(1, 16, half=False), RATE, MILD, tmp_path / "b")
    assert same(plain, deciding)


def test_a_loss_that_is_no_number_stops_with_a_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"'ce' became inf in epoch 2, step 1: lower optim\.rate"):
        train(make(30, bomb=1), [rows(data, slice(0, 30))], QUICK, RATE, MILD, tmp_path)
    assert checkpoint.read(tmp_path / checkpoint.LAST)["epoch"] == 1  # what was learnt before is kept


def test_twelve_rows_and_a_batch_of_64_still_learn(data: Path, tmp_path: Path) -> None:
    before = make(12)
    after = train(make(12), [rows(data, slice(0, 12))], Loop(1, 64, half=False), Optim(ema=0), MILD, tmp_path)
    assert not same(before, after) and "ce" in read_log(tmp_path)[0]
    with pytest.raises(SettingError, match="1 training rows are too few"):
        train(make(1), [rows(data, slice(0, 1))], QUICK, RATE, MILD, tmp_path / "one")


def test_frozen_norms_keep_their_statistics(data: Path, tmp_path: Path) -> None:
    method = make(30)
    before = {k: v.clone() for k, v in method.state_dict().items()}
    train(method, [rows(data, slice(0, 30))], Loop(1, 16, half=False, norms="frozen"), Optim(ema=0), MILD, tmp_path)
    after = method.state_dict()
    assert torch.equal(before["body.1.running_mean"], after["body.1.running_mean"])
    assert not torch.equal(before["body.1.weight"], after["body.1.weight"])


def test_answers_do_not_depend_on_the_batch_and_leave_the_mode(data: Path) -> None:
    method, source = make(30), rows(data, slice(0, 30))
    method.train()
    a, b = answer(method, source, batch=7), answer(method, source, batch=128)
    assert method.training and a.logits.shape == (30, 3) and a.feature.shape == (30, 192)
    assert np.allclose(a.logits, b.logits, atol=1e-5)


def test_the_average_follows_and_copies_what_cannot_be_averaged() -> None:
    old, new = make(4), make(4)
    with torch.no_grad():
        for p in new.parameters():
            p += 1
        new.times += 5
        new.body[1].running_mean += 2
    before = old.head.weight.clone()
    average_into(old, new, 0.9, step=10_000)
    assert torch.allclose(old.head.weight, before + 0.1, atol=1e-6)
    assert torch.allclose(old.body[1].running_mean, torch.full((12,), 0.2), atol=1e-6)
    copy_memories(old, new)
    assert torch.equal(old.times, new.times)
    average_into(old, new, 0.999, step=0)  # at first it follows closely
    assert torch.allclose(old.head.weight, before + 0.1 + 0.9 * 0.9, atol=1e-5)


def test_the_rate_climbs_then_falls() -> None:
    how = Optim(rate=1.0, warmup=0.2, floor=0.1)
    assert rate_at(0.1, how) == pytest.approx(0.5) and rate_at(0.2, how) == pytest.approx(1.0)
    assert rate_at(0.6, how) == pytest.approx(0.1 + 0.9 * 0.5) and rate_at(1.0, how) == pytest.approx(0.1)
    assert 0 < rate_at(0.0, how) < 0.01


def test_a_damaged_checkpoint_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(SourceError, match=r"last\.pt cannot be read"):
        checkpoint.read(tmp_path / "last.pt")
    with pytest.raises(SourceError, match="has not finished an epoch"):
        checkpoint.read(tmp_path / "absent.pt")


def test_log_lines_are_json_whatever_the_numbers(tmp_path: Path) -> None:
    append_log(tmp_path, {"epoch": 0, "ce": 0.123456789, "uar": float("nan")})
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"epoch": 0, "ce": 0.123457, "uar": None}
