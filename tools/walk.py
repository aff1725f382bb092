"""Count how far a command walks through the package: rooms entered, and moves between modules, over one traced run.

    python tools/walk.py [--list] COMMAND ARGUMENT ...     (what would stand behind `tronie`)

    python tools/walk.py predict examples/samples/astronaut.jpg --quiet

A *move* is a distinct pair of modules of which the first calls the second: functions, methods and generators count,
imports do not. What a library calls in between (the command line's parser, a thread pool) is seen through: the caller
is the nearest frame of the package. Other threads are traced too; other processes are not. ``--list`` prints every
move. The traced command runs about ten times slower than it would alone.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType

PACKAGE = "tronie"


class Walk:
    """The moves of one run; give :meth:`trace` to ``sys.setprofile``."""

    def __init__(self) -> None:
        self.moves: set[tuple[str, str]] = set()

    def trace(self, frame: FrameType, event: str, _: object) -> None:
        """Take note of a call from another module of the package."""
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        callee = module_of(frame)
        if not callee:
            return
        caller = nearest(frame.f_back)
        if caller and caller != callee:
            self.moves.add((caller, callee))

    @property
    def rooms(self) -> list[str]:
        """Top-level folders (or modules) entered, sorted; the package's own ``__init__`` is no room."""
        return sorted({room(name) for move in self.moves for name in move} - {"__init__"})


def module_of(frame: FrameType) -> str:
    """Dotted name below the package of the module that a frame runs in, "" for any other."""
    name = str(frame.f_globals.get("__name__", ""))
    if name == PACKAGE:
        return "__init__"
    return name[len(PACKAGE) + 1 :] if name.startswith(f"{PACKAGE}.") else ""


def nearest(frame: FrameType | None) -> str:
    """The module of the nearest frame of the package at or above ``frame``, "" where an import or nothing is there."""
    while frame is not None:
        if name := module_of(frame):
            return "" if frame.f_code.co_name == "<module>" else name
        frame = frame.f_back
    return ""


def room(module: str) -> str:
    """``video.decode`` lies in the room ``video``."""
    return module.partition(".")[0]


def walk(arguments: list[str]) -> tuple[int, Walk]:
    """Run one command under the tracer; its exit code and its moves."""
    from tronie.cli import main

    found = Walk()
    threading.setprofile(found.trace)
    sys.setprofile(found.trace)
    try:
        code = main(arguments)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return code, found


def main(arguments: list[str]) -> int:
    """Trace a command and print what it walked through."""
    if arguments[:1] == ["--list"]:
        listed, arguments = True, arguments[1:]
    else:
        listed = False
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    code, found = walk(arguments)
    if listed:
        for caller, callee in sorted(found.moves):
            print(f"{caller} -> {callee}")
    between = sum(room(caller) != room(callee) for caller, callee in found.moves)
    rooms = ", ".join(found.rooms)
    print(f"walk: {len(found.rooms)} rooms ({rooms}), {len(found.moves)} moves, {between} of them between rooms")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
