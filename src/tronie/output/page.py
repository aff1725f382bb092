"""One page about a film (extra 'plot'): time per expression, changes of expression, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tronie.core.labels import UNCERTAIN
from tronie.core.people import Names
from tronie.core.timeline import Timeline
from tronie.output.export import film, film_end
from tronie.output.palette import Look, looks
from tronie.output.paper import checked, clock_axis, head, longest, save, styled, tag
from tronie.output.summary import USE, bin_edges, curves, facts, shown, time_per_bin, transitions

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_summary(timeline: Timeline, path: str | Path, *, names: Names | None = None) -> Path:
    """One page about a film: time per expression per person and per bin of time, transitions, and how it was made.

    Raises SettingError (another suffix, several films, photos), MissingExtraError, OutputError.
    """
    path = checked(path)
    source = PurePath(film(timeline, "A summary")).name
    found, left = longest(timeline, curves(timeline, names))
    keys = {(curve.source, curve.track): curve.person for curve in found}
    styles, labels = looks(timeline.labels.names), shown(timeline)
    end = film_end(timeline)
    with styled() as figure_of:
        figure = figure_of(8.27, 11.69)
        top = head(figure, f"{source}: expressions shown", labels, styles, lines=False)
        grid = figure.add_gridspec(
            3,
            2,
            height_ratios=[1.1, 1, 1.15],
            hspace=0.4,
            wspace=0.32,
            top=top - 0.035,
            bottom=0.1,
            left=0.13,
            right=0.96,
        )
        edges = np.array([0.0, end])
        whole = {who: seconds[0] for who, seconds in time_per_bin(timeline, edges, labels).items() if who in keys}
        _people(figure.add_subplot(grid[0, :]), whole, keys, labels, styles, left)
        edges = bin_edges(end)
        total = sum(time_per_bin(timeline, edges, labels).values(), np.zeros((len(edges) - 1, len(labels))))
        _bins(figure.add_subplot(grid[1, :]), total, edges, end, labels, styles)
        sure = [name for name in labels if name != UNCERTAIN]
        _matrix(figure.add_subplot(grid[2, 0]), transitions(timeline.segments(), sure), sure, styles)
        _facts(figure.add_subplot(grid[2, 1]), timeline, end)
        figure.text(0.13, 0.028, fill(USE, 130), fontsize=6.5, color="#444444", va="bottom")
        return save(figure, path)


def _people(
    axes: Axes,
    whole: Mapping[tuple[str, int], Any],
    keys: Mapping[tuple[str, int], str],
    labels: Sequence[str],
    styles: Mapping[str, Look],
    left: int,
) -> None:
    """Time per expression per person as one bar each, with the share where there is room."""
    longest = max((float(seconds.sum()) for seconds in whole.values()), default=1.0)
    for place, who in enumerate(keys):
        at = 0.0
        for name, seconds in zip(labels, whole[who], strict=True):
            style = styles[name]
            axes.barh(
                place,
                seconds,
                left=at,
                height=0.62,
                color=style.colour,
                hatch=style.hatch or None,
                edgecolor="white",
                linewidth=0.0,
            )
            axes.barh(place, seconds, left=at, height=0.62, fill=False, edgecolor="black", linewidth=0.4)
            if seconds > 0.085 * longest:
                share = 100 * seconds / whole[who].sum()
                tag(axes, at + seconds / 2, place, f"{style.initials} {share:.0f} %", 6.5 if len(keys) < 9 else 5.5)
            at += seconds
    axes.set_yticks(range(len(keys)), [_short(name) for name in keys.values()])
    axes.set_ylim(max(len(keys), 4) - 0.5, -0.5)
    axes.set_xlim(0, 1.01 * longest)
    axes.set_xlabel("seconds" + (f"  (and {left} more, seen more briefly)" if left else ""))
    axes.set_title("Time per expression and person", loc="left", fontweight="bold")


def _bins(axes: Axes, total: Any, edges: Any, end: float, labels: Sequence[str], styles: Mapping[str, Look]) -> None:
    """Time per expression in equal bins of time, everybody together."""
    width = edges[1] - edges[0]
    at = np.zeros(len(edges) - 1)
    for j, name in enumerate(labels):
        style = styles[name]
        axes.bar(
            edges[:-1],
            total[:, j],
            width,
            at,
            align="edge",
            color=style.colour,
            hatch=style.hatch or None,
            edgecolor="white",
            linewidth=0.0,
        )
        axes.bar(edges[:-1], total[:, j], width, at, align="edge", fill=False, edgecolor="black", linewidth=0.4)
        at += total[:, j]
    clock_axis(axes, max(float(edges[-1]), end))
    axes.set_ylim(0, 1.03 * max(float(at.max()), 0.01))
    axes.set_ylabel(f"seconds per {width:g}-s bin" if width < 60 else f"seconds per {width / 60:g}-min bin")
    axes.set_title("Time per expression over the film, all people", loc="left", fontweight="bold")


def _matrix(axes: Axes, counts: Any, labels: Sequence[str], styles: Mapping[str, Look]) -> None:
    """Changes of expression: counts on a grey ground."""
    axes.set_title("Changes: from (row) to (column)", loc="left", fontweight="bold")
    if len(labels) < 2:
        axes.axis("off")
        axes.text(0.0, 0.95, "no change of expression", va="top", color="#555555")
        return
    most = max(int(counts.max()), 1)
    axes.imshow(counts, cmap="Greys", vmin=0, vmax=most * 1.6)
    for i, j in np.ndindex(counts.shape):
        if i != j:
            axes.text(
                j,
                i,
                str(counts[i, j]),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if counts[i, j] > 0.8 * most else "black",
            )
        else:
            axes.text(j, i, "–", ha="center", va="center", color="#AAAAAA")
    axes.set_xticks(range(len(labels)), [styles[name].initials for name in labels])
    axes.set_yticks(range(len(labels)), [f"{name}  {styles[name].initials}" for name in labels])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(True)


def _facts(axes: Axes, timeline: Timeline, end: float) -> None:
    """What was looked at and how it was made, as a small table."""
    axes.axis("off")
    axes.set_title("About", loc="left", fontweight="bold")
    for i, (name, value) in enumerate(facts(timeline, end)):
        axes.text(0.0, 0.95 - 0.085 * i, name, transform=axes.transAxes, color="#555555", va="top")
        axes.text(0.45, 0.95 - 0.085 * i, value, transform=axes.transAxes, va="top")


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"
