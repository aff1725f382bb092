"""Commands that make something to take away: annotated film, segments for other programs, plots, report, comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tronie.cli.common import Out, People, Quiet, Reading, make, say, tell
from tronie.cli.options import refuse_for_photos, refuse_reading

DEFAULT, NOBODY = Reading(), People()


def annotate(
    source: str,
    *,
    out: Out,
    table: Path | None = None,
    anonymise: bool = False,
    people: People = NOBODY,
    reading: Reading = DEFAULT,
    quiet: Quiet = False,
) -> int:
    """Draw what was read into a film or picture: box, person, expression, confidence. The sound is kept.

    Parameters
    ----------
    source
        A film or a picture.
    out
        The new film (.mp4, .mov, .mkv) or picture (.png, .jpg, .webp, .tif).
    table
        What to draw: a table that `tronie predict` wrote. Without it the source is read first.
    anonymise
        Blur faces beyond recovery; labels stay. Check the result: a face that was not found is not blurred.
    quiet
        Print nothing but errors.
    """
    from tronie.pipeline.annotate import annotate as run

    if table is not None:
        refuse_reading(reading, table)
    refuse_for_photos([source], reading)
    return make(run, source, out, quiet, reading, people, timeline=table, anonymise=anonymise)


def segments(
    source: str,
    *,
    out: Out,
    csv_safe: bool = False,
    people: People = NOBODY,
    reading: Reading = DEFAULT,
    quiet: Quiet = False,
) -> int:
    """Write who shows what from when to when for other programs: WebVTT, ELAN, Praat, CSV.

    Parameters
    ----------
    source
        A table or segments that Tronie wrote, or a film, which is then read first.
    out
        .vtt (subtitles), .eaf (ELAN, one tier per person), .TextGrid (Praat) or .csv.
    csv_safe
        Write an apostrophe before text that a spreadsheet would run as a formula (.csv only).
    quiet
        Print nothing but errors.
    """
    from tronie.pipeline.segments import segments as run

    return make(run, source, out, quiet, reading, people, csv_safe=csv_safe)


def plot(
    source: str,
    *,
    out: Out,
    summary: bool = False,
    where: bool = False,
    track: int | None = None,
    people: People = NOBODY,
    reading: Reading = DEFAULT,
    quiet: Quiet = False,
) -> int:
    """Draw a film's expressions over time, person by person (needs the extra 'plot').

    Parameters
    ----------
    source
        A table or segments that Tronie wrote, or a film, which is then read first.
    out
        .png, .pdf or .svg.
    summary
        One page of figures instead: time per expression, per person and over the film, changes.
    where
        Instead: which moments of the film a video model (--model) looked at closely, with one person's face.
    track
        That person, by track (default: the one seen longest).
    quiet
        Print nothing but errors.
    """
    if where:
        from tronie.core.errors import SettingError
        from tronie.pipeline.where import where as look

        if people != NOBODY:
            raise SettingError("--where shows one track of the film: leave out --names and --seats.")
        return make(look, source, out, quiet, reading, track=track)
    from tronie.pipeline.plot import plot as run

    return make(run, source, out, quiet, reading, people, summary=summary)


def report(
    source: str,
    *,
    out: Out,
    film: Path | None = None,
    people: People = NOBODY,
    reading: Reading = DEFAULT,
    quiet: Quiet = False,
) -> int:
    """Write one HTML page about a film: plot, segments that seek the film beside it, tables.

    Parameters
    ----------
    source
        A table or segments that Tronie wrote, or a film, which is then read first.
    out
        The page (.html). It refers to the film where that lies: keep both together.
    film
        The film, where it is neither beside the table nor where the table says.
    quiet
        Print nothing but errors.
    """
    from tronie.pipeline.report import report as run

    return make(run, source, out, quiet, reading, people, film=film)


def compare(
    table: str,
    coder: str,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    people: People = NOBODY,
    tier: list[str] | None = None,
    blank: str | None = None,
    times: Literal["s", "ms", "frames"] | None = None,
    zero: str = "",
    step: float = 0.1,
    block: float = 10.0,
    csv_safe: bool = False,
) -> int:
    """Compare a film's table with a human coder's file: kappa, segment F1, confusion, with intervals.

    Parameters
    ----------
    table
        A table or segments that Tronie wrote, or another coder's file.
    coder
        ELAN (.eaf), Praat (.TextGrid) or a CSV with start, end, label and tier.
    out
        Also write everything: .json, or .csv with one figure a line.
    tier
        Only this tier of the coder's (may be given several times).
    blank
        What time without an annotation means, such as neutral (default: it does not count).
    times
        The unit of the coder's times, where the names of the columns do not say it (default: seconds).
    zero
        What the coder's clock shows where the film begins, such as 10:00:00 (default: 0).
    step
        Grid of the kappa, seconds.
    block
        Length of the blocks drawn for the intervals, seconds.
    csv_safe
        Write an apostrophe before text that a spreadsheet would run as a formula (.csv only).
    """
    from tronie.core.atomic import ensure_place
    from tronie.core.sheet import ensure_csv
    from tronie.study.compare import ENDINGS, compared_text, save_compared
    from tronie.study.compare import compare as run

    if out is not None:
        ensure_place(out, ENDINGS, "A comparison")
        ensure_csv(out, csv_safe=csv_safe)
    found = run(
        table,
        coder,
        names=people.names,
        seats=people.seats,
        tiers=tier,
        blank=blank,
        times=times,
        zero=zero,
        step=step,
        block=block,
    )
    for warning in found.warnings:
        say(f"Warning: {warning}")
    tell(compared_text(found))
    if out is not None:
        say(f"Written: {save_compared(found, out, csv_safe=csv_safe)}")
    return 0
