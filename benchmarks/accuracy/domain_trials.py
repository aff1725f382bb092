"""Variants of learning from many domains, each judged on a group of domains left out whole.

    python benchmarks/accuracy/domain_trials.py DATA CACHE [--only NAME ...] [--seeds 1] [--table]

What learns is a small network on the maps that ``domain_maps.py`` kept, averaged to 3 x 3: a few CPU seconds a run.
What helps here is worth the full net's time, no more: the maps themselves do not change.
A run leaves one of the five groups of strangers out and answers it; RAF-DB's fold 0 and FERPlus' valid part are
answered by the run that leaves the posed sets out. Every variant differs from ``base`` in what its line says. Answers
are kept in CACHE/trials; ``--table`` prints the tables, with intervals of the difference to ``base`` on the same rows,
people drawn whole. Rows with twins in another pack or split are not judged, nor are classes with fewer than 20 rows.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from domain_maps import VIEWS, rows_to_map
from domain_packs import LABELS, Pack, twin_rows
from domain_train import GROUPS, SHARES
from domains import LEAST, recall_of
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from tronie.metrics.intervals import paired

STRANGERS = ("posed", "film stills", "film faces", "LFW", "acted speech")
NEUTRAL, DISGUST = LABELS.index("neutral"), LABELS.index("disgust")
STEPS, BATCH, RATE = 400, 192, 1e-3
WIDTH, SHAPES = 128 * 9, 53
REFERENCE = "photos only (RAF-DB, FERPlus)"


@dataclass(frozen=True)
class Variant:
    """``shares`` of a batch by pack (empty: by rows). ``balance``: classes are drawn by count ** (1 - it) in a pack.

    ``film``: how the film faces' noisy labels are learnt from: ``ce`` as they are, ``drop`` not at all, ``no-disgust``,
    ``gce`` (Zhang and Sabuncu, NeurIPS 2018), ``bootstrap`` (half the label, half the net's own answer), ``top2`` (rows
    whose label is among the two likeliest of a network that learnt from photos alone), ``small`` (a batch's half
    with smaller losses).
    ``hard``: leading votes instead of shares of votes. ``adjust``: logit adjustment (Menon et al., ICLR 2021) by this
    times the log of each pack's class shares as drawn. ``heads``: a head for each pack, their mean answers. ``views``
    drawn. ``style``: MixStyle (Zhou et al., ICLR 2021) on the maps in this share of batches. ``worst``: step of the
    weights that grow with a pack's loss (group DRO, Sagawa et al., ICLR 2020). ``packs``: only these.
    ``shapes``: logits of MediaPipe's blendshapes are added where its face score is one half
    or more, so that the pixels answer alone where points fail.
    """

    shares: dict[str, float] = field(default_factory=lambda: SHARES)
    balance: float = 0.5
    film: str = "no-disgust"
    hard: bool = False
    adjust: float = 0.0
    heads: bool = False
    views: tuple[str, ...] = ("plain", "mirror")
    style: float = 0.0
    worst: float = 0.0
    packs: tuple[str, ...] = tuple(GROUPS)
    smoothing: float = 0.05
    shapes: bool = False


VARIANTS = {
    "base": Variant(),
    REFERENCE: Variant(packs=("rafdb", "ferplus")),
    "plain mixing": Variant(shares={}),
    "equal shares": Variant(shares=dict.fromkeys(GROUPS, 1.0)),
    "classes as they come": Variant(balance=0.0),
    "classes even": Variant(balance=1.0),
    "film faces as they are": Variant(film="ce"),
    "no film faces": Variant(film="drop"),
    "film faces: gce": Variant(film="gce"),
    "film faces: bootstrap": Variant(film="bootstrap"),
    "film faces: top 2": Variant(film="top2"),
    "film faces: smaller losses": Variant(film="small"),
    "hard votes": Variant(hard=True),
    "logit adjustment 0.5": Variant(adjust=0.5),
    "logit adjustment 1": Variant(adjust=1.0),
    "a head a source": Variant(heads=True),
    "degraded view": Variant(views=("plain", "mirror", "degraded")),
    "mouthless view": Variant(views=("plain", "mirror", "mouthless")),
    "both views": Variant(views=VIEWS),
    "style mixing": Variant(style=0.5),
    "worst domain": Variant(worst=0.1),
    "smoothing 0.2": Variant(smoothing=0.2),
    "blendshapes beside": Variant(shapes=True),
}


@dataclass(frozen=True, eq=False)
class Mapped:
    """A pack's rows with their maps ``(n, views, 128, 3, 3)``, and the answers ``(n, 7)`` of ``photos only``, seed 0.

    ``shapes`` ``(n, 53)``: the blendshapes and a 1, zeros where points fail or were not measured.
    """

    pack: Pack
    maps: NDArray[np.float16]
    reference: NDArray[np.float32]
    shapes: NDArray[np.float32]


class Tail(nn.Module):
    """Maps → logits ``(n, heads, 7)``."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(WIDTH, affine=False),
            nn.Dropout(0.3),
            nn.Linear(WIDTH, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
        )
        self.heads = nn.ModuleList([nn.Linear(128, len(LABELS)) for _ in range(heads)])
        self.beside = nn.Sequential(nn.Linear(SHAPES, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, len(LABELS)))

    def forward(self, maps: Tensor, shapes: Tensor | None = None) -> Tensor:
        feature = self.body(maps)
        logits = torch.stack([head(feature) for head in self.heads], 1)
        return logits if shapes is None else logits + (self.beside(shapes) * shapes[:, -1:])[:, None]


