"""Data-parallel training is the training of one process, up to the order of additions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tronie.train import checkpoint  # noqa: E402
from tronie.train.distributed import ALONE, SharedNorm, freeze_norms, join, share_norms  # noqa: E402
from tronie.train.log import read_log  # noqa: E402

SCRIPT = Path(__file__).with_name("team_script.py")
SOURCE = Path(__file__).parents[2] / "src"
TOLERANCE = 1e-3
"""Largest relative difference of any weight after three epochs, in two processes instead of one."""


def started(arguments: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("norms", ["batch", "frozen"])
def test_two_processes_learn_what_one_learns(data: Path, tmp_path: Path, norms: str) -> None:
    faces = str(data / "drawn" / "faces.npy")
    started([str(SCRIPT), faces, str(tmp_path / "one"), norms])
    started(
        [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            str(SCRIPT),
            faces,
            str(tmp_path / "two"),
            norms,
        ]
    )
    alone, first, second = (torch.load(tmp_path / name) for name in ("one/rank0.pt", "two/rank0.pt", "two/rank1.pt"))
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), name
        assert (first[name] - value).abs().max() <= TOLERANCE * value.abs().max(), name
    looked = [np.load(tmp_path / f"{name}.npy") for name in ("one/looked0", "two/looked0", "two/looked1")]
    assert np.array_equal(looked[1], looked[2])  # all see the same random looks, whoever cut them
    assert np.abs(looked[0] - looked[1]).max() <= 10 * TOLERANCE * np.abs(looked[0]).max()
    assert np.abs(looked[0][:, 0] - looked[0][:, 1]).max() > 0.1 * np.abs(looked[0]).max()
    memory = [checkpoint.read(tmp_path / name / "last.pt")["model"]["times"] for name in ("one", "two")]
    assert torch.equal(memory[0], memory[1]) and memory[0].sum() > 100  # each row was counted, whoever met it
    logs = [read_log(tmp_path / name) for name in ("one", "two")]
    assert [a["ce"] for a in logs[0]] == pytest.approx([b["ce"] for b in logs[1]], rel=TOLERANCE)
    rows = [checkpoint.read(tmp_path / name / "last.pt")["rows"] for name in ("one", "two")]
    assert torch.equal(rows[0]["label"], rows[1]["label"])  # decisions were made on all rows by everybody


def test_shared_norms_keep_names_and_numbers() -> None:
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.BatchNorm1d(5))
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), inner)
    net[1].running_mean += 2
    before, state = net[1].weight, {k: v.clone() for k, v in net.state_dict().items()}
    share_norms(net)
    assert isinstance(net[1], SharedNorm) and isinstance(net[2][0], SharedNorm) and net[1].weight is before
    assert all(torch.equal(net.state_dict()[k], v) for k, v in state.items())
    x = torch.rand(2, 4, 5, 5)
    assert torch.equal(
        net[1].eval()(x),
        torch.nn.functional.batch_norm(x, net[1].running_mean, net[1].running_var, net[1].weight, net[1].bias),
    )
    freeze_norms(net.train())
    assert not net[1].training and net[0].training


def test_a_shared_norm_of_one_process_is_batch_norm(tmp_path: Path) -> None:
    """Outputs, gradients and running statistics, over a process group of one."""
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        torch.manual_seed(1)
        usual, shared = torch.nn.BatchNorm2d(4), torch.nn.Sequential(torch.nn.BatchNorm2d(4))
        share_norms(shared)
        x = torch.randn(6, 4, 3, 3) * 3 + 1
        inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
        for norm, given in zip((usual, shared), inputs, strict=True):
            (norm(given) ** 3).sum().backward()
        assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-4)
        ours = shared[0]
        assert torch.allclose(usual.running_mean, ours.running_mean, atol=1e-6)
        assert torch.allclose(usual.running_var, ours.running_var, atol=1e-6)
        assert torch.allclose(usual.weight.grad, ours.weight.grad, rtol=1e-4) and ours.num_batches_tracked == 1
    finally:
        dist.destroy_process_group()


def test_alone_everything_is_ones_own() -> None:
    assert ALONE.leads and ALONE.share(3.0) == 1.0 and ALONE.share(0.0) == 1.0 and ALONE.total([1.5]) == [1.5]
    part = np.arange(3)
    assert ALONE.joined(part, 3) is part and ALONE.agreed("x") == "x"
    with join() as team:
        assert team == ALONE
