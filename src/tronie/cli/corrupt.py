"""``tronie corrupt``."""

from __future__ import annotations

from pathlib import Path

from tronie.cli.common import Out, Quiet, say


def corrupt(data: Path, noise: str, *, out: Out, seed: int = 0, quiet: Quiet = False) -> int:
    """Plant wrong labels among a data set's own, to see what a method makes of them.

    Parameters
    ----------
    data
        A prepared folder, or a manifest (CSV).
    noise
        symmetric:0.3, pair:0.2, confusion:TABLE.csv, votes; or a public list: eac:FILE, scn:FILE.
    out
        The CSV to write (id, before, after): a recipe's noise takes it.
    seed
        Another seed, other rows.
    quiet
        Print nothing but errors.
    """
    from tronie.verbs.corrupt import corrupt as work

    made = work(data, noise, out, seed=seed)
    if not quiet:
        say(f"{made.wrong:,} of {made.rows:,} labels are wrong now ({made.wrong / max(made.rows, 1):.1%}). "
            f"Written: {made.path}")  # fmt: skip
    return 0
