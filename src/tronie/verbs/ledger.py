"""The ledger of a folder of results: one JSON document a line, only ever appended to.

The first line says with which model, settings and version the folder is made. Every other line is one event of one
task or source: "started", "again" (failed, to be tried once more), "stopped" (by ctrl-C), "done" or "failed". A line
that a crash cut short is passed over; the source it spoke of is then done again, or answered from what lies finished.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from tronie.core.atomic import unwritable
from tronie.core.errors import SettingError
from tronie.pipeline.tasks import Outcome, Task

NAME = "jobs.jsonl"
_FORMAT = 1

Entry = Mapping[str, Any]


class Ledger:
    """The ledger at ``path``; ``made`` is how its results are made (model, settings, version, by name).

    ``entries`` holds the last "done" or "failed" line of each source, by absolute path and in their order. Appending is
    safe between threads. Raises SettingError if the results there were made otherwise, and OutputError.
    """

    def __init__(self, path: Path, made: Mapping[str, str]) -> None:
        self.path, self.entries = path, dict[str, Entry]()
        self._begun: dict[str, list[float]] = {}  # by task: where the tries without an end began, in seconds of film
        self._guard = threading.Lock()
        lines = self._read()
        if lines and lines[0].get("tronie_jobs") != _FORMAT:
            raise SettingError(f"{path} is not a ledger that this version reads: give another folder.")
        for name, value in made.items():
            if lines and lines[0].get(name) != value:
                raise SettingError(
                    f"The results in {path.parent} were made with {name} {lines[0].get(name)}, not {value}: "
                    "give another folder, or --no-resume to begin again."
                )
        for line in lines[1:]:
            self._note(line)
        if not lines:
            self._append([{"tronie_jobs": _FORMAT, **made}])

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
        self._append([
            {"state": "failed" if one.error else "done", "task": task.key, "table": task.table,
             **{k: v for k, v in asdict(one).items() if v not in ("", ())}}
            for one in outcomes
        ])  # fmt: skip

    def done(self, path: str) -> Entry | None:
        """The line of a source that was read."""
        entry = self.entries.get(path)
        return entry if entry is not None and entry["state"] == "done" else None

    def _read(self) -> list[dict[str, Any]]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unwritable(self.path, error) from error
        found = []
        for text in data.splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict):
                    found.append(line)
        return found

    def _note(self, line: dict[str, Any]) -> None:
        state, key = line.get("state"), str(line.get("task"))
        if state == "started":
            self._begun.setdefault(key, []).append(float(line.get("at", 0.0)))
        elif state in ("done", "failed") and isinstance(line.get("path"), str):
            self._begun.pop(key, None)
            self.entries.pop(line["path"], None)  # the order is that of the last word
            self.entries[line["path"]] = line
        elif state in ("again", "stopped"):
            self._begun.pop(key, None)

    def _append(self, lines: list[dict[str, Any]]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = "".join(json.dumps({**line, "time": now}) + "\n" for line in lines)
        with self._guard:
            for line in lines:
                self._note(line)
            try:
                append(self.path, text.encode())
            except OSError as error:
                raise unwritable(self.path, error) from error


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

