"""Full weights of ``Baseline`` with dlib's encoder: read, written as the repository keeps them, exported, mixed.

    python benchmarks/accuracy/domain_nets.py START TUNED --share 0.5 --out MIXED

Writes the weighted mean of two ``.npz`` files, ``share`` of TUNED, which must have started from START (Wortsman et al.,
"Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
from domain_packs import LABELS, SIZE

from tronie.core.labels import LabelSet
from tronie.models.info import ModelInfo, write_info

OLDER = {
    "static-2-all": ("rafdb", "ferplus", "acted"),
    "static-2-fold0": ("rafdb", "ferplus", "acted"),
    "baseline-ferplus": ("ferplus",),
}
"""What files have learnt from that do not say it themselves: see models/README.md."""


def read_net(path: Path):
    """A ``Baseline`` with these weights, fp32, in evaluation mode."""
    import torch

    from tronie.methods.baseline import Baseline, BaselineConfig
    from tronie.nn.states import fill

    net = Baseline(LabelSet(LABELS), BaselineConfig(size=SIZE))
    with np.load(path) as file:
        state = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    return fill(net, state, path).eval()


def write_net(net, path: Path, seen: tuple[str, ...]) -> None:
    """Weights as float16 without pickle; what they have learnt from is the archive's comment."""
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    half = {
        name: v.astype(np.float16) if v.dtype == np.float32 and np.abs(v).max() < 6e4 else v
        for name, v in state.items()
    }
    np.savez_compressed(path, **half)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = json.dumps(seen).encode()


def seen_by(path: Path) -> tuple[str, ...]:
    """What the weights of a file have learnt from, as far as it says."""
    with zipfile.ZipFile(path) as archive:
        return tuple(json.loads(archive.comment)) if archive.comment else OLDER.get(path.stem, ())


def as_folder(path: Path, cache: Path) -> Path:
    """A model folder: ``path`` itself, or what full weights are exported to in ``cache`` (fp32, temperature 1)."""
    if path.suffix != ".npz":
        return path
    from tronie.train.graph import export_onnx

    folder = cache / "models" / f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
    if not (folder / "model.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        graph = export_onnx(read_net(path), folder / "encoder.onnx", SIZE)
        hash_ = hashlib.sha256(graph.read_bytes()).hexdigest()
        write_info(folder, ModelInfo(path.stem, LABELS, graph.name, hash_, SIZE, seen=seen_by(path)))
    return folder


def main() -> None:
    """Mix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("tuned", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    first, second = read_net(given.start), read_net(given.tuned)
    own = first.state_dict()
    mixed = {
        name: own[name].lerp(value, given.share) if value.is_floating_point() else value
        for name, value in second.state_dict().items()
    }
    second.load_state_dict(mixed)
    write_net(second, given.out, tuple(dict.fromkeys((*seen_by(given.start), *seen_by(given.tuned)))))


if __name__ == "__main__":
    main()
