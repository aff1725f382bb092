"""Where predictions go: one table, or a folder with a table per film."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tronie.core.atomic import ensure_writable
from tronie.core.errors import OutputError, SettingError
from tronie.core.segment import Segment
from tronie.core.timeline import Timeline
from tronie.core.timeline_io import SUFFIXES, save_segments


def save(timeline: Timeline, path: Path) -> list[Path]:
    """Write a timeline; where that fails (a disk that filled up meanwhile), keep it in the folder for temporary files.

    Returns the files written. Raises OutputError, which says where the table was kept.
    """
    try:
        return timeline.save(path)
    except OutputError as error:
        try:
            kept = Path(tempfile.mkdtemp(prefix="tronie-")) / path.name
            timeline.save(kept)
        except (OSError, OutputError):
            raise error from None
        raise OutputError(f"{error} What was read is kept in {kept}.") from error


class Results:
    """Takes timelines as they come and writes them to ``out``: a file or a folder.

    ``out`` with a table's suffix gets all rows in one table when the work ends. Any other ``out`` is a folder: each
    film's table is written there as soon as it is done, all pictures share ``photos.csv``, and ``segments.csv`` holds
    the segments of everything. Raises SettingError for an unknown suffix and OutputError where writing fails; what can
    be known of that before the work is said before it.
    """

    def __init__(self, out: Path) -> None:
        self._table = out if out.suffix.lower() in SUFFIXES and not out.is_dir() else None
        if self._table is None and out.suffix and not out.is_dir() and not str(out).endswith("/"):
            raise SettingError(f"Tables end in {', '.join(SUFFIXES)}; '{out.name}' does not. Or give a folder.")
        self._folder = out
        ensure_writable(self._table or out / "segments.csv")
        self._kept: list[Timeline] = []  # what goes into one table: everything, or the pictures
        self._segments: list[Segment] = []
        self._names = {"photos", "segments"}
        self._written: list[Path] = []

    def add(self, timeline: Timeline) -> None:
        """Take one source's timeline."""
        film = any(looked.kind == "video" for looked in timeline.looked)
        if self._table is None and film:
            self._written += save(timeline, self._folder / f"{self._name(timeline.looked[0].source)}.csv")
        elif self._table is not None or timeline.looked:
            self._kept.append(timeline)
        self._segments += timeline.segments()

    def close(self) -> list[Path]:
        """Write what waits, and return every file written."""
        if self._kept:
            where = self._table or self._folder / "photos.csv"
            self._written += save(Timeline.concat(self._kept), where)
        if self._table is None and (self._kept or self._written):
            self._written.append(save_segments(self._segments, self._folder / "segments.csv"))
        return self._written

    def _name(self, source: str) -> str:
        stem = name = Path(source).stem
        number = 2
        while name.lower() in self._names:
            name, number = f"{stem}_{number}", number + 1
        self._names.add(name.lower())
        return name
