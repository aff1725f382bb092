from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from rich.console import Console

from tronie.core.errors import SettingError
from tronie.output import live
from tronie.output.live import Bars, Lines, Seen, Window, display, without_window
from tronie.output.overlay import Mark, draw
from tronie.output.palette import looks

LOOKS = looks(["happiness", "neutral"])
BOX = (20.0, 60.0, 40.0, 50.0)


def seen(time: float, *people: tuple[str, str, float], note: str = "") -> Seen:
    marks = [Mark(BOX, person, label, confidence) for person, label, confidence in people]
    return Seen(np.full((200, 300, 3), 90, np.uint8), time, marks, LOOKS, note)


def test_a_line_per_change() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.show(seen(0.0, ("person 0", "neutral", 0.8)))
    lines.show(seen(0.1, ("person 0", "neutral", 0.9), ("person 1", "uncertain", 0.3)))
    lines.show(seen(0.2, ("person 0", "happiness", 0.875), ("person 1", "uncertain", 0.3)))
    lines.show(seen(0.5, ("person 0", "happiness", 0.9)))  # person 1 is away for a moment
    lines.show(seen(0.6, ("person 0", "happiness", 0.9), ("person 1", "uncertain", 0.3)))
    lines.show(seen(1.3, ("person 0", "happiness", 0.9)))
    assert out.getvalue().splitlines() == [
        "0:00.00  person 0  neutral  0.80",
        "0:00.10  person 1  uncertain",
        "0:00.20  person 0  happiness  0.88",
        "0:01.30  person 1  left",
    ]


def test_a_reader_that_has_gone_closes_the_lines() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    lines = Lines(Gone())
    lines.show(seen(0.0, ("person 0", "neutral", 0.8)))
    assert lines.closed


def test_bars_are_as_long_as_the_confidence() -> None:
    out = io.StringIO()
    bars = Bars(out, Console(file=out, force_terminal=True, width=100, color_system=None))
    bars.show(seen(1.0, ("person 1", "happiness", 1.0), ("person 0", "happiness", 0.5), note="9.0 pictures/s"))
    shown = out.getvalue()
    rows = {person: next(line for line in shown.splitlines() if person in line) for person in ("person 0", "person 1")}
    assert shown.index("person 0") < shown.index("person 1")
    assert rows["person 1"].count("█") == 2 * rows["person 0"].count("█") == live._WIDTH
    assert "50%" in rows["person 0"] and "100%" in rows["person 1"]
    assert "9.0 pictures/s" in shown and "0:01.00" in shown
    bars.show(seen(1.01, ("person 0", "uncertain", 0.3)))  # too soon after the last: drawn when it closes
    assert "uncertain" not in out.getvalue()
    bars.close()
    last = next(line for line in out.getvalue().splitlines() if "uncertain" in line)
    assert "█" not in last and "%" not in last


def test_bars_without_anybody_say_so() -> None:
    out = io.StringIO()
    bars = Bars(out, Console(file=out, force_terminal=True, width=80))
    bars.show(seen(0.0))
    bars.close()
    assert "no face" in out.getvalue()


class Screen:
    """OpenCV's window functions, as far as they are used."""

    def __init__(self, monkeypatch, keys=(), visible=1.0, fails=False) -> None:
        self.keys, self.shown, self.size, self.gone = list(keys), [], None, False

        def named(name: str, flags: int) -> None:
            if fails:
                raise cv2.error("no screen of this kind")

        answers = {
            "getBuildInformation": lambda: "  GUI:      QT5\n",
            "namedWindow": named,
            "imshow": lambda name, image: self.shown.append(image.copy()),
            "waitKey": lambda delay: self.keys.pop(0) if self.keys else -1,
            "getWindowProperty": lambda name, what: visible,
            "resizeWindow": lambda name, width, height: setattr(self, "size", (width, height)),
            "setWindowTitle": lambda name, title: None,
            "destroyAllWindows": lambda: setattr(self, "gone", True),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(cv2, name, answer)
        monkeypatch.setenv("DISPLAY", ":0")


def test_the_window_shows_what_annotate_draws_until_q_is_pressed(monkeypatch) -> None:
    screen = Screen(monkeypatch, keys=[-1, ord("q")])
    window = display()
    assert isinstance(window, Window)
    picture = seen(0.0, ("person 0", "happiness", 0.9))
    window.show(picture)
    assert not window.closed and screen.size == (300, 200)
    assert (screen.shown[0][:, :, ::-1] == draw(picture.image, picture.marks, LOOKS)).all()
    window.show(picture)
    assert window.closed
    window.close()
    assert screen.gone


def test_a_window_clicked_away_ends_the_work(monkeypatch) -> None:
    Screen(monkeypatch, visible=0.0)
    window = display("window")
    window.show(seen(0.0))
    assert window.closed


@pytest.mark.parametrize(("fails", "env", "says"), [(True, ":0", "no screen of this kind"), (False, "", "no screen")])
def test_where_no_window_can_be_opened_the_reason_is_said(monkeypatch, fails, env, says) -> None:
    Screen(monkeypatch, fails=fails)
    monkeypatch.setenv("DISPLAY", env)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(live.sys, "platform", "linux")
    assert says in (without_window() or "")
    with pytest.raises(SettingError, match="No window can be opened"):
        display("window")
    assert isinstance(display("auto", io.StringIO()), Lines)


def test_the_library_itself_is_asked() -> None:
    headless = "GUI:                           NONE" in cv2.getBuildInformation()
    if not headless:
        pytest.skip("this OpenCV has windows")
    assert "opencv-python" in (without_window() or "")
    with pytest.raises(cv2.error):  # it is right about itself
        cv2.namedWindow("x")


def test_auto_takes_bars_in_a_terminal_and_lines_elsewhere(monkeypatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(live, "without_window", lambda: "there is no screen")
    bars = display("auto", Terminal())
    assert isinstance(bars, Bars)
    bars.close()
    assert isinstance(display("auto", io.StringIO()), Lines)
    assert isinstance(display("lines", Terminal()), Lines)
    with pytest.raises(SettingError, match="no display 'radio'"):
        display("radio")
