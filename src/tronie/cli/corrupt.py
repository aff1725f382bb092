"""``tronie corrupt``."""

from __future__ import annotations

from pathlib import Path

from tronie.cli.common import Out, Quiet, say


def corrupt(data: Path, noise: str, *, out: Out, seed: int = 0, quiet: Quiet = False) -> int:
    """Plant wrong labels among a data set's own, or make clips hard, to see what a method makes of them.

    Parameters
    ----------
    data
        A prepared folder, or a manifest (CSV).
    noise
        symmetric:0.3, pair:0.2, confusion:TABLE.csv, votes; a public list: eac:FILE, scn:FILE; or, in prepared clips,
        hard:0.2: most frames of a fifth of them become a neutral clip's.
    out
        The CSV to write: a recipe's noise takes it (its hard, where clips were made hard).
    seed
        Another seed, other rows.
    quiet
        Print nothing but errors.
    """
    from tronie.verbs.corrupt import corrupt as work

    made = work(data, noise, out, seed=seed)
    if not quiet and made.hard:
        say(f"{made.hard:,} of {made.rows:,} clips are hard now ({made.hard / made.rows:.1%}). Written: {made.path}")
    elif not quiet:
        say(f"{made.wrong:,} of {made.rows:,} labels are wrong now ({made.wrong / max(made.rows, 1):.1%}). "
            f"Written: {made.path}")  # fmt: skip
    return 0
