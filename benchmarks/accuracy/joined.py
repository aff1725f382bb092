"""Films with known change points: acted clips put one behind the other, and fades between two photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from acted import MEANT, Clip
from numpy.typing import NDArray

from tronie.core.labels import LabelSet
from tronie.faces.detect import Detector
from tronie.metrics.segments import Segmentation, match, onset_lags, segment_f1
from tronie.pipeline.find import Finder
from tronie.pipeline.looks import Look
from tronie.pipeline.reading import Model, Reader
from tronie.pipeline.settings import Settings
from tronie.video.reader import VideoReader

Row = tuple[float, float, int]
"""Start and end in seconds, position of the label."""
_SMALL = (64, 64)  # a fade is measured on the picture at this size


@dataclass(frozen=True, eq=False)
class Film:
    """Looks at one person, and what is shown when. ``truth`` names labels by position."""

    clip: Clip
    truth: list[Row]


@dataclass(frozen=True)
class Tally:
    """Counts of one film: segments found, found too many, missed; the lags of those found."""

    hit: int
    extra: int
    missed: int
    lags: tuple[float, ...]


def tally(truth: Sequence[Row], answer: Sequence[Row]) -> Tally:
    """Segments of a film against its truth."""
    ours, theirs = Segmentation.of(list(truth)), Segmentation.of(list(answer))
    hit = len(match(ours, theirs))
    return Tally(hit, len(theirs) - hit, len(ours) - hit, tuple(onset_lags(ours, theirs).tolist()))


def f1(counts: Sequence[Tally]) -> float:
    """Segment F1 over films."""
    return segment_f1(sum(c.hit for c in counts), sum(c.extra for c in counts), sum(c.missed for c in counts))


def lag(counts: Sequence[Tally]) -> float:
    """Median seconds by which a found segment begins late; NaN where none was found."""
    lags = [one for c in counts for one in c.lags]
    return float(np.median(lags)) if lags else float("nan")


def absolute_lag(counts: Sequence[Tally]) -> float:
    """Median seconds by which a found segment begins late or early."""
    lags = [abs(one) for c in counts for one in c.lags]
    return float(np.median(lags)) if lags else float("nan")


def pieces(counts: Sequence[Tally]) -> float:
    """Segments answered for each true one."""
    return sum(c.hit + c.extra for c in counts) / sum(c.hit + c.missed for c in counts)


STATISTICS: tuple[Callable[[Sequence[Tally]], float], ...] = (f1, lag, absolute_lag, pieces)


def rows_of(frames: Sequence[Row]) -> list[Row]:
    """Frames with one label that follow each other, as one row."""
    rows: list[Row] = []
    for start, end, label in frames:
        if rows and rows[-1][2] == label:
            rows[-1] = (rows[-1][0], end, label)
        else:
            rows.append((start, end, label))
    return rows


def joined(clips: Sequence[Clip], labels: LabelSet, codes: Sequence[int], seed: int = 0) -> list[Film]:
    """A film per actor and sentence: the clips of ``codes`` in random order, each directly behind the one before.

    A code with two labels that would be right counts as the one that was answered for longer within it, so that
    neither is preferred.
    """
    rng = np.random.default_rng(seed)
    films = []
    for actor, sentence in sorted({(clip.actor, clip.sentence) for clip in clips}):
        own = [c for c in clips if (c.actor, c.sentence) == (actor, sentence) and c.code in codes]
        looks: list[Look] = []
        truth: list[Row] = []
        start = 0.0
        for k in rng.permutation(len(own)).tolist():
            looks += [replace(look, time=look.time + start) for look in own[k].looks]
            truth.append((start, start + own[k].end, _meant(own[k], labels)))
            start += own[k].end
        films.append(Film(Clip(actor, sentence, -1, looks), truth))
    return films


def _meant(clip: Clip, labels: LabelSet) -> int:
    odds = np.mean([look.probabilities for look in clip.looks], 0)
    return max((labels.names.index(name) for name in MEANT[clip.code]), key=lambda i: odds[i])


def fades(path: Path, detector: Detector, model: Model, settings: Settings) -> list[Film]:
    """Each person's stretch of a film that fades from a neutral photo to a smiling one and back.

    The change points come from the pixels alone: with N the stretch's first frame and S the one farthest from it,
    every frame is (1 - a) N + a S, and the expression changes where a passes 1/2.
    """
    finder, reader = Finder(detector, settings), Reader(model, settings)
    looks: list[Look] = []
    pictures: list[NDArray[np.float64]] = []
    for frame in VideoReader(path):
        looks += reader.take(frame, finder.step(frame))
        pictures.append(cv2.resize(frame.image, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float64).ravel())
    looks += reader.flush()
    films = []
    for track in sorted({look.track for look in looks}):
        own = [look for look in looks if look.track == track]
        share = faded(np.stack([pictures[look.frame] for look in own]))
        neutral, smile = (model.labels.names.index(name) for name in ("neutral", "happiness"))
        smiling = [(look.time, look.end, smile if a >= 0.5 else neutral) for look, a in zip(own, share, strict=True)]
        films.append(Film(Clip(track, 0, -1, own), rows_of(smiling)))
    return films


def faded(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each picture ``(n, pixels)`` lies on the way from the first to the one farthest from it, 0..1.

    Raises ValueError where that is not one fade there and back: the pictures are then no mix of two.
    """
    way = pictures - pictures[0]
    far = way[int((way**2).sum(1).argmax())]
    share = way @ far / (far @ far)
    rest = np.sqrt(((way - share[:, None] * far) ** 2).mean())
    changes = [a < 0.5 <= b or b < 0.5 <= a for a, b in pairwise(share.tolist())]
    if rest > 0.2 * np.sqrt((far**2).mean()) or sum(changes) != 2:
        raise ValueError("These pictures are no fade there and back.")
    return np.asarray(share)
