"""What the cost of an archive is computed from: a film that is really mixed, and sums that are right."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tronie.video.reader import VideoReader
from tronie.video.write import VideoWriter

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "robustness" / "cost.py"


@pytest.fixture(scope="module")
def cost():
    spec = importlib.util.spec_from_file_location("cost_of_an_archive", SCRIPT)
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def test_a_mixed_film_has_pieces_in_turn_and_four_at_once(cost, tmp_path) -> None:
    greys = [40, 200]
    films = []
    for grey in greys:
        films.append(tmp_path / f"{grey}.mp4")
        with VideoWriter(films[-1]) as writer:
            for i in range(5):
                writer.write(np.full((60, 80, 3), grey, np.uint8), i / 5)
    cost.mix(films, (160, 90), 8.0, 5.0, tmp_path / "mixed.mp4")
    seen = [np.asarray(frame.image) for frame in VideoReader(tmp_path / "mixed.mp4")]
    assert len(seen) == 40 and all(image.shape == (90, 160, 3) for image in seen)
    middles = [[int(image[y, x].mean()) for y, x in ((45, 80), (22, 40), (22, 120))] for image in seen]
    for second, expected in ((1, [40] * 3), (3, [None, 40, 200]), (5, [200] * 3), (7, [None, 40, 200])):
        for found, wanted in zip(middles[second * 5], expected, strict=True):
            assert wanted is None or abs(found - wanted) < 12, second
    assert int(seen[0][45, 5].mean()) < 12  # fitted in, not stretched


def test_the_table_counts_what_was_measured(cost, monkeypatch) -> None:
    for name, value in (("bytes_per_row", 200.0), ("ledger_rate", 50.0), ("join_seconds", 0.001)):
        monkeypatch.setattr(cost, name, lambda value=value: value)
    given = argparse.Namespace(hours=1000, rate=25.0, cores=[10], mbit=[1.5, 6.0], price=0.1)
    films = [
        cost.Film("one face", "640x360", 0.02, {25.0: 0.2, 5.0: 0.1, 1.0: 0.05}, 1.0),
        cost.Film("mixed", "640x360", 0.02, {25.0: 0.5, 5.0: 0.2, 1.0: 0.1}, 2.0),
    ]
    lines = cost.table(given, films).splitlines()
    cells = [cell.strip() for cell in lines[8].strip("|").split("|")]
    assert cells == ["mixed, 640x360", "2.0", "5 a second", "5.0", "200", "0.8", "20", "10%", "0.9 MB/s", "0.01 TB"]
    assert "2.5 at every frame, 2.0 at 5 a second, 2.0 at 1 a second" in lines[-1]
