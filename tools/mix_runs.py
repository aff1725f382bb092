"""The weighted mean of two runs' averaged weights, as a run folder that `tronie export` takes.

    python tools/mix_runs.py RUN OTHER --share 0.5 --out MIXED

OTHER must go on from RUN (`start=`), so that both lie in one basin and their mean is a model too (Wortsman et al.,
"Robust fine-tuning of zero-shot models", CVPR 2022). MIXED is a copy of OTHER with share * OTHER + (1 - share) * RUN.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from torch import Tensor

LAST = "last.pt"


def mixed(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """``share`` of ``second`` and the rest of ``first``, tensor by tensor; counters are the second's."""
    if first.keys() != second.keys():
        raise SystemExit(f"The runs hold different weights: {sorted(first.keys() ^ second.keys())[0]}.")
    return {
        name: torch.lerp(first[name], tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in second.items()
    }


def main() -> None:
    """Read, mix, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    first, second = (torch.load(run / LAST, map_location="cpu", weights_only=True) for run in (given.run, given.other))
    second["average"] = mixed(first["average"], second["average"], given.share)
    shutil.copytree(given.other, given.out)
    torch.save(second, given.out / LAST)
    print(f"Written: {given.out}")


if __name__ == "__main__":
    main()
