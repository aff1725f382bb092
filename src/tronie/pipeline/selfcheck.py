"""``tronie selfcheck``: what share of the labels stays when a picture or film is shown otherwise."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tronie.core.atomic import ensure_place, replacing
from tronie.core.errors import SourceError
from tronie.core.labels import UNCERTAIN
from tronie.core.sheet import text_cells, writer
from tronie.core.timeline import Timeline
from tronie.faces.detect import Detector
from tronie.metrics.steadiness import Change, Sights, Steadiness, changes, partners, steadiness, together
from tronie.output.text import clock, grid
from tronie.pipeline.analyser import Analyser, Progress, Report, printable
from tronie.pipeline.chain import Chain
from tronie.pipeline.predict import settings_with
from tronie.pipeline.reading import Model
from tronie.video.image import read_pages
from tronie.video.sources import Source, expand
from tronie.video.variations import FILMS, PICTURES, Reel

WORST = 10
"""Changes that the text shows; the files hold all."""

ENDINGS = (".json", ".csv")
"""Endings of the files that a self-check is written to."""


@dataclass(frozen=True)
class Checked:
    """What one variation did to one source: ``kind`` is "image" (counted in faces) or "video" (in seconds)."""

    source: str
    kind: str
    variation: str
    steadiness: Steadiness


@dataclass(frozen=True)
class Changed:
    """One face that lost its label: who and when in the original, before and after (``""``: not found).

    ``confidence`` is the original's, the mean over the stretch.
    """

    source: str
    kind: str
    variation: str
    track: int
    start: float
    end: float
    before: str
    after: str
    confidence: float


@dataclass(frozen=True)
class SelfCheck:
    """A row per source and variation, and every change, the longest and surest first; by which model."""

    rows: tuple[Checked, ...]
    changed: tuple[Changed, ...]
    warnings: tuple[str, ...] = ()
    model: str = ""
    model_hash: str = ""

    def total(self, kind: str, variation: str | None = None) -> Steadiness:
        """All sources of one kind together, under one variation or all."""
        return together(r.steadiness for r in self.rows if r.kind == kind and variation in (None, r.variation))


def selfcheck(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model: str | Path | Model = "default",
    detector: str | Detector | None = None,
    fps: float | None = None,
    provider: str | None = None,
    video_track: int | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> SelfCheck:
    """Read each source as it is and in every variation of ``tronie.video.variations``, and count the labels kept.

    ``sources`` are paths, folders or patterns; the other options are those of :func:`tronie.predict`. ``report`` hears
    which variation of which source is at work; ``stop`` is asked between them: what is done comes back. A source that
    cannot be read becomes a warning, unless it is the only one or all fail. Raises SourceError, SettingError,
    ModelError.
    """
    analyser = Analyser(model, detector=detector, settings=settings_with(None, fps, provider, video_track=video_track))
    found = expand([sources] if isinstance(sources, (str, os.PathLike)) else list(sources))
    rows: list[Checked] = []
    changed: list[Changed] = []
    warnings: list[str] = []
    for place, source in enumerate(found):
        if stop is not None and stop():
            warnings.append(f"Stopped before {printable(source.name)}.")
            break
        if report is not None:
            report(Progress(printable(source.name), place=place, count=len(found)))
        try:
            for row, lost in _check(source, analyser):
                rows.append(row)
                changed += lost
        except SourceError as error:
            if len(found) == 1 or (place == len(found) - 1 and not rows):
                raise
            warnings.append(str(error))
    changed.sort(key=lambda c: (-(c.end - c.start), -c.confidence, c.source, c.variation, c.track))
    return SelfCheck(tuple(rows), tuple(changed), tuple(warnings), analyser.model.name, analyser.model.hash)


def _check(source: Source, analyser: Analyser) -> Iterator[tuple[Checked, list[Changed]]]:
    """Each variation of one source."""
    name = printable(source.name)
    if source.kind == "image":
        for image in read_pages(source.path):
            before = analyser.analyse(image, name=name)
            for variation, change in PICTURES.items():
                shown = change(image)
                after = analyser.analyse(shown.pixels, name=name)
                seen = sights(after)
                yield _compared(before, replace(seen, box=shown.back(seen.box)), name, "image", variation)
        return
    whole = analyser.analyse(source, name=name)
    for variation, vary in FILMS.items():
        with tempfile.TemporaryDirectory() as folder:
            reel = vary(source.path, Path(folder), analyser.settings.video_track)
            seen = sights(_read(reel, analyser, name))
        seen = replace(seen, start=seen.start + reel.start, end=seen.end + reel.start)
        yield _compared(whole.select(start=reel.start - 1e-5), seen, name, "video", variation)


def _read(reel: Reel, analyser: Analyser, name: str) -> Timeline:
    frames = reel.frames
    chain = Chain(analyser.model, analyser.detector, analyser.settings, name)
    return Timeline.concat(list(chain.run(frames)))


def sights(timeline: Timeline) -> Sights:
    """What a timeline saw, row by row; a photo's face lasts for one second, so that seconds count faces."""
    box = np.stack([timeline[name] for name in ("x", "y", "width", "height")], 1)
    seconds = np.where(timeline["duration"] > 0, timeline["duration"], 1.0)
    return Sights(timeline["time"], timeline["time"] + seconds, box, timeline["label"])


