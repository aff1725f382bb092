"""Plots as inline SVG, without any plotting package: axes, lines with bands, points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tronie.output.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, BLACK)
DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 400, 300, 52, 12, 12, 44


@dataclass(frozen=True)
class Series:
    """One line: ``points`` are (x, y); ``band`` (low, high) per point where it has intervals; ``size`` radii in px."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()
    size: Sequence[float] = ()
    joined: bool = True


def chart(
    series: Sequence[Series],
    x: str,
    y: str,
    *,
    xs: tuple[float, float] | None = None,
    ys: tuple[float, float] | None = None,
    ticks: Sequence[float] = (),
    log: bool = False,
    diagonal: bool = False,
    title: str = "",
) -> str:
    """An SVG figure. ``xs`` and ``ys`` are the axes' ends (default: those of the data), ``ticks`` marks on the x axis.

    ``log`` sets the x axis to logarithms, ``diagonal`` draws y = x. ``title`` is what a screen reader says.
    """
    known = [(px, py) for s in series for px, py in s.points if math.isfinite(px) and math.isfinite(py)]
    if not known:
        return '<p class="soft">Nothing to draw.</p>'
    x0, x1 = xs or _ends([p[0] for p in known])
    y0, y1 = ys or _ends([p[1] for p in known] + [v for s in series for b in s.band for v in b if math.isfinite(v)])
    place = _Place(x0, x1, y0, y1, log)
    parts = [_axes(place, x, y, ticks or _round_ticks(x0, x1))]
    if diagonal:
        low, high = max(x0, y0), min(x1, y1)
        begin, end = (f"{place.x(v):.1f} {place.y(v):.1f}" for v in (low, high))
        parts.append(f'<path class="even" d="M{begin}L{end}"/>')
    parts += [_line(s, place, COLOURS[i % 6], DASHES[i % 6]) for i, s in enumerate(series)]
    words = escape(title or f"{y} over {x}")
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{words}">{"".join(parts)}</svg>'
        f"{_legend([s.name for s in series])}</figure>"
    )


def _legend(names: Sequence[str]) -> str:
    """Which line is whose, where there are several."""
    if len(names) < 2:
        return ""
    looks = zip(names, itertools.cycle(zip(COLOURS, DASHES, strict=True)), strict=False)
    entries = [
        f'<span><svg><path d="M0 4H26" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/></svg>'
        f"{escape(name)}</span>"
        for name, (colour, dash) in looks
    ]
    return f'<p class="legend">{"".join(entries)}</p>'


@dataclass(frozen=True)
class _Place:
    """From values to places in the figure."""

    x0: float
    x1: float
    y0: float
    y1: float
    log: bool

    def x(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.x0) / math.log(self.x1 / self.x0)
        else:
            share = (value - self.x0) / (self.x1 - self.x0)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = min(max((value - self.y0) / (self.y1 - self.y0), 0.0), 1.0)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or max(abs(high) * 0.05, 0.5)
    return low - room, high + room


def _round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _axes(place: _Place, x: str, y: str, ticks: Sequence[float]) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
    for value in ticks:
        at = place.x(value)
        parts.append(
            f'<path class="axis" d="M{at:.1f} {bottom}v4"/><text x="{at:.1f}" y="{bottom + 17}" '
            f'text-anchor="middle">{value:g}</text>'
        )
    for value in _round_ticks(place.y0, place.y1):
        at = place.y(value)
        parts.append(
            f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/><text x="{_LEFT - 6}" y="{at + 4:.1f}" '
            f'text-anchor="end">{value:.3g}</text>'
        )
    middle = (_TOP + bottom) / 2
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">{escape(y)}</text>')
    return "".join(parts)


def _line(series: Series, place: _Place, colour: str, dash: str) -> str:
    sizes = series.size or [2.5] * len(series.points)
    known = [(px, py, r) for (px, py), r in zip(series.points, sizes, strict=True) if math.isfinite(py)]
    spots = [(place.x(px), place.y(py), r) for px, py, r in known]
    parts = []
    if series.band:
        along = [place.x(px) for px, _ in series.points]
        upper = [f"{at:.1f} {place.y(high):.1f}" for at, (_, high) in zip(along, series.band, strict=True)]
        lower = [f"{at:.1f} {place.y(low):.1f}" for at, (low, _) in zip(along, series.band, strict=True)]
        parts.append(f'<path d="M{"L".join(upper + lower[::-1])}Z" fill="{colour}" opacity="0.15"/>')
    if series.joined and len(spots) > 1:
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b, _ in spots)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dash}"/>')
    if len(spots) <= 40:
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{r:.1f}" fill="{colour}"/>' for a, b, r in spots]
    return "".join(parts)
