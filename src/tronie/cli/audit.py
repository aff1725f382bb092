"""The command ``audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tronie.cli.common import Out, Quiet, say


def audit(
    data: Path,
    *,
    out: Out,
    probabilities: Annotated[list[Path] | None, Parameter(negative="")] = None,
    features: Path | None = None,
    folds: int = 5,
    views: int = 4,
    seed: int = 0,
    proof: float = 0.1,
    pictures: Annotated[bool, Parameter(negative="--no-pictures")] = True,
    decisions: Path | None = None,
    json: bool = False,
    quiet: Quiet = False,
) -> int:
    """Find the labels that are probably wrong, and those that are merely hard.

    Parameters
    ----------
    data
        A folder that `tronie prepare` made; with --probabilities also a manifest (CSV).
    out
        A folder for audit.csv, cleaned.csv, changes.csv, audit.json and audit.html.
    probabilities
        Out-of-sample probabilities of your own, CSV or NPZ (may be given several times); needs no PyTorch.
    features
        The run folder of a model trained on other data: its features beside those of dlib's face net.
    folds
        Parts that are predicted by probes which have not seen them.
    views
        Looks at each face, varied, whose agreement is measured.
    seed
        Another seed, other folds and other planted noise.
    proof
        Plant so much noise and audit again, to see what is found (0: do not).
    pictures
        Leave faces out of the page: --no-pictures.
    decisions
        The CSV that the page exported: cleaned.csv follows it.
    json
        Print the figures as one JSON document.
    quiet
        Print nothing but errors.
    """
    from tronie.lab.audit_files import FIGURES, PAGE, TABLE
    from tronie.measure.label_quality_verdicts import WEAK, expected_errors
    from tronie.show.audit import WARNING
    from tronie.show.counting import counting
    from tronie.show.text import grid
    from tronie.verbs.audit import audit as work

    with counting(hidden=quiet) as count:
        found = work(data, out=out, probabilities=probabilities or (), features=features, folds=folds, views=views,
                     seed=seed, proof=proof, pictures=pictures, decisions=decisions, progress=count)  # fmt: skip
    if json:
        print((out / FIGURES).read_text(encoding="utf-8"), end="")
        return 0
    if not quiet:
        total = sum(found.counts.values())
        rows = [("verdict", "rows", "")] + [(n, f"{c:,}", f"{c / total:.1%}") for n, c in found.counts.items()]
        print(grid(rows, frozenset({1, 2})))
        share = found.share
        say(f"About {share.value:.1%} of the labels are wrong ({share.low:.1%} to {share.high:.1%}).")
        called = int((found.quality.wrong >= 0.5).sum()) if found.counts["wrong"] else 0
        if called:
            errors = expected_errors(found.quality.wrong)[called - 1]
            low, high = (min(errors * end / max(share.value, 1e-9), called) for end in (share.low, share.high))
            say(f"Look at the first {called:,} rows of {out / TABLE}: about {errors:,.0f} ({low:,.0f} to {high:,.0f}) "
                "should be errors.")  # fmt: skip
        if found.told_apart < WEAK:
            say(WARNING)
        say(f"Written: {out / PAGE} and the tables beside it.")
    return 0
