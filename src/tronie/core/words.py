"""Words that others wrote (names of files, labels, messages of libraries) made fit for a terminal.

A terminal obeys what it prints: an escape sequence in a file's name clears the screen, sets the window's title or
hides a line, and a bidirectional override shows ``gnp.exe`` as ``exe.png``. Whatever the commands print goes through
:func:`printable` (one word, one line) or :func:`printable_lines` (text of several lines).
"""

from __future__ import annotations

import re

# Control characters, half characters, line and paragraph separators and invisible marks of Unicode. The joiners
# U+200C and U+200D stay: Persian and Indic names and many emoji are written with them.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ONE_LINE = re.compile(f"[{_UNSEEN}]")
_LINES = re.compile(f"(?!\n)[{_UNSEEN}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    r"""``text`` on one line, with what a terminal would obey or hide written out: ``\x1b``, ``\n``, ``\u202e``."""
    return _ONE_LINE.sub(_written_out, text)


def printable_lines(text: str) -> str:
    """As :func:`printable`, but line ends stay: for text that the program itself laid out in lines."""
    return _LINES.sub(_written_out, text)


def printable_json(text: str) -> str:
    r"""JSON in which such characters stand as ``\uXXXX``: it says the same, and no terminal obeys it."""
    return _LINES.sub(_as_json, text)


def shortened(text: str, most: int = 60) -> str:
    """``text``, or its beginning with "…" where it has more than ``most`` letters: for messages."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _as_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _written_out(match: re.Match[str]) -> str:
    letter = match[0]
    code = ord(letter)
    return _SHORT.get(letter) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
