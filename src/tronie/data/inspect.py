"""``tronie datasets``: which data sets can be read, and whether what lies in a folder is one of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tronie.core.errors import SettingError
from tronie.core.manifest import Manifest
from tronie.core.registry import names, resolve
from tronie.data.alignment import alignment
from tronie.datasets.about import About
from tronie.datasets.check import Checked, check
from tronie.datasets.table import DATASETS, about, read


@dataclass(frozen=True)
class Known:
    """One data set that can be named. ``about`` is None for one that another package brings."""

    name: str
    about: About | None
    options: tuple[str, ...]

    def __str__(self) -> str:
        if self.about is None:
            return f"{self.name}: from another package"
        facts = self.about
        classes = "your own" if facts.labels is None else ", ".join(facts.labels.names) or "none"
        rows = [f"{split or 'rows'} {facts.published(split):,}" for split in facts.counts]
        told = [
            f"{self.name}: {facts.title}",
            f"  classes   {classes}",
            f"  from      {facts.source}",
            f"  licence   {facts.licence}",
            *(f"  layout    {layout}" for layout in facts.layouts),
        ]
        told += [f"  published {', '.join(rows)}"] if rows else []
        told += [f"  options   {', '.join(self.options)}"] if self.options else []
        return "\n".join(told)


@dataclass(frozen=True, eq=False)
class Report:
    """What is known, and for a folder what was read (``manifest``, near-duplicates joined in its groups) and found."""

    known: tuple[Known, ...]
    manifest: Manifest | None = None
    checked: Checked | None = None

    @property
    def fine(self) -> bool:
        """False where a check found something that is not as published."""
        return self.checked is None or self.checked.fine

    def __str__(self) -> str:
        return str(self.checked) if self.checked is not None else "\n\n".join(map(str, self.known))


def datasets(
    name: str | None = None,
    root: Path | None = None,
    *,
    pixels: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Report:
    """List the data sets that can be read, or read the one called ``name`` below ``root`` and check it.

    ``pixels=False`` checks lists and counts only; ``options`` are the reader's. Raises SettingError for an unknown name
    or option, SourceError where the data set is not found or broken.
    """
    if name is None:
        if root is not None:
            raise SettingError(f"Which data set lies in {root}? Name one of {', '.join(names(DATASETS, 'data set'))}.")
        return Report(tuple(_known(n) for n in names(DATASETS, "data set")))
    known = _known(name)
    if root is None:
        return Report((known,))
    facts = known.about
    manifest = read(name, Path(root), **{**(facts.whole if facts else {}), **options})
    pixels &= facts is None or facts.kind == "pixels"
    checked = check(manifest, facts, pixels=pixels, progress=progress)
    if pixels and len(manifest):
        lies = alignment(manifest).finding(facts is not None and facts.aligned)
        checked = replace(checked, findings=(*checked.findings, lies))
    if checked.group is not None:
        manifest = replace(manifest, group=checked.group)
    return Report((known,), manifest, checked)


def _known(name: str) -> Known:
    takes = inspect.signature(resolve(DATASETS, name, "data set")).parameters.values()
    return Known(name, about(name), tuple(p.name for p in takes if p.kind == p.KEYWORD_ONLY))