@torch.inference_mode()
def answer(
    tail: Tail, maps: NDArray[np.float16], view: int, shapes: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Log-probabilities ``(n, 7)`` of one view, the mean over heads; with blendshapes beside if they are given."""
    tail.eval()
    parts = []
    for start in range(0, len(maps), 256):
        x = torch.from_numpy(np.asarray(maps[start : start + 256, view])).float()
        beside = None if shapes is None else torch.from_numpy(shapes[start : start + 256])
        parts.append(tail(x, beside).log_softmax(2).mean(1))
    return torch.cat(parts).log_softmax(1).numpy()


def load(data: Path, cache: Path) -> dict[str, Mapped]:
    """All packs with their maps, and what ``baseline-ferplus`` says of them."""
    found = {}
    for name in GROUPS:
        pack = rows_to_map(name, data)
        none = np.zeros((len(pack), len(LABELS)), np.float32)
        found[name] = Mapped(pack, pooled(name, cache), none, shapes_of(name, pack, cache))
    reference = learn(found, VARIANTS[REFERENCE], "", 0)
    return {name: replace(one, reference=answer(reference, one.maps, 0)) for name, one in found.items()}


def pooled(name: str, cache: Path) -> NDArray[np.float16]:
    """A pack's maps averaged to 3 x 3."""
    path = cache / f"{name}.pooled.npy"
    if not path.is_file():
        maps = np.load(cache / f"{name}.maps.npy", mmap_mode="r")
        parts = [
            adaptive_avg_pool2d(torch.from_numpy(np.asarray(maps[i : i + 256])).float().flatten(0, 1), 3)
            for i in range(0, len(maps), 256)
        ]
        small = torch.cat([part.half() for part in parts]).unflatten(0, (len(maps), len(VIEWS)))
        np.save(path, small.numpy())
    made: NDArray[np.float16] = np.load(path)
    return made


def shapes_of(name: str, pack: Pack, cache: Path) -> NDArray[np.float32]:
    """Blendshapes of a pack's rows as :class:`Mapped` holds them."""
    shapes, path = np.zeros((len(pack), SHAPES), np.float32), cache / f"{name}.blendshapes.npz"
    if path.is_file():
        with np.load(path) as file:
            assert (file["row"] == pack.row).all()
            shapes = np.append(file["blendshapes"].astype(np.float32), np.ones((len(pack), 1), np.float32), 1)
            shapes[file["score"] < 0.5] = 0
    return shapes


class Draw:
    """Batches of a variant from the packs that a run may learn from."""

    def __init__(self, mapped: dict[str, Mapped], variant: Variant, leave: str) -> None:
        self.variant = variant
        dropped = ("film-faces",) if variant.film == "drop" else ()
        self.names = [n for n in variant.packs if GROUPS[n] != leave and n not in dropped]
        self.of = [mapped[n] for n in self.names]
        rows = [np.flatnonzero((m.pack.split != "valid") & (m.pack.split != "fold0")) for m in self.of]
        self.label = [np.where(m.pack.label >= 0, m.pack.label, m.pack.target.argmax(1)) for m in self.of]
        if "film-faces" in self.names and variant.film != "ce":
            at = self.names.index("film-faces")
            keep = self.label[at][rows[at]] != DISGUST
            if variant.film == "top2":
                ranked = np.argsort(-self.of[at].reference[rows[at]], 1)[:, :2]
                keep &= (ranked == self.label[at][rows[at]][:, None]).any(1)
            rows[at] = rows[at][keep]
        self.rows = rows
        share = np.array(
            [variant.shares.get(n, 0) if variant.shares else len(r) for n, r in zip(self.names, rows, strict=True)],
            float,
        )
        self.share = share / share.sum()
        self.odds, self.prior = [], []
        for label, own in zip(self.label, rows, strict=True):
            count = np.bincount(label[own], minlength=len(LABELS)).astype(float)
            odds = count[label[own]] ** -variant.balance
            self.odds.append(odds / odds.sum())
            drawn = np.bincount(label[own], self.odds[-1], minlength=len(LABELS))
            self.prior.append(np.log(drawn + 1e-2))

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps, targets, the position of each row's pack, blendshapes."""
        maps, targets, source, shapes = [], [], [], []
        for k, count in enumerate(rng.multinomial(BATCH, self.share)):
            rows = rng.choice(self.rows[k], count, p=self.odds[k])
            view = rng.choice([VIEWS.index(v) for v in self.variant.views], count)
            maps.append(self.of[k].maps[rows, view])
            hard = np.eye(len(LABELS), dtype=np.float32)[self.label[k][rows]]
            targets.append(hard if self.variant.hard else self.of[k].pack.target[rows])
            source += [k] * count
            shapes.append(self.of[k].shapes[rows])
        x = torch.from_numpy(np.concatenate(maps)).float()
        beside = torch.from_numpy(np.concatenate(shapes))
        return x, torch.from_numpy(np.concatenate(targets)), torch.tensor(source), beside


def row_losses(logits: Tensor, target: Tensor, film: Tensor, variant: Variant) -> Tensor:
    """The loss of each row ``(n,)``; ``film`` says which rows are film faces."""
    soft = target * (1 - variant.smoothing) + variant.smoothing / len(LABELS)
    log = logits.log_softmax(1)
    loss = -(soft * log).sum(1)
    if variant.film == "gce":
        loss = torch.where(film, (1 - (target * log.exp()).sum(1).clamp_min(1e-6) ** 0.7) / 0.7, loss)
    elif variant.film == "bootstrap":
        loss = torch.where(film, 0.5 * loss - 0.5 * (log.detach().exp() * log).sum(1), loss)
    elif variant.film == "small" and film.any():
        limit = loss[film].median()
        loss = torch.where(film & (loss > limit), torch.zeros_like(loss), loss)
    return loss


def mixed_styles(x: Tensor) -> Tensor:
    """Each row's channel means and deviations mixed with another row's."""
    mean, spread = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True) + 1e-4
    other = torch.randperm(len(x))
    share = torch.distributions.Beta(0.1, 0.1).sample((len(x), 1, 1, 1))
    to_mean, to_spread = (share * v + (1 - share) * v[other] for v in (mean, spread))
    return (x - mean) / spread * to_spread + to_mean


