"""What a file made the process do beyond reading it: start programs, open its neighbours, write elsewhere, connect."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Any

_STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
_ELSEWHERE = (
    "socket.connect",
    "socket.sendto",
    "socket.getaddrinfo",
    "pickle.find_class",
    "ctypes.dlopen",
    "urllib.Request",
)
_CHANGES = (
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "shutil.copyfile",
    "shutil.move",
    "shutil.rmtree",
)
_MAKES = ("os.link", "os.symlink", "shutil.copyfile")  # the second path is the new one
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")


class Guard:
    """Watches this process: ``seen()`` tells what was not to happen since it was last asked.

    Python's own doings are told by an audit hook; which files named ``secret`` libraries open by themselves in the
    folders ``watched``, by the system (inotify, Linux only); children by asking for them. Files are to be written below
    ``allowed`` only.
    """

    def __init__(self, allowed: Path, watched: tuple[Path, ...]) -> None:
        self._allowed, self._events, self._busy = str(allowed.resolve()), list[str](), False
        self._notify = _watch(watched)
        sys.addaudithook(self._hear)

    def seen(self) -> list[str]:
        """What was done, in words."""
        found, self._events = [*self._events, *self._opened()], []
        try:
            os.waitpid(-1, os.WNOHANG)
            found.append("a child process")
        except ChildProcessError:
            pass
        return found

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            if event in _STARTS or event in _ELSEWHERE:
                self._events.append(f"{event} {arguments!r}"[:200])
            elif event == "open":
                path, mode, flags = arguments
                writes = (flags or 0) & _WRITES if mode is None else set(mode) & set("wax+")
                if writes and not isinstance(path, int):
                    self._check(event, path)
            elif event in _CHANGES and not _below_an_open_folder(arguments):
                both = event in ("os.rename", "shutil.move")
                changed = arguments[:2] if both else arguments[1:2] if event in _MAKES else arguments[:1]
                for path in changed:
                    self._check(event, path)
        finally:
            self._busy = False

    def _check(self, event: str, path: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            real = os.path.join(
                os.path.realpath(os.path.dirname(os.fsdecode(path)) or "."), os.path.basename(os.fsdecode(path))
            )
            if not (real + "/").startswith((self._allowed + "/", "/dev/null/")):
                self._events.append(f"{event} {real}"[:200])

    def _opened(self) -> list[str]:
        if self._notify is None:
            return []
        try:
            data = os.read(self._notify, 1 << 16)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at < len(data):
            _, _, _, size = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + size].rstrip(b"\0").decode("utf-8", "replace")
            if name.startswith("secret"):
                found.append(f"opened its neighbour {name}")
            at += _EVENT.size + size
        return found


def _below_an_open_folder(arguments: tuple[Any, ...]) -> bool:
    """Whether a path counts from a descriptor, as where a whole tree is removed."""
    return isinstance(arguments[-1], int) and len(arguments) > 1 and arguments[-1] >= 0


def _watch(folders: tuple[Path, ...]) -> int | None:
    """A descriptor of inotify that tells of files opened in ``folders``; None where the system has no such thing."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    handle: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if handle < 0 or any(library.inotify_add_watch(handle, os.fsencode(f), _IN_OPEN) < 0 for f in folders):
        raise OSError(ctypes.get_errno(), "inotify does not start")
    return handle
