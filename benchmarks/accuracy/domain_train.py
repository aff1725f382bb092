r"""Fine-tune full weights on all domains, or all but some: the recipes that domains.md compares.

    python benchmarks/accuracy/domain_train.py RECIPE --data DATA --cache CACHE --start models/static-2-fold0.npz \
           --run RUN --out models/NAME.npz [--leave posed] [--hold-people] [--steps 900]

RECIPE is a name of RECIPES. Never learnt from: RAF-DB's fold 0 (unless ``--fold0``), FERPlus' valid part, actors 7 and
8 (unless ``--fold0``), the groups of ``--leave`` (see domains.py) and, with ``--hold-people``, every fifth person,
actor or film of the other domains. domains.py judges no row that has a twin, so twins need no care here.
One thread; a run that was stopped goes on from its last checkpoint (every 100 steps) with the same command.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from domain_nets import read_net, seen_by, write_net
from domain_packs import LABELS, SIZE, Pack, faces_of, read_pack
from numpy.typing import NDArray
from torch import Tensor

from tronie.data.augmentation import Augment, augment
from tronie.nn.losses import cross_entropy_rows, smooth

GROUPS = {
    "coded-peaks": "posed",
    "coded-sequences": "posed",
    "performers": "posed",
    "film-stills": "film stills",
    "film-faces": "film faces",
    "lfw": "LFW",
    "acted": "acted speech",
    "rafdb": "RAF-DB",
    "ferplus": "FERPlus",
}
HELD_ACTORS = (7, 8)
HOW = Augment(rotate=10.0, scale=0.12, shift=0.05, colour=0.3, grey=0.25, blur=0.1, low_resolution=0.25)
DISGUST = LABELS.index("disgust")


@dataclass(frozen=True)
class Recipe:
    """``shares`` of a batch by pack, empty: by number of rows. ``balance``: classes are drawn by count ** (1 - it).

    ``noisy`` packs learn from their labels and, by half, from what the net itself says of the face (soft bootstrapping,
    Reed et al., ICLR 2015 workshop), and not from disgust. ``mouth``: share of photos whose lower face is hidden.
    """

    shares: dict[str, float] = field(default_factory=dict)
    balance: float = 0.5
    noisy: tuple[str, ...] = ()
    mouth: float = 0.0
    rate: float = 4e-4
    decay: float = 0.05
    smoothing: float = 0.05
    average: float = 0.996
    batch: int = 64
    how: Augment = HOW


SHARES = {
    "rafdb": 0.26,
    "ferplus": 0.20,
    "film-faces": 0.14,
    "lfw": 0.10,
    "acted": 0.10,
    "film-stills": 0.07,
    "performers": 0.07,
    "coded-peaks": 0.04,
    "coded-sequences": 0.02,
}
MORE_PHOTOS = {
    "rafdb": 0.34,
    "ferplus": 0.24,
    "film-faces": 0.10,
    "lfw": 0.08,
    "acted": 0.07,
    "film-stills": 0.06,
    "performers": 0.06,
    "coded-peaks": 0.035,
    "coded-sequences": 0.015,
}
RECIPES = {
    "mixed": Recipe(),
    "balanced": Recipe(SHARES, noisy=("film-faces",)),
    "more-photos": Recipe(MORE_PHOTOS, balance=0.35, noisy=("film-faces",), rate=3e-4),
    "balanced-mouth": Recipe(SHARES, noisy=("film-faces",), mouth=0.15),
}


def rows_to_learn(name: str, data: Path, leave: list[str], hold: bool, fold0: bool) -> Pack:
    """A pack's labelled rows that may be learnt from."""
    pack = read_pack(name, data)
    keep = (pack.target.sum(1) > 0) & (pack.split != "valid") & (GROUPS[name] not in leave)
    if not fold0:
        keep &= pack.split != "fold0"
        keep &= ~np.isin(pack.group, HELD_ACTORS) if name == "acted" else True
    if hold and name not in ("rafdb", "ferplus", "acted"):
        keep &= pack.group % 5 != 0
    return pack.select(keep)


