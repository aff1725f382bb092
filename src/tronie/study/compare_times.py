"""Is a coder's file about this film, and are its times seconds of it? What is not certain is asked, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tronie.core.errors import SettingError
from tronie.core.people import may_be_one
from tronie.core.span import Span
from tronie.output.coder_table import Unit

_SLACK_S, _SLACK_SHARE = 1.0, 0.02  # how far a coder may write beyond the last picture: sound is often longer
_FAR = 20  # how many times longer than what is known of a film a coder's time may be, where its end is not known


@dataclass(frozen=True)
class Answers:
    """What a coder is compared with.

    ``film_s`` is the end of what was analysed in seconds, 0 where it is not known; ``whole`` says whether that is the
    end of the film. ``rate`` is the film's frames per second, 0 where not known. ``known`` are the labels in their
    order, ``warnings`` those of the table.
    """

    spans: list[Span]
    film_s: float = 0.0
    whole: bool = False
    rate: float = 0.0
    known: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def of_one_film(coder: Sequence[Span], ours: Sequence[Span], name: str) -> tuple[list[Span], tuple[str, ...]]:
    """The coder's spans of the film that ``ours`` are about, and a warning where her file ``name`` is about another.

    Films are joined by the name that both have, else where they may be one but for their endings. Raises
    SettingError where several films remain.
    """
    theirs, films = (list(dict.fromkeys(span.source for span in spans if span.source)) for spans in (coder, ours))
    same = [one for one in theirs if one in films] or [
        one for one in theirs if any(may_be_one(one, film, ending=False) for film in films)
    ]
    kept = same if same and films else theirs
    if len(kept) > 1 or len(films) > 1:
        several = kept if len(kept) > 1 else films
        raise SettingError(
            f"A comparison is about one film, and these are about {len(several)} ({several[0]}, "
            f"{several[1]}{', …' if len(several) > 2 else ''}): choose one of them."
        )
    warnings: tuple[str, ...] = ()
    if theirs and films and not same:
        warnings = (f"{name} is about {theirs[0]}, and the answers are about {films[0]}: are they one film?",)
    return [span for span in coder if not span.source or span.source in kept], warnings


def check_times(coder: Sequence[Span], ours: Answers, times: Unit | None) -> None:
    """Raise SettingError where the coder's times cannot be seconds of this film, with the unit that they look like.

    Where the film's end is not known (segments, another coder, a film that was stopped), only what lies far beyond, or
    wholly outside, is refused. ``times`` "s" says that they are seconds: then some time in common is enough.
    """
    film_s = ours.film_s or max((span.end for span in ours.spans), default=0.0)
    if film_s <= 0 or not coder:
        return
    first, last = min(span.start for span in coder), max(span.end for span in coder)
    most = film_s + max(_SLACK_S, _SLACK_SHARE * film_s)
    within = last <= (most if ours.whole else _FAR * most)
    if first < most and (within or times == "s"):
        return
    found = f"The coder's times go from {first:g} to {last:g}, and the film ends at {film_s:g} s: "
    raise SettingError(found + _likely(coder, first, last, most, ours.rate, times))


def _likely(coder: Sequence[Span], first: float, last: float, most: float, rate: float, times: Unit | None) -> str:
    whole = all(time == int(time) for span in coder for time in (span.start, span.end))
    if times is None and rate and whole and 1 < last / rate <= most and last / 1000 < 0.1 * most:
        return "they look like numbers of frames; if they are, say so (--times frames)."
    if times is None and last / 1000 <= most and first < 1000 * most and last > 100:
        return "they look like milliseconds; if they are, say so (--times ms)."
    if first >= 60 and last - first <= most:
        shown = _clock(first)
        return f"their clock seems not to begin with the film; if it shows {shown} there, say --zero {shown}."
    if times is None and rate and whole and last / rate <= most:
        return "they look like numbers of frames; if they are, say so (--times frames)."
    return "they are of another film, of another cut of it, or in another unit (--times ms, --times frames)."


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
