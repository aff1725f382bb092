"""The command ``export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from tronie.cli.common import Out, Quiet, say


@Parameter(name="*")
@dataclass(frozen=True)
class Clips:
    """Of a run on features, which becomes a video model."""

    encoder: Path | None = None
    """The image model that made the features (a name or folder), where it is not found by itself."""
    looks: int | None = None
    """Random looks at each window of a film (default: 8)."""
    window: float | None = None
    """Seconds of film that are read together (default: 2)."""
    hop: float | None = None
    """Seconds from one window to the next, at most half a window (default: 0.5)."""


USUAL = Clips()


def export(
    run: Path,
    *,
    out: Out,
    precision: Literal["half", "full", "int8"] = "half",
    mirror: bool = False,
    data: Path | None = None,
    temperature: float | None = None,
    clips: Clips = USUAL,
    quiet: Quiet = False,
) -> int:
    """Write a run's weights as a model folder. Needs the extra "train".

    Parameters
    ----------
    run
        A run folder.
    out
        The model folder to write; it must not exist.
    precision
        "half": stored as fp16. "full": fp32. "int8": a quarter of the size, refused where answers change.
    mirror
        Answer the mean of a face and its mirror image, at twice the cost.
    data
        The folder of prepared data sets: judge the exported graph itself. int8 and --mirror need it.
    temperature
        A temperature measured on held-out folds, for weights trained on everything.
    quiet
        Print nothing but errors.
    """
    from tronie.train.export import export as work

    made = work(run, out, precision=precision, mirror=mirror, data=data, temperature=temperature, **vars(clips))
    if not quiet:
        if made.quantized is not None:
            say(f"int8: {made.quantized}")
        say(f"Written: {made.folder} ({made.size / 1e6:.1f} MB)")
    return 0
