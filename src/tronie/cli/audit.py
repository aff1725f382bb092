"""The command ``audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tronie.cli.common import Out, Quiet, say, tell, tell_json

if TYPE_CHECKING:
    from tronie.audit.files import Audited


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
    csv_safe: bool = False,
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
        Number of folds: each is predicted by probes that learnt from the others.
    views
        Number of varied views of each face that are predicted; their agreement is measured.
    seed
        Another seed, other folds and other injected noise.
    proof
        Share of labels to make wrong on purpose in a second audit, to see how many are found (0: no second audit).
    pictures
        Leave faces out of the page: --no-pictures.
    decisions
        The CSV that the page exported: cleaned.csv follows it.
    csv_safe
        Write an apostrophe before text of audit.csv and changes.csv that a spreadsheet would run as a formula.
    json
        Print the figures as one JSON document.
    quiet
        Print nothing but errors.
    """
    from tronie.audit.audit import audit as work
    from tronie.audit.files import FIGURES, PAGE, TABLE
    from tronie.audit.page import WARNING
    from tronie.audit.verdicts import WEAK
    from tronie.cli.counting import counting
    from tronie.output.text import grid

    with counting(hidden=quiet) as count:
        found = work(
            data,
            out=out,
            probabilities=probabilities or (),
            features=features,
            folds=folds,
            views=views,
            seed=seed,
            proof=proof,
            pictures=pictures,
            decisions=decisions,
            csv_safe=csv_safe,
            progress=count,
        )
    if json:
        tell_json((out / FIGURES).read_text(encoding="utf-8").rstrip("\n"))
        return 0
    if not quiet:
        total = sum(found.counts.values())
        rows = [("verdict", "rows", "")] + [(n, f"{c:,}", f"{c / total:.1%}") for n, c in found.counts.items()]
        tell(grid(rows, frozenset({1, 2})))
        if found.told_apart < WEAK:
            say(WARNING)
        else:
            for sentence in _findings(found, out / TABLE):
                say(sentence)
        say(f"Written: {out / PAGE} and the tables beside it.")
    return 0


def _findings(found: Audited, table: Path) -> list[str]:
    """What an audit that can be trusted says in words: an estimate, where to look, and how well that was tried."""
    share, called = found.share, found.counts["wrong"]
    told = [f"An estimated {share.value:.1%} of the labels are wrong ({share.low:.1%} to {share.high:.1%})."]
    if called:
        told.append(
            f"{called:,} are called wrong, at the head of {table}. How many of these are errors, only looking tells."
        )
    told += [
        f"Tried on this data: of {proof.planted:,} labels made wrong on purpose ({proof.kind}), {proof.found:.0%} were "
        "called wrong."
        for proof in found.proofs
        if proof.planted
    ]
    return told
