"""What is read while it is read: in a window, as bars in a terminal, or as lines when a label changes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

import cv2

from tronie.core.errors import SettingError
from tronie.core.face import Pixels
from tronie.core.labels import UNCERTAIN
from tronie.core.segment import JOIN_GAP
from tronie.core.words import printable, printable_lines
from tronie.output.overlay import Mark, draw
from tronie.output.palette import Look
from tronie.output.text import clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

DISPLAYS = ("auto", "window", "bars", "lines")
_TITLE = "Tronie"
_ENDS = (27, ord("q"))  # Escape, q
_REFRESH = 0.1  # seconds between two drawings of the bars: eyes and terminals want no more
_WIDTH = 30  # of a full bar, in letters


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture of a live source, with what was read in it; ``note`` is a word about the work itself."""

    image: Pixels
    time: float
    marks: Sequence[Mark]
    looks: Mapping[str, Look]
    note: str = ""


class Display(Protocol):
    """Shows what is seen. ``closed`` turns true when the person has closed it."""

    closed: bool

    def show(self, seen: Seen) -> None: ...
    def close(self) -> None: ...


def display(kind: str = "auto", out: TextIO | None = None) -> Display:
    """A display of a kind in ``DISPLAYS``, writing to ``out`` (default: standard output) where it writes.

    "auto" is a window where OpenCV can open one, else bars in a terminal, else lines. Raises SettingError for an
    unknown kind, and for a window that cannot be opened.
    """
    out = out or sys.stdout
    if kind not in DISPLAYS:
        raise SettingError(f"There is no display '{kind}': choose one of {', '.join(DISPLAYS)}.")
    if kind in ("auto", "window"):
        reason = without_window()
        if reason is None:
            return Window()
        if kind == "window":
            raise SettingError(f"No window can be opened: {reason}. Use the display 'bars' or 'lines'.")
    return Bars(out) if kind == "bars" or (kind == "auto" and out.isatty()) else Lines(out)


def without_window() -> str | None:
    """Why OpenCV cannot open a window here; None if it can."""
    backends = [line.split(":", 1)[1].strip() for line in cv2.getBuildInformation().splitlines() if "GUI:" in line]
    if not backends or backends[0].upper().startswith("NONE"):
        return "this OpenCV is built without windows (opencv-python has them, opencv-python-headless has not)"
    # Asked before the library is: without a screen, some of its window systems end the whole program.
    unix = sys.platform not in ("win32", "darwin")
    if unix and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no screen"
    try:
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    except cv2.error as error:
        return f"OpenCV says: {' '.join(str(error).split())}"
    return None


class Window:
    """The picture with boxes and labels, until it is closed or q or Escape is pressed."""

    def __init__(self) -> None:
        self.closed = False
        self._sized = False

    def show(self, seen: Seen) -> None:
        """Draw one picture."""
        cv2.imshow(_TITLE, draw(seen.image, seen.marks, seen.looks)[:, :, ::-1])
        if not self._sized:  # a window that can be resized starts tiny
            height, width = seen.image.shape[:2]
            scale = min(1.0, 1280 / width, 800 / height)
            cv2.resizeWindow(_TITLE, round(width * scale), round(height * scale))
            self._sized = True
        cv2.setWindowTitle(_TITLE, f"{_TITLE}  {seen.note}")
        key = cv2.waitKey(1) & 0xFF
        self.closed = key in _ENDS or cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1

    def close(self) -> None:
        """Take the window away."""
        cv2.destroyAllWindows()


class Bars:
    """One bar per person in a terminal, drawn over itself; the last state stays."""

    def __init__(self, out: TextIO, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self.closed = False
        self._live = Live(console=console or Console(file=out), auto_refresh=False)
        self._live.start()
        self._drawn = -_REFRESH
        self._last: Seen | None = None

    def show(self, seen: Seen) -> None:
        """Draw the people of one picture, at most ten times a second."""
        self._last = seen
        if time.monotonic() - self._drawn >= _REFRESH:
            self._draw(seen)

    def close(self) -> None:
        """Draw the last picture's people and leave them there."""
        if self._last is not None:
            self._draw(self._last)
        self._live.stop()

    def _draw(self, seen: Seen) -> None:
        self._drawn = time.monotonic()
        self._live.update(_bars(seen), refresh=True)


def _bars(seen: Seen) -> Table:
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for mark in sorted(seen.marks, key=lambda mark: mark.person):
        sure = mark.label != UNCERTAIN
        colour = seen.looks[mark.label].colour
        table.add_row(
            Text(printable(mark.person)),
            Text(printable(mark.label) if mark.usable else f"{printable(mark.label)} (hard to see)"),
            Bar(1.0, 0.0, mark.confidence if sure else 0.0, width=_WIDTH, color=colour),
            Text(f"{mark.confidence:4.0%}" if sure else "   -"),
        )
    if not seen.marks:
        table.add_row(Text("no face"))
    table.add_row(Text(clock(seen.time), style="dim"), Text(printable(seen.note), style="dim"))
    return table


class Lines:
    """A line whenever a person comes, goes, or shows something else."""

    def __init__(self, out: TextIO) -> None:
        self.closed = False
        self._out = out
        self._known: dict[str, tuple[str, float]] = {}  # person: label, and when last seen

    def show(self, seen: Seen) -> None:
        """Write what has changed with this picture. A reader that has gone away closes the display."""
        lines = []
        for mark in seen.marks:
            if self._known.get(mark.person, ("", 0.0))[0] != mark.label:
                number = "" if mark.label == UNCERTAIN else f"  {mark.confidence:.2f}"
                lines.append(f"{clock(seen.time)}  {mark.person}  {mark.label}{number}")
            self._known[mark.person] = (mark.label, seen.time)
        for person, (_, last) in list(self._known.items()):
            if seen.time - last > JOIN_GAP:
                lines.append(f"{clock(seen.time)}  {person}  left")
                del self._known[person]
        if lines:
            self._write("\n".join(lines) + "\n")

    def close(self) -> None:
        """Nothing is left to do."""

    def _write(self, text: str) -> None:
        try:
            self._out.write(printable_lines(text))
            self._out.flush()
        except BrokenPipeError:  # `tronie watch 0 | head`: what was read is still to be saved
            self.closed = True
