"""Segments as WebVTT, the subtitles of browsers and players (W3C Candidate Recommendation, 4 April 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from tronie.core.labels import UNCERTAIN
from tronie.output.tier import Tier


def text(tiers: Sequence[Tier]) -> str:
    """The whole file: one cue a segment, such as ``Anna: happiness 87 %``. Cues of several people may overlap.

    A video model adds how many of its clips agree: ``Anna: happiness 87 % (7 of 8 clips say happiness)``.
    """
    cues = sorted(((cue, tier.name) for tier in tiers for cue in tier.cues), key=lambda pair: pair[0].start)
    blocks = ["WEBVTT\n", "NOTE Made by Tronie: the expression shown, not a feeling felt.\n"]
    for number, (cue, name) in enumerate(cues, 1):
        said = cue.segment.label
        if said != UNCERTAIN:
            said += f" {cue.segment.confidence:.0%}".replace("%", " %")
        if cue.segment.told:
            said += f" ({cue.segment.told})"
        blocks.append(f"{number}\n{clock(cue.start)} --> {clock(cue.end)}\n{escaped(name)}: {escaped(said)}\n")
    return "\n".join(blocks)


def clock(milliseconds: int) -> str:
    """``hh:mm:ss.mmm``; hours may have more than two digits."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{rest:03d}"


def escaped(words: str) -> str:
    """Text without line breaks, in which no character can begin a tag, a character reference or an arrow."""
    return " ".join(words.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
