"""Does it help to measure faces against the person's own neutral? On acted talking clips, with the person held out.

    python benchmarks/accuracy/person.py acted_clips_train.npz [--model NAME] [--readers MODEL=ACTOR,ACTOR…]
                                         [--cache FOLDER] [--write MODEL_FOLDER]

The clips of an actor are laid one after another, in an order drawn once, and read as one film of one person. How much
of the person a film shows decides what their neutral is worth, so there are four kinds of films. What the model says
of neutral faces on average, and whatever is chosen, comes from the other actors. ``--write`` puts the average over all
actors into a model folder's ``model.json``, as `tronie predict --baseline person` needs it. A model that has learnt
from actors cannot show this: ``--readers`` names models of its recipe and, for each, the actors it has never seen.

Intervals are 95 % bootstraps over actors; the intervals of so few tend to be too narrow.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from acted import CODES, MEANT, Clip, packed
from guard import LIKELY, chain, guarded, per_minute, recall
from numpy.typing import NDArray
from segments import of_readers, reader

from tronie.core.labels import LabelSet
from tronie.faces.detect import RetinaFace
from tronie.metrics.calibration import softmax
from tronie.metrics.intervals import Interval, bootstrap
from tronie.models.catalog import load_model
from tronie.models.folder import Model, load_folder
from tronie.models.info import NeutralFit, write_info
from tronie.pipeline.person import Persons, at_rest, centred, measured
from tronie.pipeline.settings import Settings

SEED = 0
GRID = [(own, calm) for own in (0.5, 1.0) for calm in (1.0, 3.0, 5.0, 10.0)]
SHARES = [(own, share) for own in (0.5, 1.0) for share in (0.1, 0.25, 0.5)]

Array = NDArray[np.float64]
Film = list[Clip]
Pair = tuple[float, float]
Way = Callable[[Film], list[Array]]
"""The probabilities of each clip of a film, ``(looks, labels)``."""


@dataclass(frozen=True)
class Named:
    """What the chain's stage asks of a model, with the average of other people."""

    labels: LabelSet
    neutral: NeutralFit
    name: str = "held out"


def odds(clip: Clip) -> Array:
    """What the model says, look by look."""
    return np.stack([look.probabilities for look in clip.looks])


def films(clips: Sequence[Clip]) -> dict[str, list[Film]]:
    """Films of one actor each, by kind; clips in a drawn order."""
    kinds: dict[str, list[Film]] = {
        "everything acted": [],
        "neutral and one expression": [],
        "one expression only": [],
        "one clip": [],
    }
    rng = np.random.default_rng(SEED)
    for actor in sorted({clip.actor for clip in clips}):
        mine = [clip for clip in clips if clip.actor == actor and clip.code in LIKELY]
        mine = [mine[i] for i in rng.permutation(len(mine))]
        kinds["everything acted"].append(mine)
        kinds["neutral and one expression"] += [[c for c in mine if c.code in (0, code)] for code in LIKELY if code]
        kinds["one expression only"] += [[c for c in mine if c.code == code] for code in LIKELY]
        kinds["one clip"] += [[c] for c in mine]
    return kinds


def seconds(clip: Clip) -> Array:
    """Seconds of evidence in each look; unusable ones have none."""
    return np.array([look.duration if look.usable else 0.0 for look in clip.looks])


def rest_of(film: Film, neutral: int) -> tuple[Array, float]:
    """The evidence of a person's rest in a whole film."""
    return at_rest(np.concatenate([odds(c) for c in film]), np.concatenate([seconds(c) for c in film]), neutral)


def most_neutral(film: Film, neutral: int, share: float) -> Array:
    """Mean evidence ``(labels,)`` of the share of looks with the highest margin for neutral."""
    x = centred(np.concatenate([odds(c) for c in film]))
    margin = x[:, neutral] - np.delete(x, neutral, 1).max(1)
    return np.asarray(x[np.argsort(-margin, kind="stable")[: max(1, round(share * len(x)))]].mean(0))


def running(film: Film, model: Named, settings: Settings) -> list[Array]:
    """The chain's own stage."""
    stage, begin, found = Persons(model, settings), 0.0, []
    for clip in film:
        looks = stage.measure(replace(look, time=look.time + begin) for look in clip.looks)
        found.append(np.stack([look.probabilities for look in looks]))
        begin += clip.end
    return found


def whole(film: Film, model: Named, settings: Settings) -> list[Array]:
    """The same with the whole film's evidence for every look."""
    expected, neutral = np.array([model.neutral.expected[n] for n in model.labels.names]), model.labels.neutral
    assert neutral is not None
    rest, evidence = rest_of(film, neutral)
    return [measured(odds(clip), rest, evidence, expected, settings.own, settings.calm) for clip in film]


