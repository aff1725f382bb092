"""What `torchrun` starts in test_team.py: train the tiny method, alone or in a team, and save what came of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny_method import Tiny, TinyConfig

from tronie.core.labels import LabelSet
from tronie.data.augmentation import Augment
from tronie.data.loader import Rows
from tronie.train.distributed import join
from tronie.train.loop import Loop, train
from tronie.train.optim import Optim


def main(faces: Path, out: Path, norms: str) -> None:
    pixels = np.load(faces, mmap_mode="r")
    label = np.arange(len(pixels)) % 3
    weight = np.linspace(0.2, 2.0, len(pixels)).astype(np.float32)
    rows = Rows(pixels, np.arange(len(pixels)), np.eye(3, dtype=np.float32)[label], weight)
    loop = Loop(epochs=3, batch=16, half=False, norms="frozen" if norms == "frozen" else "batch")
    with join() as team:
        torch.manual_seed(3)
        method = Tiny(LabelSet(("a", "b", "c")), TinyConfig(dropout=0.0, decide=True, looks=2))
        method.times = torch.zeros(len(pixels))
        optim = Optim(name="sgd", rate=0.02, ema=0.9, decay=1e-3)
        weights = train(method, [rows], loop, optim, Augment(smallest=16), out, team=team)
        torch.save(weights.state_dict(), out / f"rank{team.rank}.pt")
        np.save(out / f"looked{team.rank}.npy", np.stack(method.looked))
        everyone = team.joined(np.arange(7)[team.rank :: team.size] * 10, 7)
        assert everyone.tolist() == [0, 10, 20, 30, 40, 50, 60], everyone
        assert team.agreed({"rank": team.rank}) == {"rank": 0}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
