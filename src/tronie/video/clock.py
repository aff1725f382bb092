"""A film's clock: at which second a picture is shown, and for how long it counts as seen."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from av.container import InputContainer

from tronie.core.segment import JOIN_GAP

_PLAYED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})  # what browsers play, by the library's names
_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: a cover, which has no time
_STEPS = 10  # even steps after which a film is held to be even
_PACE = 2.5  # times its usual step: two pictures in a row are missing
_TOUCH = 1e-9  # seconds: two times closer than this are one


def zero_of(container: InputContainer) -> Fraction:
    """Seconds of the file's own time stamps at which the clock of a player stands at 0: the one rule for all times.

    Chromium shows a picture when ``currentTime`` reaches its time stamp, edit lists applied, as they are: with the
    picture later than the sound, with both starting at five seconds, with stamps below 0 (of which it shows the last).
    Measured for MP4, MOV, Matroska and WebM (tests/output/test_player_clock.py). What it does not play has no such
    clock, and often begins at any number (MPEG-TS, ASF): there the earliest start of a stream is 0.
    """
    if container.format.name in _PLAYED:
        return Fraction(0)
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.type in ("video", "audio")
        and not int(stream.disposition) & _ATTACHED_PICTURE
        and stream.start_time is not None
        and stream.time_base is not None
    ]
    return min(starts, default=Fraction(0))


@dataclass(frozen=True)
class Clock:
    """From a film's time stamps to seconds.

    A time stamp counts ``tick`` seconds, ``zero`` is the one at which the clock stands at 0, and ``usual`` how many
    ticks lie between two pictures by the header, 0 where it does not say. ``stills``: each picture says itself how long
    it stays, as in animated pictures, so that there are no holes.
    """

    tick: float
    zero: int
    usual: int
    stills: bool = False

    def time(self, ticks: int) -> float:
        """The second at which what is stamped ``ticks`` is shown."""
        return (ticks - self.zero) * self.tick


def is_hole(gap: float, step: float, usual: float = 0.0) -> bool:
    """Whether ``gap`` seconds from one picture to the next are a hole: time of which nothing was seen.

    ``step`` is how far apart the two pictures before were, ``usual`` the film's average, in seconds. More than half a
    second must be missing, and more than the film's own pace explains: a film of one picture in five seconds has no
    holes.
    """
    return gap - step > JOIN_GAP + _TOUCH and gap > _PACE * max(step, usual) + _TOUCH


class Pace(NamedTuple):
    """How far apart a film's pictures are, and what is missing between them. In ticks; plain values, to be saved.

    ``first``: the first steps, up to ten; ``step``: the last that was no hole (0: none yet); ``lasts``: how long the
    newest picture stays by the file (0: it does not say); ``lost``: all holes together, ``since``: where the first
    begins.
    """

    first: tuple[int, ...] = ()
    step: int = 0
    lasts: int = 0
    lost: int = 0
    since: int | None = None

    @staticmethod
    def restored(state: list[object]) -> Pace:
        """The pace that ``list(pace)`` was taken of, also through JSON."""
        first, *rest = state
        return Pace(tuple(first), *rest)  # type: ignore[arg-type]  # as they were

    def seen(self, gap: int, clock: Clock) -> int:
        """For how many of ``gap`` ticks up to the next picture the newest one counts as seen.

        For all of them, but before a hole no longer than the picture before it. In a film of even steps a hole may be
        short: some containers pass over damage without a word.
        """
        if clock.stills:
            return gap
        step = self.step or clock.usual
        even = len(self.first) == _STEPS and max(self.first) < 1.25 * min(self.first)
        lacks = even and gap > 1.75 * max(self.first[0], self.lasts)
        hole = step and (lacks or is_hole(gap * clock.tick, step * clock.tick, clock.usual * clock.tick))
        return step if hole else gap

    def then(self, at: int, gap: int, seen: int) -> Pace:
        """After one more picture, ``gap`` ticks after the one at ``at``, which was seen for ``seen`` of them."""
        if seen < gap:
            return self._replace(lost=self.lost + gap - seen, since=at + seen if self.since is None else self.since)
        first = (*self.first, gap) if len(self.first) < _STEPS else self.first
        return self._replace(first=first, step=gap)
