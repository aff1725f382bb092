"""``tronie models`` and ``tronie datasets``: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tronie.cli.common import Changes, tell


def models() -> int:
    """List the models that ship."""
    from tronie.models.listing import models as listed
    from tronie.output.text import grid

    rows = [("model", "hash", "MB", "labels", "licence")]
    rows += [(m.name, m.hash, f"{m.megabytes:.1f}", ", ".join(m.info.labels), m.info.licence) for m in listed()]
    tell(grid(rows, frozenset({2})) if len(rows) > 1 else "No model ships with this copy of Tronie.")
    return 0


def datasets(
    name: str | None = None,
    root: Path | None = None,
    *,
    pixels: Annotated[bool, Parameter(negative="--no-pixels")] = True,
    set: Changes = None,
) -> int:
    """List the data sets that can be read, or check the one that lies in a folder.

    Parameters
    ----------
    name
        A data set, such as rafdb.
    root
        The folder or pack that holds it: it is read, and what is not as published is printed.
    pixels
        Also open every picture: unreadable files, sizes, near-duplicates within and between splits. Without: counts
        alone.
    set
        An option of the data set's reader, such as clips=frames (may be given several times).
    """
    from tronie.core.config import override
    from tronie.data.inspect import datasets as run

    found = run(name, root, pixels=pixels, **override({}, set or ()))
    tell(str(found))
    return 0 if found.fine else 1