def moved(film: Film, by: Array) -> list[Array]:
    """Every look moved alike."""
    return [softmax(centred(odds(clip)) - by) for clip in film]


class Others:
    """What is known from all actors but one."""

    def __init__(self, clips: Sequence[Clip], labels: LabelSet) -> None:
        assert labels.neutral is not None
        self._labels, self._neutral = labels, labels.neutral
        self._clips = {a: [c for c in clips if c.actor == a] for a in sorted({c.actor for c in clips})}

    def mean(self, actor: int | None, of: Callable[[Film], Array]) -> Array:
        """Mean over the actors but ``actor``."""
        return np.asarray(np.mean([of(mine) for a, mine in self._clips.items() if a != actor], 0))

    def fit(self, actor: int | None) -> NeutralFit:
        """What the model says of neutral faces, from the actors but ``actor``."""

        def rest(mine: Film) -> Array:
            total, evidence = rest_of(mine, self._neutral)
            return total / evidence

        count = len(self._clips) - (actor is not None)
        values = zip(self._labels.names, self.mean(actor, rest).round(4).tolist(), strict=True)
        return NeutralFit(dict(values), f"acted talking clips by {count} actors, weighed by how neutral they look")

    def model(self, actor: int) -> Named:
        """The model as it would be without ``actor``."""
        return Named(self._labels, self.fit(actor))


@dataclass(frozen=True, eq=False)
class Right:
    """Clips of films: whose, of which code, whether the mean of its looks names what was acted."""

    actor: NDArray[np.int64]
    code: NDArray[np.int64]
    right: NDArray[np.bool_]

    def accuracy(self, rows: NDArray[np.int64]) -> float:
        """Mean over codes of the share of clips that are right."""
        there = [self.right[rows][self.code[rows] == code] for code in LIKELY]
        return float(np.mean([r.mean() for r in there if len(r)]))


def judged(kind: Sequence[Film], way: Way, labels: LabelSet) -> Right:
    """Every clip of films, read in one way."""
    rows = []
    for film in kind:
        for clip, p in zip(film, way(film), strict=True):
            usable = np.array([look.usable for look in clip.looks])
            best = labels.names[int(p[usable if usable.any() else slice(None)].mean(0).argmax())]
            rows.append((clip.actor, clip.code, best in MEANT[clip.code]))
    actor, code, right = zip(*rows, strict=True)
    return Right(np.array(actor), np.array(code), np.array(right, bool))


def left_out(tried: dict[Pair, dict[str, Right]], on: str) -> tuple[dict[str, Right], dict[int, Pair]]:
    """Each actor read with what was best for the other actors on the kind of films ``on``; and what that was."""
    some = next(iter(tried.values()))[on]
    picks = {
        int(a): max(tried, key=lambda g, a=a: tried[g][on].accuracy(np.flatnonzero(some.actor != a)))
        for a in np.unique(some.actor)
    }
    chosen = {}
    for kind, first in next(iter(tried.values())).items():
        right = [tried[picks[int(a)]][kind].right[i] for i, a in enumerate(first.actor)]
        chosen[kind] = replace(first, right=np.array(right))
    return chosen, dict(picks)


def told(picks: dict[int, Pair]) -> str:
    """What was chosen how often."""
    counted = Counter(picks.values()).most_common()
    return ", ".join(f"{first:g} and {second:g} ({count}x)" for (first, second), count in counted)


def ways(clips: Sequence[Clip], labels: LabelSet, settings: Settings) -> tuple[dict[str, dict[str, Right]], list[str]]:
    """Every way of reading on every kind of films; and what was chosen."""
    kinds, others, neutral = films(clips), Others(clips, labels), labels.neutral
    assert neutral is not None
    known = {actor: others.model(actor) for actor in {clip.actor for clip in clips}}

    def all_kinds(way: Way) -> dict[str, Right]:
        return {kind: judged(some, way, labels) for kind, some in kinds.items()}

    def against(how: Callable[[Film, Named, Settings], list[Array]], at: Settings) -> dict[str, Right]:
        return all_kinds(lambda film: how(film, known[film[0].actor], at))

    def apart(of: Callable[[Film], Array], own: float) -> dict[str, Right]:
        means = {actor: others.mean(actor, of) for actor in known}
        return all_kinds(lambda film: moved(film, own * (of(film) - means[film[0].actor])))

    tried = {(own, calm): against(running, replace(settings, own=own, calm=calm)) for own, calm in GRID}
    shares = {(own, share): apart(partial(most_neutral, neutral=neutral, share=share), own) for own, share in SHARES}
    (chosen, picks), (stretch, parts) = (left_out(one, "everything acted") for one in (tried, shares))
    found = {
        "as it is": all_kinds(lambda film: [odds(clip) for clip in film]),
        "`--baseline person`": against(running, settings),
        "with `own`, `calm` chosen on the others": chosen,
        "from the whole film": against(whole, settings),
        "most neutral share, chosen on the others": stretch,
        "mean of the whole film": apart(lambda film: centred(np.concatenate([odds(c) for c in film])).mean(0), 1.0),
    }
    return found, [f"Chosen for each held-out actor: own and calm {told(picks)}; own and share {told(parts)}."]