def learn(mapped: dict[str, Mapped], variant: Variant, leave: str, seed: int) -> Tail:
    """A tail that has learnt from everything but ``leave``."""
    torch.manual_seed(seed)
    rng, draw = np.random.default_rng(seed), Draw(mapped, variant, leave)
    tail = Tail(len(draw.names) if variant.heads else 1)
    average = {k: v.clone() for k, v in tail.state_dict().items()}
    optim = torch.optim.AdamW(tail.parameters(), lr=RATE, weight_decay=0.05)
    film = draw.names.index("film-faces") if "film-faces" in draw.names else -1
    prior = torch.tensor(np.array(draw.prior), dtype=torch.float32)
    weight = torch.ones(len(draw.names))
    for step in range(STEPS):
        for part in optim.param_groups:
            part["lr"] = RATE * min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        x, target, source, beside = draw.batch(rng)
        if rng.random() < variant.style:
            x = mixed_styles(x)
        tail.train()
        logits = tail(x, beside if variant.shapes else None)
        logits = logits[torch.arange(len(x)), source if variant.heads else 0] + variant.adjust * prior[source]
        loss = row_losses(logits, target, source == film, variant)
        if variant.worst:
            with torch.no_grad():
                for k in source.unique():
                    weight[k] *= torch.exp(variant.worst * loss[source == k].mean())
                weight /= weight.mean()
        optim.zero_grad(set_to_none=True)
        (loss * weight[source]).mean().backward()
        optim.step()
        keep = min(0.98, step / (step + 10))
        for name, value in tail.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - keep)
    tail.load_state_dict(average)
    return tail


