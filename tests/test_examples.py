"""The sample film: 8 s, two cuts, and nothing in it but the two portraits."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from tronie.video.reader import VideoReader

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "make_film.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys, runpy; sys.path.insert(0, {str(SCRIPT.parents[1] / 'src')!r}); sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", code, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_sample_film(tmp_path: Path) -> None:
    done = run(str(tmp_path / "new" / "film.mp4"))
    assert done.returncode == 0, done.stderr
    assert "200 frames, 8 s" in done.stdout
    frames = list(VideoReader(tmp_path / "new" / "film.mp4"))
    assert [round(f.time * 25, 3) for f in frames] == list(range(200))
    assert {f.image.shape for f in frames} == {(360, 640, 3)}
    small = [f.image[::8, ::8].astype(float) for f in frames]
    steps = np.array([np.abs(b - a).mean() for a, b in pairwise(small)])
    assert np.flatnonzero(steps > 30).tolist() == [74, 139]  # the cuts; between them the camera moves slowly


def test_a_wrong_call_is_one_sentence(tmp_path: Path) -> None:
    assert run().returncode == 2
    done = run(str(tmp_path / "film.txt"))
    assert done.returncode == 5
    assert not done.stderr
    assert "film.txt" in done.stdout
