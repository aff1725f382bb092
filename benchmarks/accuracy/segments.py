"""Are a film's segments right, and as sure as they say? On acted talking clips, with the person always held out.

    python benchmarks/accuracy/segments.py acted_clips_train.npz [--films FOLDER] [--fades FILM…] [--model NAME]
                                           [--readers MODEL=ACTOR,ACTOR…] [--cache FOLDER] [--write MODEL_FOLDER]

Prints Markdown: the calibration of segments before and after, what is left out at 95 % accuracy, "uncertain" as a
decision, false expressions per minute of neutral speech, and segment scores against a frame-wise reading and its
one-second majority. ``--write`` fits the calibration on all actors and puts it, with the held-out figures, into a model
folder's ``model.json``. Whatever is chosen or fitted for an actor is so without that actor. A model that has learnt
from some of the actors cannot read these: ``--readers`` names models of the same recipe and, for each, the actors it
has never seen; actors that none is named for are left out. Intervals are 95 % bootstraps over actors; so few actors
tend to give too narrow ones.

A segment counts as right where its label is what the clip was acted as. That is strict: an actor who begins a happy
clip with a neutral face is read rightly and counted wrong. How often "neutral" is right depends on how much neutral
there is: neutral clips are counted several times, so that half of the clips are neutral.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from acted import CODES, MEANT, SURE, Clip, filmed, packed
from guard import BEFORE, LIKELY, chain, guard_table, majority, read
from joined import STATISTICS, Row, fades, joined, tally
from numpy.typing import NDArray

from tronie.core.labels import UNCERTAIN, LabelSet
from tronie.faces.detect import RetinaFace
from tronie.metrics.calibration import calibration_error, cross_fitted_platt, fit_platt, squared_gap
from tronie.metrics.intervals import Interval, bootstrap
from tronie.metrics.scores import coverage_at
from tronie.models.catalog import load_model
from tronie.models.folder import Model, load_folder
from tronie.models.info import SegmentFit, write_info
from tronie.pipeline.settings import Settings

BINS = 8  # a few hundred segments: about 25 in each
TARGETS = (0.05, 0.1, 0.2, 0.3)
GROUPS = {"sure codes": SURE, "with surprise": LIKELY, "all codes": tuple(range(6))}
FITTED = "with surprise"  # without surprised clips, no answer of surprise could be right


@dataclass(frozen=True, eq=False)
class Answers:
    """Segments of clips: how sure, of which label, whether right, whose, of which code, how long."""

    confidence: NDArray[np.float64]
    label: NDArray[np.int64]
    right: NDArray[np.bool_]
    actor: NDArray[np.int64]
    code: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64]) -> Answers:
        """Some rows, which may come more than once."""
        return Answers(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def balanced(self, codes: Sequence[int]) -> Answers:
        """Rows of neutral clips as often as there are expressive ``codes``: half of the clips are then neutral."""
        return self.at(np.repeat(np.arange(len(self.code)), np.where(self.code == 0, len(codes) - 1, 1)))


def answers(clips: Sequence[Clip], labels: LabelSet, settings: Settings, *, uncertain: bool = False) -> Answers:
    """Segments of all clips: those with a label; or those without, judged by the label that came nearest."""
    found = []
    for clip in clips:
        timeline = read(clip, labels, settings)
        for s in timeline.segments():
            if (s.label == UNCERTAIN) == uncertain:
                part = timeline.select(start=s.start, end=s.end)
                best = labels.names[int(part.probabilities.mean(0).argmax())] if uncertain else s.label
                right = best in MEANT[clip.code]
                found.append((s.confidence, labels.names.index(best), right, clip.actor, clip.code, s.duration))
    table = list(zip(*found, strict=True)) if found else [()] * 6
    kinds = (np.float64, np.int64, bool, np.int64, np.int64, np.float64)
    return Answers(*(np.array(column, kind) for column, kind in zip(table, kinds, strict=True)))


def loss(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean negative log-likelihood of right and wrong, in nats."""
    p = np.clip(confidence, 1e-6, 1 - 1e-6)
    return float(-np.log(np.where(right, p, 1 - p)).mean())


