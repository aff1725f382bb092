"""A model on people and films it has never met: one table, a row per domain.

    python benchmarks/accuracy/domains.py MODEL --data DATA --cache CACHE [--against OTHER] [--look "what was tried"]

MODEL is a model folder, or full weights (``.npz``, of ``Baseline`` with dlib's encoder), which are exported first. DATA
is the folder of the packs, CACHE what ``domain_packs.py`` made of it. Printed are, for each domain: recall by class
(classes with 20 rows or more), their mean, accuracy, the calibration error (adaptive bins, debiased), precision and
recall of anger, with 95 % intervals (people, actors or films drawn whole). ``--against OTHER`` adds the paired
difference in mean recall to another model. ``--look`` writes a line to looks.csv.

Photos are read with their mirror image, as the chain reads them; frames of acted clips without, as films are. A clip's
answer is the mean over its frames. Left out are rows without one of the seven labels (contempt, the unsure code of the
acted clips) and rows with a twin in another pack or split (``domains/twins.csv``). Of the film faces every eighth is
read, of LFW every second. A domain that ``model.json`` names among the data seen is marked with *.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from domain_nets import as_folder
from domain_packs import LABELS, Pack, faces_of, read_pack, twin_rows
from numpy.typing import NDArray

from tronie.metrics.calibration import squared_gap
from tronie.metrics.intervals import Interval, bootstrap, paired
from tronie.metrics.scores import confusion, recalls
from tronie.models.folder import Model, both_ways, load_folder

LEAST = 20
"""Rows that a class must have for its recall to count."""
ANGER = LABELS.index("anger")
LOOKS = Path(__file__).parent / "looks.csv"
_EVERY = 8  # of the film faces
_BLOCK = 512

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Domain:
    """A row of the table: which rows of which pack; ``group`` names what is left out together in training."""

    name: str
    pack: str
    group: str
    splits: tuple[str, ...] = ()
    people: tuple[int, ...] = ()
    every: int = 1
    clips: bool = False


DOMAINS = (
    Domain("coded peaks", "coded-peaks", "posed"),
    Domain("performers", "performers", "posed"),
    Domain("film stills", "film-stills", "film stills"),
    Domain("film faces", "film-faces", "film faces", every=_EVERY),
    Domain("LFW", "lfw", "LFW", every=2),
    Domain("acted speech, frames", "acted", "acted speech"),
    Domain("RAF-DB fold 0", "rafdb", "RAF-DB", splits=("fold0",)),
    Domain("FERPlus valid", "ferplus", "FERPlus", splits=("valid",)),
    Domain("acted speech, clips", "acted", "", clips=True),
    Domain("actors 7 and 8, frames", "acted", "", people=(7, 8)),
)
"""Those without a group are printed, but are no part of the mean over groups."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of a domain's rows: probabilities ``(n, 7)``; ``left_out`` rows were not read."""

    truth: Rows
    group: Rows
    probability: NDArray[np.float64]
    left_out: int


def rows_of(domain: Domain, data: Path, held_people: bool = False) -> tuple[Pack, int]:
    """A domain's rows, and how many were left out for want of a label or for a twin elsewhere."""
    pack, twins = read_pack(domain.pack, data), twin_rows()
    wanted = np.isin(pack.split, domain.splits) if domain.splits else np.ones(len(pack), bool)
    wanted &= np.isin(pack.group, domain.people) if domain.people else True
    wanted &= pack.row % domain.every == 0
    if held_people and domain.pack not in ("rafdb", "ferplus", "acted"):
        wanted &= pack.group % 5 == 0
    rows = pack.select(wanted)
    sound = np.array([label >= 0 and i not in twins for i, label in zip(rows.id, rows.label, strict=True)], bool)
    return rows.select(sound), int((~sound).sum())


def answers(model: Model, data: Path, cache: Path, held_people: bool, only: list[str]) -> dict[str, Answers]:
    """A model's answers to every domain (or to ``only`` some), kept in CACHE by the model's hash."""
    found = {}
    for domain in DOMAINS:
        if only and domain.name not in only:
            continue
        pack, left = rows_of(domain, data, held_people)
        read = model.predict if domain.pack == "acted" else partial(both_ways, model.predict)
        kept = cache / "answers" / f"{model.hash}-{domain.pack}-{'-'.join(domain.splits)}.npz"
        probability = _kept(kept, pack, faces_of(domain.pack, cache), read)
        told = Answers(pack.label, pack.group, probability, left)
        found[domain.name] = _by_clip(told, pack.clip) if domain.clips else told
    return found