def run(
    mapped: dict[str, Mapped], name: str, leave: str, seed: int, cache: Path, learnt: dict[tuple[str, ...], Tail]
) -> None:
    """Learn and answer the group left out, once. ``learnt``: this variant's tails, by what they learnt from."""
    path = cache / "trials" / f"{name.replace(' ', '_')}--{leave.replace(' ', '_')}--{seed}.npz"
    if path.is_file():
        return
    variant, found = VARIANTS[name], {}
    names = tuple(Draw(mapped, variant, leave).names)
    tail = learnt.setdefault(names, learnt.get(names) or learn(mapped, variant, leave, seed))
    for pack, one in mapped.items():
        if GROUPS[pack] == leave:
            rows = np.arange(len(one.pack))
        elif leave == STRANGERS[0] and pack in ("rafdb", "ferplus"):
            rows = np.flatnonzero(np.isin(one.pack.split, ("valid", "fold0")))
        else:
            continue
        views = (0,) if pack == "acted" else (0, 1)
        beside = one.shapes[rows] if variant.shapes else None
        found[pack] = np.mean([answer(tail, one.maps[rows], v, beside) for v in views], 0)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **found)
    print(f"{name}, without {leave}, seed {seed}", flush=True)


JUDGED = {
    "coded-peaks": "coded peaks",
    "performers": "performers",
    "film-stills": "film stills",
    "film-faces": "film faces",
    "lfw": "LFW",
    "acted": "acted speech",
    "rafdb": "RAF-DB fold 0",
    "ferplus": "FERPlus valid",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """The rows of a pack that are judged, and the classes that count."""

    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    group: NDArray[np.int64]
    classes: NDArray[np.bool_]


def judged(mapped: dict[str, Mapped]) -> dict[str, Judged]:
    """Of every pack."""
    twins, found = twin_rows(), {}
    for name in JUDGED:
        pack = mapped[name].pack
        if name in ("rafdb", "ferplus"):
            pack = pack.select(np.isin(pack.split, ("valid", "fold0")))
        rows = np.array(
            [i for i, (r, label) in enumerate(zip(pack.id, pack.label, strict=True)) if label >= 0 and r not in twins]
        )
        truth = pack.label[rows]
        found[name] = Judged(rows, truth, pack.group[rows], np.bincount(truth, minlength=len(LABELS)) >= LEAST)
    return found


def answers_of(name: str, seeds: int, cache: Path, rows: dict[str, Judged]) -> dict[str, list[NDArray[np.float32]]]:
    """Log-probabilities of the judged rows by pack, one array a seed; empty where a run is missing."""
    found: dict[str, list[NDArray[np.float32]]] = {}
    for seed in range(seeds):
        for leave in STRANGERS:
            path = cache / "trials" / f"{name.replace(' ', '_')}--{leave.replace(' ', '_')}--{seed}.npz"
            if not path.is_file():
                return {}
            with np.load(path) as file:
                for pack in set(file.files) & set(rows):
                    found.setdefault(pack, []).append(file[pack][rows[pack].rows])
    return found


def centred(log: NDArray[np.float32], group: NDArray[np.int64], share: float = 1.0) -> NDArray[np.float32]:
    """Log-probabilities minus ``share`` of the person's own mean, plus as much of the mean over all."""
    made = log.copy()
    for one in np.unique(group):
        mine = group == one
        made[mine] -= share * (log[mine].mean(0) - log.mean(0))
    return made


def table(mapped: dict[str, Mapped], seeds: int, cache: Path) -> list[str]:
    """Mean recall by domain, anger recall, and the paired difference to ``base`` over all domains."""
    rows = judged(mapped)
    told = {name: answers_of(name, seeds, cache, rows) for name in VARIANTS}
    told = {name: one for name, one in told.items() if one}
    base = told["base"]
    told["base, centred by person"] = {
        pack: [
            centred(log, rows[pack].group) if pack in ("coded-peaks", "performers", "film-faces", "acted") else log
            for log in logs
        ]
        for pack, logs in base.items()
    }
    lines = [
        "| variant | " + " | ".join(JUDGED.values()) + " | mean | difference to base |",
        "| --- " * (len(JUDGED) + 3) + "|",
    ]
    angry = ["| anger recall | " + " | ".join(JUDGED.values()) + " |", "| --- " * (len(JUDGED) + 1) + "|"]
    for name, one in told.items():
        recalls, angers, gains = [], [], []
        for pack, at in rows.items():
            classes, every = at.classes, np.arange(len(at.truth))
            first, second = (
                [partial(recall_of, at.truth, log.argmax(1), classes) for log in who[pack]] for who in (base, one)
            )
            recalls.append(float(np.mean([f(every) for f in second])))
            anger = at.truth == LABELS.index("anger")
            angers.append(np.mean([(log.argmax(1)[anger] == LABELS.index("anger")).mean() for log in one[pack]]))
            gains.append(paired(first, second, len(at.truth), groups=at.group, draws=200))
        half = math.sqrt(sum(((g.high - g.low) / 2) ** 2 for g in gains)) / len(gains)
        gain = float(np.mean([g.value for g in gains]))
        told_gain = f"{100 * gain:+.1f} ± {100 * half:.1f}"
        lines.append(
            " | ".join([f"| {name}", *(f"{100 * r:.1f}" for r in recalls), f"{100 * np.mean(recalls):.1f}", told_gain])
            + " |"
        )
        angry.append(" | ".join([f"| {name}", *(f"{100 * a:.0f}" for a in angers)]) + " |")
    return [*lines, "", *angry]


def main() -> None:
    """Run what is missing, or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    mapped = load(given.data, given.cache)
    if given.table:
        print("\n".join(table(mapped, given.seeds, given.cache)))
        return
    for seed in range(given.seeds):
        for name in given.only:
            learnt: dict[tuple[str, ...], Tail] = {}
            for leave in STRANGERS:
                run(mapped, name, leave, seed, given.cache, learnt)


if __name__ == "__main__":
    main()