def _compared(before: Timeline, after: Sights, source: str, kind: str, variation: str) -> tuple[Checked, list[Changed]]:
    ours = sights(before)
    partner = partners(ours, after)
    row = Checked(source, kind, variation, steadiness(ours, after, partner, UNCERTAIN))
    lost = changes(ours, after, partner, before["track"])
    return row, [_changed(change, before, source, kind, variation) for change in lost]


def _changed(change: Change, before: Timeline, source: str, kind: str, variation: str) -> Changed:
    track = int(before["track"][change.rows[0]])
    confidence = round(float(before["confidence"][change.rows].mean()), 5)
    end = change.end if kind == "video" else change.start
    return Changed(source, kind, variation, track, change.start, round(end, 6), change.before, change.after, confidence)


def selfcheck_text(checked: SelfCheck, worst: int = WORST) -> str:
    """The shares that held, per variation, and the worst changes, for a terminal."""
    parts = []
    for kind, title, unit in (("image", "photos", "faces"), ("video", "films", "seconds of faces")):
        if rows := table(checked, kind):
            parts.append(f"{title}, {unit}:\n{grid(rows, frozenset({1, 2, 3, 4, 5}))}")
    if not parts:
        parts.append("No face was found: there is nothing to check.")
    if checked.changed:
        shown = checked.changed[:worst]
        head = ("source", "person", "from", "to", "variation", "before", "confidence", "after")
        rows = [head, *(_words(c) for c in shown)]
        more = f" ({len(shown)} of {len(checked.changed)})" if len(checked.changed) > len(shown) else ""
        parts.append(f"worst changes{more}:\n{grid(rows, frozenset({1, 2, 3, 6}))}")
    return "\n\n".join(parts)


def table(checked: SelfCheck, kind: str) -> list[tuple[str, ...]]:
    """One kind of source as rows of text: a heading, each variation, all together. Empty where nothing was seen."""
    names = list(dict.fromkeys(row.variation for row in checked.rows if row.kind == kind))
    sums = [(name, checked.total(kind, name)) for name in names] + [("all", checked.total(kind))]
    if not sums[-1][1].all:
        return []
    number = ".0f" if kind == "image" else ".1f"
    rows: list[tuple[str, ...]] = [("variation", "seen", "label kept", "of those certain", "lost", "new")]
    for name, s in sums:
        seen, lost, extra = (format(value, number) for value in (s.all, s.lost, s.extra))
        rows.append((name, seen, _share(s.held), _share(s.sure_held), lost, extra))
    return rows


def _share(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "-"


def _words(change: Changed) -> tuple[str, ...]:
    when = (clock(change.start), clock(change.end)) if change.kind == "video" else ("", "")
    return (
        change.source,
        str(change.track),
        *when,
        change.variation,
        change.before,
        f"{change.confidence:.2f}",
        change.after or "(not found)",
    )


def save_selfcheck(checked: SelfCheck, path: str | Path, *, csv_safe: bool = False) -> Path:
    """Write .json (model, shares, changes, warnings) or .csv (a row per source and variation).

    ``csv_safe``: text of a CSV that a spreadsheet would run as a formula is written so that it does not.

    Raises SettingError for another ending, OutputError where the file cannot be written.
    """
    path = ensure_place(path, ENDINGS, "A self-check")
    rows = [_row(row) for row in checked.rows]
    with replacing(path) as temporary:
        if path.suffix.lower() == ".json":
            totals = {kind: _shares(checked.total(kind)) for kind in dict.fromkeys(row.kind for row in checked.rows)}
            document = {
                "model": checked.model,
                "model_hash": checked.model_hash,
                "totals": totals,
                "rows": rows,
                "changed": [vars(c) for c in checked.changed],
                "warnings": list(checked.warnings),
            }
            temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        else:
            _write_csv(temporary, rows, csv_safe=csv_safe)
    return path


def _write_csv(path: Path, rows: Sequence[dict[str, Any]], *, csv_safe: bool) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = writer(file)
        lines.writerow(rows[0] if rows else ["source"])
        lines.writerows(text_cells(row.values(), csv_safe=csv_safe) for row in rows)


def _row(row: Checked) -> dict[str, Any]:
    return {"source": row.source, "kind": row.kind, "variation": row.variation, **_shares(row.steadiness)}


def _shares(found: Steadiness) -> dict[str, float | None]:
    """Sums and shares; a share of nothing is null."""
    shares = {"held": found.held, "sure_held": found.sure_held}
    return {
        **{name: round(value, 6) for name, value in vars(found).items()},
        **{name: round(value, 6) if math.isfinite(value) else None for name, value in shares.items()},
    }
