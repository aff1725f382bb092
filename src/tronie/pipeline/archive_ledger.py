"""The ledger of a folder of results: one JSON document a line, only ever appended to.

The first line says with which model, settings and version the folder is made. Every other line is one event of one
task or source: "started", "again" (failed, to be tried once more), "stopped" (by ctrl-C), "done", "failed", or "passed"
(a healthy file without pictures). Each ends in ``check``, a hash of what stands before it. A line that a crash cut
short, that was changed, or that does not say what it must is passed over; the source it spoke of is then done again, or
answered from what lies finished.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from tronie.core.atomic import unwritable
from tronie.core.errors import SettingError
from tronie.core.files import parse_json
from tronie.core.stamp import ensure_own
from tronie.core.words import printable, shortened
from tronie.pipeline.archive_tasks import Outcome, Task

NAME = "jobs.jsonl"
RESERVED = ("photos", "segments")
"""Names that no film's table may have."""

_FORMAT = 1
_HEAD = b'{"tronie_jobs"'
_CHECK = re.compile(rb'(\{.*), "check": "([0-9a-f]{8})"\}')
_KEY = re.compile(r"[0-9a-f]{16}")
_OPTIONS = {
    "model": "--model",
    "detector": "--detector",
    "fps": "--fps",
    "provider": "--provider",
    "baseline": "--baseline",
    "video_track": "--video-track",
}

Entry = Mapping[str, Any]


