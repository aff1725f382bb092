"""Middle maps of faces, cached, on which the variants of domain_trials.py are tried.

    python benchmarks/accuracy/domain_maps.py DATA CACHE

Each labelled face in four views (as it is; mirrored; grey, coarse and dim; lower face hidden) goes through the first
ten blocks of ``models/baseline-ferplus.npz``: dlib's face network after FERPlus' train votes, which knows no label of
any other pack. What is kept is ``(n, 4, 128, 6, 6)`` float16 and the rows. Of FERPlus' train part every
fourth row is taken, of the film faces every second.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from domain_nets import read_net
from domain_packs import SIZE, Pack, faces_of, read_pack
from domain_train import GROUPS, without_mouth
from numpy.typing import NDArray

START = Path(__file__).parents[2] / "models" / "baseline-ferplus.npz"
BLOCKS = 10
SHAPE = (128, 6, 6)
VIEWS = ("plain", "mirror", "degraded", "mouthless")


def rows_to_map(name: str, data: Path) -> Pack:
    """The rows whose maps are kept."""
    pack = read_pack(name, data)
    keep = pack.target.sum(1) > 0
    if name == "ferplus":
        keep &= (pack.split == "valid") | (pack.row % 4 == 0)
    if name == "film-faces":
        keep &= pack.row % 2 == 0
    return pack.select(keep)


def views(face: NDArray[np.uint8], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """The four views of a face."""
    grey = np.asarray(cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    small = int(np.exp(rng.uniform(np.log(24), np.log(80))))
    coarse = cv2.resize(cv2.resize(grey, (small, small), interpolation=cv2.INTER_AREA), (SIZE, SIZE))
    dim = np.clip(coarse * rng.uniform(0.4, 1.1) + rng.uniform(-10, 30), 0, 255).astype(np.uint8)
    return [face, face[:, ::-1], dim, without_mouth(face, rng)]


@torch.inference_mode()
def write_maps(name: str, data: Path, cache: Path) -> None:
    """Write ``NAME.maps.npy`` and ``NAME.rows.npy``."""
    if (cache / f"{name}.rows.npy").is_file():
        return
    pack, faces, rng = rows_to_map(name, data), faces_of(name, cache), np.random.default_rng(0)
    encoder = read_net(START).encoder.to(memory_format=torch.channels_last)
    shape = (len(pack), len(VIEWS), *SHAPE)
    maps = np.lib.format.open_memmap(cache / f"{name}.maps.npy", "w+", np.float16, shape)
    for start in range(0, len(pack), 16):
        rows = pack.row[start : start + 16]
        seen = np.stack([view for row in rows for view in views(np.asarray(faces[row]), rng)])
        x = torch.from_numpy(seen).permute(0, 3, 1, 2).float()
        with torch.autocast("cpu", torch.bfloat16):
            x = torch.relu(encoder.bn1(encoder.conv1((x - encoder.mean) / 256.0)))
            x = encoder.blocks[:BLOCKS](torch.max_pool2d(x, 3, stride=2))
        maps[start : start + 16] = x.float().reshape(len(rows), len(VIEWS), *SHAPE).numpy()
    maps.flush()
    np.save(cache / f"{name}.rows.npy", pack.row)
    print(f"{name}: {len(pack)} faces", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for each in GROUPS:
        write_maps(each, given.data, given.cache)
