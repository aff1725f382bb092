"""`tronie predict --baseline person` through the real command, model and detector."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tronie.core.timeline import Timeline
from tronie.models.catalog import SHIPPED, shipped
from tronie.models.folder import load_folder
from tronie.models.info import NeutralFit, write_info

SRC = Path(__file__).parents[2] / "src"
WRONG_OPTION = 2

pytestmark = pytest.mark.skipif("default" not in shipped(), reason="the default model is not in this tree")


def tronie(*arguments: str) -> subprocess.CompletedProcess[str]:
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run([sys.executable, "-m", "tronie", *arguments], capture_output=True, text=True, env=here)


@pytest.fixture
def model(tmp_path) -> Path:
    """The default model, as if all people looked surprised at rest: a person's own neutral then says much."""
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED / "default", folder)
    info = load_folder(folder).info
    expected = {name: 3.0 if name == "surprise" else -0.5 for name in info.labels}
    write_info(folder, replace(info, neutral=NeutralFit(expected, "nothing")))
    return folder


def test_a_film_and_a_photo(shared_data, samples, model, tmp_path) -> None:
    film, photo = shared_data / "samples" / "acted_sad_1080p.mp4", next(samples.glob("*.jpg"))
    common = ("--model", str(model), "--fps", "3")
    tables = []
    for baseline in ("model", "person"):
        out = tmp_path / f"{baseline}.csv"
        answer = tronie("predict", str(film), str(photo), *common, "--baseline", baseline, "--out", str(out))
        assert answer.returncode == 0, answer.stderr
        assert answer.stderr.count("Photos are read as they are") == (baseline == "person")
        tables.append(Timeline.load(out))
    plain, person = tables
    assert person.provenance.settings["baseline"] == "person"
    assert person.provenance.segments is None
    filmed = plain["duration"] > 0
    assert 0 < filmed.sum() < len(plain)
    assert np.array_equal(person.probabilities[~filmed], plain.probabilities[~filmed])
    assert np.array_equal(person["x"], plain["x"])
    moved = np.abs(person.probabilities - plain.probabilities)[filmed].max(1)
    assert moved[0] < 0.0001  # nothing is known of the person yet
    assert moved.max() > 0.001


def test_a_model_that_was_not_measured_is_refused_in_one_sentence(model) -> None:
    write_info(model, replace(load_folder(model).info, neutral=None))
    answer = tronie("predict", "film.mp4", "--model", str(model), "--baseline", "person")  # before it looks for it
    assert answer.returncode == WRONG_OPTION
    assert "does not say how it reads neutral faces" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    wrong = tronie("predict", "film.mp4", "--baseline", "mother")
    assert wrong.returncode == WRONG_OPTION
    assert "mother" in wrong.stderr
