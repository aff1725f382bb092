from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tronie.core.errors import SourceError
from tronie.video.camera import Shot
from tronie.video.newest import Newest


def shots(times, closed=None, until=None):
    """``until``: before which of the shots the reader must have taken one more, however busy the machine is."""
    went_on, waits = until or (None, ())
    try:
        for number, at in enumerate(times):
            if number in waits:
                assert went_on.acquire(timeout=60)
            yield Shot(at, lambda: np.zeros((1, 1, 3), np.uint8))
    finally:
        if closed is not None:
            closed.set()


def taken(newest, work=0.0, went_on=None):
    found = []
    while not newest.ended:
        shot = newest.take(0.1)
        if shot is not None:
            found.append(shot.time)
            if went_on is not None:
                went_on.release()
            time.sleep(work)
    return found


def test_a_quick_reader_gets_every_shot_at_its_time() -> None:
    times = [0.0, 0.05, 0.1, 0.3, 0.35]
    begun, went_on = time.monotonic(), threading.Semaphore(0)
    with Newest(shots(times, until=(went_on, range(1, 5)))) as newest:
        assert taken(newest, went_on=went_on) == times
    assert newest.missed == 0
    assert time.monotonic() - begun >= 0.35


def test_a_slow_reader_gets_the_newest_and_is_told_how_many_it_missed() -> None:
    times = [i / 50 for i in range(40)]
    went_on = threading.Semaphore(0)
    with Newest(shots(times, until=(went_on, [1]))) as newest:
        found = taken(newest, work=0.15, went_on=went_on)
    assert found[0] == 0 and found[-1] == times[-1] and found == sorted(found)
    assert len(found) < 12
    assert newest.missed == 40 - len(found)


def test_thinned_shots_are_not_missed() -> None:
    went_on = threading.Semaphore(0)
    with Newest(shots([i / 100 for i in range(50)], until=(went_on, range(10, 50, 10))), fps=10) as newest:
        found = taken(newest, went_on=went_on)
    assert found == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert newest.missed == 0


def test_a_leap_of_the_stream_s_clock_is_not_waited_for() -> None:
    begun = time.monotonic()
    with Newest(shots([0.0, 0.05, 5000.0, 5000.05])) as newest:
        assert taken(newest)[-1] == 5000.05
    assert time.monotonic() - begun < 600


def test_what_the_source_raises_is_raised_where_it_is_taken() -> None:
    def broken():
        yield Shot(0.0, lambda: np.zeros((1, 1, 3), np.uint8))
        raise SourceError("The stream is torn.")

    with Newest(broken()) as newest:
        with pytest.raises(SourceError, match="torn"):
            taken(newest)
        assert newest.ended


def test_leaving_early_closes_the_source() -> None:
    closed = threading.Event()
    with Newest(shots(iter(range(100)), closed)) as newest:
        assert newest.take(60) is not None
        assert newest.take(0.01) is None  # the next one is due in a second
    assert closed.wait(60)