class Ledger:
    """The ledger at ``path``; ``made`` is how its results are made (model, settings, version: their hashes).

    ``told`` says the same by option and setting, for people. ``entries`` holds the last "done", "failed" or "passed"
    line of each source, by absolute path and in their order; ``damaged`` counts lines that hold something else than a
    ledger does. Appending is safe between threads. Raises SettingError if the results there were made otherwise or the
    file is no ledger, and OutputError.
    """

    def __init__(self, path: Path, made: Mapping[str, str], told: Mapping[str, Any] | None = None) -> None:
        self.path, self.entries, self.damaged = path, dict[str, Entry](), 0
        self._begun: dict[str, list[float]] = {}  # by task: where the tries without an end began, in seconds of film
        self._tables: dict[str, str] = {}  # in lower case -> path of the film
        self._guard = threading.Lock()
        told = dict(told or {})
        lines = self._read()
        if lines is None:
            self._append([{"tronie_jobs": _FORMAT, **made, "with": told}])
            return
        if not lines or lines[0].get("tronie_jobs") != _FORMAT:
            advice = "--no-resume to begin again" if is_ledger(path) else "remove it"
            raise SettingError(f"{path} is not a ledger that this version reads: give another folder, or {advice}.")
        if differences := _differences(lines[0], {**made, "with": told}):
            raise SettingError(
                f"{path.parent} holds results that were made otherwise ({'; '.join(differences)}): give "
                "another folder, or --no-resume to begin again."
            )
        for line in lines[1:]:
            if not self._note(line):
                self.damaged += 1

    def tries(self, task: Task, reached: float) -> int:
        """How often the task was begun at ``reached`` seconds of film and never ended: it may kill who reads it."""
        begun = self._begun.get(task.key, [])
        return len(list(takewhile(lambda at: at == reached, reversed(begun))))

    def started(self, task: Task, attempt: int, reached: float) -> None:
        """Note that a task is begun, before it is."""
        self._append([{"state": "started", "task": task.key, "source": task.name, "attempts": attempt, "at": reached}])

    def again(self, task: Task, attempt: int, error: str) -> None:
        """Note that a task failed and will be tried once more."""
        self._append([{"state": "again", "task": task.key, "source": task.name, "attempts": attempt, "error": error}])

    def stopped(self, task: Task) -> None:
        """Note that a task was ended on purpose, to go on another time."""
        self._append([{"state": "stopped", "task": task.key, "source": task.name}])

    def ended(self, task: Task, outcomes: Iterable[Outcome]) -> None:
        """Note what became of a task, one line per source, in one piece."""
        self._append(
            [
                {
                    "state": "failed" if one.error else "passed" if one.passed else "done",
                    "task": task.key,
                    "table": task.table,
                    **{k: v for k, v in asdict(one).items() if v not in ("", ())},
                }
                for one in outcomes
            ]
        )

    def done(self, path: str) -> Entry | None:
        """The line of a source that was read."""
        return self._last(path, "done")

    def passed(self, path: str) -> Entry | None:
        """The line of a file that holds no pictures."""
        return self._last(path, "passed")

    def _last(self, path: str, state: str) -> Entry | None:
        entry = self.entries.get(path)
        return entry if entry is not None and entry["state"] == state else None

    def _read(self) -> list[dict[str, Any]] | None:
        """Its lines; None where none was ever ended. What cannot be read is left out."""
        ensure_own(self.path)
        if not self.path.exists():
            return None
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise unwritable(self.path, error) from error
        if b"\n" not in data and _HEAD.startswith(data[: len(_HEAD)]):  # begun by a process that was killed
            return None
        found = []
        for text in data.splitlines():
            parts = _CHECK.fullmatch(text)
            if parts is None or _check(parts[1]) != parts[2].decode():
                self.damaged += not text.startswith(b'{"') or text.endswith(b"}")  # else: cut short by a crash
                continue
            try:
                found.append(parse_json(parts[1] + b"}"))
            except ValueError:
                self.damaged += 1
        return found

    def _note(self, line: dict[str, Any]) -> bool:
        """Take one line; False if it does not say what such a line must."""
        state, key = line.get("state"), line.get("task")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            return False
        if state == "started":
            at = line.get("at")
            if not isinstance(at, (int, float)) or not math.isfinite(at):
                return False
            self._begun.setdefault(key, []).append(float(at))
        elif state in ("done", "failed", "passed"):
            path, table = line.get("path"), line.get("table", "")
            if not (isinstance(path, str) and isinstance(line.get("source"), str) and self._may_have(path, table)):
                return False
            self._begun.pop(key, None)
            self.entries.pop(path, None)  # the order is that of the last word
            self.entries[path] = line
        elif state in ("again", "stopped"):
            self._begun.pop(key, None)
        else:
            return False
        return True

    def _may_have(self, path: str, table: object) -> bool:
        """Whether a film's table may be called so: a plain name in the folder of results, and of no other film."""
        if table == "":
            return True
        if not isinstance(table, str) or not is_table(table):
            return False
        return self._tables.setdefault(table.lower(), path) == path

    def _append(self, lines: list[dict[str, Any]]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [_whole({**line, "time": now}) for line in lines]  # as they are read again
        text = "".join(checked(line) + "\n" for line in lines)
        with self._guard:
            for line in lines:
                self._note(line)
            try:
                append(self.path, text.encode())
            except OSError as error:
                raise unwritable(self.path, error) from error


def checked(line: Mapping[str, Any]) -> str:
    """A line of a ledger: JSON with the hash of itself."""
    text = json.dumps(line)[:-1]
    return f'{text}, "check": "{_check(text.encode())}"}}'


def _check(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:8]


def is_table(name: str) -> bool:
    """Whether a table can be called so: the plain name of a file in the folder of results."""
    file = f"{name}.csv"
    return name not in ("", *RESERVED) and "\0" not in name and Path(file).name == file and len(name.encode()) <= 200


def is_ledger(path: Path) -> bool:
    """Whether a file begins as a ledger does, of whatever version."""
    with path.open("rb") as file:
        return file.read(len(_HEAD)) == _HEAD


def append(path: Path, data: bytes) -> None:
    """Add whole lines to a file and see them onto the disk. A line that a crash left without its end is ended first."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        size = os.fstat(handle).st_size
        if size:
            os.lseek(handle, size - 1, os.SEEK_SET)
            if os.read(handle, 1) != b"\n":
                data = b"\n" + data
        left = memoryview(data)
        while len(left):
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _whole(value: Any) -> Any:
    """Plain values whose texts can be read again: bytes of a file's name that are no characters become escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, (list, tuple)):
        return [_whole(one) for one in value]
    return {name: _whole(one) for name, one in value.items()} if isinstance(value, dict) else value


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What the folder was begun with and what is asked for now, option by option, where they are not the same."""
    old, new = before.get("with"), now["with"]
    found = []
    if isinstance(old, dict) and before.get("settings") != now.get("settings"):
        found = [
            _told(_OPTIONS.get(name, f"setting {name}"), old.get(name), new.get(name))
            for name in new
            if name != "model" and old.get(name) != new.get(name)
        ]
    if before.get("model") != now.get("model") and isinstance(old, dict) and old.get("model") != new.get("model"):
        found.insert(0, _told("--model", old.get("model"), new.get("model")))
    named = {"settings": bool(found), "model": any(one.startswith("--model") for one in found)}
    return found + [
        _told(name, before.get(name), value)
        for name, value in now.items()
        if name != "with" and before.get(name) != value and not named.get(name)
    ]


def _told(name: str, before: object, now: object) -> str:
    return f"{name} {_word(now)}, the folder was begun with {_word(before)}"


def _word(value: object) -> str:
    if value in (None, "none"):  # how settings are kept as JSON
        return "none"
    return f"{value:g}" if isinstance(value, float) else shortened(printable(str(value)), 40)
