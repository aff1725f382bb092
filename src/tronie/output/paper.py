"""What every plot on paper shares: one style, one legend, round times, files that appear whole."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tronie.core.atomic import replacing
from tronie.core.errors import MissingExtraError, SettingError
from tronie.core.labels import UNCERTAIN
from tronie.core.timeline import Timeline
from tronie.core.words import printable_lines
from tronie.output.palette import Look
from tronie.output.summary import Curve, round_step
from tronie.output.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".pdf", ".svg")
MOST_PEOPLE = 12
"""People on one plot: those who are seen longest. More would not be legible."""
_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "tronie",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "text.parse_math": False,  # names and file names may hold dollar signs
}


_LACKS = re.compile(r"Glyph (\d+) .*missing from")
"""How matplotlib begins its warning about a letter."""


def checked(path: str | Path) -> Path:
    """The path, if plots can be written under that name. Raises SettingError."""
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise SettingError(f"Plots end in {', '.join(ENDINGS)}; '{path.name}' does not. Rename it.")
    return path


def needed() -> None:
    """Raises MissingExtraError where matplotlib is not installed: to be asked before a film is read, not after."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError("Plotting", "plot")


@contextmanager
def styled() -> Iterator[Callable[[float, float], Figure]]:
    """Give a maker of figures (width and height in inches) of one style, whatever the user's own settings are."""
    needed()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield lambda wide, high: Figure(figsize=(wide, high))


def save(figure: Figure, path: Path) -> Path:
    """Write the figure, whole or not at all and the same bytes every time; names of others in it stay legal in SVG."""
    from matplotlib.text import Text

    for words in figure.findobj(Text):
        words.set_text(printable_lines(words.get_text()))
    kind = path.suffix.lower()[1:]
    about: Any = {"png": {"Software": "Tronie"}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=about)
    return path


@contextmanager
def telling_letters(path: str | Path) -> Iterator[list[str]]:
    """Give a list for the sentence about letters that the font of plots lacks, in place of matplotlib's warnings.

    Nothing is lost in an ``.svg``, whose letters whoever shows it draws.
    """
    told: list[str] = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.filterwarnings("always", _LACKS.pattern)
        yield told
    letters = dict.fromkeys(chr(int(found[1])) for one in heard if (found := _LACKS.match(str(one.message))))
    if letters and Path(path).suffix.lower() != ".svg":
        told.append(
            f"The font of plots has no {' '.join(letters)}: boxes stand there. Write an .svg, which keeps "
            "the letters themselves."
        )
    for one in heard:
        if not _LACKS.match(str(one.message)):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def longest(timeline: Timeline, found: Sequence[Curve]) -> tuple[list[Curve], int]:
    """The people seen longest, in the order given, and how many are left out."""
    seconds = {(c.source, c.track): 0.0 for c in found}
    for total in timeline.summary():
        seconds[total.source, total.track] += total.seconds
    kept = sorted(found, key=lambda c: -seconds[c.source, c.track])[:MOST_PEOPLE]
    return [c for c in found if c in kept], len(found) - len(kept)


def tag(axes: Axes, x: float, y: float, words: str, size: float) -> None:
    """Initials on a white patch, legible on any colour and hatch."""
    patch = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    axes.text(x, y, words, ha="center", va="center", fontsize=size, fontweight="bold", bbox=patch, clip_on=True)


def clock_axis(axes: Axes, end: float, *, written: bool = True) -> None:
    """Round times below; ``written`` only under the last of several axes."""
    axes.set_xlim(0, end)
    ticks = np.arange(0, end + 1e-9, round_step(end / 12))
    if not written:
        axes.set_xticks(ticks, [])
        axes.tick_params(axis="x", length=0 if axes.get_yticks().size else 2)
        return
    axes.set_xticks(ticks, [clock(float(tick)).removesuffix(".00") for tick in ticks])
    axes.set_xlabel("time in the film (h:min:s)" if end >= 3600 else "time in the film (min:s)")


def head(figure: Figure, title: str, labels: Sequence[str], styles: Mapping[str, Look], *, lines: bool) -> float:
    """The title, and one legend for colour, line, hatch and initials; returns where the space below it begins."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    inch = 1 / figure.get_figheight()
    top = 1 - 0.12 * inch
    figure.suptitle(title, x=0.02 if lines else 0.05, y=top, ha="left", va="top", fontsize=11, fontweight="bold")
    handles: list[Any] = []
    for name in labels:
        style = styles[name]
        patch = Patch(facecolor=style.colour, hatch=style.hatch or None, edgecolor="white", label=name)
        dash: Any = (0, style.dash) if style.dash else "-"
        line = Line2D([], [], color=style.colour, linestyle=dash, linewidth=1.2 * style.width)
        handles.append((patch, line) if lines and name != UNCERTAIN else patch)
    columns = 5 if lines else 4
    figure.legend(
        handles,
        [f"{styles[name].initials}  {name}" for name in labels],
        loc="upper left",
        frameon=False,
        bbox_to_anchor=(0.015 if lines else 0.045, top - 0.24 * inch),
        ncols=columns,
        handleheight=1.2,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.4)},
        handlelength=4.0 if lines else 2.0,
        columnspacing=1.6,
    )
    return top - (0.36 + 0.2 * math.ceil(len(labels) / columns)) * inch
