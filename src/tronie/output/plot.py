"""Curves on paper (extra 'plot'): probabilities over time, person by person, and the segments under them.

Where the timeline has valence and arousal, they follow in a panel of their own.

Every expression is told apart by colour, line style, hatch and initials, so that a print in black and white and a
colour-blind reader lose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from tronie.core.labels import UNCERTAIN
from tronie.core.people import Names
from tronie.core.segment import Segment
from tronie.core.timeline import AFFECT, Timeline
from tronie.output.export import film, film_end
from tronie.output.palette import GREY, Look, looks
from tronie.output.paper import checked, clock_axis, head, longest, save, styled, tag
from tronie.output.summary import Curve, curves, poor, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = (4, 1, 2)  # heights of the probabilities, the segments, and valence and arousal


def plot_timeline(timeline: Timeline, path: str | Path, *, names: Names | None = None) -> Path:
    """Probabilities over time and segments under them, person by person, to ``.png``, ``.pdf`` or ``.svg``.

    Raises SettingError (another suffix, several films, photos), MissingExtraError, OutputError.
    """
    path = checked(path)
    source = PurePath(film(timeline, "A plot over time")).name
    found, left = longest(timeline, curves(timeline, names))
    styles, labels = looks(timeline.labels.names), shown(timeline)
    with styled() as figure_of:
        count, panels = max(len(found), 1), _PANELS[: 3 if any(curve.affect is not None for curve in found) else 2]
        figure = figure_of(9.0, 1.3 + 0.32 * sum(panels) * count)
        inch = 1 / figure.get_figheight()
        segments, end, unread = timeline.segments(), film_end(timeline), poor(timeline)
        top = head(figure, f"{source}: expressions shown", labels, styles, lines=True)
        if note := _note(left, any(unread.values())):
            figure.text(0.02, 0.08 * inch, note, fontsize=7, color="#444444")
        grid = figure.add_gridspec(
            count, 1, left=0.07, right=0.97, top=top - 0.28 * inch, bottom=(0.66 if note else 0.45) * inch, hspace=0.34
        )
        below = None
        for place, curve in enumerate(found):
            parts = grid[place].subgridspec(len(panels), 1, height_ratios=panels, hspace=0.1)
            every = [figure.add_subplot(parts[i]) for i in range(len(panels))]
            above, strip, below = every[0], every[1], every[-1]
            draw_curves(above, curve, timeline.labels.names, labels, styles)
            for stretch in unread[curve.source, curve.track]:
                above.axvspan(*stretch, facecolor="none", edgecolor="#B0B0B0", hatch="....", linewidth=0, zorder=0)
            mine = [s for s in segments if (s.source, s.track) == (curve.source, curve.track)]
            draw_strip(strip, mine, styles, end)
            if below is not strip:
                draw_affect(below, curve)
                above.legend(
                    *below.get_legend_handles_labels(),
                    loc="lower right",
                    bbox_to_anchor=(1, 0.98),
                    ncols=2,
                    frameon=False,
                    fontsize=7,
                    borderaxespad=0,
                    handlelength=2.4,
                )
            for axes in every:
                clock_axis(axes, end, written=axes is below and place == len(found) - 1)
        if below is None:
            axes = figure.add_subplot(grid[0])
            axes.text(0.5, 0.5, "no face found", ha="center", va="center", transform=axes.transAxes)
            axes.set_yticks([])
            clock_axis(axes, end)
        return save(figure, path)


def draw_curves(
    axes: Axes, curve: Curve, names: Sequence[str], labels: Sequence[str], styles: Mapping[str, Look]
) -> None:
    """Probabilities of ``labels`` among the model's ``names`` over time."""
    for name in (name for name in names if name in labels):
        style = styles[name]
        line = (0, style.dash) if style.dash else "-"
        values = curve.values[:, names.index(name)]
        axes.plot(curve.time, values, color=style.colour, linestyle=line, linewidth=style.width)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "", "1"])
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)
    axes.set_title(curve.person, loc="left", pad=3, fontweight="bold")
    axes.set_ylabel("probability")


def draw_affect(axes: Axes, curve: Curve) -> None:
    """Valence and arousal over time, from -1 to 1; empty for a person of whom there are none."""
    if curve.affect is not None:
        for values, name, colour, dash in zip(curve.affect.T, AFFECT, ("#000000", "#777777"), ("-", "--"), strict=True):
            axes.plot(curve.time, values, color=colour, linestyle=dash, linewidth=0.9, label=name)
    axes.set_ylim(-1.08, 1.08)  # so that a line at the end of the scale is seen
    axes.set_yticks([-1, 0, 1], ["-1", "0", "1"])
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)


def _note(left: int, unread: bool) -> str:
    notes = ["Dotted ground: the face was too poor to read (small, dark, blurred, turned)."] if unread else []
    if left:
        notes.append(f"{left} more {'person, seen' if left == 1 else 'people, each seen'} more briefly, not drawn.")
    return "  ".join(notes)


def draw_strip(axes: Axes, segments: Sequence[Segment], styles: Mapping[str, Look], end: float) -> None:
    """Segments as hatched bars with initials where there is room."""
    for segment in segments:
        style = styles[segment.label]
        axes.axvspan(
            segment.start,
            segment.end,
            0.0,
            1.0,
            facecolor=style.colour,
            hatch=style.hatch or None,
            edgecolor="white" if segment.label != UNCERTAIN else GREY,
            linewidth=0.0,
        )
        if segment.duration > 0.022 * end:
            tag(axes, (segment.start + segment.end) / 2, 0.5, style.initials, 7)
    axes.vlines([time for s in segments for time in (s.start, s.end)], 0, 1, color="black", linewidth=0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
