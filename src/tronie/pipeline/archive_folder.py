"""A folder of results: how it is begun, whether what lies in it is as it was written, and what is joined from it."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tronie import __version__
from tronie.core.atomic import unwritable
from tronie.core.errors import OutputError, SettingError
from tronie.core.stamp import ensure_own, is_same, is_sealed
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.archive_ledger import NAME, RESERVED, Entry, Ledger, is_ledger
from tronie.pipeline.archive_tables import join_segments, join_tables
from tronie.pipeline.archive_tasks import HIDDEN, Place, Task, absolute
from tronie.video.sources import Source, few

_OURS = re.compile(r"[0-9a-f]{16}\.(rows|mark|lock|crash|segments\.csv|photos\.(csv|meta\.json))|\.[0-9a-f]{8}\..*")
"""Files in the folder of what is in the making that may be forgotten: nobody else's."""


def open_ledger(out: Path, analyser: Analyser, resume: bool) -> Ledger:
    """The ledger of the folder ``out``; without ``resume`` a new one, and what was in the making is taken away.

    Raises SettingError where it is somebody else's, or was begun with other settings, and OutputError.
    """
    path = out / NAME
    ensure_own(path)
    if not resume:
        if path.exists() and not is_ledger(path):
            raise SettingError(f"{path} is not a ledger of Tronie's: remove it, or give another folder.")
        for old in (path, *(p for p in (out / HIDDEN).iterdir() if _OURS.fullmatch(p.name) and not p.is_dir())):
            try:
                old.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(old, error) from error
    made = {"model": analyser.model.hash, "settings": analyser.settings.hash, "version": __version__}
    return Ledger(path, made, {"model": analyser.model.name, **analyser.settings.as_dict()})


def ensure_places(tasks: Sequence[Task], out: Path) -> None:
    """Raise OutputError before the work where a folder lies in the place of a table that it will write."""
    for task in tasks:
        for path in Place(out, task.key).results(task.table):
            if path.is_dir():
                raise OutputError(
                    f"{path} is a folder, where the results of {task.name} belong: move it away, or "
                    "choose another folder."
                )
    for name in RESERVED:
        if (out / f"{name}.csv").is_dir():
            raise OutputError(f"{out / name}.csv is a folder, where a table belongs: move it away, or choose another.")


def damaged_lines(ledger: Ledger) -> list[str]:
    """The sentence about lines of the ledger that cannot be used, if there are any."""
    if not ledger.damaged:
        return []
    return [
        f"{ledger.damaged} damaged lines of {ledger.path} are passed over: what they spoke of is read again when "
        "it is named."
    ]


def set_aside(changed: Sequence[Entry], out: Path) -> list[str]:
    """Copy tables that somebody changed, before they are overwritten; sentences about what is read again."""
    kept, others = [], []
    for entry in changed:
        table = out / f"{entry['table']}.csv"
        seals = entry.get("seals")
        seal = seals[0] if isinstance(seals, list) and seals else None
        if not entry.get("table") or not table.is_file() or is_sealed(table, seal):
            others.append(str(entry["source"]))
            continue
        try:
            # A link that somebody planted is copied as a link: what it names is not read.
            shutil.copy2(table, table.with_name(f"{table.name}.changed"), follow_symlinks=False)
        except OSError as error:
            raise unwritable(table, error) from error
        kept.append(str(table))
    told = []
    if kept:
        told.append(f"Not as written, so read again and kept as *.csv.changed: {few(kept)}.")
    if others:
        told.append(f"Read again, because results are changed, cut short or gone: {few(others)}.")
    return told


def is_as_read(entry: Entry, source: Source) -> bool:
    """Whether the very file was read that lies there now."""
    stamp = entry.get("stamp")
    return isinstance(stamp, list) and is_same(source.path, stamp)


def is_whole(entry: Entry, out: Path) -> bool:
    """Whether the results of a source are there as they were written."""
    seals, paths = entry.get("seals"), Place(out, str(entry["task"])).results(str(entry.get("table") or ""))
    return isinstance(seals, list) and len(seals) == len(paths) and all(map(is_sealed, paths, seals))


def join(out: Path, ledger: Ledger, found: Sequence[Source]) -> tuple[list[Path], list[str]]:
    """``photos.csv`` and ``segments.csv`` from the pieces that lie finished, in the order of the sources.

    Returns the tables that there are, and what is to be said of sources whose pieces are not as they were written.
    """
    order = {absolute(source): place for place, source in enumerate(found)}
    last = len(order)
    ended = [(path, e) for path, e in ledger.entries.items() if e["state"] == "done"]
    ended.sort(key=lambda item: order.get(item[0], last))  # stable: what is not asked for now keeps the ledger's order
    whole = [is_whole(entry, out) for _, entry in ended]
    done = [entry for (_, entry), good in zip(ended, whole, strict=True) if good]
    lost = [str(entry["source"]) for (_, entry), good in zip(ended, whole, strict=True) if not good]
    told = [f"What was read of {few(lost)} is changed, cut short or gone in {out}: name it again."] if lost else []
    keys = {str(entry["task"]): Place(out, str(entry["task"])) for entry in done}
    owners = {str(entry["source"]): str(entry["task"]) for entry in done}
    photos = [(key, place.photos) for key, place in keys.items() if place.photos.is_file()]
    written = [out / f"{entry['table']}.csv" for entry in done if entry.get("table")]
    try:
        if photos:
            written.append(join_tables(photos, owners, out / "photos.csv"))
        segments = [(key, place.segments) for key, place in keys.items() if place.segments.is_file()]
        if segments:
            written.append(join_segments(segments, owners, out / "segments.csv"))
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError) as error:
        raise OutputError(
            f"A piece in {out / HIDDEN} is not one that Tronie wrote ({type(error).__name__}): begin "
            "again with --no-resume."
        ) from error
    return written, told
