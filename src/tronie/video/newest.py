"""Keep up with a live source: always the newest picture, and a count of those that were left out."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing

from tronie.video.camera import Shot

_STALL = 3.0  # seconds: a longer leap in a stream's clock is no pause to wait for


class Newest:
    """Takes shots in a thread of its own, each when its time has come, and hands on the newest one.

    A reader that is slower than the source misses shots: ``missed`` counts them. ``fps`` thins the source to so many
    shots a second first; those are not missed. Without ``paced`` shots are taken as they come. For a ``with`` block.
    """

    def __init__(self, shots: Generator[Shot, None, None], *, fps: float | None = None, paced: bool = True) -> None:
        self.missed = 0
        self._shots, self._fps, self._paced = shots, fps, paced
        self._waiting: Shot | None = None
        self._ended = False
        self._error: Exception | None = None
        self._change = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tronie-camera", daemon=True)

    def __enter__(self) -> Newest:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._thread.join(1.0)  # a source that is waited for ends with its own patience

    def take(self, patience: float) -> Shot | None:
        """The newest shot not taken yet, waiting at most ``patience`` seconds for one; None if none came.

        Raises what the source raised. After the last shot :attr:`ended` is true.
        """
        with self._change:
            self._change.wait_for(lambda: self._waiting is not None or self._ended, patience)
            shot, self._waiting = self._waiting, None
            error = self._error
            if shot is None and error is not None:
                self._error = None
                raise error
            return shot

    @property
    def ended(self) -> bool:
        """Whether the source has ended, and its last shot or what it raised was taken."""
        with self._change:
            return self._ended and self._waiting is None and self._error is None

    def _run(self) -> None:
        try:
            with closing(self._shots):
                for shot in self._due():
                    with self._change:
                        self.missed += self._waiting is not None
                        self._waiting = shot
                        self._change.notify()
        except Exception as error:  # told to the one who takes
            self._error = error
        finally:
            with self._change:
                self._ended = True
                self._change.notify()

    def _due(self) -> Iterator[Shot]:
        """The shots kept by ``fps``, each when it is due, until the reader closes."""
        begun, last = 0.0, -1
        for shot in self._shots:
            if self._closing.is_set():
                return
            slot = last + 1 if self._fps is None else math.floor(shot.time * self._fps + 1e-6)
            if slot <= last:
                continue
            wait = begun + shot.time - time.monotonic()
            if last < 0 or abs(wait) > _STALL:
                begun, wait = time.monotonic() - shot.time, 0.0
            last = slot
            if self._paced and wait > 0 and self._closing.wait(wait):
                return
            yield shot
