"""Standard output and standard error as commands meet them: of any encoding, closed, on a full disk, without a reader.

A command is never ended by a character that the terminal cannot show, nor, once its results are in files, by words
that nobody can read any more.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

_ESCAPED = "tronie.escaped"


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Characters that an encoding lacks as ``\uXXXX``, as JSON writes them, so that printed JSON stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end


codecs.register_error(_ESCAPED, _escape)


class Stream:
    """A text stream that remembers why it could not be written, and then writes nothing more.

    ``lost`` is that error. Unless ``optional``, it is raised as well. ``was_closed`` says that there was no stream.
    """

    def __init__(self, stream: TextIO | None, *, optional: bool) -> None:
        self.optional = optional
        self.lost: OSError | None = None
        self.was_closed = stream is None or stream.closed
        nowhere = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        self._stream = nowhere if stream is None or stream.closed else stream

    def write(self, text: str) -> int:
        """Write, as a text stream does."""
        if self.was_closed and text and self.lost is None:
            self._fail(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        if self.lost is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        if self.lost is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fail(self, error: OSError) -> None:
        self.lost = error
        # The interpreter flushes its streams on the way out: what is still held back goes nowhere.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if not self.optional:
            raise error

    @property
    def reader_left(self) -> bool:
        """Whether the reader of a pipe has gone (``| head``): nobody is there to be told."""
        windows = os.name == "nt" and self.lost is not None and self.lost.errno == errno.EINVAL
        return windows or isinstance(self.lost, BrokenPipeError)

    @property
    def reason(self) -> str:
        """Why nothing could be written, as the end of a sentence."""
        if self.lost is None:
            return ""
        if self.lost.errno in (errno.ENOSPC, errno.EDQUOT):
            return "the disk is full. Free some space or print elsewhere."
        if self.lost.errno == errno.EBADF:
            return "standard output is closed. Give a file with --out where the command has it, or print elsewhere."
        return f"{self.lost.strerror or self.lost}."


def nobody_reads() -> bool:
    """Whether the reader of standard output has gone: for commands that would go on for ever."""
    return isinstance(sys.stdout, Stream) and sys.stdout.reader_left


@contextmanager
def guarded() -> Iterator[Stream]:
    """Guard ``sys.stdout`` and ``sys.stderr`` while a command runs, and give the guard of standard output."""
    _fill_closed()
    before = sys.stdout, sys.stderr
    policies = [(stream, stream.errors) for stream in before if stream is not None and hasattr(stream, "reconfigure")]
    for stream, policy in policies:
        if policy in ("strict", "surrogateescape"):
            _reconfigure(stream, _ESCAPED)
    out = Stream(sys.stdout, optional=False)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, Stream(sys.stderr, optional=True))
    try:
        yield out
    finally:
        sys.stdout, sys.stderr = before
        for stream, policy in policies:
            _reconfigure(stream, policy)


def _reconfigure(stream: Any, errors: str | None) -> None:
    with suppress(OSError, ValueError):  # it flushes first, which a closed or full one cannot
        stream.reconfigure(errors=errors)


def _fill_closed() -> None:
    """Give a closed descriptor 0, 1 or 2 to nowhere: a file opened later would get it, and libraries' words in it."""
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
