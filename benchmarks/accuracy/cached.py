"""What a frozen encoder sees in each face, kept once, so that many methods can be compared on two CPU cores.

    python benchmarks/accuracy/cached.py PREPARED/rafdb dlib-resnet29 OUT        an encoder's published start
    python benchmarks/accuracy/cached.py PREPARED/rafdb RUN_FOLDER OUT           the encoder of a finished run

Each face is looked at unvaried, in ``--varied`` varied views with their mirror images (to learn from), and in
``--again`` further varied views (for methods that look at training rows again, which should not meet the very views
they learn from). Kept are the encoder's last maps of several places, averaged to 2 x 2, and its feature.

:class:`Tail` is the trainable rest: two layers at each place, so that methods that compare places work as well; for
the others the places are averaged first, which is four times as fast.
:func:`fit` trains any method on it as ``tronie.train.loop`` does, without the pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tronie.clips.views import resize
from tronie.core.errors import SettingError, TronieError
from tronie.core.manifest import Manifest
from tronie.data.augmentation import Augment, augment
from tronie.data.loader import Rows, batch_starts, epoch_order
from tronie.data.prepared import open_prepared
from tronie.methods.method import Answers, Batch, Method, Progress
from tronie.nn.encoders.dlib import DlibResNet
from tronie.nn.encoders.table import ENCODERS, make_encoder
from tronie.train.optim import Optim, make_optimizer, rate_at
from tronie.train.precision import fast_precision
from tronie.train.run import open_run
from tronie.train.sample_weights import Decided

SIDE = 2
SIZE = 112
WIDTH = 256
"""Channels of the encoders that are kept here: dlib's net and the half ResNet-18."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cache:
    """Looks ``L`` at ``n`` faces: ``maps`` ``(n, L, c, side, side)``, ``feature`` ``(n, L, d)``, float16; side 2 or 1.

    Look 0 is unvaried; 1 … 2·``varied`` are to learn from, each second one the mirror image of the one before it; the
    others are to look again with. ``about`` says what made them.
    """

    manifest: Manifest
    maps: NDArray[np.float16]
    feature: NDArray[np.float16]
    varied: int
    about: dict[str, Any]

    def clip(self, row: Ints, look: Ints) -> Tensor:
        """``(m, 1, c + d, side, side)``: each place beside the whole picture's feature."""
        maps = torch.from_numpy(self.maps[row, look]).float()
        whole = torch.from_numpy(self.feature[row, look]).float()[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return torch.cat([maps, whole], 1)[:, None]


class Tail(nn.Module):
    """A cache's ``(n, 512, side, side)`` → ``(n, 128)``: two layers at each place, then their mean; 62 k parameters."""

    width = 128

    def __init__(self, inside: int = 2 * WIDTH, hidden: int = 96) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(inside, affine=False),
            nn.Linear(inside, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, self.width),
            nn.ReLU(),
        )

    def maps(self, places: Tensor) -> Tensor:
        """``(n, 128, side, side)``."""
        n, inside, h, w = places.shape
        found: Tensor = self.layers(places.permute(0, 2, 3, 1).reshape(-1, inside))
        return found.view(n, h, w, self.width).permute(0, 3, 1, 2)

    def forward(self, places: Tensor) -> Tensor:
        return self.maps(places).mean((2, 3))

    def start(self, faces: Tensor) -> None:
        """It starts random."""


def open_cache(folder: Path, prepared: Path, side: int = SIDE) -> Cache:
    """A cache that this script wrote for ``prepared``, with 2 x 2 places or, for ``side`` 1, their mean.

    Raises SettingError where it is another's or not there.
    """
    about = described(folder)
    manifest = open_prepared(prepared).manifest
    if about["rows"] != manifest.hash():
        raise SettingError(f"{folder} was made of other rows than {prepared} holds: run cached.py again.")
    maps, feature = (np.load(folder / f"{name}.npy") for name in ("maps", "feature"))
    if side == 1:
        maps = maps.mean((3, 4), dtype=np.float32, keepdims=True).astype(np.float16)
    return Cache(manifest, maps, feature, about["varied"], about)


def described(folder: Path) -> dict[str, Any]:
    """What made a cache. Raises SettingError where there is none."""
    path = folder / "cache.json"
    if not path.is_file():
        raise SettingError(f"No cached features in {folder}: run benchmarks/accuracy/cached.py first.")
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return about


