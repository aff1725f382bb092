"""The time grid: a film is worked off cell by cell, and batches never reach over a cell's edge.

A batch's make-up can change a model's answers in their last bits. Cut on a grid of film time, the batches after a
restart are those of the uninterrupted run, and so are the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tronie.core.errors import TronieError
from tronie.core.face import Frame


def cell_of(time: float, width: float) -> int:
    """The grid cell in which a time lies, both in seconds."""
    return math.floor(time / width + 1e-9)


def on_grid(
    frames: Iterable[Frame], width: float, mark: Callable[[], Any] = lambda: None
) -> Iterator[tuple[Frame, bool, Any]]:
    """Each frame with whether it is the last of its cell, and ``mark()`` as it was before the next frame was asked for.

    Looks one frame ahead; ``mark`` is how the position *behind* this frame is kept all the same. An error of the
    source comes after the last good frame, which is the last of its cell.
    """
    source = iter(frames)
    frame = next(source, None)
    while frame is not None:
        position, failure = mark(), None
        try:
            following = next(source, None)
        except TronieError as error:
            following, failure = None, error
        last = following is None or cell_of(following.time, width) != cell_of(frame.time, width)
        yield frame, last, position
        if failure is not None:
            raise failure
        frame = following