def _kept(
    path: Path, pack: Pack, faces: NDArray[np.uint8], read: Callable[[NDArray[np.uint8]], NDArray[np.floating]]
) -> NDArray[np.float64]:
    """Answers to a pack's rows; what was read before is not read again."""
    known: dict[int, NDArray[np.float64]] = {}
    if path.is_file():
        with np.load(path) as file:
            known = dict(zip(file["row"].tolist(), file["probability"], strict=True))
    new = np.array([row for row in pack.row.tolist() if row not in known], np.int64)
    for start in range(0, len(new), _BLOCK):
        rows = new[start : start + _BLOCK]
        known.update(zip(rows.tolist(), read(np.asarray(faces[rows])).astype(np.float64), strict=True))
    if len(new):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, row=np.array(list(known)), probability=np.stack(list(known.values())))
    return np.stack([known[row] for row in pack.row.tolist()])


def _by_clip(told: Answers, clip: Rows) -> Answers:
    """The mean over each clip's frames."""
    first = np.unique(clip, return_index=True)[1]
    mean = np.stack([told.probability[clip == one].mean(0) for one in clip[first]])
    return Answers(told.truth[first], told.group[first], mean, told.left_out)


def asked(told: dict[str, Answers]) -> list[Domain]:
    """The domains that were answered, in the table's order."""
    return [domain for domain in DOMAINS if domain.name in told]


def counted(truth: Rows) -> NDArray[np.bool_]:
    """Classes with enough rows."""
    return np.bincount(truth, minlength=len(LABELS)) >= LEAST


def recall_of(truth: Rows, answer: Rows, classes: NDArray[np.bool_], rows: Rows) -> float:
    """Mean recall of ``rows`` over the classes that count and occur among them; NaN where none does."""
    values = recalls(confusion(truth[rows], answer[rows], len(LABELS)))[classes]
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def scores(told: Answers) -> dict[str, Interval]:
    """Every score of a domain with its interval."""
    truth, answer, sure = told.truth, told.probability.argmax(1), told.probability.max(1)
    right, classes = answer == truth, counted(truth)

    def of(measure: Callable[[Rows], float], centred: bool = False) -> Interval:
        return bootstrap(measure, len(truth), groups=told.group, draws=500, centred=centred)

    def share(of_these: NDArray[np.bool_], rows: Rows) -> float:
        return float(right[rows][of_these[rows]].mean()) if of_these[rows].any() else float("nan")

    gap = of(lambda rows: squared_gap(sure[rows], right[rows]), centred=True)
    found = {
        "mean recall": of(partial(recall_of, truth, answer, classes)),
        "accuracy": of(lambda rows: float(right[rows].mean())),
        "calibration error": Interval(*(max(v, 0.0) ** 0.5 for v in (gap.value, gap.low, gap.high))),
        "anger precision": of(partial(share, answer == ANGER)),
    }
    return found | {name: of(partial(share, truth == i)) for i, name in enumerate(LABELS) if classes[i]}


def over_groups(told: dict[str, Answers]) -> Callable[[str], float]:
    """Mean recall of a group of domains; of ``""`` the mean over the groups."""
    means: dict[str, list[float]] = {}
    for domain in asked(told):
        one = told[domain.name]
        value = recall_of(one.truth, one.probability.argmax(1), counted(one.truth), np.arange(len(one.truth)))
        means.setdefault(domain.group, []).append(value)  # NaN where too few people are judged
    groups = {group: float(np.nanmean(values)) for group, values in means.items() if group}
    return (groups | {"": float(np.nanmean(list(groups.values())))}).__getitem__