@torch.no_grad()
def see(encoder: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Last maps of several places, averaged to ``(n, c, 2, 2)``, and feature ``(n, d)`` of ``(n, 3, h, w)``."""
    if isinstance(encoder, DlibResNet):  # at 112 px its last block leaves one place
        kept: list[Tensor] = []
        hook = encoder.blocks[-1].register_forward_pre_hook(lambda module, given: kept.append(given[0]))
        feature = encoder(pixels)
        hook.remove()
        maps = kept[0]
    else:
        maps = encoder.maps(pixels)  # type: ignore[operator]  # a method of every encoder
        feature = maps.mean((2, 3))
    return functional.adaptive_avg_pool2d(maps.float(), SIDE), feature.float()


def make(prepared: Path, name: str, out: Path, varied: int, again: int) -> None:
    """Look at every face of a prepared folder, and write ``maps.npy``, ``feature.npy`` and ``cache.json``."""
    opened = open_prepared(prepared)
    manifest, faces = opened.manifest, opened.faces
    encoder, seen = encoder_of(name, faces)
    looks = 1 + 2 * varied + again
    shape = (len(faces), looks, WIDTH)
    maps, feature = np.zeros((*shape, SIDE, SIDE), np.float16), np.zeros(shape, np.float16)
    began = time.monotonic()
    for start in range(0, len(faces), 64):
        rows = range(start, min(start + 64, len(faces)))
        for look in range(looks):
            pixels = torch.from_numpy(np.stack([face(faces[row], row, look, varied) for row in rows]))
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision().bf16):
                found = see(encoder, pixels.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last))
            maps[start : rows.stop, look], feature[start : rows.stop, look] = (f.numpy() for f in found)
        if start % 1024 == 0:
            print(f"{start} of {len(faces)} faces, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "maps.npy", maps)
    np.save(out / "feature.npy", feature)
    about = {"encoder": Path(name).name, "seen": seen, "rows": manifest.hash(), "varied": varied, "again": again}
    (out / "cache.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def face(cuts: NDArray[np.uint8], row: int, look: int, varied: int) -> NDArray[np.uint8]:
    """One look at a face ``(s, s, 3)``: see :class:`Cache`."""
    if look == 0:
        return resize(cuts[-1], SIZE)
    learnt = look <= 2 * varied
    rng = np.random.default_rng((0, row, (look + 1) // 2 if learnt else look))
    made = augment(cuts[rng.integers(len(cuts))], SIZE, rng, Augment())
    return np.ascontiguousarray(made[:, ::-1]) if learnt and look % 2 == 0 else made


def encoder_of(name: str, faces: NDArray[np.uint8]) -> tuple[nn.Module, list[str]]:
    """A frozen encoder and the labelled data it has learnt from: a run folder's, or a published start."""
    if name in ENCODERS:
        encoder: Any = make_encoder(name)
        spread = np.linspace(0, len(faces) - 1, 512).astype(int)
        sample = torch.from_numpy(np.stack([resize(faces[i, -1], SIZE) for i in spread]))
        encoder.start(sample.permute(0, 3, 1, 2).float())
        seen: list[str] = []
    else:
        recipe, method = open_run(Path(name))
        encoder, seen = method.encoder, [source.data for source in recipe.train]
    encoder.eval().to(memory_format=torch.channels_last)
    return encoder, seen


def fit(
    method: Method,
    cache: Cache,
    rows: Rows,
    epochs: int,
    seed: int,
    optim: Optim,
    batch: int = 256,
    judge: Callable[[Method], None] = lambda method: None,
) -> Method:
    """Train ``method`` on cached looks at ``rows`` (``index`` counts the cache's rows) as ``lab.loop.train`` would."""
    optimizer, decided = make_optimizer(method, optim), Decided([rows])
    for epoch in range(epochs):
        torch.manual_seed(seed * 100003 + epoch)
        order = epoch_order([rows], seed, epoch)[:, 1]
        look = np.random.default_rng((seed, epoch, 1)).integers(1, 1 + 2 * cache.varied, len(rows))
        starts = batch_starts(len(order), batch, True)
        now = decided.sources()[0]
        method.train()
        for step, start in enumerate(starts):
            part = order[start : start + batch]
            given = Batch(
                views(method, cache, rows.index[part], look[part]),
                torch.from_numpy(now.target[part]),
                torch.from_numpy(now.weight[part]),
                torch.from_numpy(part),
            )
            for group in optimizer.param_groups:
                group["lr"] = rate_at((epoch + step / len(starts)) / epochs, optim)
            losses = method.loss(given, Progress(epoch, epochs, step, len(starts)))
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(method.parameters(), optim.clip)
            optimizer.step()

        def again(row: Ints, draw: int | None = None) -> Answers:
            return predict(method, cache, rows.index[row], draw)

        decisions = method.refresh(again, decided.rows(), Progress(epoch, epochs))
        if decisions is not None:
            decided.apply(decisions)
        judge(method)
    return method.eval()


def views(method: Method, cache: Cache, row: Ints, look: Ints) -> tuple[Tensor, ...]:
    """The clips that ``method`` wants in training; a mirror view is the cached mirror image."""
    other = np.where(look % 2 == 1, look + 1, look - 1)
    return tuple(cache.clip(row, other if view.mirror else look) for view in method.views(True))


@torch.no_grad()
def predict(method: Method, cache: Cache, row: Ints, draw: int | None = None) -> Answers:
    """Answers to the unvaried look, or to the ``draw``-th of those to look again with (in turn, if there are fewer)."""
    first, look = 1 + 2 * cache.varied, 0
    if draw is not None:
        look = first + draw % (cache.maps.shape[1] - first)
    was = method.training
    method.eval()
    parts = np.array_split(row, max(len(row) // 1024, 1))
    found = [method(cache.clip(part, np.full(len(part), look))) for part in parts]
    method.train(was)
    return Answers(*(torch.cat([getattr(f, name) for f in found]).numpy() for name in ("logits", "feature")))


def main() -> int:
    """Make a cache as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("prepared", type=Path, help="a folder that `tronie prepare` wrote")
    parser.add_argument("encoder", help=f"a run folder, or one of {', '.join(ENCODERS)}")
    parser.add_argument("out", type=Path)
    parser.add_argument("--varied", type=int, default=1, help="varied views to learn from, each with its mirror image")
    parser.add_argument("--again", type=int, default=3, help="varied views to look again with")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    try:
        make(args.prepared, args.encoder, args.out, args.varied, args.again)
    except TronieError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