class Sampler:
    """Draws batches: a pack by its share, a class within it, a row."""

    def __init__(self, packs: list[Pack], recipe: Recipe, cache: Path) -> None:
        self.packs, self.recipe = packs, recipe
        self.faces = [faces_of(pack.name, cache) for pack in packs]
        share = np.array([recipe.shares[p.name] if recipe.shares else len(p) for p in packs], float)
        self.share = share / share.sum()
        self.odds = [self._odds(pack) for pack in packs]

    def _odds(self, pack: Pack) -> NDArray[np.float64]:
        label = np.where(pack.label >= 0, pack.label, pack.target.argmax(1))
        count = np.bincount(label, minlength=len(LABELS)).astype(float)
        odds = np.maximum(count, 1)[label] ** -self.recipe.balance
        if pack.name in self.recipe.noisy:
            odds[label == DISGUST] = 0
        return np.asarray(odds / odds.sum())

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Faces ``(b, 1, 3, s, s)``, targets ``(b, 7)``, and whether a row's labels are noisy ``(b,)``."""
        faces, targets, noisy = [], [], []
        for which, count in enumerate(rng.multinomial(self.recipe.batch, self.share)):
            pack = self.packs[which]
            for i in rng.choice(len(pack), count, p=self.odds[which]):
                face = augment(np.asarray(self.faces[which][pack.row[i]]), SIZE, rng, self.recipe.how)
                if pack.name != "acted" and rng.random() < self.recipe.mouth:
                    face = without_mouth(face, rng)
                faces.append(face)
                targets.append(pack.target[i])
                noisy.append(pack.name in self.recipe.noisy)
        clip = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)[:, None]
        return clip, torch.from_numpy(np.stack(targets)), torch.tensor(noisy)


def without_mouth(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The lower part of an aligned face, from under the nose, replaced by noise: brows and cheeks must do."""
    face = face.copy()
    top = int(SIZE * rng.uniform(0.58, 0.66))
    face[top:] = rng.integers(0, 256, face[top:].shape, np.uint8)
    return face


def loss_of(logits: Tensor, target: Tensor, noisy: Tensor, recipe: Recipe) -> Tensor:
    """Cross-entropy; noisy rows share their target with the net's own answer."""
    own = torch.softmax(logits.detach().float(), 1)
    mixed = torch.where(noisy[:, None], 0.5 * target + 0.5 * own, target)
    return cross_entropy_rows(logits, smooth(mixed, recipe.smoothing)).mean()


def main() -> None:
    """Learn, keep, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    for name in ("data", "cache", "start", "run", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--leave", nargs="*", default=[], choices=sorted(set(GROUPS.values())))
    parser.add_argument("--hold-people", action="store_true")
    parser.add_argument("--fold0", action="store_true", help="learn from fold 0 and actors 7 and 8, too")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    recipe = RECIPES[given.recipe]
    torch.set_num_threads(1)
    packs = [rows_to_learn(n, given.data, given.leave, given.hold_people, given.fold0) for n in GROUPS]
    packs = [pack for pack in packs if len(pack)]
    seen = tuple(dict.fromkeys((*seen_by(given.start), *(f"{p.name}:{len(p)}" for p in packs))))
    print({p.name: len(p) for p in packs}, flush=True)
    sampler = Sampler(packs, recipe, given.cache)
    net = read_net(given.start).to(memory_format=torch.channels_last)
    average = copy.deepcopy(net.state_dict())
    decayed = [p for p in net.parameters() if p.ndim > 1]
    optim = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.decay},
            {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=recipe.rate,
    )
    step, checkpoint = 0, given.run / "last.pt"
    if checkpoint.is_file():
        kept = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        optim.load_state_dict(kept["optim"])
        average, step = kept["average"], kept["step"]
    given.run.mkdir(parents=True, exist_ok=True)
    net.train()
    began, total = time.time(), 0.0
    while step < given.steps:
        rng = np.random.default_rng([given.seed, step])  # so that a resumed run draws what it would have drawn
        torch.manual_seed(given.seed * 1_000_003 + step)
        done = step / given.steps
        rate = recipe.rate * min(1.0, (step + 1) / (0.05 * given.steps)) * 0.5 * (1 + math.cos(math.pi * done))
        for part in optim.param_groups:
            part["lr"] = rate
        clip, target, noisy = sampler.draw(rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(clip.float()).logits
        loss = loss_of(logits, target, noisy, recipe)
        optim.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optim.step()
        step += 1
        keep = min(recipe.average, step / (step + 10))
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value.detach(), 1 - keep)
        total += float(loss)
        if step % 100 == 0 or step == given.steps:
            torch.save(
                {"net": net.state_dict(), "optim": optim.state_dict(), "average": average, "step": step},
                given.run / "next.pt",
            )
            (given.run / "next.pt").replace(checkpoint)
            print(f"step {step}: loss {total / 100:.3f}, {time.time() - began:.0f} s", flush=True)
            total = 0.0
    net.load_state_dict(average)
    write_net(net, given.out, seen)


if __name__ == "__main__":
    main()