def table(told: dict[str, Answers], seen: set[str]) -> list[str]:
    """The table in Markdown, in per cent."""
    lines = [
        "| domain | rows (left out) | mean recall | accuracy | calibration error | "
        + " | ".join(LABELS)
        + " | anger precision |",
        "| --- " * (len(LABELS) + 6) + "|",
    ]
    for domain in asked(told):
        one = told[domain.name]
        got = scores(one)
        wide = [_told(got[name]) for name in ("mean recall", "accuracy", "calibration error")]
        short = [f"{100 * got[name].value:.0f}" if name in got else "–" for name in (*LABELS, "anger precision")]
        mark = "*" if domain.pack in seen else ""
        lines.append(" | ".join([f"| {domain.name}{mark}", f"{len(one.truth)} ({one.left_out})", *wide, *short]) + " |")
    if len(told) < len(DOMAINS):
        return lines
    of = over_groups(told)
    strangers = np.nanmean([of(g) for g in ("posed", "film stills", "film faces", "LFW", "acted speech")])
    return [
        *lines,
        "",
        f"Mean recall over the eight groups {100 * of(''):.1f}, over the five of strangers "
        f"{100 * strangers:.1f}. Calibration error and recalls in per cent.",
    ]


def _told(i: Interval) -> str:
    return f"{100 * i.value:.1f} [{100 * i.low:.1f}, {100 * i.high:.1f}]"


def differences(told: dict[str, Answers], other: dict[str, Answers]) -> list[str]:
    """Mean recall and accuracy of ``told`` minus ``other``'s, on the same rows drawn together."""
    lines = ["| domain | mean recall, difference | accuracy, difference | anger recall |", "| --- | --- | --- | --- |"]
    for domain in asked(told):
        one, two = told[domain.name], other[domain.name]
        truth, classes, said = one.truth, counted(one.truth), [a.probability.argmax(1) for a in (two, one)]
        only = np.arange(len(LABELS)) == ANGER
        kinds: list[list[Callable[[Rows], float]]] = [
            [partial(recall_of, truth, a, classes) for a in said],
            [partial(_accuracy, truth, a) for a in said],
            [partial(_anger, truth, a, only) for a in said],
        ]
        cells = [_told(paired([k[0]], [k[1]], len(truth), groups=one.group, draws=500)) for k in kinds]
        lines.append(
            f"| {domain.name} | "
            + " | ".join(cells[: 3 if classes[ANGER] else 2])
            + (" |" if classes[ANGER] else " | – |")
        )
    return lines


def _accuracy(truth: Rows, answer: Rows, rows: Rows) -> float:
    return float((answer[rows] == truth[rows]).mean())


def _anger(truth: Rows, answer: Rows, only: NDArray[np.bool_], rows: Rows) -> float:
    return recall_of(truth, answer, only, rows) if (truth[rows] == ANGER).any() else float("nan")


def note_look(what: str, told: dict[str, Answers]) -> None:
    """A line of looks.csv: accuracy and mean recall of each domain, in the table's order."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    columns = []
    for name in ("accuracy", "mean recall"):
        values = []
        for domain in asked(told):
            one = told[domain.name]
            answer, every = one.probability.argmax(1), np.arange(len(one.truth))
            value = (
                (answer == one.truth).mean()
                if name == "accuracy"
                else recall_of(one.truth, answer, counted(one.truth), every)
            )
            values.append(f"{value:.3f}")
        columns.append("/".join(values))
    with LOOKS.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(
            [datetime.now(UTC).date(), commit.stdout.strip(), what, ", ".join(told), *columns]
        )


def main() -> None:
    """Read, print, note."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[], choices=[d.name for d in DOMAINS], metavar="DOMAIN")
    parser.add_argument("--held-people", action="store_true", help="only people whom --hold-people held out")
    parser.add_argument("--against", type=Path, help="another model, for paired differences")
    parser.add_argument("--look", default="", help="what was tried, for looks.csv")
    given = parser.parse_args()
    model = load_folder(as_folder(given.model, given.cache))
    told = answers(model, given.data, given.cache, given.held_people, given.only)
    seen = {name.partition(":")[0].partition("/")[0] for name in model.info.seen}
    print("\n".join(table(told, seen)), flush=True)
    if given.against is not None:
        other = load_folder(as_folder(given.against, given.cache))
        others = answers(other, given.data, given.cache, given.held_people, given.only)
        print("\n" + "\n".join(differences(told, others)))
    if given.look:
        note_look(given.look, told)


if __name__ == "__main__":
    main()
