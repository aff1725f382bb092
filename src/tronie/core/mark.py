"""Marks: JSON documents that say how far a piece of work has come, with a hash of themselves in the first line.

A mark that is cut short, changed by a byte or written by somebody else is no mark: the work is begun again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tronie.core.atomic import replacing

_FORMAT = 4


def save_mark(path: Path, document: Mapping[str, Any]) -> None:
    """Lay a mark down, whole and on the disk. Raises OutputError."""
    text = json.dumps({"format": _FORMAT, **document}).encode()
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        file.flush()
        os.fsync(file.fileno())


def load_mark(path: Path) -> dict[str, Any] | None:
    """What a mark says; None where there is none that holds."""
    if not path.is_file():  # a pipe would be waited for
        return None
    with suppress(OSError, ValueError, RecursionError):
        digest, _, text = path.read_bytes().partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() == digest:
            saved = json.loads(text)
            if isinstance(saved, dict) and saved.get("format") == _FORMAT:
                return saved
    return None
