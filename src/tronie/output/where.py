"""Where a video model looked (extra 'plot'): the face over time, its probabilities, and the moments looked at closely.

Every look at a window of film is one line of the lower panel, in the colour of the expression it says: a dot at the
centre of each key, a bar from its first to its last frame. Above it stands how closely each moment was looked at,
1 being as much as if all frames were spread evenly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tronie.core.face import Pixels
from tronie.core.segment import Segment
from tronie.core.timeline import Timeline
from tronie.output.export import film_end
from tronie.output.palette import Look, looks
from tronie.output.paper import checked, clock_axis, head, save, styled
from tronie.output.plot import draw_curves, draw_strip
from tronie.output.summary import curves, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 40.0
"""Seconds of film up to which single looks can be told apart on paper."""
_BINS = 160


@dataclass(frozen=True, eq=False)
class Close:
    """One window: its ``start`` and ``end`` in seconds, ``where`` ``(K, keys, each)`` seconds, ``says`` K labels."""

    number: int
    start: float
    end: float
    where: NDArray[np.float64]
    says: tuple[str, ...]


def attention(windows: Sequence[Close], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How closely each stretch between ``edges`` (n + 1,) was looked at, ``(n,)``; NaN where no window was.

    Frames looked at closely there, as a share of those there would be if each look spread its own over its window.
    """
    found, even = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for window in windows:
        moments = window.where.ravel()
        found += np.histogram(moments, edges)[0]
        inside = np.clip(np.minimum(edges[1:], window.end) - np.maximum(edges[:-1], window.start), 0, None)
        even += len(moments) * inside / max(window.end - window.start, 1e-9)
    return np.where(even > 0, found / np.maximum(even, 1e-12), np.nan)


def plot_where(
    timeline: Timeline,
    windows: Sequence[Close],
    strip: Sequence[tuple[float, Pixels]],
    path: str | Path,
    *,
    title: str,
    reach: int,
) -> Path:
    """Draw one person's clips to ``.png``, ``.pdf`` or ``.svg``.

    ``timeline`` holds that person alone; ``strip`` are faces with their times in seconds; windows whose numbers differ
    by ``reach`` do not overlap. Raises SettingError for another suffix, MissingExtraError, OutputError.
    """
    path, end = checked(path), film_end(timeline)
    styles, labels = looks(timeline.labels.names), shown(timeline)
    labels = [n for n in timeline.labels.names if n in labels or any(n in w.says for w in windows)]
    single = end <= LONGEST
    many = reach * max((len(w.says) for w in windows), default=1) if len(windows) > 1 else len(windows[0].says)
    with styled() as figure_of:
        high = (1.0, 1.5, 0.3, 0.5, *((min(0.8 + 0.09 * many, 4.5),) if single else ()))
        figure = figure_of(9.0, 1.6 + sum(high) + 0.12 * len(high))
        inch = 1 / figure.get_figheight()
        top = head(figure, title, labels, styles, lines=True)
        grid = figure.add_gridspec(
            len(high),
            1,
            left=0.09,
            right=0.97,
            top=top - 0.15 * inch,
            bottom=0.62 * inch,
            hspace=0.28,
            height_ratios=high,
        )
        axes = [figure.add_subplot(grid[i]) for i in range(len(high))]
        _faces(axes[0], strip, end)
        (curve,) = curves(timeline)
        draw_curves(axes[1], curve, timeline.labels.names, labels, styles)
        axes[1].set_title("", loc="left")
        segments: list[Segment] = timeline.segments()
        draw_strip(axes[2], segments, styles, end)
        _attention(axes[3], windows, end)
        if single:
            _looks(axes[4], windows, styles, reach if len(windows) > 1 else 1)
        for i, one in enumerate(axes):
            clock_axis(one, end, written=i == len(axes) - 1)
        figure.text(0.02, 0.1 * inch, _note(single), fontsize=7, color="#444444")
        return save(figure, path)


def _note(single: bool) -> str:
    lines = "Each line is one look: dots are the centres of its keys, bars reach from their first to their last frame."
    return lines if single else f"Single looks are drawn for films of up to {LONGEST:.0f} s."


def _faces(axes: Axes, strip: Sequence[tuple[float, Pixels]], end: float) -> None:
    """Faces side by side at their times, as many as there is room for."""
    box = axes.get_window_extent()
    wide = box.height / box.width * end  # seconds that a square face takes
    before = -math.inf
    for time, face in strip:
        middle = min(max(time, wide / 2), end - wide / 2)
        if middle - before < 0.95 * wide:
            continue
        before = middle
        axes.imshow(face, extent=(middle - 0.48 * wide, middle + 0.48 * wide, 0.02, 0.98), aspect="auto")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _attention(axes: Axes, windows: Sequence[Close], end: float) -> None:
    edges = np.linspace(0, end, _BINS + 1)
    share = attention(windows, edges)
    kernel = np.array([1, 2, 3, 2, 1.0])
    known = np.convolve(~np.isnan(share), kernel, "same")
    smooth = np.convolve(np.nan_to_num(share), kernel, "same") / np.maximum(known, 1e-9)
    axes.fill_between((edges[:-1] + edges[1:]) / 2, np.where(np.isnan(share), 0, smooth), color="#7A7A7A", linewidth=0)
    axes.axhline(1, color="black", linewidth=0.5, linestyle=(0, (4, 3)))
    most = max(2.0, math.ceil(float(smooth.max(initial=0))))
    axes.set_ylim(0, most)
    axes.set_yticks([0, 1, most])
    axes.set_ylabel("looked")


def _looks(axes: Axes, windows: Sequence[Close], styles: Mapping[str, Look], reach: int) -> None:
    """One line per look; windows that do not overlap share their lines."""
    count = max(len(w.says) for w in windows)
    for window in windows:
        first = (window.number % reach) * (count + 1)
        axes.fill_between([window.start, window.end], first - 0.6, first + count - 0.4, color="#F2F2F2", linewidth=0)
        for k, (keys, label) in enumerate(zip(window.where, window.says, strict=True)):
            colour = styles[label].colour
            axes.hlines([first + k] * len(keys), keys.min(1), keys.max(1), color=colour, linewidth=1.0, alpha=0.75)
            axes.plot(keys.mean(1), [first + k] * len(keys), "o", color=colour, markersize=2.4)
    axes.set_ylim(reach * (count + 1) - 1, -1)
    axes.set_yticks([])
    axes.set_ylabel(f"looks, {count} a window")
