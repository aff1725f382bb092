"""Read small files that others made: only regular ones, only so large, JSON only so deep, each fault one sentence.

Every JSON file is read by :func:`read_json`, or its lines by :func:`parse_json`: Python's own reader takes numbers
that no array holds, keys that come twice, half characters that no file can be written with, and nesting that ends in
a RecursionError.
"""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any

from tronie.core.errors import SourceError, TronieError
from tronie.core.words import shortened

SMALL = 16 << 20
"""Bytes that a file of settings or notes may have."""
LARGE = 1 << 30
"""Bytes that a file with a row per face may have."""
DEEPEST = 32
"""Levels of lists and objects in one another; what Tronie writes has 6 at most."""

_NO_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+', re.DOTALL)
_INT64 = (-(2**63), 2**63 - 1)


def read_bytes(path: Path, *, most: int = SMALL, error: type[TronieError] = SourceError) -> bytes:
    """The bytes of a regular file. Raises ``error`` for anything else (a pipe would never end), or a larger one."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise error(f"{path} is no regular file: give a file.")
        if about.st_size > most:
            raise error(
                f"{path} has {about.st_size:,} bytes, and such a file may have {most:,}: it is not what its name says."
            )
        with path.open("rb") as file:
            data = file.read(about.st_size + 1)  # not most: reading sets aside what it asks for
    except OSError as reason:
        raise error(f"{path} cannot be read: {reason.strerror or reason}.") from reason
    except ValueError as reason:  # a NUL in the path
        raise error(f"{path} is no name that a file can have: check it.") from reason
    if len(data) > about.st_size:
        raise error(f"{path} grew while it was read: try again.")
    return data


def read_json(path: Path, *, most: int = SMALL, deepest: int = DEEPEST, error: type[TronieError] = SourceError) -> Any:
    """What a JSON file says.

    Args:
        path: The file.
        most: Bytes that it may have.
        deepest: Levels of lists and objects in one another.
        error: Kind of the error to raise: what the file is for its reader.

    Errors:
        ``error``, one sentence, for a file that is missing, not regular, too large or no JSON that Tronie takes.
    """
    try:
        return parse_json(read_bytes(path, most=most, error=error), deepest=deepest)
    except ValueError as reason:
        raise error(f"{path} cannot be read ({reason}): make or fetch it again.") from reason


def parse_json(text: bytes | str, *, deepest: int = DEEPEST) -> Any:
    """What JSON text says. Raises ValueError that says in half a sentence what is wrong, of whatever it does not take.

    Taken are whole numbers of 64 bits, finite other numbers, keys that come once, and whole characters.
    """
    words = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    if _depth(words) > deepest:
        raise ValueError(f"it is nested more than {deepest} levels deep")
    try:
        found = json.loads(
            words, object_pairs_hook=_object, parse_int=_whole, parse_float=_number, parse_constant=_number
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg} in line {error.lineno}, column {error.colno})") from error
    except RecursionError:  # a caller that is deep in the stack itself
        raise ValueError("it is nested too deep") from None
    if "\\u" in words:
        _whole_characters(json.dumps(found, ensure_ascii=False))
    return found


def _whole_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it holds half a character (\\u{ord(text[error.start]):04x})") from None


def _depth(words: str) -> int:
    """How deep brackets that stand outside of texts are in one another."""
    level = found = 0
    for bracket in _NO_BRACKET.sub("", words):
        level += 1 if bracket in "[{" else -1
        found = max(found, level)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in made if names.count(name) > 1)
        raise ValueError(f"it says '{shortened(twice)}' twice")
    return made


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else _INT64[1] + 1
    if not _INT64[0] <= number <= _INT64[1]:
        raise ValueError(f"its number {shortened(digits, 24)} has more than 64 bits")
    return number


def _number(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"its number {shortened(word, 24)} is not finite")
    return number
