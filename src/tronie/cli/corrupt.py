"""``tronie corrupt``."""

from __future__ import annotations

from pathlib import Path

from tronie.cli.common import Out, Quiet, say


def corrupt(data: Path, noise: str, *, out: Out, seed: int = 0, quiet: Quiet = False) -> int:
    """Inject wrong labels into a data set, or make clips hard, to test how a method copes with them.

    Parameters
    ----------
    data
        A prepared folder, or a manifest (CSV).
    noise
        symmetric:0.3, pair:0.2, confusion:TABLE.csv, votes; a public list: eac:FILE, scn:FILE; or, in prepared clips,
        hard:0.2: most frames of a fifth of them become a neutral clip's.
    out
        The CSV to write; a recipe reads it as noise, or as hard where clips were made hard.
    seed
        Another seed, other rows.
    quiet
        Print nothing but errors.
    """
    from tronie.data.inject import corrupt as work

    made = work(data, noise, out, seed=seed)
    if not quiet and made.hard:
        say(f"{made.hard:,} of {made.rows:,} clips are hard now ({made.hard / made.rows:.1%}). Written: {made.path}")
    elif not quiet:
        say(
            f"{made.wrong:,} of {made.rows:,} labels are wrong now ({made.wrong / max(made.rows, 1):.1%}). "
            f"Written: {made.path}"
        )
    return 0
