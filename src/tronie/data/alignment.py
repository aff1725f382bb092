"""Whether a data set's pictures show faces as the models were trained on them, or looser, tilted, elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tronie.core.errors import SourceError
from tronie.core.face import Floats
from tronie.core.manifest import Manifest
from tronie.datasets.check import Finding
from tronie.datasets.pictures import read_picture
from tronie.faces.align import TEMPLATE, similarity
from tronie.faces.detect import RetinaFace
from tronie.faces.whole import Finder, find_points, plausible

LOOKED_AT = 200
"""Pictures that are looked at, evenly spread: enough to tell a data set from another cut of it, in some seconds."""
NEAR = 0.06
"""Median distance of the points from the template, as a share of the side, up to which pictures count as aligned.

RAF-DB's own crops have 0.035, FERPlus' 0.08, the acted clips 0.096 (200 of each).
"""
_LEAST_FOUND = 0.5  # share of the pictures below which nothing is said of where faces lie
_STRAY = 2 * NEAR
_TILT, _SHIFT, _ZOOM = 8.0, 0.05, 0.08  # what is worth a word: degrees, share of the side, factor


@dataclass(frozen=True)
class Alignment:
    """Where the five points of the faces lie against the template, over the pictures looked at.

    ``found`` of ``looked`` pictures show a face whose points could be told. Medians over these: ``off``, mean distance
    of the points from the template, and ``shift`` (x, y) of their middle, both as shares of the side; ``zoom``: how
    many times as wide as an aligned crop the picture is. ``tilt``: median size of the angle in degrees. ``stray``:
    share of the faces that lie further off than twice what counts as aligned.
    """

    looked: int
    found: int
    off: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    tilt: float = 0.0
    stray: float = 0.0

    @property
    def aligned(self) -> bool | None:
        """Whether the pictures are aligned; None where too few faces were found to tell."""
        return None if self.found < max(_LEAST_FOUND * self.looked, 1) else self.off <= NEAR

    def finding(self, published_aligned: bool) -> Finding:
        """A sentence for people; not fine only where a data set that is published aligned is not."""
        if self.aligned is None:
            return Finding(
                not published_aligned,
                f"A face was found in {self.found} of {self.looked} pictures looked at, too few to say how "
                "they are aligned: are these the pictures of faces?",
            )
        told = (
            f"The faces' points lie {self.off:.3f} of the side from the template (median of {self.found} of "
            f"{self.looked} pictures looked at)"
        )
        if self.aligned:
            stray = f"; {self.stray:.0%} lie far off" if self.stray > 0 else ""
            return Finding(True, f"{told}: aligned as the models expect{stray}.")
        asked = "are these the aligned pictures?" if published_aligned else "`tronie prepare` aligns them."
        return Finding(not published_aligned, f"{told}: not aligned as the models expect ({self._how()}); {asked}")

    def _how(self) -> str:
        words = [f"{self.zoom:.2f} times as wide"] if abs(self.zoom - 1) > _ZOOM else []
        words += [f"tilted by {self.tilt:.0f} degrees"] if self.tilt > _TILT else []
        words += [
            f"{name} by {abs(by):.2f} of the side"
            for by, (less, more) in zip(
                self.shift, (("further left", "further right"), ("higher", "lower")), strict=True
            )
            for name in [more if by > 0 else less]
            if abs(by) > _SHIFT
        ]
        return ", ".join(words) or "each in its own way"


def alignment(
    manifest: Manifest,
    finder: Finder | None = None,
    *,
    most: int = LOOKED_AT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Alignment:
    """Look at up to ``most`` pictures of ``manifest`` (a clip by one frame); those that cannot be read are passed over.

    ``finder`` finds the faces; None: the package's own detector.
    """
    finder = finder if finder is not None else RetinaFace()
    rows = np.unique(np.linspace(0, len(manifest) - 1, min(most, len(manifest))).round().astype(np.int64))
    looked, points = 0, []
    for number, row in enumerate(rows):
        try:
            picture = read_picture(manifest, int(row))
        except SourceError:
            continue
        looked += 1
        five = find_points(picture, finder)
        if five is not None and plausible(five, picture):
            points.append(five / np.array(picture.shape[1::-1], np.float32))
        progress(number + 1, len(rows))
    return measured(np.stack(points), looked) if points else Alignment(looked, 0)


def measured(points: Floats, looked: int) -> Alignment:
    """Points ``(n, 5, 2)`` as shares of the picture's sides, n >= 1, against the template."""
    off = np.hypot(*np.moveaxis(points - TEMPLATE, -1, 0)).mean(1)
    moves = np.stack([similarity(five, TEMPLATE)[:, :2] for five in points])
    middle = np.median(points.mean(1) - TEMPLATE.mean(0), 0)
    return Alignment(
        looked,
        len(points),
        float(np.median(off)),
        (float(middle[0]), float(middle[1])),
        float(np.median(np.sqrt(np.linalg.det(moves)))),
        float(np.median(np.abs(np.degrees(np.arctan2(moves[:, 1, 0], moves[:, 0, 0]))))),
        float((off > _STRAY).mean()),
    )
