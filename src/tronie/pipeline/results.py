"""Where predictions go: one table here, or a folder (``verbs.jobs``)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tronie.core.errors import OutputError, SettingError
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES, ensure_savable


def save(timeline: Timeline, path: Path, *, csv_safe: bool = False) -> list[Path]:
    """Write a timeline; where that fails (a disk that filled up meanwhile), keep it in the folder for temporary files.

    Returns the files written. Raises OutputError, which says where the table was kept.
    """
    try:
        return timeline.save(path, csv_safe=csv_safe)
    except OutputError as error:
        try:
            kept = Path(tempfile.mkdtemp(prefix="tronie-")) / path.name
            timeline.save(kept, csv_safe=csv_safe)
        except (OSError, OutputError):
            raise error from None
        raise OutputError(f"{error} What was read is kept in {kept}.") from error


def is_folder(out: Path) -> bool:
    """Whether results go into a folder: a table's ending means a table. Raises SettingError for another ending."""
    if out.is_dir() or str(out).endswith("/"):
        return True
    if out.suffix and out.suffix.lower() not in SUFFIXES:
        raise SettingError(f"Tables end in {', '.join(SUFFIXES)}; '{out.name}' does not. Or give a folder.")
    return not out.suffix


class Results:
    """Takes timelines as they come and writes all their rows to one table when the work ends.

    Raises OutputError where the table cannot be written; what can be known of that before the work is said before it.
    """

    def __init__(self, table: Path, *, csv_safe: bool = False) -> None:
        self._table, self._csv_safe = table, csv_safe
        ensure_savable(table)
        self._kept: list[Timeline] = []

    def add(self, timeline: Timeline) -> None:
        """Take one source's timeline."""
        self._kept.append(timeline)

    def close(self) -> list[Path]:
        """Write what was taken, and return every file written."""
        return save(Timeline.concat(self._kept), self._table, csv_safe=self._csv_safe) if self._kept else []