def accuracy_table(found: dict[str, dict[str, Right]]) -> list[str]:
    """Clip accuracy by kind of film, and what was gained."""
    kinds = list(found["as it is"])
    lines = [f"| clip accuracy in % (gain) | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 1) + "|"]
    for name, by in found.items():
        cells = []
        for kind in kinds:
            of, was = by[kind], found["as it is"][kind]
            value = bootstrap(of.accuracy, len(of.right), groups=of.actor)
            gain = bootstrap(lambda i, of=of, was=was: of.accuracy(i) - was.accuracy(i), len(of.right), groups=of.actor)
            low, high = gain.low, gain.high
            apart = f"{100 * gain.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            cells.append(percent(value) if by is found["as it is"] else f"{100 * value.value:.1f} ({apart})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def percent(of: Interval) -> str:
    """An accuracy with its interval, in percent."""
    return f"{100 * of.value:.1f} [{100 * of.low:.1f}, {100 * of.high:.1f}]"


def chain_table(clips: Sequence[Clip], labels: LabelSet, settings: Settings) -> list[str]:
    """Through the label path: false expressions in neutral speech, and acted ones that are seen."""
    others, rows = Others(clips, labels), []
    for kind, some in films(clips).items():
        for name, on in (("as it is", False), ("`--baseline person`", True)):
            read = []
            for film in some:
                answers = running(film, others.model(film[0].actor), settings) if on else [odds(c) for c in film]
                read += [
                    replace(
                        clip, looks=[replace(look, probabilities=row) for look, row in zip(clip.looks, p, strict=True)]
                    )
                    for clip, p in zip(film, answers, strict=True)
                ]
            rows.append((kind, name, read))
    lines = [
        "| films | read | false expressions a minute of neutral speech | acted expressions seen, % |",
        "| --- | --- | --- | --- |",
    ]
    for kind, name, read in rows:
        of = guarded(read, labels, lambda clip: chain(clip, labels, settings))
        false, seen = (
            bootstrap(lambda i, s=s, of=of: s(of, i), len(read), groups=of.actor)
            for s in (per_minute, lambda of, i: recall(of, i, LIKELY[1:]))
        )
        lines.append(f"| {kind} | {name} | {false.value:.1f} [{false.low:.1f}, {false.high:.1f}] | {percent(seen)} |")
    return lines


def main() -> None:
    """Read, measure, print; write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--readers", nargs="*", default=[], help="MODEL=ACTOR,ACTOR…: read these actors by this model")
    parser.add_argument("--cache", type=Path, help="folder in which found and aligned faces are kept")
    parser.add_argument("--write", type=Path, help="model folder that gets what is said of neutral faces")
    given = parser.parse_args()
    model = load_folder(given.write) if given.write else load_model(given.model)
    settings, detector = Settings(baseline="person"), RetinaFace()
    readers: list[tuple[Model, set[int] | None]] = [reader(text) for text in given.readers] or [(model, None)]
    if not given.readers and any(name.startswith("acted") for name in model.info.seen):
        parser.error(f"{model.name} has learnt from actors: name --readers that have not.")
    clips = of_readers(readers, lambda m: packed(given.pack, detector, m, settings.usable, given.cache))
    fit = Others(clips, model.labels).fit(None)
    if given.write:
        write_info(given.write, replace(model.info, neutral=fit))
    found, chosen = ways(clips, model.labels, settings)
    how = " --readers …" if given.readers else f" --model {Path(given.model).name}"
    by = ", ".join(f"{m.info.graph_sha256[:12]} (actors {sorted(who) if who else 'all'})" for m, who in readers)
    print(f"""# A person's own neutral: {model.name}

Made by `python benchmarks/accuracy/person.py {given.pack.name}{how}`, graph {model.info.graph_sha256[:12]}.
Actors are read by graphs that have never seen them: {by}.
Codes: {", ".join(CODES[c] for c in LIKELY)}. A clip is right where the mean of its looks
names what was acted; accuracy is the mean over codes. Intervals are bootstraps over actors.
In force: own {settings.own}, calm {settings.calm} s. They were set with all these actors in sight, so the row
"chosen on the others" is what an unseen person may expect; it also shows how far the choice wavers.

## Clips\n""")
    print(*accuracy_table(found), "", *chosen, "", "## Through the chain\n", sep="\n")
    print(*chain_table(clips, model.labels, settings), sep="\n")
    print(f"\nWhat the model says of neutral faces, from {fit.fitted_on}: {fit.expected}.")


if __name__ == "__main__":
    main()