def held_out(of: Answers, statistic: Callable[[NDArray[np.int64]], float], *, centred: bool = False) -> Interval:
    """A statistic of rows with its interval over actors."""
    return bootstrap(statistic, len(of.right), groups=of.actor, centred=centred)


def rms(gap2: Interval) -> Interval:
    """Root of a squared gap, which may have come out below 0."""
    return Interval(*(float(np.sqrt(max(v, 0.0))) for v in (gap2.value, gap2.low, gap2.high)))


def calibration_table(of: Answers, labels: LabelSet) -> tuple[list[str], dict[str, Interval]]:
    """Calibration before and after the fit, and what is left out at 95 % accuracy."""
    lines = [
        "| | mean confidence | share right | calibration error (debiased) | NLL | kept at 95 % accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    two = cross_fitted_platt(of.confidence, of.right, of.label, len(labels), of.actor, ridge=np.inf)
    constant = np.array([of.right[of.actor != a].mean() for a in of.actor])
    ways = {"before": of.confidence, "a constant": constant, "two numbers": two, "after": after(of, labels)}
    scores: dict[str, Interval] = {"right": held_out(of, lambda i: float(of.right[i].mean()))}
    for name, p in ways.items():
        error = rms(held_out(of, lambda i, p=p: squared_gap(p[i], of.right[i], BINS), centred=True))
        nll = held_out(of, lambda i, p=p: loss(p[i], of.right[i]))
        kept = held_out(of, lambda i, p=p: coverage_at(p[i], of.right[i], 0.95))
        lines.append(f"| {name} | {p.mean():.3f} | {scores['right']} | {error} | {nll} | {kept} |")
        if name in ("before", "after"):
            scores |= {f"{name}/calibration_error": error, f"{name}/nll": nll, f"{name}/kept_at_95": kept}
    better = held_out(of, lambda i: loss(of.confidence[i], of.right[i]) - loss(ways["after"][i], of.right[i]))
    shares = {
        name: (int((of.label == k).sum()), round(float(of.right[of.label == k].mean()), 2))
        for k, name in enumerate(labels.names)
        if (of.label == k).any()
    }
    return [*lines, "", f"NLL gained by the fit: {better}. Segments and share right by label: {shares}"], scores


def after(of: Answers, labels: LabelSet) -> NDArray[np.float64]:
    """Calibrated confidence, each actor's fitted on the others."""
    return cross_fitted_platt(of.confidence, of.right, of.label, len(labels), of.actor)


def decisions(of: Answers, labels: LabelSet) -> list[str]:
    """For a stated error rate: the least confidence chosen on the other actors, and what came of it on the held out."""
    lines = [
        "| stated error rate | least calibrated confidence (median over actors) | kept | error among the kept |",
        "| --- | --- | --- | --- |",
    ]
    sure = after(of, labels)
    for target in TARGETS:
        # A calibrated confidence is itself a statement: keep the surest whose mean says that the rate holds.
        threshold = np.array([least_for(sure[of.actor != a], target) for a in of.actor])
        kept = sure >= threshold
        share = held_out(of, lambda i, kept=kept: float(kept[i].mean()))
        error = held_out(of, lambda i, kept=kept: float((~of.right[i][kept[i]]).mean()) if kept[i].any() else np.nan)
        lines.append(f"| {target:.0%} | {np.median(threshold):.2f} | {share} | {error} |")
    return lines


def least_for(confidence: NDArray[np.float64], error: float) -> float:
    """The least confidence at which the segments kept are, by their own word, wrong at most this often."""
    surest = -np.sort(-confidence)
    fits = np.flatnonzero(np.cumsum(1 - surest) / np.arange(1, len(surest) + 1) <= error)
    return float(surest[fits[-1]]) if len(fits) else float("inf")


def uncertain_table(
    clips: Sequence[Clip], codes: Sequence[int], labels: LabelSet, settings: Settings
) -> tuple[list[str], Interval]:
    """What the decision "uncertain" leaves out, in time, and how wrong both parts are."""
    given, left = (answers(clips, labels, settings, uncertain=u).balanced(codes) for u in (False, True))
    table = {name: np.concatenate([getattr(given, name), getattr(left, name)]) for name in given.__dataclass_fields__}
    both, out = Answers(**table), np.repeat([False, True], [len(given.right), len(left.right)])

    def wrong(i: NDArray[np.int64], which: bool) -> float:
        part = i[out[i] == which]
        seconds = both.seconds[part]
        return float(seconds[~both.right[part]].sum() / seconds.sum()) if seconds.sum() else np.nan

    share = held_out(both, lambda i: float(both.seconds[i][out[i]].sum() / both.seconds[i].sum()))
    error = held_out(both, lambda i: wrong(i, False))
    spared = held_out(both, lambda i: wrong(i, True))
    return [
        f"- time left uncertain: {share}",
        f"- wrong among the labelled time: {error}",
        f"- wrong in the uncertain time, had the nearest label been given: {spared}",
    ], error


def segment_table(clips: Sequence[Clip], labels: LabelSet, settings: Settings, codes: Sequence[int]) -> list[str]:
    """Segment F1, lag and over-segmentation on clips joined at known change points."""
    films = joined(clips, labels, codes)
    return _segment_rows([(f.truth, f.clip) for f in films], np.array([f.clip.actor for f in films]), labels, settings)


def _segment_rows(
    films: Sequence[tuple[list[Row], Clip]], groups: NDArray[np.int64], labels: LabelSet, settings: Settings
) -> list[str]:
    ways: dict[str, Callable[[Clip], list[Row]]] = {
        "frame-wise": lambda c: majority(c, labels, 0.0),
        "frame-wise, 1 s majority": lambda c: majority(c, labels, 1.0),
        "chain before (no guard)": lambda c: chain(c, labels, replace(settings, switch=BEFORE[0], speech=BEFORE[1])),
        "chain as it is": lambda c: chain(c, labels, settings),
    }
    lines = [
        "| | segment F1 (IoU ≥ 0.5) | onset lag, median s | absolute | segments per true one |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, way in ways.items():
        counts = [tally(truth, way(clip)) for truth, clip in films]
        cells = [
            str(bootstrap(lambda i, s=s, c=counts: s([c[k] for k in i]), len(counts), groups=groups))
            for s in STATISTICS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Read, measure, print; fit and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--films", type=Path, help="folder of films named actor-sentence-code, at their full rate")
    parser.add_argument("--fades", type=Path, nargs="*", default=[], help="films that fade a neutral face to a smile")
    parser.add_argument("--model", default="default")
    parser.add_argument("--readers", nargs="*", default=[], help="MODEL=ACTOR,ACTOR…: read these actors by this model")
    parser.add_argument("--cache", type=Path, help="folder in which found and aligned faces are kept")
    parser.add_argument("--write", type=Path, help="model folder that gets the calibration")
    given = parser.parse_args()
    model = load_folder(given.write) if given.write else load_model(given.model)
    settings, detector = Settings(), RetinaFace()
    print("# Segments of acted speech\n")
    made = f"Made by `benchmarks/accuracy/segments.py` with graph {model.info.graph_sha256[:12]} of {model.name}."
    print(
        made,
        "The clips are those of `acted.py`; intervals are\nbootstraps over people; *inf*, *nan*: no threshold "
        "reaches the stated rate.",
    )
    readers: list[tuple[Model, set[int] | None]] = [reader(text) for text in given.readers] or [(model, None)]
    if given.readers:
        print("\nRead by:", *(f"graph {m.info.graph_sha256[:12]} (actors {who})" for m, who in readers))
    clips = of_readers(readers, lambda m: packed(given.pack, detector, m, settings.usable, given.cache))
    sets = {f"16 frames a clip, {len({clip.actor for clip in clips})} actors": clips}
    if given.films:
        films = of_readers(readers, lambda m: filmed(given.films, detector, m, settings.usable, given.cache))
        sets[f"every frame, actors {sorted({clip.actor for clip in films})}"] = films
    fit = report(sets, model.labels, settings)
    if given.fades:
        print("\n## Fades between two photos: neutral, smile, neutral; true changes where the film is half-way\n")
        shown = [film for path in given.fades for film in fades(path, detector, readers[0][0], settings)]
        pairs = [(film.truth, film.clip) for film in shown]
        print("\n".join(_segment_rows(pairs, np.arange(len(pairs)), model.labels, settings)))
    if given.write:
        write_info(given.write, replace(model.info, segments=fit))
        print(f"\nWritten to {given.write / 'model.json'}: a = {fit.a:.4f}, b = {fit.b:.4f}, offsets {fit.offsets}.")


def reader(text: str) -> tuple[Model, set[int] | None]:
    """``MODEL=1,2``: the model folder and the actors it reads."""
    folder, _, actors = text.rpartition("=")
    return load_folder(Path(folder)), {int(actor) for actor in actors.split(",")}


def of_readers(readers: Sequence[tuple[Model, set[int] | None]], read_all: Callable[[Model], list[Clip]]) -> list[Clip]:
    """Every clip as the model reads it that is named for its actor (None: for all)."""
    return [clip for model, actors in readers for clip in read_all(model) if actors is None or clip.actor in actors]


def report(sets: dict[str, list[Clip]], labels: LabelSet, settings: Settings) -> SegmentFit:
    """Print everything about acted clips; the fit on the first set's sure codes, with what was held out."""
    fit: SegmentFit | None = None
    for name, clips in sets.items():
        print(f"\n## Acted clips: {name}")
        for title, codes in GROUPS.items():
            chosen = [clip for clip in clips if clip.code in codes]
            plain = answers(chosen, labels, settings)
            of = plain.balanced(codes)
            lines, scores = calibration_table(of, labels)
            print(f"\n### Confidence of segments, {title}: {len(plain.right)} labelled segments\n", *lines, sep="\n")
            print("\nBy a stated error rate:\n", *decisions(of, labels), sep="\n")
            lines, error = uncertain_table(chosen, codes, labels, settings)
            print('\nThe label "uncertain", by time:\n', *lines, sep="\n")
            if fit is None and title == FITTED:
                fit = fitted(
                    of,
                    labels,
                    settings,
                    {**scores, "wrong_time": error},
                    (
                        f"{len(plain.right)} segments of {len(chosen)} acted talking clips by "
                        f"{len(np.unique(of.actor))} actors ({', '.join(CODES[c] for c in codes)}; "
                        "neutral weighed as half of the clips); "
                        "scores with the actor held out"
                    ),
                )
        if len(sets) > 1 and clips is not next(iter(sets.values())) and fit is not None:
            print(*transferred(clips, labels, settings, sets), sep="\n")
        print("\n### Speech guard\n", *guard_table(clips, labels, settings), sep="\n")
        for title, codes in GROUPS.items():
            print(f"\n### Clips of an actor joined at known change points, {title}\n")
            print(*segment_table(clips, labels, settings, codes), sep="\n")
    assert fit is not None
    return fit


def fitted(of: Answers, labels: LabelSet, settings: Settings, scores: dict[str, Interval], on: str) -> SegmentFit:
    """The calibration fitted on all actors."""
    fit = fit_platt(of.confidence, of.right, of.label, len(labels))
    offsets = {name: round(float(v), 5) for name, v in zip(labels.names, fit.offsets, strict=True) if abs(v) > 1e-6}
    held = {key: (v.value, v.low, v.high) for key, v in scores.items()}
    return SegmentFit(round(fit.a, 5), round(fit.b, 5), on, offsets, settings.segmenting(), held)


def transferred(clips: Sequence[Clip], labels: LabelSet, settings: Settings, sets: dict[str, list[Clip]]) -> list[str]:
    """Does the fit on 16 frames a clip hold at the full rate? Fitted without the films' actors."""
    first = next(iter(sets.values()))
    people = {clip.actor for clip in clips}
    others = [c for c in first if c.actor not in people and c.code in LIKELY]
    source = answers(others, labels, settings).balanced(LIKELY)
    of = answers([c for c in clips if c.code in LIKELY], labels, settings).balanced(LIKELY)
    p = fit_platt(source.confidence, source.right, source.label, len(labels))(of.confidence, of.label)
    errors, losses = (
        [f"{measure(q):.3f}" for q in (of.confidence, p)]
        for measure in (lambda q: calibration_error(q, of.right, BINS), lambda q: loss(q, of.right))
    )
    return [
        f"\nThe fit of the other actors' 16-frame clips, at the full rate: calibration error {errors[0]} before, "
        f"{errors[1]} after; NLL {losses[0]} before, {losses[1]} after ({len(of.right)} segments)."
    ]


if __name__ == "__main__":
    main()
