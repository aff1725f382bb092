"""Full weights of ``Baseline`` with dlib's encoder: read, written as the repository keeps them, and exported."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from domain_packs import LABELS, SIZE

from tronie.core.labels import LabelSet
from tronie.zoo.info import ModelInfo, write_info

SEEN = "seen"
"""Name of the array in an ``.npz`` that lists the data its weights have learnt from."""

OLDER = {"static-2-all": ("rafdb", "ferplus", "acted"), "static-2-fold0": ("rafdb", "ferplus", "acted"),
         "baseline-ferplus": ("ferplus",)}  # fmt: skip
"""The same of files that do not say it: see models/README.md."""


def read_net(path: Path):
    """A ``Baseline`` with these weights, fp32, in evaluation mode."""
    import torch

    from tronie.methods.baseline import Baseline, BaselineConfig
    from tronie.nn.states import fill

    net = Baseline(LabelSet(LABELS), BaselineConfig(size=SIZE))
    with np.load(path) as file:
        state = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files if name != SEEN}
    return fill(net, state, path).eval()


def write_net(net, path: Path, seen: tuple[str, ...]) -> None:
    """Weights as float16 without pickle, with what they have learnt from."""
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    half = {name: v.astype(np.float16) if v.dtype == np.float32 and np.abs(v).max() < 6e4 else v
            for name, v in state.items()}  # fmt: skip
    np.savez(path, **half, **{SEEN: np.array(seen, np.str_)})


def seen_by(path: Path) -> tuple[str, ...]:
    """What the weights of a file have learnt from, as far as it says."""
    with np.load(path) as file:
        return tuple(file[SEEN].tolist()) if SEEN in file.files else OLDER.get(path.stem, ())


def as_folder(path: Path, cache: Path) -> Path:
    """A model folder: ``path`` itself, or what full weights are exported to in ``cache`` (fp32, temperature 1)."""
    if path.suffix != ".npz":
        return path
    from tronie.lab.export import export_onnx

    folder = cache / "models" / f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
    if not (folder / "model.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        graph = export_onnx(read_net(path), folder / "encoder.onnx", SIZE)
        hash_ = hashlib.sha256(graph.read_bytes()).hexdigest()
        write_info(folder, ModelInfo(path.stem, LABELS, graph.name, hash_, SIZE, seen=seen_by(path)))
    return folder
