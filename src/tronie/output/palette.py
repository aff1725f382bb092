"""How each expression looks: a colour, and beside it a sign that needs no colour.

Colours are Okabe and Ito's eight ("Color Universal Design", 2008), which stay apart for the common kinds of colour
blindness. Every label also has initials, a line style and a hatch, so that a print in black and white says
the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tronie.core.labels import UNCERTAIN, canonical

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#8C8C8C",
)
PALE = "#D9D9D9"


@dataclass(frozen=True)
class Look:
    """A label's signs.

    ``colour`` is #RRGGBB; ``dash`` is (on, off, …) in line widths, () for a full line; ``width`` is the line's in
    points; ``hatch`` is in matplotlib's letters; ``initials`` are two letters, unique within the label set.
    """

    colour: str
    initials: str
    dash: tuple[float, ...]
    width: float
    hatch: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers 0..255."""
        return int(self.colour[1:3], 16), int(self.colour[3:5], 16), int(self.colour[5:7], 16)

    @property
    def ink(self) -> str:
        """Black or white, whichever can be read on the colour (WCAG relative luminance)."""
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in self.rgb)]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        return BLACK if luminance > 0.179 else "#FFFFFF"


# (colour, dash, width, hatch); the basic expressions have theirs wherever they stand in a label set.
_BASIC: dict[str, tuple[str, tuple[float, ...], float, str]] = {
    "happiness": (ORANGE, (), 2.2, ""),
    "sadness": (BLUE, (5.0, 2.0), 1.4, "///"),
    "anger": (VERMILION, (1.0, 1.2), 1.5, "xxx"),
    "surprise": (SKY, (6.0, 1.5, 1.0, 1.5), 1.5, "..."),
    "fear": (PURPLE, (3.0, 1.5), 1.5, "\\\\\\"),
    "disgust": (GREEN, (8.0, 2.0), 1.4, "|||"),
    "neutral": (GREY, (), 0.9, "---"),
    "contempt": (YELLOW, (4.0, 1.0, 1.0, 1.0, 1.0, 1.0), 1.6, "+++"),
}
_FURTHER: tuple[tuple[str, tuple[float, ...], float, str], ...] = (
    (BLACK, (2.0, 2.0), 1.4, "ooo"),
    (YELLOW, (4.0, 1.0, 1.0, 1.0), 1.4, "++"),
    (SKY, (1.0, 3.0), 1.6, "//"),
    (GREEN, (3.0, 3.0), 1.4, "\\\\"),
    (PURPLE, (7.0, 3.0), 1.4, "xx"),
    (BLUE, (2.0, 1.0), 1.4, "||"),
    (VERMILION, (6.0, 2.0, 2.0, 2.0), 1.4, "--"),
)
_UNCERTAIN = Look(PALE, "?", (1.0, 1.0), 1.0, "")


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """A look for every label and for "uncertain". The basic expressions always look alike; others take what is free."""
    answer: dict[str, Look] = {}
    taken: set[str] = {_UNCERTAIN.initials}
    further = 0
    for name in labels:
        style = _BASIC.get(canonical(name))
        if style is None:
            style = _FURTHER[further % len(_FURTHER)]
            further += 1
        short = _initials(name, taken)
        taken.add(short)
        answer[name] = Look(style[0], short, *style[1:])
    answer[UNCERTAIN] = _UNCERTAIN
    return answer


def _initials(name: str, taken: set[str]) -> str:
    word = name.strip().capitalize() or "Xx"
    tries = [word[:2], *(word[0] + letter for letter in word[2:] if letter.isalpha()), word[0]]
    tries += [f"{word[0]}{number}" for number in range(2, 100)]
    return next(short for short in tries if short not in taken)
